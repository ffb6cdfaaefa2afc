"""Strips of photos on the page: ticked by a press, dragged to another strip or to a class.

Owns: the element with its script in `js/`, its words, and which photos are ticked. Leaves to others:
what becomes of ticked and dropped photos (the views), the style (`shell/translearn.css`).
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import streamlit as st

from translearn_core.errors import TransLearnError
from translearn_core.i18n import _
from translearn_ui.components.paging import page_of
from translearn_ui.components.scripts import DOM
from translearn_ui.shell import frame

if TYPE_CHECKING:
    import pandas as pd

    from translearn_core.datasets import Dataset

PER_PAGE = 36
ASIDE = ""
"""The value of the place where photos are none of the classes."""
_SCRIPT = Path(__file__).with_name("js") / "strip.js"
_THUMBNAIL_SIDE = 160

Dropped = Callable[[list[str], str], None]


@cache
def _renderer() -> Any:
    script = "\n".join(path.read_text(encoding="utf-8") for path in (DOM, _SCRIPT))
    return st.components.v2.component(
        "translearn_strip", html='<div class="tl-strip"></div>', js=script, isolate_styles=False
    )


def show(dataset: Dataset, rows: pd.DataFrame, *, key: str, dropped: Dropped | None) -> list[str]:
    """Photos in pages of 36, to tick and to drag.

    Args:
        rows: rows of `Dataset.photos`, in the order to show.
        dropped: called with the paths of photos that were dropped here; None where none may be.

    Returns:
        The `path` of the photos that are ticked, on all pages.
    """
    part, place = page_of(len(rows), PER_PAGE, key=f"{key}_page")
    shown = rows.iloc[part]
    with place:
        photos = [_photo(dataset, str(row.path), str(row.file)) for row in shown.itertuples()]
        mark = _mark(key)
        before = st.session_state.get(f"{mark}_all", [])
        data = {"photos": photos, "classes": [], "ticked": before}
        here = {photo["path"] for photo in photos}
        ticked = _mount(mark, data, dropped, part=part.start)
        st.session_state[f"{mark}_all"] = [path for path in before if path not in here] + ticked
    return list(st.session_state[f"{mark}_all"])


def show_classes(names: Sequence[str], *, key: str, dropped: Dropped) -> None:
    """The classes, and none of them, to drop photos on; `dropped` gets the class or `ASIDE`."""
    classes = [{"name": name, "value": name} for name in names]
    classes.append({"name": _("None of them"), "value": ASIDE})
    _mount(key, {"photos": [], "classes": classes, "ticked": []}, dropped)


def forget_ticks(key: str) -> None:
    """Untick everything in the strip `key`."""
    st.session_state[f"{key}_round"] = st.session_state.get(f"{key}_round", 0) + 1


def _mark(key: str) -> str:
    return f"{key}_{st.session_state.get(f'{key}_round', 0)}"


def _mount(mark: str, data: dict[str, Any], dropped: Dropped | None, *, part: int = 0) -> list[str]:
    """The ticked photos of one page of a strip, which is an element of its own: it knows no others."""
    key = f"{mark}_{part}"

    def receive() -> None:
        message = (st.session_state.get(key) or {}).get("dropped")
        if dropped is None or not isinstance(message, dict):
            return
        paths = message.get("paths")
        if isinstance(paths, list) and all(isinstance(path, str) for path in paths):
            with frame.errors_shown():
                dropped(paths, str(message.get("value", "")))

    result = _renderer()(
        key=key,
        data={**data, "id": mark, "round": mark, "words": {"tick": _("Photo {file}: tick")}},
        default={"ticked": list(data["ticked"])},
        on_ticked_change=lambda: None,
        on_dropped_change=receive,
    )
    here = {photo["path"] for photo in data["photos"]}
    return [path for path in result.ticked or [] if path in here]


def _photo(dataset: Dataset, path: str, file: str) -> dict[str, str]:
    try:
        content = dataset.thumbnail(path, side=_THUMBNAIL_SIDE).read_bytes()
    except (TransLearnError, OSError):
        content = b""
    text = base64.b64encode(content).decode("ascii")
    return {
        "path": path,
        "file": PurePosixPath(file).name,
        "src": f"data:image/jpeg;base64,{text}",
    }
