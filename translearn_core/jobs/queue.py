"""The queue: lanes of slots for the kinds of jobs that share a resource.

Owns: the lanes, the order of waiting jobs (in turn by space, in a space first in, first out), and holding
a slot.
There is no daemon: a worker polls the states of the other live jobs and tries a file lock. Those that
have ended are looked at only when a folder was added, and every `RESCAN_S` seconds.
Leaves to others: starting workers (`runner.py`).

Files: `<workspace>/slots/<n>.lock` for trainings and searches, `export.lock` for exports, `look-<n>.lock`
for checks and sorting in a class; `announced/<id>.json` in it names the folder of each live job of these,
which lie deep in the spaces; the time of `served/<lane>-<space>` is when a space last had its turn.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from filelock import FileLock, Timeout

from translearn_core import spaces
from translearn_core.atomic import disk_errors, write_atomically
from translearn_core.concurrency import LOW, LOWEST
from translearn_core.config import home, load_configuration
from translearn_core.errors import RunError
from translearn_core.graph.gpus import count_gpus, visible_gpus
from translearn_core.runs import Job, Kind, Run, list_jobs
from translearn_core.runs.job import is_listed, list_begun
from translearn_core.runs.state import own_writes


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
_LOOKS = Lane("look-{n}.lock", count_slots, on_gpu=False)
LANES: dict[Kind, Lane] = {
    "train": _TRAINING,
    "search": _TRAINING,
    "export": _EXPORTS,
    "check": _LOOKS,
    "sort": _LOOKS,
}
"""The lane of each kind; kinds without one start at once."""


def lane_of(job: Job) -> Lane | None:
    """The lane in which a job waits; None: it starts at once, as checks and sorting do without a
    class."""
    lane = LANES.get(job.kind)
    return None if lane is _LOOKS and len(spaces.all_spaces()) == 1 else lane


UNASKED: frozenset[Kind] = frozenset({"look"})
"""Kinds that no person asked for: they run at the lowest priority and give way to all others."""


def niceness_of(kind: Kind = "train") -> int:
    """Of the process of a job, as `lower_priority` takes it; 0: the usual one.

    In a class thirty people wait for their pages beside it, so the pages come first.
    """
    if kind in UNASKED:
        return LOWEST
    return LOW if len(spaces.all_spaces()) > 1 else 0


RESCAN_S = 10.0
LOOK_S = 1.0
"""A job that has to wait for others looks at them so often, in seconds."""
LOOK_MOST_S = 5.0
"""One that many are ahead of looks at least so often."""
ROOMS = ("runs", "studies")
"""The folders of a space whose jobs share one order."""


def waiting_jobs(folder: Path | None = None) -> list[Job]:
    """The queued jobs that share the order of a folder, the next one first; default: the runs."""
    return LiveJobs(folder or home() / "runs").waiting()


def jobs_of_all() -> list[Job]:
    """The runs and searches of all spaces, unordered."""
    with spaces.everywhere():
        folders = [space / name for space in spaces.all_spaces() for name in ROOMS]
        return [job for folder in folders for job in list_jobs(folder)]


def sharing_order(folder: Path) -> list[Path]:
    """The folders whose jobs wait in one order with those of `folder`.

    Runs and searches of all spaces share one; the jobs of a folder elsewhere have their own.
    """
    shared = [space / name for space in spaces.all_spaces() for name in ROOMS]
    is_shared = _resolved(folder) in {_resolved(one) for one in shared}
    return shared if is_shared else [folder]


@lru_cache(maxsize=1024)
def _resolved(folder: Path) -> Path:
    """Pages of a class ask for the folders of all spaces again and again."""
    return folder.resolve()


@dataclass(frozen=True)
class Waiting:
    """A queued job: whose it is, since when it waits, in unix seconds."""

    job: Job
    space: Path
    since: float


def in_turn(waiting: Sequence[Waiting], served: Mapping[Path, float]) -> list[Job]:
    """The order of waiting jobs: each space in its turn, and in a space first in, first out.

    Next is the space that was never served or whose last job began longest ago; where that is even,
    the one that has waited longest. With one space that is first in, first out.

    Args:
        served: when the last job of a space began, in unix seconds.
    """
    queues: dict[Path, deque[Waiting]] = {}
    for one in sorted(waiting, key=lambda one: (one.since, one.job.id)):
        queues.setdefault(one.space, deque()).append(one)
    order: list[Job] = []
    turns = {space: (0, served.get(space, 0.0)) for space in queues}
    while queues:
        space = min(
            queues, key=lambda one: (turns[one], queues[one][0].since, queues[one][0].job.id)
        )
        order.append(queues[space].popleft().job)
        turns[space] = (turns[space][0] + 1, 0.0)
        if not queues[space]:
            del queues[space]
    return order


@dataclass(frozen=True)
class Order:
    """The queued jobs of one order, the next one first, and those that are at work."""

    waiting: list[Job]
    running: list[Job]

    @property
    def is_busy(self) -> bool:
        """Whether any waits or is at work."""
        return bool(self.waiting or self.running)


class LiveJobs:
    """The jobs that share the order of a folder and have not ended, for a process that asks often."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._jobs: list[Job] = []
        self._spaces: dict[Job, Path] = {}
        self._served: dict[Path, float] = {}
        self._marks: list[int] = []
        self._begun: list[Path] = []
        self._scanned_at = -RESCAN_S

    def waiting(self) -> list[Job]:
        """The queued ones, the next one first; see `in_turn`."""
        return self.look().waiting

    def look(self) -> Order:
        """Those that wait, and those that are at work."""
        self._scan()
        waiting: list[Waiting] = []
        live: list[Job] = []
        running: list[Job] = []
        for job in self._jobs:
            state, space = job.state, self._spaces[job]
            self._served[space] = max(self._served.get(space, 0.0), state.started_at)
            if state.is_live:
                live.append(job)
            if state.state == "queued":
                waiting.append(Waiting(job, space, state.queued_at))
            if state.state == "running":
                running.append(job)
        self._jobs = live
        return Order(in_turn(waiting, self._served), running)

    def _scan(self) -> None:
        """Look through the whole folders where that is due.

        The time of a folder tells that a job was begun in it, and not that its config.json was written
        later: what had none at the last look is looked at again.
        """
        folders = sharing_order(self._folder)
        marks = [_mark_of(folder) for folder in folders]
        now = time.monotonic()
        is_same = marks == self._marks and not any(map(is_listed, self._begun))
        if is_same and now - self._scanned_at < RESCAN_S:
            return
        self._marks, self._scanned_at = marks, now
        self._spaces, self._begun = {}, []
        with spaces.everywhere():
            for folder in folders:
                jobs, begun = list_begun(folder)
                self._spaces |= dict.fromkeys(jobs, spaces.space_of(folder))
                self._begun += begun
        self._jobs = list(self._spaces)
        self._served = {}  # by the jobs that are there, as every other process sees them


