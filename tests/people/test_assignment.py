"""The assignment of a class in two tabs of the teacher: what stands there is what is stored, and only what
somebody types is written."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from translearn_core import people

KEY = "class_assignment"


@pytest.fixture(autouse=True)
def _class(workspace: Path) -> None:
    people.begin_class("correct horse")


def _page() -> None:
    import streamlit as st

    from translearn_ui.classroom import actions

    if not st.session_state.get("is_elsewhere"):
        actions.show_assignment()


def _tab() -> AppTest:
    return AppTest.from_function(_page, default_timeout=60).run()


def _type(tab: AppTest, text: str) -> None:
    tab.text_input(key=KEY).set_value(text).run()
    assert len(tab.toast) == 1


def _look(tab: AppTest) -> str:
    """What stands in a tab that runs again, for whatever reason, and writes nothing."""
    before = _stored()
    tab.run()
    assert not tab.exception
    assert not tab.toast
    assert _stored() == before == tab.text_input(key=KEY).value
    return before


def _stored() -> str:
    found = people.class_of_installation()
    assert found is not None
    return found.assignment


def test_another_tab_shows_what_was_stored_and_never_takes_it_back() -> None:
    first, second = _tab(), _tab()
    _type(first, "Find three mistakes")
    assert _look(second) == "Find three mistakes"
    _type(second, "Find five mistakes")
    assert _look(first) == _look(second) == "Find five mistakes"
    _type(first, "")
    assert _look(second) == _look(first) == ""
    _type(second, "Find five mistakes")
    assert _look(first) == "Find five mistakes"


def test_a_text_is_written_once_and_stands_there_as_it_was_stored() -> None:
    tab = _tab()
    for text in ("  Find  three   mistakes ", "Find three\t mistakes"):
        _type(tab, text)
        assert tab.text_input(key=KEY).value == "Find three mistakes"
        assert _look(tab) == "Find three mistakes"


def test_it_stands_there_when_the_page_is_opened_again() -> None:
    tab = _tab()
    _type(tab, "Find three mistakes")
    tab.session_state["is_elsewhere"] = True
    tab.run()
    people.set_assignment("Find five mistakes")
    tab.session_state["is_elsewhere"] = False
    assert _look(tab) == "Find five mistakes"
    tab.session_state["is_elsewhere"] = True
    tab.run()
    tab.session_state["is_elsewhere"] = False
    assert _look(tab) == "Find five mistakes"
