"""Label propagation over a graph of nearest neighbours.

Owns: `balance_classes` (matching predictions to class priors), spherical k-means from initial
predictions, the kNN graph, and `propagate`.
Leaves to others: whose features and predictions (`techniques/auto_adaptation.py`,
`techniques/self_training.py`).

Arrays: features `(n, d) float32`, probabilities `(n, classes)`, class priors `(classes,)`. Probabilities
in float32 stay so; others are float64.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import sparse

from translearn_core.arrays import Array
from translearn_core.errors import StopRequestedError
from translearn_core.evaluation.calibration import softmax_in_place

NEIGHBOURS = 7
ALPHA = 0.95
"""Weight of the neighbours' probabilities in each round."""
COSINE_POWER = 3
"""The weight of a neighbour is its cosine similarity to this power."""
ROUNDS = 100
BALANCE_ROUNDS = 60
CENTROID_ROUNDS = 10
CENTROID_LOGIT = 20.0
"""Logit of a cosine similarity of 1 to the centroid of a class."""
SIMILARITIES_AT_ONCE = 4_000_000
"""Photos whose neighbours are looked for, times all: about 60 MB."""


def _never() -> bool:
    return False


def balance_classes(probs: Array, priors: Array, *, strength: float) -> Array:
    """Shift the logits by one offset per class, so that the mean prediction meets the priors.

    The shift `s` of a class minimises the distance of the mean prediction from `priors` with a
    penalty on `s`: `strength` 1 meets the priors exactly (as Sinkhorn's iteration does), 0
    changes nothing. The model is that of unbalanced optimal transport (Chizat et al. 2018).

    Args:
        probs: probabilities `(n, classes)`.
        priors: expected class frequencies, `(classes,)`, sum to 1.
        strength: in [0, 1].
    """
    odds = _floats(probs) + 1e-12  # a shift of the logits is a factor of these
    log_priors = np.log(np.maximum(priors, 1e-6))
    shift = np.zeros(odds.shape[1])
    for _round in range(BALANCE_ROUNDS):
        factors = np.exp(shift).astype(odds.dtype)
        mean = factors * ((1 / (odds @ factors)) @ odds) / len(odds)
        gap = log_priors - np.log(mean + 1e-9)
        shift += 0.5 * (strength * gap - (1 - strength) * shift)
    odds *= np.exp(shift).astype(odds.dtype)
    odds /= odds.sum(axis=1, keepdims=True)
    return odds


def _floats(probs: Array) -> Array:
    return np.asarray(probs, np.float32 if probs.dtype == np.float32 else np.float64)


def sharpen(probs: Array, *, power: float = 4.0) -> Array:
    """Probabilities raised to a power and renormalised."""
    powers = _floats(probs) ** power
    sharp: Array = powers / np.maximum(powers.sum(axis=1, keepdims=True), 1e-30)
    return sharp


def fit_centroids(
    points: Array,
    probs: Array,
    priors: Array,
    *,
    strength: float,
    stop: Callable[[], bool] = _never,
) -> Array:
    """Probabilities by the nearest class centroid, from spherical k-means.

    Centroids are initialised by the given probabilities, as in SHOT (Liang, Hu & Feng 2020);
    `balance_classes` is applied in each round.

    Raises:
        StopRequestedError: `stop` returned True.
    """
    unit = points / np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-9)
    for _round in range(CENTROID_ROUNDS):
        if stop():
            raise StopRequestedError
        centroids = sharpen(probs).T @ unit  # (classes, d)
        centroids /= np.maximum(np.linalg.norm(centroids, axis=1, keepdims=True), 1e-9)
        probs = balance_classes(
            softmax_in_place(CENTROID_LOGIT * (unit @ centroids.T)), priors, strength=strength
        )
    return probs


def knn_graph(
    features: Array, *, neighbours: int = NEIGHBOURS, stop: Callable[[], bool] = _never
) -> Any:
    """The k-nearest-neighbour graph as a symmetric sparse matrix `(n, n)`, normalised as by Zhou et
    al. 2003.

    Raises:
        StopRequestedError: `stop` returned True.
    """
    unit = np.asarray(features, np.float32)
    unit = unit / np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1e-9)
    n = len(unit)
    k = min(neighbours, n - 1)
    rows, columns, weights = [], [], []
    rows_at_once = max(1, SIMILARITIES_AT_ONCE // n)
    for start in range(0, n, rows_at_once):
        if stop():
            raise StopRequestedError
        cosine = unit[start : start + rows_at_once] @ unit.T
        rows_here = np.arange(len(cosine))
        cosine[rows_here, start + rows_here] = -1.0
        nearest = np.argpartition(-cosine, k - 1, axis=1)[:, :k]
        rows.append(np.repeat(start + rows_here, k))
        columns.append(nearest.ravel())
        weights.append(
            np.maximum(np.take_along_axis(cosine, nearest, axis=1).ravel(), 0) ** COSINE_POWER
        )
    entries = (np.concatenate(weights), (np.concatenate(rows), np.concatenate(columns)))
    graph = sparse.csr_matrix(entries, shape=(n, n), dtype=np.float64)
    graph = (graph + graph.T) / 2
    scale = sparse.diags(1 / np.sqrt(np.maximum(np.asarray(graph.sum(axis=1)).ravel(), 1e-12)))
    return (scale @ graph @ scale).tocsr()


def propagate(
    graph: Any, probs: Array, *, alpha: float = ALPHA, stop: Callable[[], bool] = _never
) -> Array:
    """Label propagation: probabilities are averaged with those of the neighbours for `ROUNDS`
    rounds.

    Zhou et al. 2003, Learning with local and global consistency; `alpha` is their alpha.

    Args:
        graph: of `knn_graph`.
        probs: `(n, classes)`; a row of zeros is a photo without any information.

    Raises:
        StopRequestedError: `stop` returned True.
    """
    seeds = _floats(probs)
    steps, own = (alpha * graph).astype(seeds.dtype), (1 - alpha) * seeds
    result = seeds
    for _round in range(ROUNDS):
        if stop():
            raise StopRequestedError
        result = steps @ result
        result += own
    result = np.maximum(result, 1e-9)
    propagated: Array = result / result.sum(axis=1, keepdims=True)
    return propagated
