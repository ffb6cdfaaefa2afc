"""Turns: who waits for whom, in the lanes of trainings and of exports."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from filelock import FileLock

from translearn_core import spaces
from translearn_core.concurrency import import_path
from translearn_core.jobs.queue import LiveJobs, announce, take_slot, waiting_jobs
from translearn_core.runs import Job, JobConfig, Kind
from translearn_core.runs.state import is_held


def make(folder: Path, kind: Kind, created: float) -> Job:
    job = Job(folder)
    job.begin(JobConfig(kind=kind, created=time.time() + created))
    announce(job)
    return job


def has_turn(job: Job, *, within_s: float = 30.0) -> bool:
    """Whether a job gets a slot; it asks as another process would, and is stopped after a while."""
    said: list[bool] = []

    def ask() -> None:
        with take_slot(job, poll_s=0.02) as slot:
            said.append(slot)

    asking = threading.Thread(target=ask)
    asking.start()
    asking.join(within_s)
    job.request_stop()
    asking.join()
    return said == [True]


@pytest.mark.parametrize("kind", ["train", "search", "export"])
def test_the_first_of_a_folder_has_its_turn_and_the_next_waits(
    kind: Kind, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRANSLEARN_SLOTS", "1")
    second = make(workspace / "jobs" / "a", kind, -1.0)
    first = make(workspace / "jobs" / "b", kind, -2.0)
    assert waiting_jobs(workspace / "jobs") == [first, second]
    assert not has_turn(second, within_s=0.5)
    assert has_turn(first)


def test_a_slot_that_is_held_is_waited_for_and_lanes_do_not_hinder_each_other(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRANSLEARN_SLOTS", "1")
    training = make(workspace / "runs" / "a", "train", -1.0)
    with take_slot(training) as turn:
        assert turn
        training.update_state(state="running")
        assert not has_turn(make(workspace / "studies" / "b", "search", 0.0), within_s=0.5)
        assert has_turn(make(workspace / "runs" / "a" / "exports" / "onnx", "export", 0.0))
        assert has_turn(make(workspace / "datasets" / "c" / "feasible", "check", 0.0))
    assert has_turn(make(workspace / "more" / "d", "search", 0.0))


def test_as_many_work_as_there_are_slots(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRANSLEARN_SLOTS", "2")
    first, second, third = (make(workspace / "runs" / name, "train", -1.0) for name in "abc")
    with take_slot(first), take_slot(second):
        first.update_state(state="running")
        second.update_state(state="running")
        assert not has_turn(third, within_s=0.5)


def test_two_that_wait_agree_whose_turn_it_is_when_an_ended_run_goes(workspace: Path) -> None:
    spaces_ = [spaces.root() / "people" / (letter * 16) for letter in "ab"]
    waiting = []
    for space in spaces_:
        with spaces.acting_in(space):
            waiting.append(make(space / "runs" / "waits", "train", -1.0))
            ended = make(space / "runs" / "ended", "train", -9.0)
            ended.update_state(state="finished", started_at=100.0 + len(waiting))
    early = LiveJobs(waiting[0].folder.parent)
    early.waiting()
    shutil.rmtree(spaces_[0] / "runs" / "ended")
    late = LiveJobs(waiting[0].folder.parent)
    assert early.waiting() == late.waiting() == waiting


def test_only_the_next_one_gets_ready_while_it_waits(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRANSLEARN_SLOTS", "1")
    at_work, following, last = (
        make(workspace / "runs" / name, "train", place - 9.0) for place, name in enumerate("abc")
    )
    ready: list[Job] = []

    def ask(job: Job) -> bool:
        with take_slot(job, poll_s=0.02, when_next=lambda: ready.append(job)) as turn:
            return turn

    with ThreadPoolExecutor(2) as asking:
        with take_slot(at_work, when_next=lambda: ready.append(at_work)):
            at_work.update_state(state="running")
            waiting = asking.submit(ask, last)
            turn = asking.submit(ask, following)
            while not ready:
                time.sleep(0.02)
            assert not waiting.done()
            assert not turn.done()
            last.request_stop()
            assert not waiting.result()
        assert turn.result()
    assert ready == [following], "once, and nobody who has a slot or is far behind"


def test_a_stop_is_heeded_while_it_gets_ready_in_its_slot(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRANSLEARN_SLOTS", "1")
    job = make(workspace / "runs" / "a", "train", -1.0)
    begins, may_end = threading.Event(), threading.Event()

    def get_ready() -> None:
        begins.set()
        may_end.wait()

    def ask() -> bool:
        with take_slot(job, poll_s=0.02, when_next=get_ready) as turn:
            assert turn == is_held(slot)
            return turn

    slot = workspace / "slots" / "0.lock"
    slot.parent.mkdir()
    with ThreadPoolExecutor(1) as asking:
        try:
            with FileLock(slot):
                turn = asking.submit(ask)
                assert begins.wait(30)
            while not is_held(slot):
                time.sleep(0.02)
            assert not turn.done(), "it is not ready yet"
            job.request_stop()
            assert not turn.result(30)
        finally:
            may_end.set()


WAITING = """
import os, sys
from translearn_core import worker
from translearn_core.runs import Job

tries = 0


def watch(event, given):
    global tries
    if event != "open" or not isinstance(given[0], str):
        return
    if given[0] == os.path.join(folder, ".lock"):
        os.environ["TRANSLEARN_STANDBY"] = "false"  # it has started, and is not the next one yet
    if os.path.dirname(given[0]) == sys.argv[1]:
        tries += 1
        if tries == 2:
            Job(folder).request_stop()


folder = ""
sys.addaudithook(watch)
for folder in sys.argv[2:]:
    os.environ["TRANSLEARN_STANDBY"], tries = "true", 0
    worker.main([folder])
    print(tries)
print({"numpy", "pandas", "keras", "tensorflow"} & set(sys.modules))
"""
"""Works at jobs in their order, allowed to import ahead when it begins with one and not any more when that
is the next; each is stopped when it has tried twice to get a slot."""


def test_who_waits_has_imported_nothing_heavy(workspace: Path) -> None:
    """A class may have thirty processes that wait, and each is the next one at some time."""
    (spaces.root() / "people" / ("a" * 16)).mkdir(parents=True)
    kinds: list[Kind] = ["train", "search", "check", "sort"]
    waiting = [make(workspace / "runs" / kind, kind, 0.0) for kind in kinds]
    slots = workspace / "slots"
    with FileLock(slots / "0.lock"), FileLock(slots / "look-0.lock"):
        ran = subprocess.run(
            [sys.executable, "-c", WAITING, str(slots), *(str(job.folder) for job in waiting)],
            env={**os.environ, "PYTHONPATH": import_path(), "TRANSLEARN_SLOTS": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
    *tries, imported = ran.stdout.splitlines()
    assert imported == "set()", ran.stderr
    assert tries == ["2"] * 4, "each waited for its slot"
    assert {job.state.state for job in waiting} == {"stopped"}
