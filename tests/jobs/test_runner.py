"""Where jobs run: the runner in use, and the one without processes."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from translearn_core import datasets, jobs, worker
from translearn_core.datasets import Dataset
from translearn_core.errors import SettingsError
from translearn_core.feasibility import job as check_job
from translearn_core.feasibility import report as check_report
from translearn_core.jobs.inline import InlineRunner
from translearn_core.run_settings import make_settings
from translearn_core.runs import Job, JobConfig


@pytest.fixture
def dataset(workspace: Path, colour_photos: Path) -> Dataset:
    return datasets.import_source(colour_photos, in_place=True, check=False)


def test_jobs_run_on_this_machine_unless_another_runner_is_in_use(workspace: Path) -> None:
    assert isinstance(jobs.current_runner(), jobs.LocalRunner)
    outer, inner = InlineRunner(), InlineRunner()
    with jobs.use_runner(outer):
        with jobs.use_runner(inner):
            assert jobs.current_runner() is inner
        assert jobs.current_runner() is outer
    assert isinstance(jobs.current_runner(), jobs.LocalRunner)


def test_a_runner_that_does_not_exist_is_refused_by_name(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRANSLEARN_RUNNER", "moon")
    with pytest.raises(SettingsError, match=r"must be `local` or `cluster`\. Received: moon"):
        jobs.current_runner()


def test_without_work_what_is_submitted_is_taken_down_and_finished(dataset: Dataset) -> None:
    settings = make_settings({"backbone": "starter", "image_size": 32})
    runner = InlineRunner()
    with jobs.use_runner(runner):
        run = jobs.start(dataset, settings)
        check_job.start(dataset, backbone="starter", seed=4)
        jobs.measure("starter")
    assert [job.kind for job in runner.submitted] == ["train", "check", "measure"]
    assert run.state.state == "finished"
    config = runner.submitted[1].read_config(check_job.CheckConfig)
    assert (config.dataset, config.seed) == (str(dataset.folder), 4)


def test_a_job_is_done_by_the_code_of_the_worker_in_this_process(dataset: Dataset) -> None:
    with jobs.use_runner(InlineRunner(worker.work)):
        check_job.start(dataset, backbone="starter", seed=4)
    state = check_job.state(dataset)
    assert state is not None
    assert (state.state, state.reason) == ("finished", "")
    report = check_report.read(dataset)
    assert report is not None
    assert report.seed == 4
    assert state.fingerprint == report.fingerprint
    stages = {event["stage"] for event in check_job.job_of(dataset).events()[0]}
    assert stages >= set(check_job.STAGES)


def test_a_job_that_was_never_submitted_is_stopped_by_force(tmp_path: Path) -> None:
    job = Job(tmp_path / "job")
    job.begin(JobConfig(created=time.time()))
    InlineRunner().force_stop(job)
    assert job.state.state == "stopped"


def test_a_folder_that_says_nothing_is_no_job(tmp_path: Path, workspace: Path) -> None:
    assert worker.main([str(tmp_path)]) == 2
