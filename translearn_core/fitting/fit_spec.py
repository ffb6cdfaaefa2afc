"""How a fit is described, and what it brings.

Owns: `FitSpec`, `Fitted`, and how many photos are in a step. Imports no Keras.
Leaves to others: learning (`fit.py`), when it ends early (`early_stopping.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from translearn_core.arrays import Array
from translearn_core.imaging.augment import AugmentationPolicy
from translearn_core.run_settings import Settings

IN_MEMORY_BYTES = 2**28
BATCHES_TOGETHER = 4
LEAST_STEPS = 6
JUDGE_BATCH = 512


@dataclass(frozen=True, kw_only=True)
class FitSpec:
    """How a model is fitted.

    Attributes:
        settings: batch size, rates, schedule, smoothing, mixing, early stopping, seed.
        phase: decides the learning rate, and the ways that only a small model allows.
        epochs: at most so many.
        first_epoch: epochs that earlier phases ran.
        augmentation: variation made on the fly (pixel sources only).
        most_at_once: at most so many photos in one go; gradients of a batch are added up. It
            bounds how long a stop has to wait, and memory.
        keep_last: whether the answers of the last step's weights are kept, because the model learns
            on afterwards, from validation photos, too.
        in_memory_bytes: features of a head up to this size are handed over as one array; larger
            ones are read a batch at a time.
    """

    settings: Settings
    phase: Literal["head", "fine_tune"]
    epochs: int
    first_epoch: int = 0
    augmentation: AugmentationPolicy = "none"
    most_at_once: int | None = None
    keep_last: bool = False
    in_memory_bytes: int = IN_MEMORY_BYTES

    @property
    def is_head(self) -> bool:
        """Whether a small model is fitted, by itself."""
        return self.phase == "head"

    @property
    def learning_rate(self) -> float:
        """The highest rate of the schedule."""
        settings = self.settings
        return settings.learning_rate if self.is_head else settings.fine_tune_learning_rate


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """What a fit brought beside the model's weights.

    `last` `(validation photos, classes) float32` are answers of the weights as the last step left
    them, before the best ones were put back; None where they were not to be kept.
    """

    epochs: int
    last: Array | None = None


def batches_together(samples: int, batch_size: int) -> int:
    """How many batches a head takes in one step, at a rate higher by the root of that.

    That the rate of Adam grows with the root of the batch is a rule of Malladi et al. 2022; a rate
    that grew with the batch itself cost 1 to 2 points on many classes. An epoch keeps a few steps.
    """
    return max(1, min(BATCHES_TOGETHER, samples // (batch_size * LEAST_STEPS)))
