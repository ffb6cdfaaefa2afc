"""Batches for Keras models: rows of cached features or photos.

Owns: `Subset` and the ways from there to arrays. Leaves to others: what is learned from
them (`fit.py`), the features (`features/cache.py`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import keras
import numpy as np

from translearn_core.arrays import Array, Floats, Ints
from translearn_core.fitting.inputs import FeatureSource, InMemory
from translearn_core.fitting.mixing import mix
from translearn_core.imaging.augment import AugmentationPolicy, augment
from translearn_core.settings import Settings

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


class Batches(keras.utils.PyDataset):  # type: ignore[misc]
    """Batches of a part: inputs float32, one-hot labels, weights.

    Args:
        part: what to feed.
        classes: how many classes.
        batch_size: rows a batch.
        rng: shuffles each epoch and picks views; None keeps the order and the plain view.
        strength: variation made on the fly, for sources that are pixels.
        mixing: settings that say how rows are blended; None does not.
    """

    def __init__(
        self,
        part: Subset,
        classes: int,
        batch_size: int,
        *,
        rng: np.random.Generator | None = None,
        strength: AugmentationPolicy = "none",
        mixing: Settings | None = None,
    ) -> None:
        super().__init__()
        self._mixing = mixing
        self._part = part
        self._answers = [part.answers(classes, view) for view in range(1 + len(part.views))]
        self._batch_size = batch_size
        self._rng = rng
        self._strength = strength
        self._order = np.arange(len(part))
        self.on_epoch_end()

    def __len__(self) -> int:
        return math.ceil(len(self._part) / self._batch_size)

    def on_epoch_end(self) -> None:
        """Shuffle for the next epoch."""
        if self._rng is not None:
            self._rng.shuffle(self._order)

    def __getitem__(self, index: int) -> tuple[Array, Array, Array]:
        chosen = self._order[index * self._batch_size : (index + 1) * self._batch_size]
        source, view = self._part.source, 0
        if self._rng is not None and self._part.views:
            sources = (source, *self._part.views)
            view = int(self._rng.integers(len(sources)))
            source = sources[view]
        inputs = source.take(self._part.rows[chosen])
        if self._rng is not None and self._strength != "none":
            inputs = np.stack([augment(image, self._strength, self._rng) for image in inputs])
        batch = inputs.astype(np.float32), self._answers[view][chosen], self._part.weights[chosen]
        if self._mixing is not None and self._rng is not None:
            return mix(*batch, self._mixing, self._rng)
        return batch


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
    return inputs, targets, np.tile(part.weights, len(sources))


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
