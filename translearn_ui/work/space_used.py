"""How much room everything takes, by what it is, and how much is free.

Leaves to others: deleting (`dataset_rows.py`, `run_rows.py`, `components/bin_line.py`, `installation.py`).
"""

from __future__ import annotations

import shutil
import stat
from contextlib import suppress
from pathlib import Path

import streamlit as st

from translearn_core.config import home
from translearn_core.i18n import _
from translearn_ui.components import format

PARTS = {
    "datasets": "sets",
    "runs": "runs",
    "studies": "runs",
    "cache/features": "cache",
    "cache/engines": "cache",
    "bin": "bin",
}
"""Folder of the workspace -> part of the sentence; what lies in others counts in the total only.
Of the cache, that is what can be emptied (`features.cache.CACHED`)."""


def show() -> None:
    """One line; nothing before there is a workspace."""
    place = home()
    if not place.is_dir():
        return
    changed = tuple((place / name).stat().st_mtime_ns for name in PARTS if (place / name).is_dir())
    found = _measure(str(place), changed)
    st.caption(
        _(
            "In use: {total} (data sets {sets}, trainings {runs}, cache {cache}, bin {bin}). "
            "Free: {free}."
        ).format(
            total=format.size(sum(found.values())),
            free=format.size(shutil.disk_usage(place).free),
            **{part: format.size(size) for part, size in found.items()},
        )
    )


@st.cache_data(ttl=60, show_spinner=False)
def _measure(place: str, changed: tuple[int, ...]) -> dict[str, int]:
    """Bytes of each part, and of what is none of them (`rest`); a file with several names counts once,
    where it was brought in.

    Args:
        changed: when something was added to a folder or left it; then it is measured again.
    """
    del changed
    sizes = dict.fromkeys([*PARTS.values(), "rest"], 0)
    seen: set[tuple[int, int]] = set()
    root = Path(place)
    near = [*(path for path in root.iterdir() if path.name != "cache"), *root.glob("cache/*")]
    named = [(path, PARTS.get(path.relative_to(root).as_posix(), "rest")) for path in near]
    for first, part in sorted(named, key=lambda pair: pair[1] == "rest"):
        for path in (first, *first.rglob("*")):
            with suppress(OSError):  # it went just now
                found = path.lstat()
                if stat.S_ISREG(found.st_mode) and (found.st_dev, found.st_ino) not in seen:
                    seen.add((found.st_dev, found.st_ino))
                    sizes[part] += found.st_size
    return sizes
