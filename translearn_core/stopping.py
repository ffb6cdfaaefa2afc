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


def run_stoppable(work: Callable[[], T], stop: Callable[[], bool]) -> T:
    """What `work` returns; it is left to itself when a stop is asked for meanwhile.

    For steps without side effects that take long only with very many photos. A step that was
    left goes on in a thread that does not keep the process from ending.

    Raises:
        StopRequestedError: `stop` said so.
    """
    done: Future[T] = Future()

    def go() -> None:
        try:
            done.set_result(work())
        except BaseException as error:  # noqa: BLE001 - raised where the result is asked for
            done.set_exception(error)

    context = contextvars.copy_context()  # its texts speak the caller's language
    threading.Thread(target=context.run, args=(go,), name="stoppable", daemon=True).start()
    while not wait([done], timeout=ASK_EVERY_S).done:
        if stop():
            raise StopRequestedError
    return done.result()
