"""The photos and the model in hand: kept by every link, taken up where none is named, told when gone."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.app import assert_well, open_app, words
from tests.support.trained import copy_of, trained
from translearn_core.runs import LIVE_STATES, Run
from translearn_core.runs.in_use import throw_away_run
from translearn_ui.components.run_progress import RunProgress
from translearn_ui.shell import bar, frame
from translearn_ui.training import run_words


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A trained run with its photos, in a workspace of its own."""
    monkeypatch.setenv("TRANSLEARN_HOME", str(tmp_path / "home"))
    source = trained("frozen")
    dataset = shutil.copytree(source.config.dataset, tmp_path / "home" / "datasets" / "colours")
    copy = copy_of(source, tmp_path / "home" / "runs" / source.id)
    config = copy.config.model_copy(update={"dataset": str(dataset)})
    (copy.folder / "config.json").write_text(config.model_dump_json(), encoding="utf-8")
    return Run(copy.folder)


@pytest.mark.parametrize("page", [row.name for row in frame.PAGES if not row.of_class])
def test_every_link_of_the_bar_takes_photos_and_model_along(page: str, run: Run) -> None:
    app = open_app(page, data="colours", run=run.id)
    assert_well(app)
    links = [link.proto.query_string for link in app.get("page_link")]
    assert len(links) >= 9, "the brand, five steps, My work, the photos, the model"
    for query in links[:9]:
        assert "data=colours" in query
        assert f"run={run.id}" in query


@pytest.mark.parametrize("page", ["results", "try_it", "share"])
def test_the_newest_model_is_taken_up_where_the_address_names_none(page: str, run: Run) -> None:
    app = open_app(page)
    assert_well(app)
    assert "run" in app.query_params
    assert "No result yet" not in words(app)


def test_the_bar_names_the_model_and_the_next_action(run: Run) -> None:
    assert bar.model_words(run).endswith("% · Starter")
    for page, leads_to in (("results", "try_it"), ("try_it", "share"), ("work", "try_it")):
        app = open_app(page, data="colours", run=run.id)
        assert app.button(key=f"next_{leads_to}"), page
    assert not open_app("photos", data="colours", run=run.id).button(key="train").disabled


def test_a_model_that_another_window_deleted_is_said_and_an_unknown_one_too(run: Run) -> None:
    app = open_app("results", data="colours", run=run.id)
    throw_away_run(run)
    app.run()
    assert_well(app)
    assert ["deleted in another window" in box.value for box in app.warning] == [True]
    unknown = open_app(run="../../x")
    assert_well(unknown)
    assert ["names a model that is not here" in box.value for box in unknown.warning] == [True]


def test_the_tab_says_how_far_a_training_is(run: Run) -> None:
    state = run.state.model_copy(update={"state": "running", "stage": "features"})
    assert state.state in LIVE_STATES
    progress = RunProgress(stages=["start", "features"], stage="features")
    progress.counted = {"stage": "features", "done": 30, "total": 60}
    assert run_words.tab_title(run, state, progress).startswith("Training 30 % – ")
    progress.stage, progress.stages = "save", [*progress.stages, "head", "evaluate", "save"]
    assert run_words.share_of_all(run.config.settings, state, progress) <= 1.0
