"""What a model learns from or is judged by: rows of cached features or photos, labels and weights.

Owns: `Subset` and the ways from there to arrays. Imports nothing heavy.
Leaves to others: batches for Keras (`batches.py`), learning (`fit.py`), the features
(`features/cache.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from translearn_core.arrays import Array, Floats, Ints
from translearn_core.fitting.inputs import FeatureSource, InMemory

Arrays = tuple[Array, Array, Array]
"""Inputs, targets and weights, a row each for a photo."""


@dataclass(frozen=True, kw_only=True)
class Subset:
    """Rows of a source to learn from or to judge by.

    `rows` `(n,)`, `labels` `(n,)` class indices, `weights` `(n,)` of each photo in the loss.
    `views` holds, beside the source itself, sources of varied views with the same rows.
    `targets` `(n, classes) float32` are learned instead of the labels, where there are some, and
    `view_targets` by each of the views, where those differ.
    """

    source: FeatureSource
    rows: Ints
    labels: Ints
    weights: Floats
    views: tuple[FeatureSource, ...] = ()
    targets: Array | None = None
    view_targets: tuple[Array, ...] = ()

    def __len__(self) -> int:
        return len(self.rows)

    def answers(self, classes: int, view: int = 0) -> Array:
        """What is to be answered, `(n, classes) float32`: soft targets, or one-hot labels."""
        if view and self.view_targets:
            return self.view_targets[view - 1]
        if self.targets is not None:
            return self.targets
        return np.eye(classes, dtype=np.float32)[self.labels]


def class_weights(
    labels: Ints, classes: int, balance: bool, counting: Array | None = None
) -> Array:
    """Weight of each photo in the loss `(n,) float32`, mean 1: n / (classes x n_class), or 1.

    Args:
        counting: how much each photo counts for n and n_class, `(n,)`; 1 by default.
    """
    if not balance:
        return np.ones(len(labels), np.float32)
    counts = np.bincount(labels, weights=counting, minlength=classes)
    present = int((counts > 0).sum())
    per_class = counts.sum() / (present * np.maximum(counts, 1e-9))
    weights: Array = per_class[labels].astype(np.float32)
    return weights


def bytes_of(part: Subset) -> int:
    """Memory that the inputs of a part take as float32, without its views."""
    return int(len(part) * np.prod(part.source.shape[1:]) * 4)


def as_arrays(part: Subset, classes: int) -> Arrays:
    """All rows of a part and of its views, one below the other."""
    sources = (part.source, *part.views)
    n = len(part)
    inputs = np.empty((n * len(sources), *part.source.shape[1:]), np.float32)
    for index, source in enumerate(sources):
        inputs[index * n : (index + 1) * n] = source.take(part.rows)
    targets = np.concatenate([part.answers(classes, view) for view in range(len(sources))])
    weights = np.tile(part.weights, len(sources))
    return inputs, targets.astype(np.float32, copy=False), weights.astype(np.float32, copy=False)


def unrolled(part: Subset, classes: int) -> Subset:
    """The same part with its views as rows of their own, in memory."""
    inputs, targets, weights = as_arrays(part, classes)
    return Subset(
        source=InMemory(inputs),
        rows=np.arange(len(inputs)),
        labels=targets.argmax(axis=1),
        weights=weights,
        targets=targets,
    )
