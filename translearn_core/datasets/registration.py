"""Registers one photo on another and measures how far they agree.

Owns: affine registration of two grey thumbnails (crop, shift, small rotation, change of light) and
the correlation of their overlap; and which photos are a tight crop of another one. Leaves to others:
which pairs are compared (`duplicates.py`), where registration begins (`crop_search.py`).

The initial transform is searched on 12 x 12 pixels among a few crops (`crop_search.py`), then refined on
24 x 24 by the inverse compositional Lucas-Kanade method with six affine parameters (Baker and Matthews
2004). Images are standardised, so that brightness and contrast do not matter. All pairs are batched.
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
from translearn_core.imaging.processors import processor_count
from translearn_core.imaging.stats import GREY_THUMBNAIL_SIDE as SIDE
from translearn_core.imaging.stats import GreyThumbnails

_STEPS = 6
_MIN_OVERLAP = 0.75
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
_FINE_WINDOW = 5  # pixels of the local mean whose subtraction leaves the fine structure


@dataclass(frozen=True)
class Similarity:
    """`whole` `(n,)` correlation in [-1, 1] over the overlap; `fine` `(n,)` that of the fine
    structure, which tells copies from similar photos."""

    whole: Floats
    fine: Floats


def compare_pairs(thumbnails: Floats | GreyThumbnails, first: Ints, second: Ints) -> Similarity:
    """Similarity of the photos of each pair, after registration.

    Args:
        thumbnails: `(photos, 24, 24)`, grey.
        first, second: `(n,)` rows of `thumbnails`.
    """
    whole = np.full(len(first), -1.0, np.float32)
    fine = np.full(len(first), -1.0, np.float32)

    def compare_part(start: int) -> None:
        batch = slice(start, start + _BATCH)
        found = _search(_crops(), thumbnails, first[batch], second[batch])
        whole[batch] = found.correlation
        if len(found.chosen):
            overlap = _register(found.large, found.small, found.affine, _SCALES)
            whole[start + found.chosen] = overlap.whole
            fine[start + found.chosen] = overlap.fine

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
        best = _search(_tight_crops(), thumbnails, first[batch], second[batch])
        if not len(best.chosen):
            return
        overlap = _register(best.large, best.small, best.affine, _TIGHT_SCALES)
        fine[start + best.chosen] = overlap.fine
        found[start + best.chosen] = (
            (overlap.whole >= _TIGHT_WHOLE)
            & (overlap.fine >= _TIGHT_FINE)
            & (overlap.count_blocks() >= _MIN_BLOCKS)
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


def _search(crops: Crops, thumbnails: Floats | GreyThumbnails, first: Ints, second: Ints) -> _Found:
    used, place = np.unique(np.concatenate([first, second]), return_inverse=True)
    photos = thumbnails[used]
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


@dataclass(frozen=True)
class _Overlap:
    """Two registered thumbnails: correlations `(n,)`, fine structures and where both are `(n, 576)`."""

    whole: Floats
    fine: Floats
    sampled: Floats
    template: Floats
    inside: Bools

    def count_blocks(self) -> Ints:
        """Blocks in which both have structure of their own and agree, `(n,)`."""
        along = SIDE // _BLOCK
        one, other = (
            (values * self.inside)
            .reshape(-1, along, _BLOCK, along, _BLOCK)
            .transpose(0, 1, 3, 2, 4)
            .reshape(len(values), along * along, -1)
            for values in (self.sampled, self.template)
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


def _register(
    large: Floats, small: Floats, affine: Floats, scales: tuple[float, float]
) -> _Overlap:
    """Refine the affine transforms, which must stay between two scales; the best step."""
    template = small.reshape(len(small), -1)
    template = template - template.mean(axis=1, keepdims=True)
    template /= np.maximum(template.std(axis=1, keepdims=True), 1.0)
    steepest, inverse = _prepare(template)
    whole = np.full(len(small), -1.0, np.float32)
    best = np.zeros_like(template), np.zeros(template.shape, np.bool_)
    for step in range(_STEPS + 1):
        sampled, inside = _sample(large, affine)
        correlation = _correlate_inside(sampled, template, inside)
        better = (correlation > whole) & _is_sensible(affine, inside, scales)
        whole[better] = correlation[better]
        for stored, current in zip(best, (sampled, inside), strict=True):
            stored[better] = current[better]
        if step < _STEPS:
            scaled = sampled - sampled.mean(axis=1, keepdims=True)
            scaled /= np.maximum(scaled.std(axis=1, keepdims=True), 1.0)
            gradient = np.einsum("npa,np->na", steepest, (scaled - template) * inside)
            affine = _compose(affine, np.einsum("nab,nb->na", inverse, gradient))
    sampled, inside = best
    structures = _subtract_local_mean(sampled), _subtract_local_mean(template)
    fine = _correlate_inside(*structures, inside)
    return _Overlap(whole, np.where(whole > -1.0, fine, -1.0), *structures, inside)


def _prepare(template: Floats) -> tuple[Floats, Floats]:
    """Derivative of each pixel by the six parameters `(n, 576, 6)`; inverse Hessian `(n, 6, 6)`."""
    image = template.reshape(-1, SIDE, SIDE)
    slopes = np.gradient(image, axis=(1, 2))
    down, right = (np.asarray(slope).reshape(len(image), -1) for slope in slopes)
    rows, columns = (grid.ravel() for grid in np.mgrid[0:SIDE, 0:SIDE].astype(np.float32))
    steepest = np.stack(
        [down * rows, down * columns, down, right * rows, right * columns, right], axis=2
    ).astype(np.float32)
    hessian = steepest.transpose(0, 2, 1) @ steepest
    ridge = 1e-4 * np.trace(hessian, axis1=1, axis2=2)[:, None, None] / 6 + 1e-6
    inverse = np.linalg.inv(hessian + ridge * np.eye(6, dtype=np.float32))
    return steepest, inverse.astype(np.float32)


def _compose(affine: Floats, change: Floats) -> Floats:
    """Compose the transform with the inverse of a small update of the template."""
    n = len(affine)
    update = np.tile(np.eye(3, dtype=np.float32), (n, 1, 1))
    update[:, 0] += change[:, :3]
    update[:, 1] += change[:, 3:]
    update[np.abs(np.linalg.det(update)) < 0.1] = np.eye(3)
    matrix = np.tile(np.eye(3, dtype=np.float32), (n, 1, 1))
    matrix[:, :2] = affine
    composed: Floats = (matrix @ np.linalg.inv(update))[:, :2].astype(np.float32)
    return composed


def _sample(large: Floats, affine: Floats) -> tuple[Floats, Bools]:
    """The larger image sampled at the template's pixels `(n, 576)`, and which of them lie in it."""
    rows, columns = (grid.ravel() for grid in np.mgrid[0:SIDE, 0:SIDE].astype(np.float32))
    coordinates = affine @ np.stack([rows, columns, np.ones_like(rows)])  # (n, 2, 576)
    inside = ((coordinates >= -0.5) & (coordinates <= SIDE - 0.5)).all(axis=1)
    coordinates = np.clip(coordinates, 0, SIDE - 1.001)
    corner = coordinates.astype(np.int32)
    down, right = (coordinates - corner).transpose(1, 0, 2)
    first = SIDE**2 * np.arange(len(large), dtype=np.int32)[:, None]
    start = first + corner[:, 0] * SIDE + corner[:, 1]
    values = large.ravel()
    top, bottom = (
        (1 - right) * values.take(start + step) + right * values.take(start + step + 1)
        for step in (0, SIDE)
    )
    return (1 - down) * top + down * bottom, inside


