"""Registers one photo on another and measures how far they agree.

Owns: the similarity of two grey thumbnails after registration (crop, shift, small rotation, change of
light); and which photos are a tight crop of another one. Leaves to others: which pairs are compared
(`duplicates.py`), where registration begins (`crop_search.py`), refining it (`lucas_kanade.py`).

The initial transform is searched on 12 x 12 pixels among a few crops, then refined on 24 x 24.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache

import numpy as np

from translearn_core.arrays import Bools, Floats, Ints
from translearn_core.datasets.crop_search import (
    COARSE,
    Crops,
    find_best_crops,
    shrink,
    standardise,
)
from translearn_core.datasets.lucas_kanade import Aligned, align
from translearn_core.imaging.processors import processor_count
from translearn_core.imaging.stats import GREY_THUMBNAIL_SIDE as SIDE
from translearn_core.imaging.stats import GreyThumbnails

_SCALES = (0.7, 1.4)
_TIGHT_SCALES = (0.4, 0.9)
_TIGHT_WHOLE, _TIGHT_FINE = 0.9, 0.8
_BLOCK, _MIN_BLOCKS = 6, 9
"""A crop must agree in most blocks of 6 x 6 pixels: a small thing on a plain ground can be laid on
any other one, but only there."""
_BLOCK_FINE, _BLOCK_SHARE = 0.6, 0.1
_MIN_COARSE = 0.7  # correlation of the best crop below which a pair is not refined
_BATCH = 256
_PAIRS_AT_ONCE = 2**14  # of which the scalar products are taken at a time


@dataclass(frozen=True)
class Similarity:
    """`whole` `(n,)` correlation in [-1, 1] over the overlap; `fine` `(n,)` that of the fine
    structure, which tells copies from similar photos."""

    whole: Floats
    fine: Floats

    def mean(self) -> Floats:
        """Of both, `(n,)`."""
        return np.asarray((self.whole + self.fine) / 2, np.float32)


def compare_pairs(
    thumbnails: Floats | GreyThumbnails, first: Ints, second: Ints, *, mirrored: bool = False
) -> Similarity:
    """Similarity of the photos of each pair, after registration.

    Args:
        thumbnails: `(photos, 24, 24)`, grey.
        first, second: `(n,)` rows of `thumbnails`.
        mirrored: the second photo is compared as in a mirror.
    """
    whole = np.full(len(first), -1.0, np.float32)
    fine = np.full(len(first), -1.0, np.float32)

    def compare_part(start: int) -> None:
        batch = slice(start, start + _BATCH)
        found = _search(_crops(), thumbnails, first[batch], second[batch], mirrored=mirrored)
        whole[batch] = found.correlation
        if len(found.chosen):
            aligned = align(found.large, found.small, found.affine, scales=_SCALES)
            whole[start + found.chosen] = aligned.whole
            fine[start + found.chosen] = aligned.fine()

    with ThreadPoolExecutor(processor_count()) as pool:
        list(pool.map(compare_part, range(0, len(first), _BATCH)))
    return Similarity(whole, fine)


def find_tight_crops(
    thumbnails: Floats | GreyThumbnails, first: Ints, second: Ints
) -> tuple[Bools, Floats]:
    """Which pairs show one photo and a piece of it, of 0.5 to 0.85 of its sides.

    Pieces of 0.6 and more are mostly found; in smaller ones, too little of the thumbnail is left.

    Args:
        thumbnails: `(photos, 24, 24)`, grey.
        first, second: `(n,)` rows of `thumbnails`.

    Returns:
        `(n,)`, and the correlation of the fine structure `(n,)`.
    """
    found, fine = np.zeros(len(first), np.bool_), np.zeros(len(first), np.float32)

    def compare_part(start: int) -> None:
        batch = slice(start, start + _BATCH)
        best = _search(_tight_crops(), thumbnails, first[batch], second[batch], mirrored=False)
        if not len(best.chosen):
            return
        aligned = align(best.large, best.small, best.affine, scales=_TIGHT_SCALES)
        fine[start + best.chosen] = fine_part = aligned.fine()
        found[start + best.chosen] = (
            (aligned.whole >= _TIGHT_WHOLE)
            & (fine_part >= _TIGHT_FINE)
            & (_count_blocks(aligned) >= _MIN_BLOCKS)
        )

    with ThreadPoolExecutor(processor_count()) as pool:
        list(pool.map(compare_part, range(0, len(first), _BATCH)))
    return found, fine


def correlate(values: Floats, first: Ints, second: Ints) -> Floats:
    """Correlation of the rows of `values` `(photos, k)` for each pair, `(n,)` in [-1, 1]."""
    return multiply(standardise(values), first, second)


def multiply(points: Floats, first: Ints, second: Ints) -> Floats:
    """Scalar product of the rows of `points` `(photos, k)` for each pair, `(n,)`."""
    result = np.empty(len(first), np.float32)
    for start in range(0, len(first), _PAIRS_AT_ONCE):
        batch = slice(start, start + _PAIRS_AT_ONCE)
        result[batch] = np.einsum("ij,ij->i", points[first[batch]], points[second[batch]])
    return result


@cache
def _crops() -> Crops:
    """Of photos at 12 x 12 pixels."""
    shares = ((1.0, 1), (0.94, 2), (0.88, 3), (0.82, 4))
    return Crops(shares, side=COARSE, grid=SIDE)


@cache
def _tight_crops() -> Crops:
    """Of photos at 24 x 24 pixels."""
    shares = ((0.8, 4), (0.72, 5), (0.65, 6), (0.58, 7), (0.52, 8))
    return Crops(shares, side=SIDE, grid=SIDE)


@dataclass(frozen=True)
class _Found:
    """Where registration begins.

    `correlation` `(n,)` of the best crop of each pair; of the pairs `chosen` `(m,)` where it is high enough,
    the larger and the smaller photo `(m, 24, 24)` and the transform of the smaller into the larger
    `(m, 2, 3)` (row and column from row, column and 1).
    """

    correlation: Floats
    chosen: Ints
    large: Floats
    small: Floats
    affine: Floats


def _search(
    crops: Crops,
    thumbnails: Floats | GreyThumbnails,
    first: Ints,
    second: Ints,
    *,
    mirrored: bool,
) -> _Found:
    used, place = np.unique(np.concatenate([first, second]), return_inverse=True)
    photos = thumbnails[used]
    if mirrored:
        photos = np.concatenate([photos, photos[:, :, ::-1]])
        place[len(first) :] += len(used)
    one, other = place[: len(first)], place[len(first) :]
    coarse = shrink(photos)
    larger = photos if crops.side == SIDE else coarse.reshape(-1, COARSE, COARSE)
    best = find_best_crops(crops, larger, standardise(coarse), one, other)
    chosen = np.flatnonzero(best.correlation >= _MIN_COARSE)
    swapped, one, other = best.swapped[chosen], one[chosen], other[chosen]
    return _Found(
        best.correlation,
        chosen,
        photos[np.where(swapped, other, one)],
        photos[np.where(swapped, one, other)],
        best.affine[chosen],
    )


def _count_blocks(aligned: Aligned) -> Ints:
    """Blocks in which both photos have structure of their own and agree, `(n,)`."""
    along = SIDE // _BLOCK
    one, other = (
        (values * aligned.inside)
        .reshape(-1, along, _BLOCK, along, _BLOCK)
        .transpose(0, 1, 3, 2, 4)
        .reshape(len(values), along * along, -1)
        for values in aligned.fine_structures()
    )
    agree = np.ones(one.shape[:2], np.bool_)
    lengths = []
    for values in (one, other):
        length = np.linalg.norm(values, axis=2)
        agree &= length > _BLOCK_SHARE * np.linalg.norm(length, axis=1, keepdims=True)
        lengths.append(length)
    product = lengths[0] * lengths[1]
    agree &= (one * other).sum(axis=2) >= _BLOCK_FINE * np.maximum(product, 1e-6)
    blocks: Ints = agree.sum(axis=1)
    return blocks
