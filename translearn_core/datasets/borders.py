"""Finds bars of one colour around photos, as letterboxing, padding and screenshots add them.

Owns: which thumbnails have such bars, and what lies within them. Leaves to others: whether that is a copy of
another photo (`turned_copies.py`).

A bar begins at an edge, has one level, and ends all along: next to it at least seven tenths of the pixels differ.
White ground around a thing ends only where the thing is.
"""

from __future__ import annotations

import numpy as np

from translearn_core.arrays import Bools, Floats, Ints
from translearn_core.datasets.crop_search import crop_line
from translearn_core.imaging.stats import GREY_THUMBNAIL_SIDE as SIDE

_MOST = SIDE * 5 // 12
"""Rows of a bar at most."""
_LEAST = 2
"""Rows of all bars of a photo at least: fewer are not seen at this size."""
_FLAT, _DIFFERS, _ALONG = 6.0, 12.0, 0.7
"""Grey levels within a bar, grey levels to what is next to it, and along which share of it."""


def trim_borders(thumbnails: Floats) -> tuple[Floats, Bools]:
    """The thumbnails `(n, 24, 24)` without bars, stretched to the whole side; and which had any, `(n,)`."""
    turned = [np.rot90(thumbnails, turn, (1, 2)) for turn in range(4)]  # top, right, bottom, left
    flat = np.stack([_flat_rows(photos) for photos in turned], axis=1)
    has_bars, result = np.zeros(len(thumbnails), np.bool_), thumbnails.copy()
    for row in np.flatnonzero((flat >= _LEAST).any(axis=1) & (flat <= _MOST).all(axis=1)):
        top, right, bottom, left = (
            _bar(turned[turn][row], *(int(n) for n in np.roll(flat[row], -turn)))
            for turn in range(4)
        )
        if top + right + bottom + left >= _LEAST:
            has_bars[row] = True
            result[row] = _stretch(top, bottom) @ thumbnails[row] @ _stretch(left, right).T
    return result, has_bars


def _flat_rows(thumbnails: Floats) -> Ints:
    """Rows of one level at the top of each: `(n,)`."""
    level = thumbnails[:, 0].mean(axis=1)
    flat = (np.abs(thumbnails - level[:, None, None]) <= _FLAT).all(axis=2)
    rows: Ints = np.logical_and.accumulate(flat, axis=1).sum(axis=1)
    return rows


def _bar(photo: Floats, top: int, right: int, _bottom: int, left: int) -> int:
    """Rows of the bar at the top, 0 where what is beside the flat rows does not differ all along."""
    beside = photo[top : top + 2, left : SIDE - right]  # the first of them may be half of the bar
    differs = (np.abs(beside - photo[0].mean()) > _DIFFERS).mean(axis=1).max()
    return top if differs >= _ALONG else 0


def _stretch(before: int, after: int) -> Floats:
    """What reads a whole side from what lies between two bars, `(24, 24)`."""
    return crop_line((SIDE - before - after) / SIDE, before / SIDE, SIDE, SIDE)