def _is_sensible(affine: Floats, inside: Bools, scales: tuple[float, float]) -> Bools:
    scale = np.sqrt(np.abs(np.linalg.det(affine[:, :, :2])))
    overlaps = inside.mean(axis=1) >= _MIN_OVERLAP
    sensible: Bools = overlaps & (scale > scales[0]) & (scale < scales[1])
    return sensible


def _correlate_inside(a: Floats, b: Floats, inside: Bools) -> Floats:
    n = np.maximum(inside.sum(axis=1, keepdims=True), 1)
    first, second = (
        (values - (values * inside).sum(axis=1, keepdims=True) / n) * inside for values in (a, b)
    )
    length = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    result: Floats = (first * second).sum(axis=1) / np.maximum(length, 1e-3)
    return result


def _subtract_local_mean(values: Floats) -> Floats:
    """What differs from the local mean, `(n, 576)`."""
    edge = _FINE_WINDOW // 2
    padded = np.pad(
        values.reshape(-1, SIDE, SIDE), ((0, 0), (edge, edge), (edge, edge)), mode="edge"
    )
    down = np.sum([padded[:, step : step + SIDE] for step in range(_FINE_WINDOW)], axis=0)
    across = np.sum([down[:, :, step : step + SIDE] for step in range(_FINE_WINDOW)], axis=0)
    mean = across / _FINE_WINDOW**2
    result: Floats = values - mean.reshape(values.shape)
    return result
