"""Runs a job in its process: waiting for a slot, heartbeat, state and events, ending.

Owns: `run_job` with all endings and their sentences, `JobMonitor`, the only writer of a job's state
and events while its process is alive, and ending a process whose work does not poll for a stop.
Leaves to others: the work (`worker.py` knows it by kind), the order (`queue.py`), what a dead
process looks like (`runs/state.py`).
"""

from __future__ import annotations

import errno
import logging
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock, Timeout

from translearn_core.atomic import FULL
from translearn_core.cluster.machine import machine_name
from translearn_core.concurrency import (
    LOW,
    LOWEST,
    PRIORITY_ATTEMPTS,
    lower_priority,
    periodically,
)
from translearn_core.errors import InputError, StopRequestedError, TransLearnError
from translearn_core.i18n import N_, _
from translearn_core.jobs import launch
from translearn_core.jobs.queue import niceness_of, take_slot
from translearn_core.jobs.runner import FORCED
from translearn_core.monitor import Monitor
from translearn_core.runs import Job, JobState, Kind, Run, StateName, placement
from translearn_core.runs.state import LOCK

logger = logging.getLogger(__name__)

HEARTBEAT_S = 2.0
POLL_S = 0.2
PLACE_S = 0.5
"""A worker on a cluster looks so often whether the job is still its own."""
PROGRESS_EVERY_S = 0.2
"""Shortest interval between writes of progress; the end of a stage is always written."""
LOCK_WAIT_S = 5.0
"""An earlier process of the same folder may hold the lock so long after it wrote its end."""

RESERVE = ".reserve"
RESERVE_BYTES = 2**16
"""A file of this size is given up on a full disk, so that the end of the job can be written."""
SAVE_S = 300.0
"""What a stopped job has learned may take so long to be put together."""
END_ATTEMPTS = 20
END_WAIT_S = 0.5
LEAST_FREE_BYTES = 2**20
"""With less room on the disk, an unexpected error is put down to that."""

STOPPED = N_("Stopped by request.")
STOPPED_SAVING = N_(
    "Stopped by request. What was learned until then is still being put together, and appears here "
    "when that is done."
)
NOT_SAVED = N_(
    "Stopped by request. What was learned could not be put together in {minutes} minutes, so there is no "
    "model. Photos and settings are kept."
)
STOPPED_BEFORE = N_("Stopped before it began.")
STOPPED_EARLY = N_(
    "Stopped, as you asked, before there was a result. Photos and settings are kept."
)
NO_MEMORY = N_(
    "The memory of this machine was not enough. Close other programs or choose smaller photos."
)
DISK_FULL = N_("The disk is full, so nothing more could be written. Make room and start it again.")
DATASET_GONE = N_(
    "The data set “{name}” was deleted while this was going on. Bring its photos in again and start "
    "it again."
)
PHOTO_GONE = N_(
    "The photo {file} was removed while this was going on. Start it again with the photos that are "
    "there."
)
BUG = N_("Something unexpected went wrong. The log has the details.")

Work = Callable[[Job, Monitor], bool]
"""Runs a job. Returns True when it finished, False when it was stopped and left a result.
Raises StopRequestedError when it was stopped before that."""


