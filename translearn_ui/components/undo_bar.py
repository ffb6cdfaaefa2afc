"""The line that says what was done last, with Undo; it stays in view (`shell/translearn.css`).

Leaves to others: what was done, and taking it back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from translearn_core.i18n import _


def show(
    words: str, *, key: str, button: str, undo: Callable[..., None], args: tuple[Any, ...]
) -> None:
    """Draw the line.

    Args:
        words: what was done, as Markdown.
        key, button: of the line, and of its button.
    """
    with st.container(key=key, horizontal=True, vertical_alignment="center", width="content"):
        st.markdown(words, width="content")
        st.button(
            _("Undo"),
            key=button,
            type="tertiary",
            icon=":material/undo:",
            on_click=undo,
            args=args,
        )
