"""Where a photo may lie in another one: the best of a few crops.

Owns: `Crops` and `find_best_crops`, which correlates 12 x 12 pixels of one thumbnail with every crop of the
other. Leaves to others: refining the best one (`registration.py`).

A crop is linear along rows and columns alike: `A x B'` of a thumbnail `x`, where `A` and `B` resample one
segment of the side each. Its scalar product with a target `t` is that of `t' A x` with `B`, and its length
follows from `x' A' A x`: none of the crops is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from translearn_core.arrays import Bools, Floats, Ints

COARSE = 12
"""Side of a crop, in pixels."""
_AT_ONCE = 128
"""Thumbnails at a time: what is computed of them stays in the cache of a processor."""
_LEAST_LENGTH = 1e-3
_FLAT = 1e-4
"""Share of a crop's square that lies about its mean, below which only rounding is left."""
_TIE = 1e-6
"""Where both photos are as good a crop of the other, the second is taken as one of the first."""


class Crops:
    """Crops of thumbnails.

    Args:
        shares: the share of the side of a crop, and in how many places along it.
        side: of a thumbnail, in pixels.
        grid: side of the thumbnail that transforms are for.

    Attributes:
        side: of a thumbnail.
        affines: `(crops, 2, 3)`: row and column in the thumbnail from row, column and 1 in the crop.
    """

    def __init__(self, shares: Sequence[tuple[float, int]], *, side: int, grid: int) -> None:
        self.side = side
        self._lines, affines = [], []
        for share, along in shares:
            starts = np.linspace(0, 1 - share, along)
            self._lines.append(
                np.stack([crop_line(share, start, side, COARSE) for start in starts])
            )
            shifts = [grid * start + 0.5 * share - 0.5 for start in starts]
            affines += [[[share, 0, top], [0, share, left]] for top in shifts for left in shifts]
        self.affines = np.array(affines, np.float32)
        lines = np.concatenate(self._lines)  # (m, 12, side)
        self._n_lines = len(lines)
        self._by_row = np.ascontiguousarray(lines.transpose(1, 0, 2)).reshape(-1, side)
        self._parts = [
            slice(start, end) for start, end in pairwise(np.cumsum([0, *map(len, self._lines)]))
        ]

    def _rows(self, centred: Floats) -> Floats:
        """`A x` of every line `A` `(n, 12, m, side)`."""
        rows: Floats = self._by_row @ centred
        return rows.reshape(len(centred), COARSE, self._n_lines, self.side)

    def lengths(self, centred: Floats) -> Floats:
        """The norm of every crop about its mean `(n, crops)`, of thumbnails `(n, side, side)` of mean 0;
        infinite for a flat one, which is like nothing."""
        rows = np.ascontiguousarray(self._rows(centred).transpose(0, 2, 1, 3))
        squares = []
        for part, lines in zip(self._parts, self._lines, strict=True):
            some = rows[:, part]
            gram = (some.transpose(0, 1, 3, 2) @ some).reshape(-1, self.side**2)
            of_lines = (lines.transpose(0, 2, 1) @ lines).reshape(len(lines), -1)
            mean = some.sum(axis=2).reshape(-1, self.side) @ lines.sum(axis=1).T / COARSE**2
            whole = gram @ of_lines.T
            about_mean = whole - COARSE**2 * mean**2
            is_flat = about_mean < _FLAT * whole
            squares.append(np.where(is_flat, np.inf, about_mean).reshape(len(centred), -1))
        lengths: Floats = np.sqrt(np.concatenate(squares, axis=1))
        return lengths

    def multiply(self, centred: Floats, targets: Floats) -> Floats:
        """Scalar products of every crop with the target of its thumbnail, `(n, crops)`.

        Args:
            centred: `(n, side, side)`.
            targets: `(n, 12, 12)`.
        """
        rows = self._rows(centred).reshape(len(centred), COARSE, -1)
        mixed = (targets.transpose(0, 2, 1) @ rows).reshape(
            len(centred), COARSE, self._n_lines, self.side
        )
        products = []
        for part, lines in zip(self._parts, self._lines, strict=True):
            some = np.ascontiguousarray(mixed[:, :, part].transpose(0, 2, 1, 3))
            flat = some.reshape(-1, COARSE * self.side)
            products.append((flat @ lines.reshape(len(lines), -1).T).reshape(len(centred), -1))
        return np.concatenate(products, axis=1)


@dataclass(frozen=True, kw_only=True)
class BestCrops:
    """The best crop of each pair `(n,)`.

    Attributes:
        swapped: whether the first photo is the crop, of the second.
        affine: `(n, 2, 3)`, see `Crops`.
        correlation: in [-1, 1].
    """

    swapped: Bools
    affine: Floats
    correlation: Floats


def find_best_crops(
    crops: Crops, larger: Floats, targets: Floats, first: Ints, second: Ints
) -> BestCrops:
    """Of which of two photos the other one is most like a crop, and of which.

    Args:
        larger: what is cropped, `(photos, side, side) float32`; a photo at least.
        targets: the photos as crops, `(photos, 144)`, standardised.
        first, second: `(n,)` rows of both.
    """
    centred = larger - larger.mean(axis=(1, 2), keepdims=True)
    wanted = targets.reshape(-1, COARSE, COARSE)
    parts = range(0, len(centred), _AT_ONCE)
    lengths = np.concatenate([crops.lengths(centred[start : start + _AT_ONCE]) for start in parts])
    n_crops = len(crops.affines)
    which, best = np.empty(len(first), np.int64), np.empty(len(first), np.float32)
    for start in range(0, len(first), _AT_ONCE):
        some = slice(start, start + _AT_ONCE)
        both = np.concatenate(
            [
                crops.multiply(centred[source], wanted[target])
                / np.maximum(lengths[source], _LEAST_LENGTH)
                for source, target in ((first[some], second[some]), (second[some], first[some]))
            ],
            axis=1,
        )
        both[:, n_crops:] -= _TIE
        which[some] = both.argmax(axis=1)
        best[some] = both.max(axis=1)
    return BestCrops(
        swapped=which >= n_crops, affine=crops.affines[which % n_crops], correlation=best
    )


def shrink(thumbnails: Floats) -> Floats:
    """Thumbnails of 24 x 24 pixels at half their side, `(photos, 144)`."""
    halves = thumbnails.reshape(-1, COARSE, 2, COARSE, 2).mean(axis=(2, 4), dtype=np.float32)
    vectors: Floats = halves.reshape(-1, COARSE**2)
    return vectors


def standardise(values: Floats) -> Floats:
    """The rows `(n, k)` with a mean of 0 and a norm of 1; uniform ones stay near 0."""
    centred: Floats = values - values.mean(axis=1, keepdims=True)
    centred /= np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), _LEAST_LENGTH)
    return centred


def crop_line(share: float, start: float, side: int, pixels: int) -> Floats:
    """Linear interpolation of pixels from a segment of `side`, `(pixels, side)`.

    Args:
        share, start: of the segment, in sides.
    """
    positions = (start + share * (np.arange(pixels) + 0.5) / pixels) * side - 0.5
    positions = np.clip(positions, 0, side - 1.001)
    below = np.floor(positions).astype(int)
    matrix = np.zeros((pixels, side), np.float32)
    matrix[np.arange(pixels), below] = 1 - (positions - below)
    matrix[np.arange(pixels), below + 1] = positions - below
    return matrix
