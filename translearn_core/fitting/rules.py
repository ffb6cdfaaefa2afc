"""How a fit is described, how long it goes on, and what is told of it.

Owns: `FitSpec`, the patience of early stopping, how many photos are in a step, what a monitor is told, and
how stops are asked for. Imports no Keras.
Leaves to others: learning (`fit.py`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from translearn_core.arrays import Array
from translearn_core.errors import TrainingError
from translearn_core.i18n import _
from translearn_core.imaging.augment import AugmentationPolicy
from translearn_core.monitor import Monitor
from translearn_core.run_settings import Settings

BATCH_EVENT_S = 0.5
MIN_PATIENCE = 5
PATIENCE_PARTS: dict[str, int] = {"head": 2, "fine_tune": 5}
"""Early stopping waits for so many epochs, or for this part of all epochs where that is more. The
best epochs of a head come late, when the rate is small; they are short."""
ENOUGH_TO_TELL = 20
"""With fewer validation photos chance decides which epoch is the best."""
STOP_POLL_S = 0.1
"""A stop is asked for so often at most while batches are learned."""
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

    def patience(self, *, validates: bool) -> int:
        """Epochs without a better one after which it ends; more than there are where it goes on."""
        if not (self.settings.early_stopping and validates):
            return self.epochs + 1
        return max(MIN_PATIENCE, self.epochs // PATIENCE_PARTS[self.phase])


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


class Telling:
    """Tells a monitor of the batches and epochs of a fit, and asks it for stops."""

    def __init__(self, monitor: Monitor, spec: FitSpec) -> None:
        self._monitor, self._spec = monitor, spec
        self._epoch = 0
        self._began = self._told = self._asked = time.monotonic()

    def begin_epoch(self, epoch: int) -> None:
        """Start the clock of an epoch, counted from 0."""
        self._epoch = epoch
        self._began = time.monotonic()

    def batch(self, batch: int, batches: int | None, figures: Mapping[str, float]) -> bool:
        """Tell a point within the epoch, a few times a second at most; whether it is to end here."""
        stop = False
        now = time.monotonic()
        if now - self._asked >= STOP_POLL_S:
            self._asked = now
            stop = self._monitor.stop_requested
        if now - self._told < BATCH_EVENT_S or not figures:
            return stop
        self._told = now
        spec = self._spec
        self._monitor.event(
            "batch",
            phase=spec.phase,
            epoch=spec.first_epoch + self._epoch + 1,
            epochs=spec.first_epoch + spec.epochs,
            batch=batch + 1,
            batches=batches,
            loss=_rounded(figures.get("loss")),
            accuracy=_rounded(figures.get("accuracy")),
        )
        return stop

    def epoch(self, figures: Mapping[str, float], rate: float) -> None:
        """Tell the figures of the epoch that has ended.

        Raises:
            TrainingError: its loss diverged.
        """
        spec = self._spec
        seconds = time.monotonic() - self._began
        self._monitor.event(
            "epoch",
            phase=spec.phase,
            epoch=spec.first_epoch + self._epoch + 1,
            epochs=spec.first_epoch + spec.epochs,
            loss=_rounded(figures.get("loss")),
            accuracy=_rounded(figures.get("accuracy")),
            val_loss=_rounded(figures.get("val_loss")),
            val_accuracy=_rounded(figures.get("val_accuracy")),
            val_loss_calibrated=_rounded(figures.get("val_loss_calibrated")),
            seconds=round(seconds, 3),
            left_s=round(seconds * (spec.epochs - self._epoch - 1), 1),
            learning_rate=_rounded(rate),
        )
        if not math.isfinite(figures.get("loss", 0.0)):
            raise TrainingError(
                _(
                    "Training diverged: the loss became NaN. "
                    "Choose a smaller learning rate and train again."
                )
            )

    def first_is_best(self, epochs: int, validation_photos: int) -> None:
        """Say so where enough photos and epochs show that learning on did not help."""
        if epochs <= MIN_PATIENCE or validation_photos < ENOUGH_TO_TELL:
            return
        setting = "learning_rate" if self._spec.is_head else "fine_tune_learning_rate"
        words = (
            _(
                "By the validation photos the first of {n} epochs was the best one: what came after "
                "learned the training photos by heart. A smaller learning rate (`{setting}`) or more "
                "photos may help."
            )
            if self._spec.keep_last
            else _(
                "By the validation photos the first of {n} epochs was the best one, so its weights "
                "are kept: what came after learned the training photos by heart. A smaller learning "
                "rate (`{setting}`) or more photos may help."
            )
        )
        self._monitor.warning(words.format(n=epochs, setting=setting))


def _rounded(value: float | None) -> float | None:
    if value is None or not math.isfinite(value):
        return None
    return float(f"{float(value):.5g}")