class JobMonitor(Monitor):
    """Writes progress into the state and the events of its job; reads its stop request.

    Args:
        token: of its placement on a cluster. This process ends where the job has been placed anew, or
            was ended by force: what it still knows must not be written over what another one has.
    """

    def __init__(self, job: Job, token: str = "") -> None:
        process = psutil.Process()
        self._job = job
        self._token = token
        self._process = process
        self._lock = threading.Lock()
        self._last_progress = 0.0
        self._state = job.written_state
        self.keeps = False
        """Whether a stop leaves a result."""
        self._ending = threading.Lock()
        self.is_saving = False
        """Whether it was stopped, and its result is still being put together."""
        self.update(pid=process.pid, pid_started=process.create_time(), host=machine_name())

    @property
    def kind(self) -> Kind:
        """What the job is to do."""
        return self._job.kind

    @property
    def stop_requested(self) -> bool:
        """Whether a stop was requested."""
        return self._job.stop_requested

    def check_place(self) -> None:
        """End this process at once, and write nothing, unless it still may work at the job."""
        if self._token and not placement.may_work(self._job.folder, self._token):
            logger.warning("The job was placed anew, or ended")
            launch.end_children()
            os._exit(0)

    def update(self, **changes: Any) -> None:
        """Replace the state with `changes` and a fresh heartbeat; nothing after `end_early`."""
        self._change(changes)

    def _change(self, changes: dict[str, Any], *, ends: bool = False) -> bool:
        """Write the changed state; whether that was still to be done."""
        with self._lock:
            if self.is_saving and not ends:
                return False
            memory = self._process.memory_info().rss
            alive = {"heartbeat": time.time(), "memory_bytes": memory}
            self._state = self._state.model_copy(update=alive | changes)
            self.check_place()
            is_new = {"state", "stage"} & changes.keys()
            self._job.write_state(self._state, durable=bool(is_new))
            return True

    def stage(self, name: str) -> None:
        """See `Monitor.stage`."""
        self._last_progress = 0.0
        self._enter("running", name)

    def begin(self) -> None:
        """Write that the job has a slot and starts."""
        self._enter("running", "start", started_at=time.time())

    def leaves_result(self) -> None:
        """See `Monitor.leaves_result`."""
        self.keeps = True

    def end(self, state: StateName, reason: str = "") -> None:
        """Write the end of the job; only the first call counts, or that after `end_early`."""
        with self._ending:
            with self._lock:
                if not self._state.is_live and not self.is_saving:
                    return
                self._state = self._state.model_copy(update={"state": state})
            self._write_end(state, reason)
            self.is_saving = False

    def end_early(self) -> None:
        """Write that the job was stopped, while what it leaves is still being put together."""
        with self._ending:
            with self._lock:
                if not self._state.is_live:
                    return
                self._state = self._state.model_copy(update={"state": "stopped"})
                self.is_saving = True
            self._write_end("stopped", _(STOPPED_SAVING))

    def _write_end(self, state: StateName, reason: str) -> None:
        self._give_up_reserve()
        for attempt in range(END_ATTEMPTS):
            try:
                self._enter(state, "", ends=True, reason=reason, finished_at=time.time())
                return
            except OSError:
                logger.exception("The end could not be written")
                if attempt == END_ATTEMPTS - 1:
                    raise
                time.sleep(END_WAIT_S)

    def progress(self, done: int, total: int, per_s: float = 0.0, *, what: str = "") -> None:
        """See `Monitor.progress`."""
        now = time.monotonic()
        if self.is_saving or (done < total and now - self._last_progress < PROGRESS_EVERY_S):
            return
        self._last_progress = now
        self.update(done=done, total=total, per_s=per_s, what=what, told_at=time.time())
        left_s = round((total - done) / per_s, 1) if per_s > 0 else 0
        fields = {"done": done, "total": total, "per_s": round(per_s, 1), "left_s": left_s}
        unit = {"what": what} if what else {}
        self._job.append_event("progress", stage=self._state.stage, **fields, **unit)

    def warning(self, text: str) -> None:
        """See `Monitor.warning`."""
        self._job.append_event("warning", text=text)

    def event(self, kind: str, **fields: Any) -> None:
        """See `Monitor.event`."""
        self._job.append_event(kind, **fields)

    def heartbeat(self) -> AbstractContextManager[None]:
        """Write a heartbeat periodically while the block runs."""

        def beat() -> None:
            try:
                self.update()
            except OSError:  # a full disk must not end the heartbeat
                logger.exception("The heartbeat could not be written")

        return periodically(beat, every_s=HEARTBEAT_S, name="heartbeat")

    def reserve(self) -> None:
        """Take a little room on the disk, for the end."""
        with suppress(OSError):
            (self._job.folder / RESERVE).write_bytes(os.urandom(RESERVE_BYTES))

    def _give_up_reserve(self) -> None:
        with suppress(OSError):
            (self._job.folder / RESERVE).unlink(missing_ok=True)

    def _enter(self, state: StateName, stage: str, *, ends: bool = False, **changes: Any) -> None:
        fresh = {"done": 0, "total": 0, "per_s": 0.0, "what": "", "told_at": time.time()}
        if not self._change({"state": state, "stage": stage, **fresh, **changes}, ends=ends):
            return
        with suppress(OSError):  # the state is what counts
            self._job.append_event("state", state=state, stage=stage)


def run_job(
    job: Job,
    work: Work,
    *,
    patience_s: float | None = None,
    own_process: bool = True,
    tidy: Callable[[], None] = lambda: None,
    in_turn: bool = True,
    token: str = "",
    when_next: Callable[[], None] | None = None,
) -> JobState:
    """Wait for a slot, run the job, and leave its folder in an ended state.

    Args:
        patience_s: seconds that the work may take to react to a stop before this process is ended,
            or, where a stop leaves a result, before the job counts as stopped while that is put
            together; 0: it never reacts. None: it always does.
        own_process: whether this process may be ended with the job.
        tidy: removes partial results before the process is ended.
        in_turn: False where the job is part of another one that holds a slot, or a cluster has placed
            it.
        token: of its placement on a cluster. The lock of a machine that was lost may stay for minutes
            there; the token, not the lock, then says who works at the job.
        when_next: as in `take_slot`.

    Returns:
        The final state; the current one where another process runs this job.
    """
    lock = FileLock(job.folder / LOCK)
    try:
        lock.acquire(timeout=LOCK_WAIT_S)
    except Timeout:
        logger.warning("Another process is at the job in %s", job.folder)
        if not token:
            return job.state
    try:
        monitor = JobMonitor(job, token)
        monitor.reserve()
        watched = (
            periodically(monitor.check_place, every_s=PLACE_S, name="place")
            if token
            else nullcontext()
        )
        with (
            monitor.heartbeat(),
            watched,
            _force_stop_after(monitor, patience_s, own_process, tidy),
        ):
            _do(
                job,
                work,
                monitor,
                take_slot(job, when_next=when_next) if in_turn else nullcontext(True),
            )
        return job.written_state
    finally:
        lock.release()


