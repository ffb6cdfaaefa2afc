"""Which requests of a part of a page are dropped: those of a page that was left, and no others."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.runtime.app_session import AppSession
from streamlit.runtime.pages_manager import PagesManager
from streamlit.testing.v1 import AppTest

from translearn_ui.shell import left_pages


def part(page: str) -> ClientState:
    return ClientState(fragment_id="clock", page_script_hash=page)


class Session:
    """What is read of Streamlit's session, and how its runs change that."""

    def __init__(self) -> None:
        self._client_state = ClientState()
        self._pages_manager = PagesManager("app.py")

    def ask(self, page: str) -> None:
        """The browser asks for a page."""
        assert not left_pages.is_of_a_left_page(self, ClientState(page_script_hash=page))

    def begin(self, asked: str) -> None:
        """A run begins, of the app's own script while no page is named."""
        pages = self._pages_manager
        pages.set_script_intent(asked, "")
        pages.set_current_page_script_hash(asked or pages.main_script_hash)
        self._client_state.page_script_hash = asked or pages.main_script_hash

    def come_to(self, page: str) -> None:
        self._pages_manager.set_current_page_script_hash(page)

    def end(self) -> None:
        self._client_state.page_script_hash = self._pages_manager.current_page_script_hash

    def drops(self, page: str) -> bool:
        return left_pages.is_of_a_left_page(self, part(page))


@pytest.fixture
def session() -> Session:
    """At the page `train`, which was opened by its address."""
    made = Session()
    made.begin("")
    made.come_to("train")
    made.end()
    return made


def test_a_part_of_the_page_that_is_shown_is_asked_for(session: Session) -> None:
    assert not session.drops("train")


def test_nothing_is_dropped_while_the_first_run_has_not_come_to_its_page() -> None:
    made = Session()
    assert not made.drops("train")
    made.begin("")
    assert not made.drops("train")


def test_a_page_is_left_once_another_is_asked_for(session: Session) -> None:
    session.ask("photos")
    assert session.drops("train")
    session.begin("photos")
    assert session.drops("train")
    assert not session.drops("photos")
    session.end()
    assert session.drops("train")
    assert not session.drops("photos")


def test_a_page_that_is_asked_for_again_is_shown(session: Session) -> None:
    session.ask("photos")
    session.ask("train")
    assert not session.drops("train")
    assert session.drops("photos")


def test_a_run_that_comes_to_another_page_than_was_asked_for_shows_that_one(
    session: Session,
) -> None:
    """A page of the teacher after the class has ended, say, of which nothing but the name is left."""
    session.ask("teacher")
    assert session.drops("photos"), "nobody knows yet where the run will come to"
    session.begin("teacher")
    session.come_to("photos")
    assert not session.drops("photos")
    assert session.drops("train")
    session.end()
    assert not session.drops("photos")
    session.ask("train")
    assert session.drops("photos")


def test_a_page_is_left_while_the_script_goes_to_another() -> None:
    """Of the run that begins then the session is told a moment later."""

    def script() -> None:
        import streamlit as st
        from streamlit.runtime.scriptrunner import get_script_run_ctx

        from tests.ui.shell.test_left_pages import Session
        from translearn_ui.shell import left_pages

        pages = get_script_run_ctx().pages_manager
        shown = Session()
        shown._pages_manager = pages
        shown._client_state.page_script_hash = "train"
        pages.set_current_page_script_hash("train")
        before = shown.drops("train")
        left_pages.leave()
        after = shown.drops("train")
        left_pages.drop_their_requests()
        st.session_state["drops"] = [before, after, shown.drops("train")]

    app = AppTest.from_function(script).run()
    assert not app.exception
    assert app.session_state["drops"] == [False, True, False]


@pytest.mark.parametrize("missing", ["_client_state", "_pages_manager", "nothing"])
def test_nothing_is_dropped_where_streamlit_keeps_its_state_elsewhere(
    missing: str, session: Session
) -> None:
    session.ask("photos")
    there: dict[str, Any] = {key: value for key, value in vars(session).items() if key != missing}
    dropped = left_pages.is_of_a_left_page(SimpleNamespace(**there), part("train"))
    assert dropped is (missing == "nothing")
    if missing != "nothing":
        assert not left_pages.is_of_a_left_page(
            SimpleNamespace(**there), ClientState(page_script_hash="train")
        )


def test_streamlit_keeps_its_state_there() -> None:
    """Else nothing is dropped, and nobody notices."""
    code = AppSession.__init__.__code__
    assert {"_client_state", "_pages_manager"} <= set(code.co_names)
    pages = PagesManager(str(Path("app.py")))
    assert (pages.intended_page_script_hash, pages.current_page_script_hash) == (None, "")
    assert pages.main_script_hash
