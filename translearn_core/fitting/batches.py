"""Batches for Keras models: rows of cached features or photos.

Owns: `Batches`, what Keras' `fit` asks for them.
Leaves to others: what is learned from them (`fit.py`), the rows (`subsets.py`), the features
(`features/cache.py`).
"""

from __future__ import annotations

import math

import keras
import numpy as np

from translearn_core.arrays import Array
from translearn_core.fitting.mixing import mix
from translearn_core.fitting.subsets import Subset
from translearn_core.imaging.augment import AugmentationPolicy, augment
from translearn_core.run_settings import Settings


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
