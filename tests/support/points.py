"""Features of overlapping classes, drawn: photos are not needed to judge heads."""

from __future__ import annotations

import numpy as np

from translearn_core.arrays import Array

CLASSES = 4


def draw_points(n: int, *, seed: int, apart: float = 1.6) -> tuple[Array, Array]:
    """Features `(n, 24)` of clouds that overlap, and their classes; the clouds are always the same."""
    middles = np.random.default_rng(7).normal(0, apart / 2, (CLASSES, 24))
    rng = np.random.default_rng([seed, 1])
    labels = rng.integers(0, CLASSES, n)
    features = middles[labels] + rng.normal(0, 1, (n, 24)) * np.linspace(0.3, 3, 24)
    return features.astype(np.float32), labels


def alone(labels: Array) -> Array:
    """Groups of one photo each."""
    return np.arange(len(labels))
