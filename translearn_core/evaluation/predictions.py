"""Predictions of a model on photos whose class is known.

Owns: `TestPredictions` to the test photos, `ValidationPredictions` answers. Plain arrays.
Leaves to others: metrics of them (`metrics.py`), files (`training/save.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class TestPredictions:
    """What the trained model says: probabilities `(n, classes) float32` by row; `truth` `(n,)`."""

    test_rows: npt.NDArray[np.int64]
    test: Array
    truth: npt.NDArray[np.int64]
    val_accuracy: float | None


@dataclass(frozen=True, kw_only=True)
class ValidationPredictions:
    """What the kept weights said of photos that they had not learned from.

    `answers` `(n, classes) float32` probabilities, `labels` `(n,)` class indices.
    """

    answers: Array
    labels: npt.NDArray[np.int64]

    @property
    def accuracy(self) -> float | None:
        """Share that was named right; None without photos."""
        if not len(self.labels):
            return None
        return float((self.answers.argmax(axis=1) == self.labels).mean())
