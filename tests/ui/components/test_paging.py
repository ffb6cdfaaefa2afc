"""Pages of a long list: which part is shown, and that a list that became shorter still shows some."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest


def _page() -> None:
    import streamlit as st

    from translearn_ui.components.paging import page_of

    things = list(range(st.session_state.get("n", 25)))
    part, place = page_of(len(things), 10, key="page")
    place.text(str(things[part]))


def test_the_part_of_the_page_is_shown_and_a_shorter_list_begins_again() -> None:
    app = AppTest.from_function(_page).run()
    assert app.text[0].value == str(list(range(10)))
    app.session_state["page"] = 3
    app.run()
    assert app.text[0].value == str(list(range(20, 25)))
    app.session_state["n"] = 12
    app.run()
    assert app.text[0].value == str(list(range(10)))
    app.session_state["n"] = 4
    app.run()
    assert app.text[0].value == str([0, 1, 2, 3])
    assert not app.exception
