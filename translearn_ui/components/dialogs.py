"""The one question before something goes."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from translearn_core.i18n import _
from translearn_ui.shell import frame


def ask_once(title: str, text: str, yes: str, act: Callable[[], None]) -> None:
    """Ask before something goes: what goes, and two buttons."""

    @st.dialog(title)
    def ask() -> None:
        st.markdown(text)
        with st.container(horizontal=True, horizontal_alignment="right"), frame.errors_shown():
            if st.button(_("Keep"), key="ask_no"):
                st.rerun()
            if st.button(yes, key="ask_yes", type="primary"):
                with st.spinner(_("One moment…")):
                    act()
                st.rerun()

    ask()
