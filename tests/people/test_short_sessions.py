"""Closed pages are let go by themselves, with the parts of Streamlit that this builds on."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import Any

from streamlit.runtime.session_manager import SessionInfo

from translearn_ui.classroom.short_sessions import ShortSessions


class _Page:
    """What Streamlit keeps of a page, as far as a storage uses it."""

    def __init__(self, identity: str) -> None:
        self.id = identity
        self.ended = asyncio.Event()

    def shutdown(self) -> None:
        self.ended.set()


def test_closed_pages_are_let_go_without_another_one_being_closed() -> None:
    """Streamlit alone lets a page go when the next one is closed; its storage has no other moment."""

    async def close_some() -> None:
        given: list[bool] = []
        kept = ShortSessions(kept_s=0.05, give_back=given.append)
        closed, back = _Page("closed"), _Page("back")
        cache: Any = type(kept._cache)
        now = 0.0
        kept._cache = cache(maxsize=9, ttl=0.05, timer=lambda: now)
        for page in (closed, back):
            session: Any = page
            kept.save(SessionInfo(client=None, session=session))
        assert {one.session.id for one in kept.list()} == {"closed", "back"}
        kept.delete("back")  # as where its browser connects again in time
        now = 1.0
        await asyncio.wait_for(closed.ended.wait(), 30)
        assert kept.list() == []
        assert kept.get("closed") is None
        assert not back.ended.is_set()

        later: Any = _Page("later")
        kept = ShortSessions(kept_s=0.05, give_back=given.append)  # by the clock
        kept.save(SessionInfo(client=None, session=later))
        await asyncio.wait_for(later.ended.wait(), 30)

        await asyncio.get_running_loop().shutdown_default_executor()
        assert given == [True, True], "with no page left everything may go"

    asyncio.run(close_some())


def test_what_was_set_aside_with_modules_is_let_go_with_its_page() -> None:
    """In a process of its own: to search one that has run many tests takes half a minute."""
    subprocess.run([sys.executable, "-c", SET_ASIDE], check=True, timeout=120)


SET_ASIDE = """
import gc, weakref
from translearn_ui.classroom.short_sessions import give_memory_back
from translearn_ui.shell import start

class Held:
    def __init__(self):
        self.own = self

held = Held()
gone = weakref.ref(held)
start.set_modules_aside()
del held
give_memory_back(False)
assert gone() is not None, "it was not set aside"
give_memory_back(True)
assert gone() is None
assert gc.get_freeze_count() > 0, "modules are searched again"
"""
