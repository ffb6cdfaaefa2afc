"""Thumbnails over the map: the photo under the pointer, without a click.

Owns: the element that listens to the chart, and the pictures that it asks for, a few at a time and
once each. Leaves to others: the chart and what a click does (`photo_map.py`).
"""

from __future__ import annotations

import base64
from collections.abc import Collection
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from translearn_core.errors import TransLearnError

if TYPE_CHECKING:
    from translearn_core.datasets import Dataset

SIDE = 160
MOST_AT_ONCE = 9
_KEY = "map_pictures"


@cache
def _renderer() -> Any:
    script = Path(__file__).with_name("map_pictures.js").read_text(encoding="utf-8")
    return st.components.v2.component("translearn_map_pictures", js=script, isolate_styles=False)


@st.fragment
def show(dataset: Dataset, paths: Collection[str], *, chart: str) -> None:
    """Show the photo whose point is under the pointer, beside it.

    Args:
        paths: the photos that may be asked for.
        chart: key of the map; the first of a point's custom data is the path of its photo.
    """
    asked = (st.session_state.get(_KEY) or {}).get("asked")
    pictures = pictures_of(dataset, asked, paths)
    _renderer()(
        key=_KEY,
        data={"chart": chart, "pictures": pictures, "most": MOST_AT_ONCE},
        on_asked_change=lambda: None,
    )


def pictures_of(dataset: Dataset, asked: Any, paths: Collection[str]) -> dict[str, str]:
    """Path -> address of the picture; empty where it cannot be read any more."""
    if not isinstance(asked, list):
        return {}
    known = set(paths)
    found = {}
    for path in asked[:MOST_AT_ONCE]:
        if not isinstance(path, str) or path not in known:
            continue
        try:
            content = dataset.thumbnail(path, side=SIDE).read_bytes()
            found[path] = f"data:image/jpeg;base64,{base64.b64encode(content).decode()}"
        except (TransLearnError, OSError):
            found[path] = ""
    return found
