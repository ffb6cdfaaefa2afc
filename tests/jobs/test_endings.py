"""Every ending of a job, told in one way; in this process, and as processes that do not listen."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from filelock import FileLock

from translearn_core import spaces
from translearn_core.concurrency import LOW, LOWEST, import_path
from translearn_core.errors import SettingsError, StopRequestedError
from translearn_core.jobs import force_stop
from translearn_core.jobs.background import JobMonitor, run_job
from translearn_core.monitor import Monitor
from translearn_core.runs import Job, JobConfig, JobState


@pytest.fixture
def job(tmp_path: Path, workspace: Path) -> Job:
    """A queued job of a kind that takes no turn."""
    made = Job(tmp_path / "job")
    made.begin(JobConfig(kind="check", created=time.time()))
    return made


def raising(error: BaseException) -> Callable[[Job, Monitor], bool]:
    def work(_job: Job, _monitor: Monitor) -> bool:
        raise error

    return work


@pytest.mark.parametrize(
    ("error", "state", "told"),
    [
        (StopRequestedError(), "stopped", "before there was a result"),
        (SettingsError("The epochs are too many."), "failed", "The epochs are too many."),
        (MemoryError(), "failed", "memory of this machine was not enough"),
        (KeyboardInterrupt(), "stopped", "Ended at once, by request."),
        (ZeroDivisionError(), "failed", "The log has the details"),
    ],
)
def test_what_is_raised_becomes_an_ending_with_a_reason(
    job: Job, error: BaseException, state: str, told: str
) -> None:
    ended = run_job(job, raising(error))
    assert ended.state == job.state.state == state
    assert told in ended.reason
    assert ended.finished_at >= ended.started_at > 0
    kinds = [event["kind"] for event in job.events()[0]]
    assert kinds[-1] == "state"
    assert ("error" in kinds) == (state == "failed")


@pytest.mark.parametrize(("to_its_end", "state"), [(True, "finished"), (False, "stopped")])
def test_work_that_returns_says_whether_it_went_to_its_end(
    job: Job, to_its_end: bool, state: str
) -> None:
    ended = run_job(job, lambda _job, _monitor: to_its_end)
    assert ended.state == state
    assert bool(ended.reason) == (not to_its_end)


def test_what_the_work_tells_is_in_the_state_and_the_events(job: Job) -> None:
    seen: list[JobState] = []

    def work(job: Job, monitor: Monitor) -> bool:
        monitor.stage("features")
        monitor.progress(3, 12, 2.0)
        monitor.progress(4, 12, 2.0)  # too soon after the last one to be written
        seen.append(job.written_state)
        monitor.progress(12, 12, 2.0)
        monitor.warning("Two photos are broken.")
        monitor.update(device="CPU")
        monitor.event("trial", number=1)
        seen.append(job.written_state)
        monitor.stage("head")
        seen.append(job.written_state)
        return True

    ended = run_job(job, work)
    assert [(state.stage, state.done, state.total) for state in seen] == [
        ("features", 3, 12),
        ("features", 12, 12),
        ("head", 0, 0),
    ]
    assert seen[1].device == "CPU"
    assert seen[0].pid == psutil.Process().pid
    assert (ended.stage, ended.device) == ("", "CPU")
    told = [event for event in job.events()[0] if event["kind"] != "state"]
    assert [event["kind"] for event in told] == ["progress", "progress", "warning", "trial"]
    assert told[0]["left_s"] == pytest.approx(4.5)
    stages = [event["stage"] for event in job.events()[0] if event["kind"] == "state"]
    assert stages == ["", "start", "features", "head", ""]


def test_a_stop_before_it_began_keeps_it_from_working(job: Job) -> None:
    job.request_stop()
    ended = run_job(job, raising(AssertionError()))
    assert (ended.state, ended.started_at) == ("stopped", 0.0)
    assert ended.reason == "Stopped before it began."


def test_the_work_hears_a_stop(job: Job) -> None:
    def work(job: Job, monitor: Monitor) -> bool:
        job.request_stop()
        monitor.check_stop()
        return True

    assert run_job(job, work).state == "stopped"


def test_a_new_job_in_the_same_folder_knows_nothing_of_the_one_before(job: Job) -> None:
    job.request_stop()
    run_job(job, raising(AssertionError()))
    job.log_path.write_text("old words", encoding="utf-8")
    job.begin(JobConfig(kind="check", created=time.time()))
    assert not job.stop_requested
    assert job.log_tail() == ""
    assert len(job.events()[0]) == 1
    assert run_job(job, lambda _job, _monitor: True).state == "finished"


def test_two_processes_are_never_at_one_job(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("translearn_core.jobs.background.LOCK_WAIT_S", 0.1)
    with FileLock(job.folder / ".lock"):
        assert run_job(job, raising(AssertionError())).state == "queued"
    assert len(job.events()[0]) == 1


def test_the_first_ending_stands(job: Job) -> None:
    monitor = JobMonitor(job)
    monitor.end("finished")
    monitor.end("stopped", "Too late.")
    assert (job.state.state, job.state.reason) == ("finished", "")


def test_a_stop_counts_at_once_while_what_was_learned_is_put_together(job: Job) -> None:
    seen: list[JobState] = []

    def work(job: Job, monitor: Monitor) -> bool:
        monitor.leaves_result()
        job.request_stop()
        wait_for(lambda: not job.state.is_live)
        monitor.stage("save")
        monitor.progress(1, 1)
        monitor.update(device="CPU")
        seen.append(job.state)
        assert job.is_being_put_together
        (job.folder / "model").touch()
        return False

    ended = run_job(job, work, patience_s=0.0, own_process=False)
    assert (seen[0].state, seen[0].stage) == ("stopped", "")
    assert "still being put together" in seen[0].reason
    assert (ended.state, ended.reason) == ("stopped", "Stopped by request.")
    assert not job.is_being_put_together
    stages = [event["stage"] for event in job.events()[0] if event["kind"] == "state"]
    assert "save" not in stages


def test_what_goes_wrong_after_a_stop_is_told(job: Job) -> None:
    def work(job: Job, monitor: Monitor) -> bool:
        monitor.leaves_result()
        job.request_stop()
        wait_for(lambda: not job.state.is_live)
        raise SettingsError("The disk has gone.")

    ended = run_job(job, work, patience_s=0.0, own_process=False)
    assert (ended.state, ended.reason) == ("failed", "The disk has gone.")


# --- real processes ------------------------------------------------------------------------------

DEAF = """
import subprocess, sys, time
from pathlib import Path
from translearn_core.jobs.background import run_job
from translearn_core.runs import Job

