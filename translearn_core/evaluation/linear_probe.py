"""Linear heads on features: many logistic regressions at once, in a PCA space.

Owns: `PCASpace`, `fit_heads` and the probabilities of fitted heads.
Leaves to others: folds and what follows from them (`cross_validation.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from translearn_core.errors import StopRequestedError

Array = npt.NDArray[Any]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
KEPT_COMPONENTS = 512
STEPS = 30
_WIDTH_CELLS = 12_000_000
"""Photos x heads x classes that are worked on at a time: about 50 MB for each of a few arrays."""


def _never() -> bool:
    return False


@dataclass(frozen=True, kw_only=True)
class PCASpace:
    """Features as a head sees them: standardised, in principal components.

    `points` `(n, d + 1) float32`, d at most `KEPT_COMPONENTS`; the last column is 1.
    """

    points: Array
    mean: Array
    deviation: Array
    turn: Array  # (features, d)

    @classmethod
    def of(cls, features: Array, *, components: int = KEPT_COMPONENTS) -> PCASpace:
        """The space spanned by `features` `(n, features)`."""
        mean = features.mean(axis=0, dtype=np.float64).astype(np.float32)
        deviation = features.std(axis=0, dtype=np.float64).astype(np.float32)
        deviation = np.where(deviation > 1e-6, deviation, np.float32(1.0))
        standard = ((features - mean) / deviation).astype(np.float32)  # (n, features)
        turn = _principal(standard, components)
        return cls(points=_with_one(standard @ turn), mean=mean, deviation=deviation, turn=turn)

    def place(self, features: Array) -> Array:
        """Where other photos lie in it, `(m, d + 1) float32`."""
        standard = ((features - self.mean) / self.deviation).astype(np.float32)
        return _with_one(standard @ self.turn)


def _principal(standard: Array, components: int) -> Array:
    """The leading principal directions `(features, d) float32`, of the smaller Gram matrix."""
    n, width = standard.shape
    exact = standard.astype(np.float64)
    gram = exact @ exact.T if n <= width else exact.T @ exact
    values, vectors = np.linalg.eigh(gram)
    order = np.argsort(values)[::-1][:components]
    order = order[values[order] > 1e-6 * max(float(values[-1]), 1e-12)]
    chosen = vectors[:, order]
    if n <= width:
        chosen = exact.T @ (chosen / np.sqrt(values[order]))
    result: Array = chosen.astype(np.float32)
    return result


def _with_one(points: Array) -> Array:
    return np.concatenate([points, np.ones((len(points), 1), np.float32)], axis=1)


def fit_heads(
    space: PCASpace,
    labels: Ints,
    learned: Bools | Array,
    classes: int,
    *,
    penalty: float,
    steps: int = STEPS,
    stop: Callable[[], bool] = _never,
) -> Array:
    """Learn many heads at once.

    Args:
        labels: `(n,)`, or `(heads, n)` for labels of each head's own.
        learned: `(heads, n)`: which photos each head learns from, or how much each counts.
        classes: how many there are.
        penalty: of the squared weights, per photo learned from.
        steps: where heads learn from few of many photos, or photos count unequally, the default
            is too little to arrive.
        stop: asked now and then; True ends it.

    Returns:
        `(heads, d + 1, classes) float32`.

    Raises:
        StopRequestedError: `stop` said so.
    """
    heads, n = learned.shape
    labels = np.broadcast_to(labels, (heads, n))
    at_once = max(1, _WIDTH_CELLS // (n * classes))
    parts = [
        _fit_some(space.points, labels[part], learned[part], classes, penalty, steps, stop)
        for part in (slice(b, b + at_once) for b in range(0, heads, at_once))
    ]
    return np.concatenate(parts)


def _fit_some(
    points: Array,
    labels: Ints,
    learned: Array,
    classes: int,
    penalty: float,
    steps: int,
    stop: Any,
) -> Array:
    heads, n = learned.shape
    width = points.shape[1]
    mask = np.ascontiguousarray(learned.T, dtype=np.float32)  # (n, heads)
    target = np.zeros((n, heads, classes), np.float32)
    np.put_along_axis(target, labels.T[:, :, None], mask[:, :, None], axis=2)
    shrink = np.full((width, heads), penalty, np.float32) * mask.sum(axis=0)  # (d + 1, heads)
    shrink[-1] = 0.0
    curve = _curvature(points, mask, shrink)
    weights: Array = np.zeros((width, heads, classes), np.float32)
    ahead, pace = weights, np.ones(heads, np.float32)
    for _step in range(steps):
        if stop():
            raise StopRequestedError
        error = _softmax(points @ ahead.reshape(width, -1), heads)  # (n, heads, classes)
        error *= mask[:, :, None]
        error -= target
        slope = (points.T @ error.reshape(n, -1)).reshape(width, heads, classes)
        slope += shrink[:, :, None] * ahead
        moved = ahead - slope / curve[:, :, None]
        change = moved - weights
        uphill = np.einsum("dhc,dhc->h", slope, change) > 0  # too much momentum
        next_pace = np.where(uphill, 1.0, (1 + np.sqrt(1 + 4 * pace**2)) / 2).astype(np.float32)
        swing = np.where(uphill, 0.0, (pace - 1) / next_pace).astype(np.float32)
        ahead = moved + swing[None, :, None] * change
        weights, pace = moved, next_pace
    return np.ascontiguousarray(weights.transpose(1, 0, 2))


def _curvature(points: Array, mask: Array, shrink: Array) -> Array:
    """A bound of the curvature along each component, `(d + 1, heads)`.

    In principal components the matrix of all photos is diagonal; that of the photos which a head
    learns from is nearly so. By how much it is not is found by a few power iterations.
    """
    share = mask.mean(axis=0)
    guess = 0.5 * np.square(points).sum(axis=0)[:, None] * share + shrink + 1e-6
    root = np.sqrt(guess)
    vector = np.random.default_rng(0).standard_normal(guess.shape).astype(np.float32)
    largest = np.ones(mask.shape[1], np.float32)
    for _round in range(8):
        vector /= np.maximum(np.linalg.norm(vector, axis=0), 1e-12)
        turned = vector / root
        vector = (0.5 * (points.T @ (mask * (points @ turned))) + shrink * turned) / root
        largest = np.linalg.norm(vector, axis=0)
    result: Array = guess * np.maximum(1.0, 1.15 * largest)
    return result


def _softmax(scores: Array, heads: int) -> Array:
    """Probabilities `(n, heads, classes)` of scores `(n, heads * classes)`, in place.

    `scipy.special.softmax` gives the same values in up to twice the time (2,000 photos, 30 heads of
    5 classes: 11 ms for 6 ms), and this runs in every step of the solver.
    """
    scores = scores.reshape(len(scores), heads, -1)
    scores -= scores.max(axis=2, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(axis=2, keepdims=True)
    return scores


def predict_heads(points: Array, heads: Array, rows: Bools | None = None) -> Array:
    """What heads answer about photos: the mean of their probabilities, `(n, classes)`.

    Args:
        points: `(n, d + 1)`, of a `PCASpace`.
        heads: `(heads, d + 1, classes)`.
        rows: `(heads, n)`: which photos each head is asked about; default all. A photo that none
            is asked about gets zeros.
    """
    total = np.zeros((len(points), heads.shape[2]), np.float64)
    asked = np.zeros(len(points), np.int64)
    for number, head in enumerate(heads):
        chosen = np.flatnonzero(rows[number]) if rows is not None else np.arange(len(points))
        total[chosen] += _softmax(points[chosen] @ head, 1)[:, 0]
        asked[chosen] += 1
    return total / np.maximum(asked, 1)[:, None]


def log_loss(probabilities: Array, labels: Ints) -> float:
    """Mean negative logarithm of the probability of the right class."""
    right = probabilities[np.arange(len(labels)), labels]
    return float(-np.log(np.clip(right, 1e-6, 1.0)).mean())
