"""Features of photos as points whose cosine says how alike two photos are.

Owns: `normalised_embedding`. Leaves to others: the features (`features/`), from which cosine on two photos
are copies (`duplicates.py`).
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from translearn_core.arrays import Floats

_DIMENSIONS = 128


class Features(Protocol):
    """Features of photos by row: an array `(n, d)`, or what reads rows as they are asked for."""

    @property
    def shape(self) -> tuple[int, ...]:
        """`(n, d)`."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Any, /) -> npt.NDArray[np.floating]: ...


def normalised_embedding(features: Features) -> Floats:
    """Features centred, projected on their leading directions and L2-normalised.

    After centring, a cosine of 0 is the similarity of two arbitrary photos.

    Returns:
        `(n, at most 128) float32`.
    """
    n, width = features.shape
    total = np.zeros(width)
    for start in range(0, n, 4096):  # in batches: a copy of all would double the memory
        total += features[start : start + 4096].sum(axis=0, dtype=np.float64)
    mean = (total / max(n, 1)).astype(np.float32)
    if width > _DIMENSIONS < n:
        rotation = _leading_directions(features[:: max(1, n // 5000)].astype(np.float32) - mean)
    else:
        rotation = np.eye(width, dtype=np.float32)
    embedding = np.empty((n, rotation.shape[1]), np.float32)
    for start in range(0, n, 4096):
        batch = features[start : start + 4096].astype(np.float32) - mean
        embedding[start : start + 4096] = batch @ rotation
    embedding /= np.maximum(np.linalg.norm(embedding, axis=1, keepdims=True), 1e-6)
    return embedding


def _leading_directions(values: Floats) -> Floats:
    """The 128 directions of most variance, `(d, 128)`, by randomised subspace iteration.

    Halko, Martinsson and Tropp 2011, with one power iteration and a fixed start; a tenth of the
    time of a full decomposition.
    """
    test_matrix = np.random.default_rng(0).standard_normal((values.shape[1], _DIMENSIONS + 32))
    basis = test_matrix.astype(np.float32)
    for _power in range(2):
        basis, _rest = np.linalg.qr(values.T @ (values @ basis))
    projected = values @ basis  # (n, 160)
    _sizes, rotation = np.linalg.eigh(projected.T @ projected)
    directions: Floats = (basis @ rotation[:, -_DIMENSIONS:]).astype(np.float32)
    return directions
