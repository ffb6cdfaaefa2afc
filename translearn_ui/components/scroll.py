"""Brings a part of the page into sight, where a press changed it out of sight.

Owns: the element with its script. Leaves to others: when that is wanted, and what stands there.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

_SCRIPT = Path(__file__).with_name("js") / "scroll.js"


@cache
def _renderer() -> Any:
    return st.components.v2.component(
        "translearn_scroll", js=_SCRIPT.read_text(encoding="utf-8"), isolate_styles=False
    )


def into_view(part: str, *, when: int | str) -> None:
    """Scroll to the container with the key `part`, unless its beginning is in sight.

    Args:
        when: new each time it is wanted; 0 or empty: not now.
    """
    _renderer()(key=f"scroll_{part}", data={"key": part, "when": when})
