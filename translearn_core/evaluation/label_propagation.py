"""Label propagation over a graph of nearest neighbours.

Owns: `balance` (answers about many photos whose classes should be about as frequent as is known),
the graph of near photos, and `spread`: photos that are alike come to the same answer.
Leaves to others: whose features and answers (`techniques/adaptation.py`, `techniques/self_training.py`).

Arrays: features `(n, d) float32`, answers `(n, classes)`, rows that add up to 1. Shares are in
[0, 1].
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from translearn_core.errors import StopRequestedError
from translearn_core.evaluation.calibration import softmax

Array = npt.NDArray[Any]
NEIGHBOURS = 7
TRUST = 0.95
"""How much of a photo's answer comes from its neighbours."""
SHARPNESS = 3
"""Power of the cosine that weighs a neighbour."""
ROUNDS = 100
BALANCE_ROUNDS = 60
CENTRE_ROUNDS = 10
CLOSENESS = 20.0
"""Logit of a cosine of 1 to the centre of a class."""
ROWS_AT_ONCE = 1024


def _never() -> bool:
    return False


def balance(answers: Array, shares: Array, *, strength: float) -> Array:
    """Shift the logits of all answers alike, so that classes get about their shares.

    The shift `s` of a class minimises the distance of the mean answer from `shares` with a
    penalty on `s`: `strength` 1 meets the shares exactly (as Sinkhorn's iteration does), 0
    changes nothing. The model is that of unbalanced optimal transport (Chizat et al. 2018).

    Args:
        answers: probabilities `(n, classes)`.
        shares: how frequent each class should be, `(classes,)`, adds up to 1.
        strength: in [0, 1].
    """
    logits = np.log(np.asarray(answers, np.float64) + 1e-12)
    wanted = np.log(np.maximum(shares, 1e-6))
    shift = np.zeros(logits.shape[1])
    for _round in range(BALANCE_ROUNDS):
        missing = wanted - np.log(softmax(logits + shift).mean(axis=0) + 1e-9)
        shift += 0.5 * (strength * missing - (1 - strength) * shift)
    return softmax(logits + shift)


def sharpened(answers: Array, *, power: float = 4.0) -> Array:
    """Surer answers with the same order: rows to a power, adding up to 1 again."""
    powers = np.asarray(answers, np.float64) ** power
    sharp: Array = powers / np.maximum(powers.sum(axis=1, keepdims=True), 1e-30)
    return sharp


def find_centres(points: Array, answers: Array, shares: Array, *, strength: float) -> Array:
    """Answers by the nearest centre, centres by the answers, in turn until both converge.

    Spherical k-means whose centres begin where a head thinks the classes are, as in SHOT (Liang,
    Hu & Feng 2020), with `balance` in each turn.
    """
    unit = points / np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-9)
    for _round in range(CENTRE_ROUNDS):
        centres = sharpened(answers).T @ unit  # (classes, d)
        centres /= np.maximum(np.linalg.norm(centres, axis=1, keepdims=True), 1e-9)
        answers = balance(softmax(CLOSENESS * (unit @ centres.T)), shares, strength=strength)
    return answers


def knn_graph(
    features: Array, *, neighbours: int = NEIGHBOURS, stop: Callable[[], bool] = _never
) -> Any:
    """Who is near whom: a symmetric sparse matrix `(n, n)`, normalised as by Zhou et al. 2003.

    Raises:
        StopRequestedError: `stop` said so.
    """
    unit = np.asarray(features, np.float32)
    unit = unit / np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1e-9)
    n = len(unit)
    k = min(neighbours, n - 1)
    rows, columns, weights = [], [], []
    for begin in range(0, n, ROWS_AT_ONCE):
        if stop():
            raise StopRequestedError
        cosine = unit[begin : begin + ROWS_AT_ONCE] @ unit.T
        own = np.arange(len(cosine))
        cosine[own, begin + own] = -1.0
        near = np.argpartition(-cosine, k - 1, axis=1)[:, :k]
        rows.append(np.repeat(begin + own, k))
        columns.append(near.ravel())
        weights.append(np.maximum(np.take_along_axis(cosine, near, axis=1).ravel(), 0) ** SHARPNESS)
    entries = (np.concatenate(weights), (np.concatenate(rows), np.concatenate(columns)))
    graph = sparse.csr_matrix(entries, shape=(n, n), dtype=np.float64)
    graph = (graph + graph.T) / 2
    scale = sparse.diags(1 / np.sqrt(np.maximum(np.asarray(graph.sum(axis=1)).ravel(), 1e-12)))
    return (scale @ graph @ scale).tocsr()


def spread(graph: Any, answers: Array, *, trust: float = TRUST) -> Array:
    """Label propagation: each answer is averaged with those of its neighbours until convergence.

    Zhou et al. 2003, Learning with local and global consistency; `trust` is their alpha.

    Args:
        graph: of `knn_graph`.
        answers: `(n, classes)`; a row of zeros is a photo that nothing is known of.
    """
    start = np.asarray(answers, np.float64)
    result = start.copy()
    for _round in range(ROUNDS):
        result = trust * (graph @ result) + (1 - trust) * start
    result = np.maximum(result, 1e-9)
    propagated: Array = result / result.sum(axis=1, keepdims=True)
    return propagated
