"""Photos of one class that a fixed camera took one after the other, while something moved before it.

Owns: `find_fixed_camera`. Leaves to others: near-copies (`duplicates.py`), what becomes of such photos
(`copy_groups.py`).

Each photo shows one thing in one place, and a split of them says nothing of other things and places. They are
no near-copies where the thing moves far from one photo to the next. Three signs together tell them, each by
grey thumbnails: photos that follow each other by name agree in much of the picture; what stays the same in
them has structure, as a room has and white paper has not; and a photo is more like the next one
than like any other, by a permutation test of the ratio of von Neumann (1941). Different things that are put
before one camera have the first two signs alone. Figures: docs/experiments/near_duplicates.md.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from translearn_core.arrays import Array, Bools, Ints
from translearn_core.datasets.file_names import natural_order
from translearn_core.imaging.stats import GREY_THUMBNAIL_SIDE, GreyThumbnails

FEWEST = 10
"""Photos that differ, in a row, without which nothing is said."""
_MOST = 400
"""Photos of a row that are compared with each other, from its beginning."""
_TOLERANCE = 8.0
"""Grey levels by which a spot that has not changed may differ, apart from the light of the whole."""
_SAME_AS_NEXT = 0.35
"""Part of the picture in which a photo agrees with the next one."""
_STILL, _STILL_IN = 0.35, 0.7
"""Part of the picture that stays the same in so many of the photos."""
_STRUCTURE = 5.0
"""Least standard deviation of what stays the same, in grey levels."""
_LARGEST_RATIO = 0.7
"""Squared distance of a photo to the next one beside that to any other."""
_LEAST_SCORE = 4.0
"""Standard deviations by which photos are nearer to the next one than in an order at random."""
_PART = 4
"""Side of the parts of the picture by which photos are compared, in spots."""
_ORDERS = 200
_AT_ONCE = 2**12


def find_fixed_camera(photos: pd.DataFrame, groups: Ints) -> Bools:
    """Which photos a fixed camera took one after the other, `(n,)`.

    Args:
        photos: rows of a manifest; rows without statistics are none of them.
        groups: the group of near-copies of each photo, `(n,)`. That those follow each other says nothing:
            they may be a burst of one thing of many.
    """
    result = np.zeros(len(photos), np.bool_)
    measured = np.flatnonzero((photos["look"].str.len() > 0).to_numpy())
    table = photos.iloc[measured][["class_name", "file", "look"]].assign(
        row=measured, group=groups[measured]
    )
    for _name, members in table.groupby("class_name", sort=False):
        if len(members) < FEWEST:
            continue
        ordered = members.iloc[natural_order(members["file"])]
        thumbnails = GreyThumbnails(ordered["look"].array)
        result[ordered["row"][_in_sequences(thumbnails, ordered["group"].to_numpy())]] = True
    return result


def _in_sequences(thumbnails: GreyThumbnails, groups: Ints) -> Bools:
    """Which of the photos, in the order of their names, are frames of a fixed camera."""
    chosen = np.zeros(len(thumbnails), np.bool_)
    ends = np.flatnonzero(~_agree_with_next(thumbnails)) + 1
    for start, end in zip([0, *ends], [*ends, len(thumbnails)], strict=True):
        if end - start >= FEWEST:
            some = slice(start, min(end, start + _MOST))
            frames = thumbnails[some].reshape(some.stop - start, -1)
            chosen[start:end] = _is_fixed_camera(frames, groups[some])
    return chosen


def _agree_with_next(thumbnails: GreyThumbnails) -> Bools:
    """Whether each photo but the last agrees with the next one in much of the picture."""
    result = np.zeros(len(thumbnails) - 1, np.bool_)
    for start in range(0, len(result), _AT_ONCE):
        some = thumbnails[slice(start, start + _AT_ONCE + 1)]
        change = np.diff(some.reshape(len(some), -1), axis=0)
        result[start : start + _AT_ONCE] = (
            _unchanged(_in_one_light(change)).mean(axis=1) >= _SAME_AS_NEXT
        )
    return result


def _in_one_light(change: Array) -> Array:
    """Changes `(n, spots)` apart from that of the light of the whole."""
    light: Array = np.median(change, axis=1, keepdims=True)
    return change - light


def _unchanged(change: Array) -> Bools:
    """Which spots `(n, spots)` are as they were."""
    unchanged: Bools = np.abs(change) <= _TOLERANCE
    return unchanged


def _is_fixed_camera(frames: Array, groups: Ints) -> bool:
    """Whether a row of photos `(n, spots)` has one background with structure, and an order."""
    background = np.median(frames, axis=0)
    change = _in_one_light(frames - background)
    still = _unchanged(change).mean(axis=0) >= _STILL_IN
    if still.mean() < _STILL or background[still].std() < _STRUCTURE:
        return False
    ratio, score = _order(_shrink(change), groups)
    return ratio <= _LARGEST_RATIO and score >= _LEAST_SCORE


def _shrink(change: Array) -> Array:
    """Changes `(n, spots)` of parts of the picture `(n, parts)`: a small thing is seen near where it was."""
    side = GREY_THUMBNAIL_SIDE // _PART
    parts: Array = change.reshape(-1, side, _PART, side, _PART).mean(axis=(2, 4))
    return parts.reshape(len(change), -1)


def _order(frames: Array, groups: Ints) -> tuple[float, float]:
    """How much nearer near-copies are to those that follow them than to any others: as a ratio of squared
    distances, and in standard deviations of what orders at random give."""
    begins = np.flatnonzero(np.diff(groups, prepend=-1))
    ends = np.append(begins[1:], len(groups)) - 1
    n = len(begins)
    if n < FEWEST:
        return 1.0, 0.0
    last, first = frames[ends].astype(np.float64), frames[begins].astype(np.float64)
    squares = (last**2).sum(axis=1)[:, None] + (first**2).sum(axis=1)[None, :]
    distances = np.maximum(squares - 2 * last @ first.T, 0.0)
    others = groups[ends][:, None] != groups[begins][None, :]
    rng = np.random.default_rng(0)
    orders = np.stack([np.arange(n), *(rng.permutation(n) for _order in range(_ORDERS))])
    steps = orders[:, :-1], orders[:, 1:]
    means = (distances * others)[steps].sum(axis=1) / others[steps].sum(axis=1)
    usual, deviation = float(means[1:].mean()), float(means[1:].std())
    if not deviation:
        return 1.0, 0.0
    return float(means[0]) / usual, (usual - float(means[0])) / deviation
