"""The worker that waits warm: takes a run, ends when idle, and can be switched off."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from translearn_core import datasets, jobs, runs
from translearn_core.concurrency import import_path
from translearn_core.jobs import warm_worker
from translearn_core.run_settings import make_settings


@pytest.fixture(autouse=True)
def nobody_waits_afterwards(workspace: Path) -> Iterator[None]:
    yield
    warm_worker.stop()


def wait_for(condition: Callable[[], bool], *, timeout_s: float = 200.0) -> None:
    until = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < until, "it never came about"
        time.sleep(0.1)


def waiting_worker() -> psutil.Process:
    def find() -> list[psutil.Process]:  # just after its start a process has no arguments yet
        return [
            child
            for child in psutil.Process().children()
            if child.status() != psutil.STATUS_ZOMBIE and child.cmdline()[-1:] == ["-"]
        ]

    wait_for(lambda: bool(find()))
    result = find()
    assert len(result) == 1
    return result[0]


@pytest.mark.slow
def test_the_waiting_worker_takes_the_next_run(
    colour_photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRANSLEARN_STANDBY", "true")
    jobs.warm_up()
    jobs.warm_up()
    worker = waiting_worker()
    dataset = datasets.import_source(colour_photos, in_place=True, check=False)
    settings = make_settings({"backbone": "starter", "augmentation": "none", "epochs": 2})
    run = jobs.start(dataset, settings)
    assert not warm_worker.is_waiting()
    wait_for(lambda: run.state.state not in runs.LIVE_STATES)
    assert run.state.state == "finished", run.log_tail()
    assert run.written_state.pid == worker.pid, "the run went to the worker that waited"
    assert "translearn_core" in run.log_tail(), "its log is the run's from then on"
    assert run.has_result
    wait_for(lambda: run.process() is None)


def test_none_is_started_while_a_run_waits(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of thirty people who press Train at once each would leave the next one such a worker."""
    monkeypatch.setenv("TRANSLEARN_STANDBY", "true")
    monkeypatch.setattr(warm_worker, "LEAST_FREE_BYTES", 0)
    assert warm_worker.is_allowed()
    runs.create_run(Path("photos"), make_settings({}))
    jobs.warm_up()
    assert not warm_worker.is_waiting()


@pytest.mark.parametrize(
    ("most_s", "is_closed"),
    [pytest.param(0.2, False, id="nobody needs it"), pytest.param(600, True, id="with its server")],
)
def test_it_ends(most_s: float, is_closed: bool) -> None:
    """The wait alone, in a process without TensorFlow. The pipe to it stays open, or closes as it
    does at the end of the server."""
    code = (
        f"from translearn_core.jobs.warm_worker import wait_for_job; print(wait_for_job({most_s}))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": import_path()},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        if is_closed:
            process.stdin.close()
        assert process.stdout.read() == "None\n"
        assert process.wait(timeout=60) == 0


def test_it_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRANSLEARN_STANDBY", "false")
    jobs.warm_up()
    assert not warm_worker.is_waiting()
