"""Helpers for processes and threads: import path, periodic calls, stoppable work, threads of BLAS,
ending a process."""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import TypeVar

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

    limits: AbstractContextManager[object] = threadpool_limits(1 if cells <= FEW_CELLS else None)
    return limits
