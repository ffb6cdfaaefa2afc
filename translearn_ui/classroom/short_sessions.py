"""Pages that were closed, kept for a short while in case that they come back.

Owns: letting them go when that is over, with what was uploaded to them, and giving the memory back to the
system. Streamlit itself lets them go when the next page is closed, which after a class is never.
Leaves to others: pages that are open.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import sys
from collections.abc import Callable
from contextlib import suppress

from streamlit.runtime.memory_session_storage import MemorySessionStorage
from streamlit.runtime.session_manager import SessionInfo

from translearn_core.concurrency import release_memory

KEPT_S = 60
"""A page that was closed is let go after so long."""
MOST = 512
"""Closed pages that are kept at once."""


class ShortSessions(MemorySessionStorage):
    """Closed pages, each let go after `KEPT_S` seconds."""

    def __init__(
        self, kept_s: float = KEPT_S, give_back: Callable[[bool], None] | None = None
    ) -> None:
        super().__init__(maxsize=MOST, ttl_seconds=kept_s)  # type: ignore[arg-type]
        self._kept_s = kept_s
        self._give_back = give_back or give_memory_back
        self._timer: asyncio.TimerHandle | None = None

    def save(self, session_info: SessionInfo) -> None:
        """See `MemorySessionStorage`; called in the loop of the server."""
        super().save(session_info)
        if self._timer is None:
            self._wait()

    def _wait(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._kept_s + 0.5, self._let_go)

    def _let_go(self) -> None:
        self._timer = None
        expired = self._cache.expire()  # type: ignore[attr-defined]
        for _identity, info in expired:
            info.session.shutdown()
        del expired
        if self._cache:
            self._wait()
        asyncio.get_running_loop().run_in_executor(None, self._give_back, not self._cache)


M_ARENA_MAX = -8
"""Of malloc.h of the GNU C library."""


def use_few_heaps() -> None:
    """Let all threads share two heaps, where it is known how: each of many would keep what it once held.
    Called before there are threads."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # another library of C
            ctypes.CDLL(None).mallopt(M_ARENA_MAX, 2)


def collect_garbage() -> None:
    """Search all objects for garbage: for all pages together, in the place of a search after each run of
    one, as Streamlit has it."""
    gc.collect()


def give_memory_back(everything: bool) -> None:
    """Collect garbage, and let the system have the memory that is free, where it is known how.

    Args:
        everything: also what was set aside with modules (`start.set_modules_aside`) and may have been of
            pages that are closed now; this stops all threads for some tenths of a second.
    """
    is_set_aside = everything and gc.get_freeze_count() > 0
    if is_set_aside:
        gc.unfreeze()
    gc.collect()
    if is_set_aside:
        gc.freeze()
    release_memory()
