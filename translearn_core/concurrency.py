"""Helpers for processes and threads: import path, periodic calls, locks, stoppable work, threads of BLAS,
memory that was freed, priorities, ending a process."""

from __future__ import annotations

import atexit
import ctypes
import errno
import gc
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import Future, wait
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import psutil

from translearn_core import spaces
from translearn_core.errors import StopRequestedError


def import_path() -> str:
    """`PYTHONPATH` of a process that is to import this package, wherever it is started."""
    root = str(Path(__file__).resolve().parent.parent)
    return os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))


@contextmanager
def periodically(call: Callable[[], None], *, every_s: float, name: str) -> Iterator[None]:
    """Call `call` periodically in a thread while the block runs."""
    stopped = threading.Event()

    def loop() -> None:
        while not stopped.wait(every_s):
            call()

    thread = threading.Thread(target=loop, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


def end_process(code: int, *, at_once: bool = False) -> None:
    """End this process, like `sys.exit`.

    Where TensorFlow was imported, its teardown (a second) is skipped, and with `at_once` threads that
    still work are not waited for: exit functions run, logs and streams are flushed, and the process
    ends with `os._exit`.
    """
    if "tensorflow" not in sys.modules and not at_once:
        sys.exit(code)
    atexit._run_exitfuncs()
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # a full disk under the log
            stream.flush()
    os._exit(code)


@contextmanager
def no_garbage_search() -> Iterator[None]:
    """Within it, Python looks for no garbage, and leaves what was made out of later searches: for imports
    of large libraries, which make next to none, and of whose time the search takes an eighth and more."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if collects:
            gc.enable()


T = TypeVar("T")
STOP_POLL_S = 0.2


def run_in_thread(work: Callable[[], T]) -> Future[T]:
    """Run `work` in a daemon thread."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 - raised where the result is read
            future.set_exception(error)

    context = spaces.own_context()  # holds the language of messages, too
    threading.Thread(target=context.run, args=(run,), name="work", daemon=True).start()
    return future


def wait_for(future: Future[T], stop: Callable[[], bool]) -> T:
    """The result, unless a stop is requested first; the work is then abandoned.

    Raises:
        StopRequestedError: `stop` returned True.
    """
    while not wait([future], timeout=STOP_POLL_S).done:
        if stop():
            raise StopRequestedError
    return future.result()


def run_stoppable(work: Callable[[], T], stop: Callable[[], bool]) -> T:
    """The result of `work`, which must have no side effects, since a stop abandons it.

    Raises:
        StopRequestedError: `stop` returned True.
    """
    return wait_for(run_in_thread(work), stop)


@contextmanager
def meanwhile(work: Callable[[], T], *, is_apart: bool) -> Iterator[Callable[[], T]]:
    """What gives the result of `work`, which is done beside the block, or when its result is asked for.

    Args:
        is_apart: whether it may be done beside it.
    """
    if not is_apart:
        yield work
        return
    future = run_in_thread(work)
    try:
        yield future.result
    finally:
        wait([future])


def release_memory() -> None:
    """Give memory that was freed back to the system.

    The C library of most Linux systems keeps it for later: after near-duplicates were looked for among
    100,000 photos, in several threads, 320 MB. Other systems keep less of it.
    """
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # another C library
            ctypes.CDLL(None).malloc_trim(0)


FEW_CELLS = 60_000
"""Up to so many photos times classes BLAS has one thread."""


def limit_blas(cells: int) -> AbstractContextManager[object]:
    """Limit BLAS of this process to one thread where there is little to compute.

    Several then spend more time waiting for each other than computing, most of all on a busy machine:
    the principal components of 960 photos took 0.25 s of processor time in one thread, 2 s and more
    in two.

    Args:
        cells: photos times classes.
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    limits: AbstractContextManager[object] = threadpool_limits(1 if has_one_thread(cells) else None)
    return limits


def has_one_thread(cells: int) -> bool:
    """Whether `limit_blas` leaves BLAS one thread."""
    return cells <= FEW_CELLS


class Locks:
    """A lock for each of many things, made when it is first asked for."""

    def __init__(self) -> None:
        self._locks: dict[Hashable, threading.Lock] = {}

    def of(self, thing: Hashable) -> threading.Lock:
        """The lock of one of them."""
        return self._locks.setdefault(thing, threading.Lock())


LOW, LOWEST = 10, 19
"""Nicenesses of processes that leave the processors to others first."""
PRIORITY_ATTEMPTS = 20
"""Of a process that has time to try again."""
_OFTEN_S = 0.1
"""Linux takes a niceness of a session so often at most, from all users together."""


def lower_priority(niceness: int, *, pid: int = 0, attempts: int = 1) -> None:
    """Let a process leave the processors to others first, as far as the system allows.

    All of its threads are lowered, those of libraries, too.

    Linux may share the processors among sessions before it shares them among the processes of each
    (autogroup); a niceness then counts within its session alone. That of the session is lowered, too, where
    the process began it: a terminal's session holds other programs.

    Args:
        niceness: `LOW` or `LOWEST`; one that is higher already stays. 0: nothing is changed.
        pid: of a process that this one has just started; 0: of this one.
        attempts: how often to try to lower the session's, should the system be busy with others.
    """
    if niceness <= 0:
        return
    process = psutil.Process(pid or None)
    with suppress(psutil.Error, OSError):
        if sys.platform == "win32":
            is_lowest = niceness >= LOWEST
            process.nice(
                psutil.IDLE_PRIORITY_CLASS if is_lowest else psutil.BELOW_NORMAL_PRIORITY_CLASS
            )
        else:
            process.nice(max(niceness, int(process.nice())))
    if sys.platform != "linux":
        return
    _lower_threads(process.pid, niceness)
    with suppress(OSError, ValueError):
        if os.getsid(process.pid) == process.pid:
            _lower_session(Path(f"/proc/{process.pid}/autogroup"), niceness, attempts)


def _lower_threads(pid: int, niceness: int) -> None:
    """Lower each thread of a process: Linux keeps a niceness for each, and that of the process is that of
    its first one."""
    seen: set[int] = set()
    with suppress(OSError):
        # until there are no new ones: a thread that is not lowered yet may begin others meanwhile
        while new := {int(path.name) for path in Path(f"/proc/{pid}/task").iterdir()} - seen:
            seen |= new
            for thread in new:
                with suppress(OSError):  # it has ended
                    if os.getpriority(os.PRIO_PROCESS, thread) < niceness:
                        os.setpriority(os.PRIO_PROCESS, thread, niceness)


def niceness_of_session(path: Path) -> int | None:
    """Read the niceness of a session: `/autogroup-79 nice 0`.

    Args:
        path: `/proc/<pid>/autogroup`.

    Returns:
        None where processors are not shared among sessions, and of a process that belongs to none, whose file
        is empty: one of a service that the system began, or of a container.
    """
    try:
        words = path.read_text().split()
    except OSError:
        return None
    return int(words[-1]) if words else None


def _lower_session(path: Path, niceness: int, attempts: int) -> None:
    """Write the niceness of a session, unless it is as high, or there is none."""
    before = niceness_of_session(path)
    if before is None or before >= niceness:
        return
    for attempt in range(attempts):
        try:
            path.write_text(str(niceness))
            return
        except OSError as error:
            if error.errno != errno.EAGAIN or attempt == attempts - 1:
                raise
            time.sleep(_OFTEN_S)
