"""Brings a place of the page into view when something new stands there, such as an answer above the
button that was pressed.

Owns: the element with its script. Leaves to others: what stands there.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

_SCRIPT = Path(__file__).with_name("js") / "reveal.js"


@cache
def _renderer() -> Any:
    return st.components.v2.component(
        "translearn_reveal",
        html='<div class="tl-reveal"></div>',
        js=_SCRIPT.read_text(encoding="utf-8"),
        isolate_styles=False,
    )


def show(mark: str, *, key: str) -> None:
    """Scroll here, unless it is in view already; once for each `mark`."""
    _renderer()(key=key, data={"mark": mark})
