"""When training stops early, and which epoch's weights are kept.

Owns: the patience, the figure by which epochs are compared, the Keras callback that goes by it, and the
warning where the first epoch was the best.
Leaves to others: the fit loop (`fit.py`), the setting (`early_stopping` in `run_settings.py`). Imports
Keras inside the functions.
"""

from __future__ import annotations

from typing import Any

from translearn_core.fitting.fit_spec import FitSpec
from translearn_core.i18n import _
from translearn_core.monitor import Monitor

CALIBRATED_LOSS = "val_loss_calibrated"
"""The figure by which epochs are compared, where there are validation photos."""
MIN_PATIENCE = 5
PATIENCE_PARTS: dict[str, int] = {"head": 2, "fine_tune": 5}
"""Early stopping waits for so many epochs, or for this part of all epochs where that is more. The
best epochs of a head come late, when the rate is small; they are short."""
ENOUGH_TO_TELL = 20
"""With fewer validation photos chance decides which epoch is the best."""


def patience(spec: FitSpec, *, validates: bool) -> int:
    """Epochs without a better one after which a fit ends; more than there are where it goes on."""
    if not (spec.settings.early_stopping and validates):
        return spec.epochs + 1
    return max(MIN_PATIENCE, spec.epochs // PATIENCE_PARTS[spec.phase])


def best_weights(spec: FitSpec, *, validates: bool) -> Any:
    """The callback that keeps the best weights, and ends early where the person did not forbid it."""
    import keras

    return keras.callbacks.EarlyStopping(
        monitor=CALIBRATED_LOSS if validates else "loss",
        mode="min",
        patience=patience(spec, validates=validates),
        restore_best_weights=True,
    )


def tell_first_is_best(
    monitor: Monitor, spec: FitSpec, *, epochs: int, validation_photos: int
) -> None:
    """Say so where enough photos and epochs show that learning on did not help."""
    if epochs <= MIN_PATIENCE or validation_photos < ENOUGH_TO_TELL:
        return
    setting = "learning_rate" if spec.is_head else "fine_tune_learning_rate"
    words = (
        _(
            "By the validation photos the first of {n} epochs was the best one: what came after "
            "learned the training photos by heart. A smaller learning rate (`{setting}`) or more "
            "photos may help."
        )
        if spec.keep_last
        else _(
            "By the validation photos the first of {n} epochs was the best one, so its weights "
            "are kept: what came after learned the training photos by heart. A smaller learning "
            "rate (`{setting}`) or more photos may help."
        )
    )
    monitor.warning(words.format(n=epochs, setting=setting))
