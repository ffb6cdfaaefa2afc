"""Waiting costs next to nothing, however many runs there are."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from translearn_core import jobs, runs, spaces
from translearn_core.atomic import write_atomically
from translearn_core.concurrency import (
    LOW,
    LOWEST,
    lower_priority,
    niceness_of_session,
    run_in_thread,
)
from translearn_core.jobs import launch, queue
from translearn_core.jobs.queue import RESCAN_S, LiveJobs, niceness_of, waiting_jobs
from translearn_core.run_settings import Settings
from translearn_core.runs import Job, Run


@pytest.fixture
def crowd(workspace: Path) -> Path:
    """Three hundred ended runs."""
    first = runs.create_run(Path("photos"), Settings())
    first.update_state(state="finished")
    for number in range(299):
        shutil.copytree(first.folder, first.folder.with_name(f"{first.id}-{number}"))
    return first.folder.parent


def test_a_waiting_job_reads_the_live_ones_only(
    crowd: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (runs.create_run(Path("photos"), Settings()) for _n in range(2))
    jobs = LiveJobs(crowd)
    assert jobs.waiting() == [first, second]
    read: list[str] = []
    written_state = Job.written_state.fget
    assert written_state is not None

    def watched(job: Job) -> object:
        read.append(job.id)
        return written_state(job)

    monkeypatch.setattr(Job, "written_state", property(watched))
    assert jobs.waiting() == [first, second]
    assert set(read) == {first.id, second.id}
    read.clear()
    waiting_jobs(crowd)
    assert len(read) == 302, "who asks once looks at all"


def test_who_comes_and_goes_is_noticed(crowd: Path) -> None:
    first = runs.create_run(Path("photos"), Settings())
    jobs = LiveJobs(crowd)
    assert jobs.waiting() == [first]
    second = runs.create_run(Path("photos"), Settings())
    assert jobs.waiting() == [first, second]
    first.update_state(state="running")
    assert jobs.waiting() == [second]
    first.update_state(state="finished")
    second.update_state(state="stopped")
    assert jobs.waiting() == []
    assert RESCAN_S > 0
    assert json.loads(second.state_path.read_bytes())["state"] == "stopped"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names")
def test_a_page_does_not_wait_for_one_that_looks(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that takes long to be read holds up the page that reads it, and no other."""
    monkeypatch.setattr(queue, "LOOK_S", 0.0)
    first, second = (runs.create_run(Path("photos"), Settings()) for _n in range(2))
    assert jobs.place_in_queue(second) == 1
    state = first.written_state.model_copy(update={"state": "finished"})
    pipe = first.folder / "pipe"
    os.mkfifo(pipe)
    pipe.replace(first.state_path)
    slow = run_in_thread(lambda: jobs.place_in_queue(second))
    with first.state_path.open("w") as end:  # open as soon as the other one reads
        assert run_in_thread(lambda: jobs.place_in_queue(second)).result(30) == 1, "as seen before"
        assert not slow.done()
        end.write(state.model_dump_json())
    assert slow.result(30) == 0
    write_atomically(first.state_path, state.model_dump_json())


