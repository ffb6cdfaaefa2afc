"""The style sheet of the pages, loaded once for each run of a page.

Owns: loading `translearn.css`, and handing it the colours of `translearn_core.palette` as variables
(`--tl-accent`, `--tl-frozen`, …), so that each colour is written in one place.
Leaves to others: the rules themselves (`translearn.css`), the colours of widgets
(`.streamlit/config.toml`), everything that a widget does.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import streamlit as st

from translearn_core import palette

SHEET = Path(__file__).with_name("translearn.css")
VARIABLES: dict[str, str] = {
    "accent": palette.ACCENT_COLOR,
    "validation": palette.VALIDATION_COLOR,
    "frozen": palette.FROZEN_COLOR,
    "trainable": palette.TRAINABLE_COLOR,
    "quiet": palette.QUIET_COLOR,
}
"""Name of a variable of the style sheet, without its prefix `--tl-` -> colour."""


def _page_color() -> str:
    """The colour that the page lies on, of the theme in force, for what stays while it scrolls."""
    light, dark = (st.get_option(f"theme.{theme}.backgroundColor") for theme in ("light", "dark"))
    return f"light-dark({light}, {dark})"


@cache
def style() -> str:
    """The style sheet with its variables, as an HTML element."""
    variables = "".join(f"--tl-{name}: {color};" for name, color in VARIABLES.items())
    variables += f"--tl-page: {_page_color()};"
    return f"<style>\n:root {{{variables}}}\n{SHEET.read_text(encoding='utf-8')}</style>"


def apply() -> None:
    """Put the style sheet on the page."""
    st.html(style())
