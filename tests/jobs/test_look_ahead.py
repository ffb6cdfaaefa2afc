"""Photos that are looked at before anybody asks: a run finds its features, and everything else goes first."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from translearn_core import datasets, jobs, spaces, worker
from translearn_core.datasets import Dataset
from translearn_core.features.extractor import POOLED
from translearn_core.fitting.plan import make_plan
from translearn_core.jobs.inline import InlineRunner
from translearn_core.jobs.look_ahead import LookAheadConfig
from translearn_core.monitor import SILENT
from translearn_core.run_settings import Settings


@pytest.fixture
def dataset(workspace: Path, colour_photos: Path, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    monkeypatch.setenv("TRANSLEARN_LOOK_AHEAD", "true")
    return datasets.import_source(colour_photos, in_place=True, check=False)


def test_a_run_with_the_default_settings_finds_all_that_it_looks_for_first(
    dataset: Dataset,
) -> None:
    with jobs.use_runner(InlineRunner(worker.work)):
        jobs.look_ahead(dataset)
    assert jobs.looking(dataset) is None
    plan = make_plan(jobs.make_run(datasets.open_dataset(dataset.folder), Settings()))
    assert plan.extractor.has_features
    assert plan.augmentation == "mirror"
    paths = list(plan.dataset.photos["path"])
    assert plan.extractor.take([(POOLED, 0), (POOLED, 1)], paths, SILENT).photos_per_s is None


def test_it_happens_once_for_the_photos_as_they_are(dataset: Dataset) -> None:
    runner = InlineRunner()
    with jobs.use_runner(runner):
        jobs.look_ahead(dataset)
        jobs.look_ahead(dataset)
        assert [job.kind for job in runner.submitted] == ["look"]
        assert runner.submitted[0].read_config(LookAheadConfig).dataset == str(dataset.folder)
        runner.submitted[0].update_state(state="stopped")
        jobs.look_ahead(dataset)
        assert len(runner.submitted) == 2, "it gave way, and goes on later"
        path = str(dataset.photos["path"].iloc[0])
        datasets.move_photos(dataset, [path], dataset.classes[-1])
        jobs.look_ahead(datasets.open_dataset(dataset.folder))
        assert len(runner.submitted) == 3


def test_it_is_left_alone_where_it_is_switched_off_or_a_run_waits_or_is_at_work(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = InlineRunner()
    with jobs.use_runner(runner):
        monkeypatch.setenv("TRANSLEARN_LOOK_AHEAD", "false")
        jobs.look_ahead(dataset)
        monkeypatch.setenv("TRANSLEARN_LOOK_AHEAD", "true")
        monkeypatch.setenv("TRANSLEARN_CACHE_BYTES", "0")
        jobs.look_ahead(dataset)
        monkeypatch.delenv("TRANSLEARN_CACHE_BYTES")
        run = jobs.make_run(dataset, Settings())
        jobs.look_ahead(dataset)
        run.update_state(state="running", heartbeat=time.time())
        jobs.look_ahead(dataset)
        assert not runner.submitted
        run.update_state(state="finished")
        jobs.look_ahead(dataset)
        assert len(runner.submitted) == 1


def test_one_goes_on_at_a_time_whoever_s_photos_they_are(
    workspace: Path, colour_photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A class brings photos in at once."""
    monkeypatch.setenv("TRANSLEARN_LOOK_AHEAD", "true")
    runner = InlineRunner(lambda job: job.update_state(state="running", heartbeat=time.time()))

    def bring(space: Path) -> None:
        with spaces.acting_in(space):
            brought = datasets.import_source(colour_photos, in_place=True, check=False)
            jobs.look_ahead(brought)

    with jobs.use_runner(runner), ThreadPoolExecutor(4) as crowd:
        pupils = [spaces.root() / "people" / (letter * 16) for letter in "abcd"]
        list(crowd.map(bring, pupils))
        (first,) = runner.submitted
        first.update_state(state="finished")
        later = next(one for one in pupils if not first.folder.is_relative_to(one))
        bring(later)
    assert len(runner.submitted) == 2, "then comes whose page is drawn again"
    assert runner.submitted[1].folder.is_relative_to(later)


def test_it_gives_way_to_what_somebody_asked_for(dataset: Dataset) -> None:
    runner = InlineRunner(lambda job: job.update_state(state="running", heartbeat=time.time()))
    with jobs.use_runner(runner):
        jobs.look_ahead(dataset)
    (job,) = runner.submitted
    state = jobs.looking(dataset)
    assert state is not None
    assert state.state == "running"
    assert not job.stop_requested
    jobs.give_way()
    assert job.stop_requested
    job.update_state(state="queued")
    assert not worker.work(job), "a stop before it began"
    assert job.state.state == "stopped"
