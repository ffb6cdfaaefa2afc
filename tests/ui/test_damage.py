"""Pages where one run and one data set are damaged, and a workspace that cannot be written."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import psutil
import pytest

from tests.support.app import assert_well, open_app, words
from translearn_core import datasets, runs
from translearn_core.datasets import Dataset
from translearn_core.run_settings import Settings
from translearn_core.runs import Run
from translearn_ui.shell import frame

NAMES = [row.name for row in frame.PAGES if not row.of_class]


@pytest.fixture
def whole(workspace: Path, colour_photos: Path) -> Dataset:
    """A data set beside one that cannot be read, and runs of which three are damaged."""
    whole = datasets.import_source(colour_photos, in_place=True, name="whole")
    other = datasets.import_source(colour_photos, name="other", check=False)
    (other.folder / "manifest.parquet").write_bytes(b"PAR1")
    for name in ("config.json", "state.json", "metrics.json", "none"):
        run = runs.create_run(whole.folder, Settings(), dataset_name="whole", name=f"run {name}")
        run.update_state(state="finished")
        run.model_path.write_bytes(b"model")
        run.write_labels(["a", "b"], image_size=32)
        figures = json.dumps({"schema_version": 1, "classes": ["a", "b"], "test_accuracy": 0.5})
        (run.folder / "metrics.json").write_text(figures, encoding="utf-8")
        if name != "none":
            (run.folder / name).write_bytes(b'{"sta')
    return whole


@pytest.mark.parametrize("page", [name for name in NAMES if name != "results"])
def test_pages_of_others_are_well(page: str, whole: Dataset) -> None:
    app = open_app(page, data=whole.id)
    assert not app.exception
    assert not any("foresee" in box.value for box in app.error)
    if page not in ("share", "compare"):  # these open the model of a run, which is none here
        assert_well(app)


def test_results_of_a_damaged_run_say_which_file(whole: Dataset) -> None:
    damaged = next(run for run in runs.list_runs() if run.problem)
    app = open_app("results", run=damaged.id)
    assert_well(app)
    assert "metrics" in words(app)
    assert "cannot be read" in words(app)


def test_my_work_lists_what_is_damaged_with_a_way_to_delete_it(whole: Dataset) -> None:
    [unreadable] = runs.list_unreadable_runs()
    app = open_app("work")
    assert_well(app)
    said = words(app).replace("\\", "")
    assert unreadable.run.id in said
    assert "config.json cannot be read" in said
    assert "metrics.json cannot be read" in said
    assert "manifest.parquet is damaged" in said
    assert app.button(key=f"delete_{unreadable.run.id}").label == "Delete"


def test_a_workspace_that_cannot_be_written_is_told_on_every_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    monkeypatch.setenv("TRANSLEARN_HOME", str(tmp_path / "file"))
    app = open_app("train")
    assert ["cannot be written" in box.value for box in app.error] == [True]


def test_a_run_that_does_not_answer_is_told_so(workspace: Path, whole: Dataset) -> None:
    run = runs.create_run(whole.folder, Settings(), dataset_name="whole")
    Run(run.folder).update_state(
        state="running",
        pid=os.getpid(),
        pid_started=psutil.Process().create_time(),
        heartbeat=time.time() - 100,
        queued_at=time.time() - 100,
        started_at=time.time() - 100,
    )
    app = open_app("train", run=run.id)
    assert any("not answered" in box.value for box in app.warning)
