"""Features drawn so that it is certain what a technique can and cannot do with them."""

from __future__ import annotations

import numpy as np

from translearn_core.arrays import Array, Ints

WIDTH = 8


def draw_clouds(
    each: int, *, classes: int = 2, seed: int = 0, apart: float = 4.0, noise: float = 0.5
) -> tuple[Array, Ints]:
    """Features `(classes * each, 8) float32` of one round cloud per class, and their classes.

    The middles of the clouds, the same for every seed, are `apart * sqrt(2)` from each other.
    """
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), each)
    middles = apart * np.eye(WIDTH)[:classes]
    features = middles[labels] + rng.normal(0, noise, (len(labels), WIDTH))
    return features.astype(np.float32), labels


def accuracy(answers: Array, labels: Ints) -> float:
    """The share of rows of `answers` `(n, classes)` whose largest entry is the label."""
    return float((answers.argmax(axis=1) == labels).mean())