class AnnouncedJobs:
    """The jobs of a lane that are announced, for a process that asks often."""

    def __init__(self, lane: Lane) -> None:
        self._lane = lane

    def waiting(self) -> list[Job]:
        """The queued ones, the next one first; see `in_turn`."""
        return self.look().waiting

    def look(self) -> Order:
        """Those that wait, and those that are at work."""
        waiting, running = [], []
        for job in announced_jobs():
            try:
                kind, state = job.kind, job.state
            except RunError:  # it went just now
                continue
            if LANES.get(kind) is not self._lane:
                continue
            if state.state == "queued":
                waiting.append(Waiting(job, spaces.space_of(job.folder), state.queued_at))
            if state.state == "running":
                running.append(job)
        served = {one.space: self._served_at(one.space) for one in waiting}
        return Order(in_turn(waiting, served), running)

    def served(self, job: Job) -> None:
        """Note that a job has its turn now."""
        path = self._path_of(spaces.space_of(job.folder))
        with disk_errors():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(str(time.time()))

    def _served_at(self, space: Path) -> float:
        try:
            return float(self._path_of(space).read_text())
        except (OSError, ValueError):
            return 0.0

    def _path_of(self, space: Path) -> Path:
        name = re.sub(r"\W.*", "", self._lane.lock)
        return spaces.root() / "slots" / "served" / f"{name}-{space.name}"


def announce(job: Job) -> None:
    """Let others know of a job that lies where no list of jobs leads."""
    if LANES.get(job.kind) in (None, _TRAINING):
        return
    name = hashlib.sha256(job.folder.as_posix().encode("utf-8", "surrogatepass")).hexdigest()[:16]
    folder = _announced()
    with disk_errors():
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / f"{name}.json", json.dumps(str(job.folder)))


def announced_jobs(space: Path | None = None) -> list[Job]:
    """The announced jobs that live, of one space or of all; what ended is forgotten."""
    found = []
    with spaces.everywhere():
        for path in _announced().glob("*.json"):
            with suppress(OSError, ValueError, TypeError):
                job = Job(Path(json.loads(path.read_bytes())))
                if not job.state_path.is_file() or not job.state.is_live:
                    path.unlink(missing_ok=True)
                elif space is None or job.folder.is_relative_to(space.resolve()):
                    found.append(job)
    return found


def _announced() -> Path:
    return spaces.root() / "slots" / "announced"


