"""A workspace made by version 0.1.0 opens: data sets, runs, checks, searches, exports, answers.

`tests/data/README.md` says how `workspace_0_1.tar.xz` was made.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.support.app import assert_well, open_app, words
from tests.support.commands import call
from tests.support.session import made_once
from tests.support.trained import train
from translearn_core import datasets, jobs, runs
from translearn_core.datasets.tasks import tasks_of
from translearn_core.export import formats
from translearn_core.export.keras_script import script
from translearn_core.feasibility import report as check_report
from translearn_core.prediction.compare import compare
from translearn_core.prediction.predict import predict
from translearn_core.recipe import resolve
from translearn_core.reports.report import report_html
from translearn_core.runs import Run, study
from translearn_core.runs.annotations import read_notes
from translearn_core.runs.splits import recover_split
from translearn_core.runs.threshold import read_threshold

ARCHIVE = Path(__file__).resolve().parent / "data" / "workspace_0_1.tar.xz"
MADE_IN = "/tmp/translearn-earlier"
TEXTS = (".json", ".jsonl", ".csv", ".txt")
SAFELY: dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
"""Python 3.11 has filters from 3.11.4 on."""


def unpack(folder: Path) -> None:
    """The workspace as if it had always been in `folder`: its files hold whole paths."""
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, **SAFELY)
    for file in folder.rglob("*"):
        if file.suffix in TEXTS:
            content = file.read_text(encoding="utf-8")
            file.write_text(content.replace(MADE_IN, folder.as_posix()), encoding="utf-8")


@pytest.fixture(scope="module")
def earlier() -> Iterator[Path]:
    """The workspace of version 0.1.0, current for all tests of this module."""
    folder = made_once("workspace-0-1", unpack)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRANSLEARN_HOME", str(folder))
        yield folder


@pytest.fixture(scope="module")
def dataset(earlier: Path) -> datasets.Dataset:
    (only,) = datasets.list_datasets()
    return only


@pytest.fixture(scope="module")
def named(earlier: Path) -> dict[str, Run]:
    """The runs by the names that they were given."""
    return {run.config.name: run for run in runs.list_runs() if run.config.name}


def answers_of(earlier: Path, run: Run) -> dict[str, dict[str, Any]]:
    """What version 0.1.0 answered to the photos in `new/`."""
    content = json.loads((earlier / "answers.json").read_text(encoding="utf-8"))
    found: dict[str, dict[str, Any]] = content[run.id]
    return found


def test_the_data_set_is_listed_with_its_photos_and_tasks(dataset: datasets.Dataset) -> None:
    assert dataset.name == "Colours"
    assert dataset.classes == ["blue", "green", "red"]
    assert len(dataset.photos) == 36
    assert all(dataset.photo_path(path).is_file() for path in dataset.photos["path"])
    tasks = tasks_of(dataset)
    assert tasks is not None
    assert tasks.tasks == ("tone",)


def test_runs_are_listed_with_settings_states_and_figures(named: dict[str, Run]) -> None:
    assert {"First", "Second", "Third"} <= set(named)
    states = {name: run.state.state for name, run in named.items()}
    assert (states["First"], states["Second"], states["Third"]) == (
        "finished", "finished", "failed",
    )  # fmt: skip
    assert named["Third"].state.reason == "Too little memory."
    first = named["First"]
    assert first.config.settings.backbone == "starter"
    assert first.config.settings.hidden_units == 8
    assert first.metrics.classes == first.labels == ["blue", "green", "red"]
    assert first.metrics.n_train + first.metrics.n_val + first.metrics.n_test == 36
    assert [event["kind"] for event in first.events()[0]].count("epoch") >= 1
    second = named["Second"]
    assert second.config.settings.start_from == first.id
    assert second.metrics.carryover.run == str(first.folder)
    assert [task.name for task in second.metrics.tasks] == ["class", "tone"]


def test_notes_decisions_and_the_split_are_read(named: dict[str, Run]) -> None:
    first = named["First"]
    notes = read_notes(first)
    assert (notes.tags, notes.note) == (("school",), "The first one.")
    assert read_threshold(first.folder).sure_from == 0.6
    parts = recover_split(first)
    tested = pd.read_parquet(first.folder / "predictions.parquet")
    assert set(parts.rows("test")["path"]) == set(tested["path"])
    assert len(tested) == first.metrics.n_test


@pytest.mark.parametrize("name", ["First", "Second"])
def test_new_photos_are_answered_as_before(name: str, earlier: Path, named: dict[str, Run]) -> None:
    expected = answers_of(earlier, named[name])
    assert len(expected) == 6
    answers = predict(named[name], [earlier / file for file in expected])
    for answer, before in zip(answers, expected.values(), strict=True):
        assert (answer.label, answer.sure) == (before["label"], before["sure"])
        assert answer.probabilities is not None
        for label, probability in before["probabilities"].items():
            assert answer.probabilities[label] == pytest.approx(probability, abs=1e-4)
        for task, shares in (before["tasks"] or {}).items():
            assert answer.tasks is not None
            assert answer.tasks[task] == pytest.approx(shares, abs=1e-4)
    assert (next(iter(expected.values()))["tasks"] is not None) == (name == "Second")


def test_the_saved_model_answers_without_its_copy_for_predictions(
    earlier: Path, named: dict[str, Run]
) -> None:
    from translearn_core.graph.engine import run_keras
    from translearn_core.graph.saving import load_model

    run = named["First"]
    expected = answers_of(earlier, run)
    photos = [datasets.decode_photo(earlier / file, size=32).image for file in expected]
    found = run_keras(load_model(run.model_path), np.stack(photos))
    for row, before in zip(found, expected.values(), strict=True):
        wanted = [before["probabilities"][label] for label in run.labels]
        assert np.allclose(row, wanted, atol=1e-3)


def test_runs_are_compared_and_reported(named: dict[str, Run]) -> None:
    found = compare([named["First"], named["Second"]])
    assert len(found.photos) == named["First"].metrics.n_test
    for name in ("First", "Second"):
        metrics = named[name].metrics
        html = report_html(named[name])
        assert f"Right on {metrics.test_correct} of {metrics.n_test} new photos" in html
    assert "Task: tone" in report_html(named["Second"])
    assert "starter.npz" in script(named["First"])


def test_the_check_is_read(dataset: datasets.Dataset) -> None:
    report = check_report.read(dataset)
    assert report is not None
    assert report.n_photos == 36
    assert report.fingerprint == dataset.fingerprint, "the photos are still the same"
    assert report.sentence
    assert len(check_report.read_photos(dataset)) == 36


def test_the_search_is_read(earlier: Path) -> None:
    (found,) = study.list_studies()
    assert (found.state.state, bool(found.state.reason)) == ("failed", True)
    assert study.read_plan(found).minutes == 0.2
    assert study.read_trials(found) == []
    assert study.read_result(found) is None


def test_the_export_is_still_the_one_that_was_checked(named: dict[str, Run]) -> None:
    kept = formats.read(named["First"], formats.FORMATS["onnx"])
    assert kept is not None
    assert kept.within
    assert kept.photos == 16


@pytest.mark.parametrize("page", ["photos", "feasible", "train", "results", "share", "compare"])
def test_pages_open_on_it(page: str, dataset: datasets.Dataset, named: dict[str, Run]) -> None:
    chosen = f"{named['First'].id},{named['Second'].id}"
    app = open_app(page, data=dataset.id, run=named["Second"].id, runs=chosen)
    assert_well(app)
    assert words(app)


def test_the_work_page_lists_every_run(named: dict[str, Run]) -> None:
    app = open_app("work")
    assert_well(app)
    said = words(app)
    for name in ("First", "Second", "Third"):
        assert name in said


def test_the_command_line_answers_with_an_old_run(earlier: Path, named: dict[str, Run]) -> None:
    done = call("predict", named["First"].folder, earlier / "new", "--json")
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)) == 6


def test_an_old_run_is_made_again_and_learned_on(
    dataset: datasets.Dataset, named: dict[str, Run]
) -> None:
    third = named["Third"]
    settings = resolve.resolve(third.config.settings, dataset).settings
    again = jobs.make_run(dataset, settings)
    assert again.state.state == "queued"
    jobs.force_stop(again)  # nobody works it: the next one would wait until it is lost
    on = train(dataset, backbone="starter", start_from=named["First"].id, hidden_units=8, epochs=2)
    assert on.metrics.carryover.run == str(named["First"].folder)
    tested = set(recover_split(named["First"]).rows("test")["path"])
    assert tested <= set(recover_split(on).rows("test")["path"]), "tested on what it was tested on"
