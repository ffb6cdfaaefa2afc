"""Brings a part of the page into sight, where a press changed it out of sight.

Owns: the script. Leaves to others: when that is wanted.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import streamlit as st

_SCRIPT = """
const HEAD = 112; // pixels of the bar that stays at the top
const last = new WeakMap();
export default function ({ data, parentElement }) {
  if (!data.when || last.get(parentElement) === data.when) return;
  last.set(parentElement, data.when);
  requestAnimationFrame(() => {
    const part = document.querySelector(`.st-key-${data.key}`);
    if (!part) return;
    const top = part.getBoundingClientRect().top;
    const lowest = window.innerWidth < 700 ? 0.4 : 0.75; // of the window; a phone shows little below
    if (top >= HEAD && top < lowest * window.innerHeight) return;
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    part.scrollIntoView({ behavior: calm ? "auto" : "smooth", block: "start" });
  });
}
"""


@cache
def _renderer() -> Any:
    return st.components.v2.component("translearn_scroll", js=_SCRIPT, isolate_styles=False)


def into_view(part: str, *, when: int) -> None:
    """Scroll to the container with the key `part`, unless its beginning is in sight.

    Args:
        when: a number that is new each time it is wanted; 0: not now.
    """
    _renderer()(key=f"scroll_{part}", data={"key": part, "when": when})
