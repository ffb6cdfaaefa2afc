"""What a monitor is told while a model is fitted: the live figures of batches and epochs.

Owns: `Telling`: which figures an event holds, how often one is told, and how stops are asked for.
Imports no Keras.
Leaves to others: the Keras callback that calls it (`fit.py`), what becomes of the events
(`runs/events.py`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping

from translearn_core.errors import TrainingError
from translearn_core.fitting.fit_spec import FitSpec
from translearn_core.i18n import _
from translearn_core.monitor import Monitor

BATCH_EVENT_S = 0.5
"""A batch is told of so often at most."""
STOP_POLL_S = 0.1
"""A stop is asked for so often at most while batches are learned."""


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


def _rounded(value: float | None) -> float | None:
    if value is None or not math.isfinite(value):
        return None
    return float(f"{float(value):.5g}")
