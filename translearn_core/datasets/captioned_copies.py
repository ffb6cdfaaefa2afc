"""Finds photos that are copies of others but for a strip along the top or the bottom: captions, dates, banners.

Owns: which photos may be such copies, and how far they agree beside the strips. Leaves to others: copies that are
the same all over (`duplicates.py`), turned ones and bars of one level (`turned_copies.py`).

Candidates are photos with the most similar middles. Then rows at the top and the bottom are left out of the
comparison, as many as make the rest agree best; sums of rows give the correlation of any run of rows. A strip is
taken for one only where the rest agrees far better without it: things that look alike agree a little
better in some part.
"""

from __future__ import annotations

from itertools import product

import numpy as np

from translearn_core.arrays import Bools, Floats, Ints
from translearn_core.datasets.crop_search import COARSE, shrink, standardise
from translearn_core.datasets.lucas_kanade import subtract_local_mean
from translearn_core.datasets.nearest import find_copies
from translearn_core.imaging.stats import GREY_THUMBNAIL_SIDE as SIDE
from translearn_core.imaging.stats import GreyThumbnails

MIN_LIKENESS = 0.96
"""Mean of the correlations of the rest and of its fine structure from which two photos are one."""
_LEFT_OVER = 0.25
"""What stays unexplained without the strips, of what does with them, at most."""
_MOST_TOP, _MOST_BOTTOM, _MOST = 4, 6, 8
"""Rows of a strip, and of both together, at most."""
_EDGE = 2
"""Rows next to a strip in which the local mean knows of it."""
_MIDDLE = slice(COARSE // 4, COARSE * 3 // 4)
_MIN_MIDDLE = 0.8
_MOST_COPIES = 4
_LEAST_DEVIATION = 4.0
"""Grey levels within the rest: a plain one agrees with any other."""
_AT_ONCE = 2**12


def find_captioned_copies(thumbnails: GreyThumbnails, rows: Ints) -> tuple[Ints, Ints, Floats]:
    """Pairs (first < second) of `rows` of which one photo is the other with other strips, and their likeness.

    Args:
        thumbnails: of all photos.
        rows: of the photos to compare, ascending.
    """
    first, second, likeness = find_copies(
        _middles(thumbnails, rows),
        lambda first, second: _compare(thumbnails, rows[first], rows[second]),
        enough=MIN_LIKENESS,
        most=_MOST_COPIES,
        least=_MIN_MIDDLE,
    )
    return rows[first], rows[second], likeness


def _middles(thumbnails: GreyThumbnails, rows: Ints) -> Floats:
    """The middle rows of each photo about their mean, of length 1: `(n, d)`."""
    points = np.empty((len(rows), COARSE * (_MIDDLE.stop - _MIDDLE.start)), np.float32)
    for start in range(0, len(rows), _AT_ONCE):
        some = slice(start, start + _AT_ONCE)
        middles = shrink(thumbnails[rows[some]]).reshape(-1, COARSE, COARSE)[:, _MIDDLE]
        points[some] = middles.reshape(len(middles), -1)
    return standardise(points)


def _compare(thumbnails: GreyThumbnails, first: Ints, second: Ints) -> Floats:
    """The likeness beside the best strips, 0 where none explains a difference: `(n,)`."""
    likeness = np.zeros(len(first), np.float32)
    for start in range(0, len(first), _AT_ONCE):
        some = slice(start, start + _AT_ONCE)
        likeness[some] = _beside_strips(thumbnails[first[some]], thumbnails[second[some]])
    return likeness


def _beside_strips(one: Floats, other: Floats) -> Floats:
    whole = _RowSums(one, other)
    fine = _RowSums(*(_fine(photos) for photos in (one, other)))
    without = (whole.correlate(0, SIDE) + fine.correlate(0, SIDE)) / 2
    best = np.zeros(len(one))
    for top, bottom in product(range(_MOST_TOP + 1), range(_MOST_BOTTOM + 1)):
        if not 0 < top + bottom <= _MOST:
            continue
        start, stop = top, SIDE - bottom
        edges = _EDGE * (top > 0), _EDGE * (bottom > 0)
        rest = whole.correlate(start, stop) + fine.correlate(start + edges[0], stop - edges[1])
        best = np.maximum(best, np.where(whole.has_pattern(start, stop), rest / 2, 0.0))
    result: Floats = np.where(1 - best <= _LEFT_OVER * (1 - without), best, 0).astype(np.float32)
    return result


def _fine(photos: Floats) -> Floats:
    flat: Floats = subtract_local_mean(photos.reshape(len(photos), -1))
    return flat.reshape(photos.shape)


class _RowSums:
    """Sums over the first rows of pairs of photos `(n, 24, 24)`, of which the correlation of any rows follows."""

    def __init__(self, one: Floats, other: Floats) -> None:
        products = (one, other, one * one, other * other, one * other)
        self._sums = [
            np.pad(np.cumsum(values.sum(axis=2, dtype=np.float64), axis=1), ((0, 0), (1, 0)))
            for values in products
        ]

    def _moments(self, start: int, stop: int) -> tuple[Floats, Floats, Floats]:
        """Both variances, and the covariance, of the rows `start` to `stop`: `(n,)` each."""
        n = (stop - start) * SIDE
        one, other, one_2, other_2, both = (
            (sums[:, stop] - sums[:, start]) / n for sums in self._sums
        )
        return one_2 - one**2, other_2 - other**2, both - one * other

    def correlate(self, start: int, stop: int) -> Floats:
        """The correlation of these rows, `(n,)`."""
        one, other, both = self._moments(start, stop)
        result: Floats = both / np.sqrt(np.maximum(one, 1e-2) * np.maximum(other, 1e-2))
        return result

    def has_pattern(self, start: int, stop: int) -> Bools:
        """Which pairs have two rests with something on them, `(n,)`."""
        one, other, _both = self._moments(start, stop)
        pattern: Bools = np.minimum(one, other) >= _LEAST_DEVIATION**2
        return pattern
