"""Aligns small grey images by the inverse compositional Lucas-Kanade method.

Owns: refining affine transforms from where they begin, and the correlation of what overlaps then. Leaves
to others: where they begin and what a correlation means (`registration.py`, `turned_copies.py`).

Six affine parameters (Baker and Matthews, Lucas-Kanade 20 Years On, 2004). Images are standardised, so that
brightness and contrast do not matter. All pairs are batched.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from translearn_core.arrays import Bools, Floats

STEPS = 6
_MIN_OVERLAP = 0.75
_FINE_WINDOW = 5  # pixels of the local mean whose subtraction leaves the fine structure


@dataclass(frozen=True, kw_only=True)
class Aligned:
    """Pairs of aligned images of `side` pixels.

    Attributes:
        whole: correlation in [-1, 1] over the overlap `(n,)`; -1 where no sensible transform was met.
        affine: `(n, 2, 3)`, row and column in the larger image from row, column and 1 in the smaller.
        sampled, template: the larger image at the pixels of the smaller one, and that, `(n, side * side)`.
        inside: which pixels are compared, `(n, side * side)`.
    """

    whole: Floats
    affine: Floats
    sampled: Floats
    template: Floats
    inside: Bools

    def fine_structures(self) -> tuple[Floats, Floats]:
        """Both images without their local means."""
        return subtract_local_mean(self.sampled), subtract_local_mean(self.template)

    def fine(self) -> Floats:
        """Correlation of the fine structures, which tells copies from similar photos, `(n,)`."""
        fine = _correlate_inside(*self.fine_structures(), self.inside)
        return np.where(self.whole > -1.0, fine, -1.0)


def align(
    large: Floats,
    small: Floats,
    affine: Floats,
    *,
    scales: tuple[float, float],
    window: Bools | None = None,
    steps: int = STEPS,
) -> Aligned:
    """Refine affine transforms; of all steps the best one.

    Args:
        large, small: `(n, side, side)`, grey.
        affine: where to begin, see `Aligned`.
        scales: least and largest scale of a transform.
        window: the pixels of the smaller image that count `(side, side)`; all by default.
    """
    side = small.shape[1]
    counted = np.ones(side**2, np.bool_) if window is None else window.ravel()
    template = small.reshape(-1, side**2)
    template = template - template[:, counted].mean(axis=1, keepdims=True)
    template /= np.maximum(template[:, counted].std(axis=1, keepdims=True), 1.0)
    steepest, inverse = _prepare(template, counted)
    whole = np.full(len(small), -1.0, np.float32)
    best = affine.copy(), np.zeros_like(template), np.zeros(template.shape, np.bool_)
    for step in range(steps + 1):
        sampled, inside = _sample(large, affine)
        inside &= counted
        centred, deviation = _centre_inside(sampled, inside)
        correlation = (centred * template).sum(axis=1) / np.maximum(
            deviation * _centre_inside(template, inside)[1], 1e-3
        )
        better = (correlation > whole) & _is_sensible(affine, inside, scales, counted)
        whole[better] = correlation[better]
        for stored, current in zip(best, (affine, sampled, inside), strict=True):
            stored[better] = current[better]
        if step < steps:
            scale = np.sqrt(inside.sum(axis=1)) / np.maximum(deviation, 1.0)
            error = centred * scale[:, None] - template * inside
            gradient = np.einsum("npa,np->na", steepest, error)
            affine = _compose(affine, np.einsum("nab,nb->na", inverse, gradient))
    affine, sampled, inside = best
    return Aligned(whole=whole, affine=affine, sampled=sampled, template=template, inside=inside)


def _prepare(template: Floats, counted: Bools) -> tuple[Floats, Floats]:
    """Derivative of each pixel by the six parameters `(n, pixels, 6)`; inverse Hessian `(n, 6, 6)`."""
    side = round(template.shape[1] ** 0.5)
    image = template.reshape(-1, side, side)
    slopes = np.gradient(image, axis=(1, 2))
    down, right = (np.asarray(slope).reshape(-1, side**2) * counted for slope in slopes)
    rows, columns = (grid.ravel() for grid in np.mgrid[0:side, 0:side].astype(np.float32))
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
    return multiply_affine(affine, np.linalg.inv(update))


def multiply_affine(affine: Floats, first: Floats) -> Floats:
    """`affine` `(n, 2, 3)` after `first` `(n, 3, 3)`."""
    matrix = np.tile(np.eye(3, dtype=np.float32), (len(affine), 1, 1))
    matrix[:, :2] = affine
    composed: Floats = (matrix @ first)[:, :2].astype(np.float32)
    return composed


def _sample(large: Floats, affine: Floats) -> tuple[Floats, Bools]:
    """The larger image sampled at the template's pixels `(n, pixels)`, and which of them lie in it."""
    side = large.shape[1]
    rows, columns = (grid.ravel() for grid in np.mgrid[0:side, 0:side].astype(np.float32))
    coordinates = affine @ np.stack([rows, columns, np.ones_like(rows)])  # (n, 2, pixels)
    inside = ((coordinates >= -0.5) & (coordinates <= side - 0.5)).all(axis=1)
    coordinates = np.clip(coordinates, 0, side - 1.001)
    corner = coordinates.astype(np.int32)
    down, right = (coordinates - corner).transpose(1, 0, 2)
    first = side**2 * np.arange(len(large), dtype=np.int32)[:, None]
    start = first + corner[:, 0] * side + corner[:, 1]
    values = large.ravel()
    top, bottom = (
        (1 - right) * values.take(start + step) + right * values.take(start + step + 1)
        for step in (0, side)
    )
    return (1 - down) * top + down * bottom, inside


def _is_sensible(
    affine: Floats, inside: Bools, scales: tuple[float, float], counted: Bools
) -> Bools:
    scale = np.sqrt(np.abs(np.linalg.det(affine[:, :, :2])))
    overlaps = inside.sum(axis=1) >= _MIN_OVERLAP * counted.sum()
    sensible: Bools = overlaps & (scale > scales[0]) & (scale < scales[1])
    return sensible


def _centre_inside(values: Floats, inside: Bools) -> tuple[Floats, Floats]:
    """The values about their mean, 0 where they are not compared, and the norm of them."""
    n = np.maximum(np.count_nonzero(inside, axis=1)[:, None], 1)
    mean = np.einsum("np,np->n", values, inside)[:, None] / n
    centred = (values - mean.astype(np.float32)) * inside
    return centred, np.sqrt(np.einsum("np,np->n", centred, centred))


def _correlate_inside(a: Floats, b: Floats, inside: Bools) -> Floats:
    (first, one), (second, other) = (_centre_inside(values, inside) for values in (a, b))
    result: Floats = np.einsum("np,np->n", first, second) / np.maximum(one * other, 1e-3)
    return result


def subtract_local_mean(values: Floats) -> Floats:
    """What differs from the local mean, `(n, pixels)`."""
    side, edge = round(values.shape[1] ** 0.5), _FINE_WINDOW // 2
    padded = np.pad(
        values.reshape(-1, side, side), ((0, 0), (edge, edge), (edge, edge)), mode="edge"
    )
    down = np.sum([padded[:, step : step + side] for step in range(_FINE_WINDOW)], axis=0)
    across = np.sum([down[:, :, step : step + side] for step in range(_FINE_WINDOW)], axis=0)
    mean = across / _FINE_WINDOW**2
    result: Floats = values - mean.reshape(values.shape)
    return result
