"""The one question before something goes, and what dialogs need to be left by the keyboard."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

from translearn_core.i18n import _
from translearn_ui.shell import frame

_KEEP_FOCUS = Path(__file__).with_name("js") / "keep_focus.js"


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


@cache
def _focus_keeper() -> Any:
    return st.components.v2.component(
        "translearn_keep_focus", js=_KEEP_FOCUS.read_text(encoding="utf-8"), isolate_styles=False
    )


def keep_focus() -> None:
    """In a dialog with a download: Escape still closes it after the press."""
    _focus_keeper()(key="keep_focus")
