"""Linear heads on features: many logistic regressions at once, in a PCA space.

Owns: `PCASpace`, `fit_heads`, `predict_heads`, `log_loss`.
Leaves to others: folds and what follows from them (`cross_validation.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from translearn_core.arrays import Array, Bools, Ints
from translearn_core.concurrency import run_stoppable
from translearn_core.errors import StopRequestedError
from translearn_core.evaluation.calibration import softmax_in_place

KEPT_COMPONENTS = 512
STEPS = 30
_WIDTH_CELLS = 12_000_000
"""Photos x heads x classes in one batch of the solver: about 50 MB for each of a few arrays."""

_GRAM_ROWS, _COLUMNS = 4096, 256


def _never() -> bool:
    return False


@dataclass(frozen=True, kw_only=True)
class PCASpace:
    """Scaled features in principal components.

    `points` `(n, d + 1) float32`, d at most `KEPT_COMPONENTS`; the last column is 1 (the bias).
    """

    points: Array
    mean: Array
    deviation: Array
    components: Array  # (features, d)

    @classmethod
    def fit(
        cls,
        features: Array,
        *,
        max_components: int = KEPT_COMPONENTS,
        power: float = 1.0,
        stop: Callable[[], bool] = _never,
    ) -> PCASpace:
        """The space spanned by `features` `(n, features)`.

        Args:
            power: features are divided by their deviations to this power, then all by one number so
                that their mean variance is 1; with 1 they are standardised.

        Raises:
            StopRequestedError: `stop` returned True.
        """
        mean = features.mean(axis=0, dtype=np.float64).astype(np.float32)
        deviation = _deviation(features)
        varies = deviation > 1e-6
        if power != 1.0 and varies.any():
            scale = np.where(varies, deviation, np.float32(1.0)) ** np.float32(power)
            spread = np.sqrt(np.square(deviation[varies] / scale[varies]).mean())
            deviation = (scale * spread).astype(np.float32)
        deviation = np.where(varies, deviation, np.float32(1.0))
        standard = _standardise(features, mean, deviation)  # (n, features)
        components = _principal(standard, max_components, stop)
        return cls(
            points=_with_one(standard @ components),
            mean=mean,
            deviation=deviation,
            components=components,
        )

    def transform(self, features: Array) -> Array:
        """Project other features `(m, features)` into the space, `(m, d + 1) float32`."""
        return _with_one(_standardise(features, self.mean, self.deviation) @ self.components)


def _deviation(features: Array) -> Array:
    """Of each column, `(features,) float32`; of some columns at a time, which takes less memory."""
    columns = range(0, features.shape[1], _COLUMNS)
    return np.concatenate(
        [features[:, start : start + _COLUMNS].std(axis=0, dtype=np.float64) for start in columns]
    ).astype(np.float32)


def _standardise(features: Array, mean: Array, deviation: Array) -> Array:
    standard = features - mean
    standard /= deviation
    return standard.astype(np.float32, copy=False)


def _principal(standard: Array, components: int, stop: Callable[[], bool]) -> Array:
    """The leading principal directions `(features, d) float32`, of the smaller Gram matrix."""
    n, width = standard.shape
    values, vectors = _decompose(_gram(standard, stop), stop)
    order = np.argsort(values)[::-1][:components]
    order = order[values[order] > 1e-6 * max(float(values[-1]), 1e-12)]
    chosen = vectors[:, order]
    if n <= width:
        chosen = standard.astype(np.float64).T @ (chosen / np.sqrt(values[order]))
    result: Array = chosen.astype(np.float32)
    return result


def _gram(standard: Array, stop: Callable[[], bool]) -> Array:
    """The smaller Gram matrix of `(n, features)`, in float64."""
    n, width = standard.shape
    if n <= width:
        exact = standard.astype(np.float64)
        return exact @ exact.T
    gram = np.zeros((width, width))
    for start in range(0, n, _GRAM_ROWS):
        if stop():
            raise StopRequestedError
        exact = standard[start : start + _GRAM_ROWS].astype(np.float64)
        gram += exact.T @ exact
    return gram


def _decompose(gram: Array, stop: Callable[[], bool]) -> tuple[Array, Array]:
    """Eigenvalues in rising order and their vectors; of two thousand features this takes seconds."""
    if stop is _never:
        return np.linalg.eigh(gram)
    return run_stoppable(lambda: np.linalg.eigh(gram), stop)


def _with_one(points: Array) -> Array:
    return np.concatenate([points, np.ones((len(points), 1), np.float32)], axis=1)


def fit_heads(
    space: PCASpace,
    labels: Ints,
    sample_weights: Bools | Array,
    classes: int,
    *,
    penalty: float,
    steps: int = STEPS,
    targets: Array | None = None,
    stop: Callable[[], bool] = _never,
) -> Array:
    """Fit many heads at once.

    Args:
        labels: `(n,)`, or `(heads, n)` for labels of its own for each head.
        sample_weights: `(heads, n)`: the training mask of each head, or sample weights.
        classes: number of classes.
        penalty: L2 penalty on the weights, per training photo.
        steps: of the solver. Where a head is trained on few of many photos, or weights are unequal,
            the default does not converge.
        targets: `(n, classes)` probabilities to be answered instead of the labels.
        stop: polled between steps; True ends the fit.

    Returns:
        `(heads, d + 1, classes) float32`.

    Raises:
        StopRequestedError: `stop` returned True.
    """
    heads, n = sample_weights.shape
    labels = np.broadcast_to(labels, (heads, n))
    batch_size = max(1, _WIDTH_CELLS // (n * classes))
    if targets is None:
        targets = np.eye(classes, dtype=np.float32)
    else:  # every photo is a label of its own
        labels = np.broadcast_to(np.arange(n), (heads, n))
    fitted = [
        _fit_some(space.points, labels[batch], targets, sample_weights[batch], penalty, steps, stop)
        for batch in (slice(b, b + batch_size) for b in range(0, heads, batch_size))
    ]
    return np.concatenate(fitted)


def _fit_some(
    points: Array,
    labels: Ints,
    targets: Array,
    sample_weights: Array,
    penalty: float,
    steps: int,
    stop: Any,
) -> Array:
    """As `fit_heads`; `targets[label]` `(classes,)` is what a photo of `label` is to be answered."""
    heads, n = sample_weights.shape
    classes = targets.shape[1]
    width = points.shape[1]
    weight_columns = np.ascontiguousarray(sample_weights.T, dtype=np.float32)  # (n, heads)
    target = targets[labels.T].astype(np.float32)  # (n, heads, classes)
    target *= weight_columns[:, :, None]
    ridge = np.full((width, heads), penalty, np.float32) * weight_columns.sum(
        axis=0
    )  # (d + 1, heads)
    ridge[-1] = 0.0
    curvature = _curvature(points, weight_columns, ridge)
    weights: Array = np.zeros((width, heads, classes), np.float32)
    lookahead, momentum = weights, np.ones(heads, np.float32)
    for _step in range(steps):
        if stop():
            raise StopRequestedError
        error = _softmax(points @ lookahead.reshape(width, -1), heads)  # (n, heads, classes)
        error *= weight_columns[:, :, None]
        error -= target
        gradient = (points.T @ error.reshape(n, -1)).reshape(width, heads, classes)
        gradient += ridge[:, :, None] * lookahead
        updated = lookahead - gradient / curvature[:, :, None]
        step_vector = updated - weights
        restart = np.einsum("dhc,dhc->h", gradient, step_vector) > 0  # too much momentum
        next_momentum = np.where(restart, 1.0, (1 + np.sqrt(1 + 4 * momentum**2)) / 2).astype(
            np.float32
        )
        inertia = np.where(restart, 0.0, (momentum - 1) / next_momentum).astype(np.float32)
        lookahead = updated + inertia[None, :, None] * step_vector
        weights, momentum = updated, next_momentum
    return np.ascontiguousarray(weights.transpose(1, 0, 2))


def _curvature(points: Array, mask: Array, ridge: Array) -> Array:
    """An upper bound of the curvature along each component, `(d + 1, heads)`.

    In principal components the Gram matrix of all photos is diagonal; that of a training subset is
    nearly so. The deviation is bounded by a few power iterations.
    """
    share = mask.mean(axis=0)
    diagonal = 0.5 * np.square(points).sum(axis=0)[:, None] * share + ridge + 1e-6
    root = np.sqrt(diagonal)
    vector = np.random.default_rng(0).standard_normal(diagonal.shape).astype(np.float32)
    largest = np.ones(mask.shape[1], np.float32)
    for _round in range(8):
        vector /= np.maximum(np.linalg.norm(vector, axis=0), 1e-12)
        scaled = vector / root
        vector = (0.5 * (points.T @ (mask * (points @ scaled))) + ridge * scaled) / root
        largest = np.linalg.norm(vector, axis=0)
    result: Array = diagonal * np.maximum(1.0, 1.15 * largest)
    return result


def _softmax(logits: Array, heads: int) -> Array:
    """Probabilities `(n, heads, classes)` of logits `(n, heads * classes)`, in place."""
    return softmax_in_place(logits.reshape(len(logits), heads, -1))


def predict_heads(points: Array, heads: Array, rows: Bools | None = None) -> Array:
    """Mean of the class probabilities that the heads predict, `(n, classes)`.

    Args:
        points: `(n, d + 1)`, of a `PCASpace`.
        heads: `(heads, d + 1, classes)`.
        rows: `(heads, n)`: which photos each head predicts; default all. A photo that no head
            predicts gets zeros.
    """
    total = np.zeros((len(points), heads.shape[2]), np.float64)
    counts = np.zeros(len(points), np.int64)
    for index, head in enumerate(heads):
        chosen = np.flatnonzero(rows[index]) if rows is not None else np.arange(len(points))
        total[chosen] += _softmax(points[chosen] @ head, 1)[:, 0]
        counts[chosen] += 1
    return total / np.maximum(counts, 1)[:, None]


def log_loss(probabilities: Array, labels: Ints) -> float:
    """Mean negative log-likelihood of the labels."""
    true_probs = probabilities[np.arange(len(labels)), labels]
    return float(-np.log(np.clip(true_probs, 1e-6, 1.0)).mean())