def _do(job: Job, work: Work, monitor: JobMonitor, turn: AbstractContextManager[bool]) -> None:
    """Run the work and write its end: finished, stopped, or failed with a reason for the user."""
    try:
        with turn as has_turn:
            if not has_turn:
                monitor.end("stopped", _(STOPPED_BEFORE))
                return
            monitor.begin()
            finished = work(job, monitor)
    except StopRequestedError:
        monitor.end("stopped", _(STOPPED_EARLY))
    except TransLearnError as error:
        logger.exception("The job failed")
        _fail(monitor, error.message)
    except MemoryError:
        logger.exception("Out of memory")
        _fail(monitor, _(NO_MEMORY))
    except KeyboardInterrupt:
        monitor.end("stopped", _(FORCED))
    except Exception as error:  # the traceback goes to the log, a sentence to the user
        logger.exception("The job failed unexpectedly")
        _fail(monitor, _cause_outside(job, error) or _(BUG))
    else:
        monitor.end("finished" if finished else "stopped", "" if finished else _(STOPPED))


def _fail(monitor: JobMonitor, reason: str) -> None:
    with suppress(OSError):
        monitor.event("error", text=reason)
    monitor.end("failed", reason)


def _cause_outside(job: Job, error: Exception) -> str:
    """What happened to disk or photos that explains an unexpected error; empty where nothing did.

    Libraries raise errors of many kinds on a full disk or for a photo that went.
    """
    cause: BaseException | None = error
    while cause is not None:  # a library may put it into words of its own
        if isinstance(cause, OSError) and cause.errno in FULL:
            return _(DISK_FULL)
        cause = cause.__cause__ or cause.__context__
    with suppress(OSError):
        if shutil.disk_usage(job.folder).free < LEAST_FREE_BYTES:
            return _(DISK_FULL)
    if isinstance(error, OSError) and error.errno == errno.EROFS:
        return _("The workspace cannot be written any more: {cause}.").format(cause=error.strerror)
    from translearn_core import datasets

    with suppress(InputError, OSError, ValueError):
        config = Run(job.folder).config
        folder = Path(config.dataset)
        if not (folder / "dataset.json").is_file():
            return _(DATASET_GONE).format(name=config.dataset_name or folder.name)
        dataset = datasets.open_dataset(folder)
        for path in dataset.photos["path"]:
            file = dataset.photo_file(path)
            if isinstance(file, Path) and not file.is_file():
                return _(PHOTO_GONE).format(file=path)
    return ""


@contextmanager
def _force_stop_after(
    monitor: JobMonitor, patience_s: float | None, own_process: bool, tidy: Callable[[], None]
) -> Iterator[None]:
    """See that a stop takes effect when the work does not react to it in time."""
    if patience_s is None:
        yield
        return
    requested_at = 0.0

    def watch() -> None:
        nonlocal requested_at
        if not monitor.stop_requested:
            return
        requested_at = requested_at or time.monotonic()
        waited_s = time.monotonic() - requested_at
        if monitor.keeps:
            if waited_s >= patience_s + SAVE_S and own_process:
                _end_process(monitor, _(NOT_SAVED).format(minutes=round(SAVE_S / 60)), tidy)
            elif waited_s >= patience_s and not monitor.is_saving:
                with suppress(OSError):
                    monitor.end_early()
                if own_process:
                    _make_way(monitor.kind)
        elif waited_s >= patience_s and own_process:
            early = monitor.kind in ("train", "search")
            _end_process(monitor, _(STOPPED_EARLY if early else STOPPED), tidy)

    with periodically(watch, every_s=POLL_S, name="stop"):
        yield


def _end_process(monitor: JobMonitor, reason: str, tidy: Callable[[], None]) -> None:
    launch.end_children()
    tidy()
    with suppress(OSError):
        monitor.end("stopped", reason)
    os._exit(0)


def _make_way(kind: Kind) -> None:
    """Let other work go first from now on: one step below other jobs, for at the lowest priority beside
    jobs at the usual one there might be no time to save within `SAVE_S`."""
    lower_priority(LOWEST if niceness_of(kind) >= LOW else LOW, attempts=PRIORITY_ATTEMPTS)
