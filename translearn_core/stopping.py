"""Stopping what cannot be asked to stop."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import TypeVar

from translearn_core.errors import StopRequestedError

T = TypeVar("T")
ASK_EVERY_S = 0.2


def begin(work: Callable[[], T]) -> Future[T]:
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
    while not wait([done], timeout=ASK_EVERY_S).done:
        if stop():
            raise StopRequestedError
    return done.result()


def run_stoppable(work: Callable[[], T], stop: Callable[[], bool]) -> T:
    """What `work` returns, which must have no side effects that a stop could cut in two.

    Raises:
        StopRequestedError: `stop` said so.
    """
    return wait_for(begin(work), stop)