job = Job(sys.argv[1])
half = job.folder / "half"

def work(job, monitor):
    half.touch()
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    monitor.update(device=str(child.pid))
    monitor.stage("deaf")
    time.sleep(600)

run_job(job, work, patience_s=0.2, tidy=half.unlink)
"""


@pytest.fixture
def deaf(job: Job) -> subprocess.Popen[bytes]:
    """A process that does the job and never looks up, with a child of its own."""
    process = subprocess.Popen(
        [sys.executable, "-c", DEAF, str(job.folder)],
        env={**os.environ, "PYTHONPATH": import_path()},
    )
    wait_for(lambda: job.state.stage == "deaf")
    return process


def wait_for(condition: Callable[[], bool], *, timeout_s: float = 60.0) -> None:
    until = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < until, "it never came about"
        time.sleep(0.05)


def lives(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_a_process_that_never_asks_ends_when_it_is_asked_to(
    job: Job, deaf: subprocess.Popen[bytes]
) -> None:
    child = int(job.state.device)
    job.request_stop()
    assert deaf.wait(timeout=60) == 0
    assert job.state.state == "stopped"
    assert not (job.folder / "half").exists()
    wait_for(lambda: not lives(child))


SAVES = """
import sys, time
import psutil
from translearn_core.concurrency import lower_priority
from translearn_core.jobs.background import run_job
from translearn_core.jobs.queue import niceness_of
from translearn_core.runs import Job

lower_priority(niceness_of("train"))
before = psutil.Process().nice()

def work(job, monitor):
    monitor.leaves_result()
    job.request_stop()
    until = time.monotonic() + 60
    while psutil.Process().nice() == before and time.monotonic() < until:
        time.sleep(0.05)
    print(before, psutil.Process().nice())
    return False

run_job(Job(sys.argv[1]), work, patience_s=0.0)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="classes instead of nicenesses")
@pytest.mark.parametrize("steps", [(0, LOW), (LOW, LOWEST)], ids=["alone", "in a class"])
def test_a_stopped_job_that_saves_makes_way_for_others(job: Job, steps: tuple[int, int]) -> None:
    if steps[0]:
        spaces.space_named("0123456789abcdef").mkdir(parents=True)
    done = subprocess.run(
        [sys.executable, "-c", SAVES, str(job.folder)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": import_path()},
    )
    usual = psutil.Process().nice()
    assert done.stdout.split() == [str(max(usual, step)) for step in steps]


def test_force_ends_it_and_what_it_started(job: Job, deaf: subprocess.Popen[bytes]) -> None:
    child = int(job.state.device)
    force_stop(job)
    assert job.state.state == "stopped"
    assert job.state.reason == "Ended at once, by request."
    deaf.wait(timeout=60)
    wait_for(lambda: not lives(child))
    force_stop(job)
    assert [event["state"] for event in job.events()[0]].count("stopped") == 1


def test_a_process_that_is_killed_is_lost(job: Job, deaf: subprocess.Popen[bytes]) -> None:
    child = int(job.state.device)
    deaf.kill()
    deaf.wait()
    psutil.Process(child).kill()
    wait_for(lambda: job.state.state == "lost")
    assert job.state.has_failed
    assert "log" in job.state.reason
    assert job.written_state.state == "running", "reading never writes"
