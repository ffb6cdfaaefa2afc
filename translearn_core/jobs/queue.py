"""The queue: lanes of slots for the kinds of jobs that share a resource.

Owns: the lanes, the order of waiting jobs (first in, first out), and holding a slot.
There is no daemon: a worker polls the states of the other live jobs and tries a file lock. Those that
have ended are looked at only when a folder was added, and every `RESCAN_S` seconds.
Leaves to others: starting workers (`runner.py`).

Files: `<workspace>/slots/<n>.lock` for trainings and searches, `export.lock` for exports.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from translearn_core.config import home, load_configuration
from translearn_core.graph.engine import count_gpus, visible_gpus
from translearn_core.runs import Job, Kind, Run, list_jobs, list_runs


def count_slots() -> int:
    """Number of runs that may train at a time: as configured, else one per GPU, or one."""
    return load_configuration().slots or max(1, count_gpus())


def _one() -> int:
    return 1


@dataclass(frozen=True)
class Lane:
    """Kinds of jobs that share slots.

    Attributes:
        lock: the name of a slot's file; `{n}` is its number.
        count: number of slots.
        on_gpu: whether a slot has a GPU of its own, where there are GPUs.
    """

    lock: str
    count: Callable[[], int]
    on_gpu: bool


_TRAINING = Lane("{n}.lock", count_slots, on_gpu=True)
_EXPORTS = Lane("export.lock", _one, on_gpu=False)  # a conversion takes much memory
LANES: dict[Kind, Lane] = {"train": _TRAINING, "search": _TRAINING, "export": _EXPORTS}
"""The lane of each kind; kinds without one start at once."""


RESCAN_S = 10.0
LOOK_S = 1.0
"""A job that has to wait for others looks at them so often, in seconds."""


def waiting_jobs(folder: Path | None = None) -> list[Job]:
    """The queued jobs of a folder, first in, first out; default: the runs."""
    return LiveJobs(folder or home() / "runs").waiting()


class LiveJobs:
    """The jobs of a folder that have not ended, for a process that asks often."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._jobs: list[Job] = []
        self._mark = 0
        self._scanned_at = -RESCAN_S

    def waiting(self) -> list[Job]:
        """The queued ones, first in, first out."""
        self._scan()
        waiting, live = [], []
        for job in self._jobs:
            state = job.state
            if state.is_live:
                live.append(job)
            if state.state == "queued":
                waiting.append((state.queued_at, job.id, job))
        self._jobs = live
        return [job for _queued_at, _id, job in sorted(waiting, key=lambda entry: entry[:2])]

    def _scan(self) -> None:
        """Look through the whole folder where that is due."""
        try:
            mark = self._folder.stat().st_mtime_ns
        except OSError:
            mark = 0
        now = time.monotonic()
        if mark != self._mark or now - self._scanned_at >= RESCAN_S:
            self._mark, self._scanned_at = mark, now
            self._jobs = list_jobs(self._folder)


def place_in_queue(run: Run) -> int:
    """Number of runs and searches ahead of this one; 0 when it is running or next."""
    if run.state.state != "queued":
        return 0
    waiting = waiting_jobs(run.folder.parent)
    before = waiting.index(run) if run in waiting else 0
    folders = {run.folder.parent} | {home() / name for name in ("runs", "studies")}
    running = sum(is_running(other) for folder in folders for other in list_runs(folder))
    return before + running


def is_running(job: Job) -> bool:
    """Whether a job is running."""
    return job.state.state == "running"


@contextmanager
def take_slot(job: Job, *, poll_s: float = 0.3) -> Iterator[bool]:
    """Wait for a slot of the job's lane, and hold it.

    Yields:
        False when a stop was requested before it had a slot.
    """
    lane = LANES.get(job.kind)
    if lane is None:
        yield not job.stop_requested
        return
    folder = home() / "slots"
    folder.mkdir(parents=True, exist_ok=True)
    lock = None
    others = LiveJobs(job.folder.parent)
    is_next, looked_at = False, -LOOK_S
    while lock is None and not job.stop_requested:
        if is_next or time.monotonic() - looked_at >= LOOK_S:
            is_next, looked_at = _is_my_turn(job, lane, others), time.monotonic()
        if is_next:
            lock = _try_slots(folder, lane)
        if lock is None:
            time.sleep(poll_s)
    try:
        yield lock is not None
    finally:
        if lock is not None:
            lock.release()


def _is_my_turn(job: Job, lane: Lane, others: LiveJobs) -> bool:
    """Whether no job of the same folder has waited longer; a job elsewhere takes any free slot."""
    waiting = others.waiting()
    return job not in waiting or waiting.index(job) < lane.count()


def _try_slots(folder: Path, lane: Lane) -> FileLock | None:
    for slot in range(lane.count()):
        lock = FileLock(folder / lane.lock.format(n=slot))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            continue
        if lane.on_gpu:
            _show_gpu(slot)
        return lock
    return None


def _show_gpu(slot: int) -> None:
    """Let this process see the GPU of its slot only."""
    gpus = visible_gpus()
    if gpus:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpus[slot % len(gpus)]
