"""Closed pages are let go by themselves, with the parts of Streamlit that this builds on."""

from __future__ import annotations

import asyncio
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
        kept, closed, back = ShortSessions(kept_s=0.05), _Page("closed"), _Page("back")
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
        kept = ShortSessions(kept_s=0.05)  # by the clock
        kept.save(SessionInfo(client=None, session=later))
        await asyncio.wait_for(later.ended.wait(), 30)

    asyncio.run(close_some())
