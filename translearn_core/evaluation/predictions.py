"""Predictions of a model on labelled photos.

Owns: `TestPredictions` and `ValidationPredictions`. Plain arrays.
Leaves to others: metrics of them (`metrics.py`), files (`training/save.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

from translearn_core.arrays import Array, Ints


@dataclass(frozen=True, kw_only=True)
class TestPredictions:
    """Predictions on the test photos.

    `test_rows` `(n,)` rows of the manifest, `test` `(n, classes) float32` probabilities, `truth`
    `(n,)` class indices.
    """

    test_rows: Ints
    test: Array
    truth: Ints
    val_accuracy: float | None


@dataclass(frozen=True, kw_only=True)
class ValidationPredictions:
    """Predictions of the kept weights on photos that they were not trained on.

    `probs` `(n, classes) float32` probabilities, `labels` `(n,)` class indices.
    """

    probs: Array
    labels: Ints

    @property
    def accuracy(self) -> float | None:
        """Accuracy in [0, 1]; None without photos."""
        if not len(self.labels):
            return None
        return float((self.probs.argmax(axis=1) == self.labels).mean())
