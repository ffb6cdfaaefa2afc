"""Registers one photo on another and measures how far they agree.

Owns: laying one small picture over another (a crop, a shift, a slight turn, other light) and
the correlation of what both show. Leaves to others: which pairs are worth it (`duplicates.py`).

The place is searched on 12 x 12 pixels among a few crops, then refined on 24 x 24 by the inverse
compositional Lucas-Kanade method with six affine parameters (Baker and Matthews 2004). Brightness
and contrast do not count: both pictures are centred and scaled. All pairs go in step.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from translearn_core.imaging.decode import processor_count
from translearn_core.imaging.stats import LOOK_SIDE as SIDE

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_COARSE = SIDE // 2
_CROPS = ((1.0, 1), (0.94, 2), (0.88, 3), (0.82, 4))  # share of the side, places along it
_STEPS = 6
_LEAST_INSIDE = 0.75
_SCALES = (0.7, 1.4)
_HOPELESS = 0.7  # correlation at the best crop below which nothing is refined
_PART = 1024
_FINE = 5  # pixels: what is left when a local mean of so many is taken away is fine structure


@dataclass(frozen=True)
class Likeness:
    """`whole` `(n,)` correlation in [-1, 1] of what both photos show; `fine` `(n,)` that of its fine
    structure, which plain photos of the same kind do not share."""

    whole: Floats
    fine: Floats


def compare(looks: Floats, first: Ints, second: Ints) -> Likeness:
    """How alike the photos of each pair look.

    Args:
        looks: `(photos, 24, 24)`, grey.
        first, second: `(n,)` rows of `looks`.
    """
    whole = np.full(len(first), -1.0, np.float32)
    fine = np.full(len(first), -1.0, np.float32)

    def compare_part(begin: int) -> None:
        part = slice(begin, begin + _PART)
        large, small, place, hope = _search(looks[first[part]], looks[second[part]])
        chosen = np.flatnonzero(hope >= _HOPELESS)
        whole[part] = hope
        if len(chosen):
            found = _refine(large[chosen], small[chosen], place[chosen])
            whole[begin + chosen], fine[begin + chosen] = found

    with ThreadPoolExecutor(processor_count()) as pool:
        list(pool.map(compare_part, range(0, len(first), _PART)))
    return Likeness(whole, fine)


def correlate(values: Floats, first: Ints, second: Ints) -> Floats:
    """Correlation of the rows of `values` `(photos, k)` for each pair, `(n,)` in [-1, 1]."""
    return multiply(_standardise(values), first, second)


def multiply(points: Floats, first: Ints, second: Ints) -> Floats:
    """Scalar product of the rows of `points` `(photos, k)` for each pair, `(n,)`."""
    result = np.empty(len(first), np.float32)
    for begin in range(0, len(first), 100_000):
        part = slice(begin, begin + 100_000)
        result[part] = np.einsum("ij,ij->i", points[first[part]], points[second[part]])
    return result


def shrink(looks: Floats) -> Floats:
    """The pictures at half their side, `(photos, 144)`."""
    halves = looks.reshape(-1, _COARSE, 2, _COARSE, 2).mean(axis=(2, 4), dtype=np.float32)
    flat: Floats = halves.reshape(-1, _COARSE**2)
    return flat


def _search(one: Floats, other: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Which of two photos is a crop of which, where, and how well that fits.

    Returns:
        The larger and the smaller `(n, 24, 24)`, the place `(n, 2, 3)` of the smaller in the
        larger (row and column from row, column and 1), the correlation `(n,)`.
    """
    coarse = (shrink(one), shrink(other))
    scaled = (_standardise(coarse[0]), _standardise(coarse[1]))
    places, crops = _crops()
    best = np.full(len(one), -2.0, np.float32)
    which = np.zeros(len(one), np.int64)
    swap = np.zeros(len(one), np.bool_)
    for number, crop in enumerate(crops):
        for turned in (False, True):
            fit = (_standardise(coarse[turned] @ crop.T) * scaled[not turned]).sum(axis=1)
            better = fit > best
            best[better], which[better], swap[better] = fit[better], number, turned
    turned_round = swap[:, None, None]
    return (
        np.where(turned_round, other, one),
        np.where(turned_round, one, other),
        places[which],
        best,
    )


@cache
def _crops() -> tuple[Floats, list[Floats]]:
    """Places `(k, 2, 3)` of the crops that are tried, and the `(144, 144)` matrix of each."""
    places, crops = [], []
    for share, along in _CROPS:
        for top in np.linspace(0, 1 - share, along):
            for left in np.linspace(0, 1 - share, along):
                shift = [SIDE * begin + 0.5 * share - 0.5 for begin in (top, left)]
                places.append([[share, 0, shift[0]], [0, share, shift[1]]])
                crops.append(np.kron(_crop_line(share, top), _crop_line(share, left)))
    return np.array(places, np.float32), crops


def _crop_line(share: float, begin: float) -> Floats:
    """Linear interpolation of 12 pixels out of a stretch of 12, `(12, 12)`."""
    places = (begin + share * (np.arange(_COARSE) + 0.5) / _COARSE) * _COARSE - 0.5
    places = np.clip(places, 0, _COARSE - 1.001)
    below = np.floor(places).astype(int)
    line = np.zeros((_COARSE, _COARSE), np.float32)
    line[np.arange(_COARSE), below] = 1 - (places - below)
    line[np.arange(_COARSE), below + 1] = places - below
    return line