def _mark_of(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


class _Glance:
    """The order of a folder for pages, of which each of a class asks once a second.

    One page looks through the folders for all others. Those that ask meanwhile get what was seen last and
    do not wait: each file that is looked at is a moment in which another thread of the server may compute,
    so that a look takes long when many are at work.
    """

    def __init__(self, folder: Path) -> None:
        self._jobs = LiveJobs(folder)
        self._lock = threading.Lock()
        self._seen: _Seen | None = None

    def look(self, job: Job | None = None) -> Order:
        """As it is now, or was a second ago; what this process wrote itself is always in it.

        Args:
            job: one that waits, and has to be in it.
        """
        asked, writes = time.monotonic(), own_writes()
        seen = self._seen
        if seen is not None and seen.has(writes, job):
            if asked - seen.at < LOOK_S or not self._lock.acquire(blocking=False):
                return seen.order
        else:
            self._lock.acquire()
        try:
            seen = self._seen  # who waited may find what another one has seen meanwhile
            if seen is None or seen.at < asked or not seen.has(writes, job):
                at, writes = time.monotonic(), own_writes()
                seen = self._seen = _Seen(self._jobs.look(), at, writes)
            return seen.order
        finally:
            self._lock.release()


@dataclass(frozen=True)
class _Seen:
    """What a look has found, when it began, and how much this process had written by then."""

    order: Order
    at: float
    writes: int

    def has(self, writes: int, job: Job | None) -> bool:
        """Whether all that was written by this process is in it, and the job that waits."""
        return self.writes >= writes and (job is None or job in self.order.waiting)


@lru_cache(maxsize=8)
def _glance_at(folder: Path) -> _Glance:
    return _Glance(folder)


def order_of_all(job: Job | None = None) -> Order:
    """The order of the runs and searches of all spaces, a second old at most, unless many look at once.
    Do not change it.

    Args:
        job: one that waits, and has to be in it.
    """
    return _glance_at(spaces.root() / "runs").look(job)


def order_of_looks() -> Order:
    """The order of checks and sorting in a class."""
    return AnnouncedJobs(_LOOKS).look()


def order_of_exports() -> Order:
    """The order of exports."""
    return AnnouncedJobs(_EXPORTS).look()


def ahead_of(run: Run) -> list[Job]:
    """The runs and searches ahead of this one, those at work first; none when it is running or next."""
    if run.state.state != "queued":
        return []
    is_shared = len(sharing_order(run.folder.parent)) > 1
    shared = order_of_all(run if is_shared else None)
    if is_shared:
        waiting, running = shared.waiting, shared.running
    else:  # in a folder that lies in no space
        own = LiveJobs(run.folder.parent).look()
        waiting, running = own.waiting, [*shared.running, *own.running]
    return [*running, *(waiting[: waiting.index(run)] if run in waiting else [])]


def place_in_queue(run: Run) -> int:
    """Number of runs and searches ahead of this one; 0 when it is running or next."""
    return len(ahead_of(run))


def is_running(job: Job) -> bool:
    """Whether a job is running."""
    return job.state.state == "running"


@contextmanager
def take_slot(
    job: Job, *, poll_s: float = 0.3, when_next: Callable[[], None] | None = None
) -> Iterator[bool]:
    """Wait for a slot of the job's lane, and hold it.

    Args:
        when_next: called once, in a thread of its own, where the job is the next one and has to wait;
            it has ended when the job has its turn.

    Yields:
        False when a stop was requested before it had a slot and was ready; it holds none then.
    """
    lane = lane_of(job)
    if lane is None:
        yield not job.stop_requested
        return
    folder = spaces.root() / "slots"
    folder.mkdir(parents=True, exist_ok=True)
    lock = getting_ready = None
    others = LiveJobs(job.folder.parent) if lane is _TRAINING else AnnouncedJobs(lane)
    ahead, looked_at = 1, -LOOK_MOST_S
    while lock is None and not job.stop_requested:
        # who is far behind looks less often, or thirty that wait would take a processor
        if not ahead or time.monotonic() - looked_at >= _pause_s(ahead):
            ahead, looked_at = _count_ahead(job, lane, others), time.monotonic()
        if not ahead:
            lock = _try_slots(folder, lane)
        if lock is not None:
            break
        if not ahead and when_next is not None and getting_ready is None:
            getting_ready = threading.Thread(target=when_next, name="ready", daemon=True)
            getting_ready.start()
        time.sleep(poll_s)
    try:
        has_turn = lock is not None and _is_ready(job, getting_ready, poll_s)
        if lock is not None and not has_turn:
            lock.release()
        if has_turn and isinstance(others, AnnouncedJobs):
            others.served(job)
        yield has_turn
    finally:
        if lock is not None:
            lock.release()


def _is_ready(job: Job, getting_ready: threading.Thread | None, poll_s: float) -> bool:
    """Wait until a job is ready for its slot; False when a stop was requested before."""
    while getting_ready is not None and getting_ready.is_alive():
        if job.stop_requested:
            return False
        getting_ready.join(poll_s)
    return True


def _pause_s(ahead: int) -> float:
    """How long a job waits before it looks again, by the number of those ahead of it."""
    return min(LOOK_MOST_S, max(LOOK_S, LOOK_S * ahead / 3))


def _count_ahead(job: Job, lane: Lane, others: LiveJobs | AnnouncedJobs) -> int:
    """How many jobs of the same order come first, beyond the slots; a job elsewhere takes any.

    Those that wait for a place on a cluster take no slot of this machine.
    """
    waiting = [one for one in others.waiting() if one == job or not one.written_state.cluster]
    return max(0, waiting.index(job) - lane.count() + 1) if job in waiting else 0


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
