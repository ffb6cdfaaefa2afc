"""Deleting a data set while somebody is at work with it."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

from tests.support.commands import call
from translearn_core import datasets, runs
from translearn_core.datasets import Dataset
from translearn_core.errors import RunError
from translearn_core.jobs.background import run_job
from translearn_core.monitor import Monitor
from translearn_core.run_settings import Settings
from translearn_core.runs import Job, JobConfig
from translearn_core.runs.in_use import delete_unused_dataset


@pytest.fixture
def dataset(workspace: Path, colour_photos: Path) -> Dataset:
    """Photos in the workspace."""
    return datasets.import_source(colour_photos, check=False, name="colours")


def test_a_set_that_a_run_or_a_check_needs_is_kept_until_that_has_ended(dataset: Dataset) -> None:
    run = runs.create_run(dataset.folder, Settings(), name="autumn")
    with pytest.raises(RunError, match="in use by “autumn”"):
        delete_unused_dataset(dataset)
    refused = call("delete", dataset.id, "--yes")
    assert (refused.returncode, "autumn" in refused.stderr) == (2, True)
    run.update_state(state="finished")
    check = Job(dataset.folder / "feasible")
    check.begin(JobConfig(kind="check", created=time.time()))
    with pytest.raises(RunError, match="are being checked"):
        delete_unused_dataset(dataset)
    check.update_state(state="stopped")
    assert call("delete", dataset.id, "--yes").returncode == 0
    assert datasets.list_datasets() == []
    assert run.folder.is_dir()


@pytest.mark.parametrize("gone", ["set", "photo"])
def test_photos_that_go_while_it_runs_are_the_reason(gone: str, dataset: Dataset) -> None:
    run = runs.create_run(dataset.folder, Settings(), dataset_name="colours")
    path = dataset.photos["path"].iloc[3]

    def work(_job: Job, _monitor: Monitor) -> bool:
        if gone == "set":
            datasets.delete_dataset(dataset)
        else:
            dataset.photo_path(path).unlink()
        raise ZeroDivisionError  # whatever comes of it in a library

    ended = run_job(run, work)
    assert ended.state == "failed"
    assert ("“colours” was deleted" if gone == "set" else f"{path} was removed") in ended.reason


def test_the_command_line_lists_and_deletes_what_is_damaged(dataset: Dataset) -> None:
    run = runs.create_run(dataset.folder, Settings())
    run.update_state(state="stopped")
    assert "Nothing" in call("delete").stdout
    (run.folder / "config.json").write_bytes(b"")
    (dataset.folder / "manifest.parquet").write_bytes(b"PAR1")
    listed = call("delete").stdout
    assert run.id in listed
    assert dataset.id in listed
    for name in (run.id, dataset.id):
        assert call("delete", name, "--yes").returncode == 0
    assert call("delete", run.id, "--yes").returncode == 2
    assert call("delete", "..", "--yes").returncode == 2
    assert "Nothing" in call("delete").stdout


def test_a_folder_of_the_workspace_is_deleted_and_no_other(
    dataset: Dataset, tmp_path: Path
) -> None:
    """`train` prints the folder of its run."""
    run = runs.create_run(dataset.folder, Settings())
    run.update_state(state="stopped")
    workspace = run.folder.parent.parent
    elsewhere = tmp_path / "elsewhere" / "runs" / run.id
    shutil.copytree(run.folder, elsewhere)
    for folder in (elsewhere, run.folder / "..", workspace / "runs", workspace / "runs" / ".."):
        assert call("delete", folder, "--yes").returncode == 2
    assert elsewhere.is_dir()
    assert call("delete", run.folder, "--yes").returncode == 0
    assert not run.folder.exists()
