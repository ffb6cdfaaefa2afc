"""Processes and threads of this package: how they are found, repeated, stopped and ended."""

from __future__ import annotations

import atexit
import contextvars
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from translearn_core.errors import StopRequestedError


def import_path() -> str:
    """`PYTHONPATH` of a process that is to import this package, wherever it is started."""
    root = str(Path(__file__).resolve().parent.parent)
    return os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))


@contextmanager
def periodically(act: Callable[[], None], *, every_s: float, name: str) -> Iterator[None]:
    """Have `act` called again and again, in a thread, while the block goes on."""
    ended = threading.Event()

    def go() -> None:
        while not ended.wait(every_s):
            act()

    thread = threading.Thread(target=go, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def end_process(code: int) -> None:
    """End this process, like `sys.exit`.

    Where TensorFlow was imported, without waiting a second for it to take itself apart: what
    was written is flushed, and what was to be done at the end is done.
    """
    if "tensorflow" not in sys.modules:
        sys.exit(code)
    atexit._run_exitfuncs()
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)


T = TypeVar("T")
STOP_POLL_S = 0.2


def run_in_thread(work: Callable[[], T]) -> Future[T]:
    """Have `work` done in a thread that does not keep the process from ending."""
    done: Future[T] = Future()

    def go() -> None:
        try:
            done.set_result(work())
        except BaseException as error:  # noqa: BLE001 - raised where the result is asked for
            done.set_exception(error)

    context = contextvars.copy_context()  # its texts speak the caller's language
    threading.Thread(target=context.run, args=(go,), name="begun", daemon=True).start()
    return done


def wait_for(done: Future[T], stop: Callable[[], bool]) -> T:
    """The result, unless a stop is asked for meanwhile; the work is then left to itself.

    Raises:
        StopRequestedError: `stop` said so.
    """
    while not wait([done], timeout=STOP_POLL_S).done:
        if stop():
            raise StopRequestedError
    return done.result()


def run_stoppable(work: Callable[[], T], stop: Callable[[], bool]) -> T:
    """What `work` returns, which must have no side effects that a stop could cut in two.

    Raises:
        StopRequestedError: `stop` said so.
    """
    return wait_for(run_in_thread(work), stop)