def test_what_others_write_is_seen_when_the_last_look_is_old(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (runs.create_run(Path("photos"), Settings()) for _n in range(2))
    assert jobs.place_in_queue(second) == 1
    ended = first.written_state.model_copy(update={"state": "finished"})
    write_atomically(first.state_path, ended.model_dump_json())  # as another process does
    monkeypatch.setattr(queue, "LOOK_S", 0.0)
    assert jobs.place_in_queue(second) == 0


class LookedAt(Run):
    """A run at which others look while it is being made."""

    looks: list[Callable[[], object]]

    def append_event(self, kind: str, **fields: Any) -> None:
        for look in self.looks:
            look()
        super().append_event(kind, **fields)


def test_a_run_that_others_look_at_while_it_is_made_is_not_overlooked(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "LOOK_S", 1e9)
    monkeypatch.setattr(queue, "RESCAN_S", 1e9)
    first = runs.create_run(Path("photos"), Settings())
    elsewhere = LiveJobs(first.folder.parent)  # knows of no writes, as another process does
    seen: list[list[Job]] = []
    made = LookedAt(first.folder.with_name("made"))
    made.looks = [
        lambda: seen.append(elsewhere.waiting()),
        lambda: seen.append(queue.order_of_all().waiting),
    ]
    made.begin(first.config.model_copy(update={"id": made.id, "created": time.time()}))
    assert seen == [[first], [first]]
    run = Run(made.folder)
    assert elsewhere.waiting() == [first, run]
    assert queue.order_of_all().waiting == [first, run]
    assert jobs.place_in_queue(run) == 1
    first.update_state(state="finished")
    run.update_state(state="running")
    assert elsewhere.look().running == queue.order_of_all().running == [run]


def test_places_of_one_person_do_not_hold_up_another(workspace: Path) -> None:
    def take_both() -> bool:
        with (
            spaces.acting_in(spaces.space_named("0123456789abcdef")),
            jobs.place_in_line(),
            spaces.acting_in(spaces.space_named("fedcba9876543210")),
            jobs.place_in_line(),
        ):
            return True

    assert run_in_thread(take_both).result(30)


@pytest.mark.parametrize(
    ("written", "niceness"),
    [("/autogroup-79 nice 12\n", 12), ("/autogroup-1 nice -5\n", -5), ("", None), (None, None)],
)
def test_a_process_may_have_no_session_of_its_own(
    tmp_path: Path, written: str | None, niceness: int | None
) -> None:
    path = tmp_path / "autogroup"
    if written is not None:
        path.write_text(written)
    assert niceness_of_session(path) == niceness


def _session_of(pid: int | str) -> Path:
    return Path(f"/proc/{pid}/autogroup")


def test_in_a_class_jobs_leave_the_processors_to_the_pages(workspace: Path) -> None:
    assert (niceness_of("train"), niceness_of("look")) == (0, LOWEST)
    spaces.space_named("0123456789abcdef").mkdir(parents=True)
    assert (niceness_of("train"), niceness_of("check"), niceness_of("look")) == (LOW, LOW, LOWEST)


@pytest.mark.skipif(sys.platform == "win32", reason="classes instead of nicenesses")
@pytest.mark.parametrize("niceness", [0, LOW, LOWEST])
def test_a_worker_s_session_is_lowered_with_it(niceness: int) -> None:
    """Each worker has a session of its own, and Linux may share the processors among these first."""
    usual = psutil.Process().nice()
    command = [sys.executable, "-S", "-c", "input()"]
    process = launch.spawn(command, subprocess.DEVNULL, stdin=subprocess.PIPE, niceness=niceness)
    try:
        lower_priority(niceness, pid=process.pid, attempts=50)  # others may do so just now
        assert psutil.Process(process.pid).nice() == max(usual, niceness)
        assert niceness_of_session(_session_of(process.pid)) in (niceness, None)
    finally:
        process.communicate(b"\n")


@pytest.mark.skipif(sys.platform != "linux", reason="a niceness of each thread")
def test_threads_that_work_already_are_lowered_and_none_is_raised() -> None:
    program = (
        "import os, threading\n"
        "from translearn_core.concurrency import LOW, LOWEST, lower_priority\n"
        "ended = threading.Event()\n"
        "for _n in range(2):\n"
        "    thread = threading.Thread(target=ended.wait)\n"
        "    thread.start()\n"
        "os.setpriority(os.PRIO_PROCESS, thread.native_id, LOWEST)\n"
        "lower_priority(LOW)\n"
        "threads = sorted(map(int, os.listdir('/proc/self/task')))\n"
        "print(sorted(os.getpriority(os.PRIO_PROCESS, one) for one in threads))\n"
        "ended.set()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, check=True
    )
    low = max(LOW, psutil.Process().nice())
    nicenesses = json.loads(done.stdout)
    assert nicenesses[:2] == [low, low]
    assert nicenesses[-1] == LOWEST
    assert set(nicenesses) == {low, LOWEST}


@pytest.mark.skipif(sys.platform == "win32", reason="classes instead of nicenesses")
def test_the_session_of_a_terminal_is_left_alone() -> None:
    """A command that shares its session with other programs lowers itself only."""
    program = (
        "import psutil\n"
        "from translearn_core.concurrency import LOW, lower_priority\n"
        "lower_priority(LOW)\n"
        "print(psutil.Process().nice())"
    )
    before = niceness_of_session(_session_of("self"))
    done = subprocess.run(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, check=True
    )
    assert int(done.stdout) == max(LOW, psutil.Process().nice())
    assert niceness_of_session(_session_of("self")) == before