def _refine(large: Floats, small: Floats, place: Floats) -> tuple[Floats, Floats]:
    """Move, scale and turn until the smaller fits; the best `Likeness` on the way."""
    template = small.reshape(len(small), -1)
    template = template - template.mean(axis=1, keepdims=True)
    template /= np.maximum(template.std(axis=1, keepdims=True), 1.0)
    steepest, inverse = _prepare(template)
    whole = np.full(len(small), -1.0, np.float32)
    best = np.zeros_like(template), np.zeros(template.shape, np.bool_)
    for step in range(_STEPS + 1):
        seen, inside = _sample(large, place)
        fit = _correlate_inside(seen, template, inside)
        better = (fit > whole) & _is_sensible(place, inside)
        whole[better] = fit[better]
        for kept, now in zip(best, (seen, inside), strict=True):
            kept[better] = now[better]
        if step < _STEPS:
            scaled = seen - seen.mean(axis=1, keepdims=True)
            scaled /= np.maximum(scaled.std(axis=1, keepdims=True), 1.0)
            gradient = np.einsum("npa,np->na", steepest, (scaled - template) * inside)
            place = _compose(place, np.einsum("nab,nb->na", inverse, gradient))
    seen, inside = best
    fine = _correlate_inside(_take_mean_away(seen), _take_mean_away(template), inside)
    return whole, np.where(whole > -1.0, fine, -1.0)


def _prepare(template: Floats) -> tuple[Floats, Floats]:
    """How each pixel changes with the six parameters `(n, 576, 6)`; inverse Hessian `(n, 6, 6)`."""
    picture = template.reshape(-1, SIDE, SIDE)
    slopes = np.gradient(picture, axis=(1, 2))
    down, right = (np.asarray(slope).reshape(len(picture), -1) for slope in slopes)
    rows, columns = (grid.ravel() for grid in np.mgrid[0:SIDE, 0:SIDE].astype(np.float32))
    steepest = np.stack(
        [down * rows, down * columns, down, right * rows, right * columns, right], axis=2
    ).astype(np.float32)
    hessian = steepest.transpose(0, 2, 1) @ steepest
    ridge = 1e-4 * np.trace(hessian, axis1=1, axis2=2)[:, None, None] / 6 + 1e-6
    inverse = np.linalg.inv(hessian + ridge * np.eye(6, dtype=np.float32))
    return steepest, inverse.astype(np.float32)


def _compose(place: Floats, change: Floats) -> Floats:
    """The place after the inverse of a small change of the template."""
    n = len(place)
    moved = np.tile(np.eye(3, dtype=np.float32), (n, 1, 1))
    moved[:, 0] += change[:, :3]
    moved[:, 1] += change[:, 3:]
    moved[np.abs(np.linalg.det(moved)) < 0.1] = np.eye(3)
    whole = np.tile(np.eye(3, dtype=np.float32), (n, 1, 1))
    whole[:, :2] = place
    composed: Floats = (whole @ np.linalg.inv(moved))[:, :2].astype(np.float32)
    return composed


def _sample(large: Floats, place: Floats) -> tuple[Floats, Bools]:
    """The larger picture at the template's pixels `(n, 576)`, and which of them lie in it."""
    rows, columns = (grid.ravel() for grid in np.mgrid[0:SIDE, 0:SIDE].astype(np.float32))
    where = place @ np.stack([rows, columns, np.ones_like(rows)])  # (n, 2, 576)
    inside = ((where >= -0.5) & (where <= SIDE - 0.5)).all(axis=1)
    where = np.clip(where, 0, SIDE - 1.001)
    corner = where.astype(np.int32)
    down, right = (where - corner).transpose(1, 0, 2)
    start = corner[:, 0] * SIDE + corner[:, 1]
    flat = large.reshape(len(large), -1)
    top, bottom = (
        (1 - right) * np.take_along_axis(flat, start + step, 1)
        + right * np.take_along_axis(flat, start + step + 1, 1)
        for step in (0, SIDE)
    )
    return (1 - down) * top + down * bottom, inside


def _is_sensible(place: Floats, inside: Bools) -> Bools:
    scale = np.sqrt(np.abs(np.linalg.det(place[:, :, :2])))
    much = inside.mean(axis=1) >= _LEAST_INSIDE
    sensible: Bools = much & (scale > _SCALES[0]) & (scale < _SCALES[1])
    return sensible


def _correlate_inside(one: Floats, other: Floats, inside: Bools) -> Floats:
    n = np.maximum(inside.sum(axis=1, keepdims=True), 1)
    first, second = (
        (values - (values * inside).sum(axis=1, keepdims=True) / n) * inside
        for values in (one, other)
    )
    length = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    result: Floats = (first * second).sum(axis=1) / np.maximum(length, 1e-3)
    return result


def _take_mean_away(values: Floats) -> Floats:
    """What differs from the local mean, `(n, 576)`."""
    edge = _FINE // 2
    padded = np.pad(
        values.reshape(-1, SIDE, SIDE), ((0, 0), (edge, edge), (edge, edge)), mode="edge"
    )
    down = np.sum([padded[:, step : step + SIDE] for step in range(_FINE)], axis=0)
    across = np.sum([down[:, :, step : step + SIDE] for step in range(_FINE)], axis=0)
    mean = across / _FINE**2
    result: Floats = values - mean.reshape(values.shape)
    return result


def _standardise(values: Floats) -> Floats:
    centred = values - values.mean(axis=1, keepdims=True)
    result: Floats = centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-3)
    return result
