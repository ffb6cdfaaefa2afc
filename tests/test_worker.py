"""The worker as a process of its own: finish, stop, force, queue, loss, memory, speed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.photos import draw_photos
from tests.support.small_backbone import SMALL
from translearn_core import datasets, jobs, runs, worker
from translearn_core.datasets import Dataset
from translearn_core.errors import SourceError, WeightsError
from translearn_core.features import speed_measurement
from translearn_core.features.costs import expected_epoch_s, measured, record_speed
from translearn_core.jobs.inline import InlineRunner
from translearn_core.jobs.runner import use_runner
from translearn_core.run_settings import make_settings
from translearn_core.runs import Job, Run

TINY = {"backbone": "starter", "augmentation": "none"}
LONG = TINY | {"epochs": 1000, "early_stopping": False}


@pytest.fixture
def dataset(workspace: Path, colour_photos: Path) -> Iterator[Dataset]:
    yield datasets.import_source(colour_photos, in_place=True, check=False)
    for run in runs.list_runs():
        jobs.force_stop(run)


def start(dataset: Dataset, settings: dict[str, Any]) -> Run:
    return jobs.start(dataset, make_settings(settings))


def wait_for(condition: Callable[[], bool], *, timeout_s: float = 240.0) -> None:
    """Wait until `condition` holds; a generous bound for busy machines."""
    until = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < until, "it never came about"
        time.sleep(0.2)


def has_epochs(run: Run) -> bool:
    return any(event["kind"] == "epoch" for event in run.events()[0])


@pytest.mark.slow
def test_stop_keeps_what_was_learned_the_next_run_has_its_turn_and_force_ends_it_at_once(
    dataset: Dataset,
) -> None:
    """By force while it starts; `tests/browser/test_training.py` ends one that learns."""
    before = psutil.Process().memory_info().rss
    first = start(dataset, LONG)
    second = start(dataset, LONG)
    wait_for(lambda: has_epochs(first))
    assert second.state.state == "queued"
    assert jobs.place_in_queue(second) == 1
    first.request_stop()
    wait_for(lambda: first.state.state == "stopped" and not first.is_being_put_together)
    assert first.has_result
    assert first.metrics.state == "stopped"
    wait_for(lambda: first.process() is None)
    wait_for(lambda: second.state.state == "running" and second.process() is not None)
    process = second.process()
    assert process is not None
    jobs.force_stop(second)
    assert second.state.state == "stopped"
    assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    assert psutil.Process().memory_info().rss - before < 50e6, "the server keeps its size"


@pytest.mark.slow
def test_a_killed_worker_is_lost_and_can_be_started_again(dataset: Dataset) -> None:
    run = start(dataset, LONG)
    wait_for(lambda: run.state.state == "running" and run.process() is not None)
    process = run.process()
    assert process is not None
    process.kill()
    wait_for(lambda: run.state.state == "lost")
    assert run.log_tail() is not None
    again = jobs.repeat_run(run)
    assert again.config.settings == run.config.settings
    wait_for(lambda: again.state.state == "running")
    again.request_stop()
    wait_for(lambda: again.state.state == "stopped")


def test_a_queued_run_that_is_stopped_never_trains(dataset: Dataset) -> None:
    run = runs.create_run(dataset.folder, make_settings(TINY))
    run.request_stop()
    assert worker.main([str(run.folder)]) == 1
    assert run.state.state == "stopped"
    assert worker.main([str(run.folder)]) == 0, "an ended run is left as it is"


def test_what_cannot_be_trained_is_refused_before_a_run_is_made(
    workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = draw_photos(tmp_path / "photos", per_class=3)
    dataset = datasets.import_source(source, in_place=True, check=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "none"))
    with pytest.raises(WeightsError, match="not on this machine"):
        jobs.start(dataset, make_settings({"backbone": "vgg16"}))
    single = tmp_path / "single"
    (single / "cat").mkdir(parents=True)
    os.link(source / "red" / "000.jpg", single / "cat" / "1.jpg")
    with pytest.raises(SourceError):
        jobs.start(datasets.import_source(single, in_place=True, check=False), make_settings(TINY))
    assert runs.list_runs() == []


def test_the_cost_of_an_epoch_grows_with_what_is_unfrozen(workspace: Path) -> None:
    assert expected_epoch_s("vgg16", 5, 100) is None
    record_speed("vgg16", forward_per_s=10.0, train_all_per_s=2.0, device="CPU")
    costs = [expected_epoch_s("vgg16", frozen, 100) for frozen in range(6)]
    assert all(cost is not None for cost in costs)
    assert costs == sorted(costs, reverse=True)
    assert costs[0] == pytest.approx(50.0, rel=0.01)
    assert costs[5] < 0.1


@pytest.mark.slow
@pytest.mark.usefixtures("small_backbone")
def test_the_speed_of_this_machine_is_measured(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speed_measurement, "MEASURE_S", 0.1)
    during: list[bool] = []

    def work(job: Job) -> None:
        during.append(jobs.is_measuring(SMALL))
        worker.work(job)

    with use_runner(InlineRunner(work)):
        jobs.measure(SMALL)
    assert during == [True]
    assert not jobs.is_measuring(SMALL)
    speed = measured(SMALL)
    assert speed is not None
    assert speed["forward_per_s"] > speed["train_all_per_s"] > 0


def test_the_process_that_measures_is_one_of_its_own_and_its_loss_is_seen(workspace: Path) -> None:
    """It is killed before it measures, which the test before this one shows."""
    jobs.measure("starter")
    job = Job(workspace / "cache" / "measure" / "starter")
    wait_for(lambda: job.process() is not None)
    process = job.process()
    assert process is not None
    assert process.pid != os.getpid()
    jobs.measure("starter")
    assert job.process() == process, "it is not started twice"
    assert jobs.is_measuring("starter")
    process.kill()
    wait_for(lambda: not jobs.is_measuring("starter"))
    assert job.state.state == "lost"
