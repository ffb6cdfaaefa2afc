"""Fits Keras models on cached features and reports progress to the run folder.

Owns: the Keras callback, the fit loop and its answer to running out of memory.
Leaves to others: which model on which features (`train.py`), batches of them (`feeding.py`), the
optimiser (`optimiser.py`).
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from translearn_core.augment import Strength
from translearn_core.config import Settings
from translearn_core.errors import TrainingError
from translearn_core.feeding import (
    Array,
    Arrays,
    Batches,
    Part,
    Source,
    as_arrays,
    bytes_of,
    unrolled,
)
from translearn_core.graph.assembly import build_head
from translearn_core.mixing import mixes
from translearn_core.optimiser import FusedAdam, make_schedule
from translearn_core.runs import Run
from translearn_core.texts import _

logger = logging.getLogger(__name__)

BATCH_EVENT_S = 0.5
IN_MEMORY_BYTES = 2**28
"""Features up to this size are handed to Keras as one array, which then copies them; larger ones
are read a batch at a time."""
BATCHES_TOGETHER = 4
LEAST_STEPS = 6
STEPS_PER_CALL = 64
"""Training steps of a small model that run in one call, to save the overhead of each."""


class _UnlessCutShort(list[int]):
    """The epochs that Keras validates after: all but one that a stop has cut short.

    The first batch of a validation takes as long as many others, for its graph is built then.
    """

    def __init__(self, callback: RunCallback) -> None:
        super().__init__()
        self._callback = callback

    def __contains__(self, epoch: object) -> bool:
        return not self._callback.cut_short


class RunCallback(keras.callbacks.Callback):  # type: ignore[misc]
    """Appends batches and epochs to a run's events, and stops when the run is asked to.

    Args:
        run: the run folder.
        phase: `head` or `fine_tune`.
        first_epoch: epochs that earlier phases ran.
        epochs: at most so many epochs in this phase.
        quiet: stop when asked to, but tell nothing.
        at_end: called with the model as the last step left it, before the best weights are put
            back (this callback has to stand before the one that does so).

    Validation heeds a stop, too. What it says of some of the photos is not held against what
    earlier epochs said of all: such an epoch is the best only when it is the first.
    """

    def __init__(
        self,
        run: Run,
        *,
        phase: str,
        first_epoch: int,
        epochs: int,
        quiet: bool = False,
        at_end: Callable[[Any], None] | None = None,
    ) -> None:
        super().__init__()
        self._at_end = at_end
        self._run = run
        self._quiet = quiet
        self._phase = phase
        self._first = first_epoch
        self._epochs = epochs
        self._epoch = 0
        self._epoch_started = self._told = self._asked = time.monotonic()
        self.cut_short = False
        self.epochs_run = 0
        self.val_batches = 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Start the epoch's clock."""
        self._epoch = epoch
        self._epoch_started = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Tell a point within the epoch, a few times a second at most."""
        now = time.monotonic()
        if now - self._asked >= 0.1:
            self._asked = now
            if self._run.stop_requested:
                self.model.stop_training = True
                self.cut_short = self.val_batches > 0
        if self._quiet or now - self._told < BATCH_EVENT_S or not logs:
            return
        self._told = now
        self._run.append_event(
            "batch",
            phase=self._phase,
            epoch=self._first + self._epoch + 1,
            epochs=self._first + self._epochs,
            batch=batch + 1,
            batches=self.params.get("steps"),
            loss=_rounded(logs.get("loss")),
            accuracy=_rounded(logs.get("accuracy")),
        )

    def on_test_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """End validation when the run is asked to stop."""
        if batch + 1 < self.val_batches and self._run.stop_requested:
            self.cut_short = self.model.stop_evaluating = True

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Tell the epoch's figures."""
        logs = {} if logs is None else logs
        if self.cut_short:
            logs["val_loss"], logs["val_accuracy"] = math.inf, math.nan
        seconds = time.monotonic() - self._epoch_started
        self.epochs_run = epoch + 1
        if not self._quiet:
            self._tell_epoch(epoch, logs, seconds)
        if not math.isfinite(logs.get("loss", 0.0)):
            raise TrainingError(
                _(
                    "Training diverged: the loss became NaN. "
                    "Choose a smaller learning rate and train again."
                )
            )
        if self._run.stop_requested:
            self.model.stop_training = True

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        """Hand the model on as it is now."""
        if self._at_end is not None:
            self._at_end(self.model)

    def _tell_epoch(self, epoch: int, logs: dict[str, float], seconds: float) -> None:
        self._run.append_event(
            "epoch",
            phase=self._phase,
            epoch=self._first + epoch + 1,
            epochs=self._first + self._epochs,
            loss=_rounded(logs.get("loss")),
            accuracy=_rounded(logs.get("accuracy")),
            val_loss=_rounded(logs.get("val_loss")),
            val_accuracy=_rounded(logs.get("val_accuracy")),
            seconds=round(seconds, 3),
            left_s=round(seconds * (self._epochs - epoch - 1), 1),
            learning_rate=_rounded(float(keras.ops.convert_to_numpy(self.learning_rate()))),
        )

    def learning_rate(self) -> Any:
        """The optimiser's rate now."""
        return self.model.optimizer.learning_rate


def _rounded(value: float | None) -> float | None:
    if value is None or not math.isfinite(value):
        return None
    return float(f"{float(value):.5g}")


def fit(
    run: Run,
    model: Any,
    train: Part,
    validation: Part,
    *,
    settings: Settings,
    phase: str,
    epochs: int,
    first_epoch: int,
    strength: Strength = "none",
    most_at_once: int | None = None,
    quiet: bool = False,
    at_end: Callable[[Any], None] | None = None,
) -> int:
    """Fit a compiled-here model and leave it with its best weights.

    Args:
        model: inputs of the parts' sources -> class probabilities.
        train, validation: what to learn from, and what to judge by; validation may be empty.
        phase: `head` or `fine_tune`: decides the learning rate.
        epochs: at most so many.
        first_epoch: epochs that earlier phases ran.
        strength: variation made on the fly (pixel sources only).
        most_at_once: at most so many photos in one go; gradients of a batch are added up. It
            bounds how long a stop has to wait, and memory.
        quiet: tell no batches and epochs.
        at_end: called with the model as its last step left it, before the best weights are put
            back.

    Returns:
        Epochs run.

    Raises:
        TrainingError: memory does not suffice even for single photos, or the loss diverged.
    """
    batch_size = min(settings.batch_size, max(1, len(train)))
    start = model.get_weights()
    while True:
        callback = RunCallback(
            run,
            phase=phase,
            first_epoch=first_epoch,
            epochs=epochs,
            quiet=quiet,
            at_end=at_end,
        )
        try:
            _fit_once(
                model,
                train,
                validation,
                settings=settings,
                phase=phase,
                epochs=epochs,
                batch_size=batch_size,
                pieces=math.ceil(batch_size / (most_at_once or batch_size)),
                strength=strength,
                callback=callback,
            )
            return callback.epochs_run
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            if batch_size == 1:
                raise TrainingError(
                    _(
                        "The memory was not enough even for one photo at a time. "
                        "Choose a smaller backbone, smaller photos, or freeze more blocks."
                    )
                ) from error
        batch_size //= 2
        run.append_event(
            "warning",
            text=_("Memory ran out; going on with batches of {n} photos.").format(n=batch_size),
        )
        model.set_weights(start)


def rehearse() -> None:
    """Fit a tiny head on noise, so that what TensorFlow does only once is done before a run."""
    settings = Settings(hidden_units=8)
    model = build_head(8, 2, settings)
    inputs, targets = np.zeros((64, 8), np.float32), np.eye(2, dtype=np.float32)[np.arange(64) % 2]
    model.compile(FusedAdam(make_schedule(1e-3, 2)), "categorical_crossentropy")
    data = inputs, targets, np.ones(64, np.float32)
    fit_arrays(model, data, batch_size=32, epochs=1, callbacks=[], rng=np.random.default_rng(0))
    keras.backend.clear_session()


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory (of the GPU or the machine) ran out."""
    text = str(error)
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "ResourceExhaustedError"
        or "MemoryError" in text  # raised while a batch was made, and passed on by TensorFlow
        or "OOM when allocating" in text
        or "RESOURCE_EXHAUSTED" in text
    )


def _fit_once(
    model: Any,
    train: Part,
    validation: Part,
    *,
    settings: Settings,
    phase: str,
    epochs: int,
    batch_size: int,
    pieces: int,
    strength: Strength,
    callback: RunCallback,
) -> None:
    classes = int(model.output_shape[-1])
    small = phase == "head"
    rng = np.random.default_rng([settings.seed, 1 if small else 2])
    views = 1 + len(train.views)
    at_hand = small and bytes_of(train) * views <= IN_MEMORY_BYTES
    samples = len(train) * (views if at_hand else 1)
    peak = settings.learning_rate if small else settings.fine_tune_learning_rate
    if small and settings.large_batches:
        together = _batches_together(samples, batch_size)
        batch_size, peak = batch_size * together, peak * together
    steps = math.ceil(samples / batch_size)
    mixing = settings if mixes(settings, spatial=len(train.source.shape) == 4) else None
    plainly = at_hand and mixing is None
    optimizer = FusedAdam(
        make_schedule(peak, steps * epochs, settings.schedule),
        gradient_accumulation_steps=pieces if pieces > 1 else None,
    )
    batch_size = math.ceil(batch_size / pieces)
    model.compile(
        optimizer=optimizer,
        loss=keras.losses.CategoricalCrossentropy(label_smoothing=settings.label_smoothing),
        metrics=[keras.metrics.CategoricalAccuracy(name="accuracy")],
        steps_per_execution=min(steps, STEPS_PER_CALL) if small and not plainly else 1,
    )
    options: dict[str, Any] = {
        "epochs": epochs,
        "callbacks": [callback, _best_weights(settings, len(validation) > 0, epochs)],
    }
    if plainly:
        fit_arrays(
            model,
            as_arrays(train, classes),
            validation=validation if len(validation) else None,
            batch_size=batch_size,
            rng=rng,
            **options,
        )
    else:
        if len(validation):
            options["validation_data"] = _as_input(validation, classes, batch_size)
            callback.val_batches = math.ceil(len(validation) / batch_size)
            options["validation_freq"] = _UnlessCutShort(callback)
        fed = unrolled(train, classes) if at_hand else train
        feed = Batches(fed, classes, batch_size, rng=rng, strength=strength, mixing=mixing)
        model.fit(feed, verbose=0, **options)


def fit_arrays(
    model: Any,
    data: Arrays,
    *,
    batch_size: int,
    epochs: int,
    callbacks: list[Any],
    rng: np.random.Generator,
    validation: Part | None = None,
) -> None:
    """What `model.fit` does with arrays, without making a pipeline of them in every epoch.

    For a small head that takes as long as learning. Arguments as those of `keras.Model.fit`;
    `data` holds inputs, targets and weights, `rng` shuffles.
    """
    steps = math.ceil(len(data[0]) / batch_size)
    told = keras.callbacks.CallbackList(callbacks, model=model, epochs=epochs, steps=steps)
    model.stop_training = False
    told.on_train_begin()
    for epoch in range(epochs):
        model.reset_metrics()
        told.on_epoch_begin(epoch)
        logs: dict[str, float] = {}
        for step, rows in enumerate(np.array_split(rng.permutation(len(data[0])), steps)):
            told.on_train_batch_begin(step)
            inputs, targets, weights = (part[rows] for part in data)
            logs = model.train_on_batch(inputs, targets, sample_weight=weights, return_dict=True)
            told.on_train_batch_end(step, logs)
            if model.stop_training:
                break
        logs = dict(logs)
        if validation is not None:
            logs |= {f"val_{name}": value for name, value in _judge(model, validation).items()}
        told.on_epoch_end(epoch, logs)
        if model.stop_training:
            break
    told.on_train_end(logs)


def _judge(model: Any, part: Part) -> dict[str, float]:
    """Loss and accuracy of a model on a part, by the same function that predicts later."""
    answers = predict_rows(model, part.source, part.rows, batch_size=512)
    targets = part.answers(answers.shape[1])
    loss = model.loss(targets, answers, sample_weight=part.weights)
    right = answers.argmax(axis=1) == targets.argmax(axis=1)
    return {"loss": float(loss), "accuracy": float(right.mean())}


def _batches_together(samples: int, batch_size: int) -> int:
    """How many batches a head takes in one step, at a rate as many times higher.

    The rule that rate grows with the batch is Goyal et al. 2017. An epoch keeps a few steps.
    """
    return max(1, min(BATCHES_TOGETHER, samples // (batch_size * LEAST_STEPS)))


def _best_weights(settings: Settings, has_validation: bool, epochs: int) -> Any:
    """Keeps the best weights, and ends early where the person did not forbid it."""
    patience = max(5, epochs // 5) if settings.early_stopping and has_validation else epochs + 1
    return keras.callbacks.EarlyStopping(
        monitor="val_loss" if has_validation else "loss",
        mode="min",
        patience=patience,
        restore_best_weights=True,
    )


def _as_input(part: Part, classes: int, batch_size: int) -> Arrays | Batches:
    if bytes_of(part) <= IN_MEMORY_BYTES // 4:
        return as_arrays(part, classes)
    return Batches(part, classes, batch_size)


def predict_rows(
    model: Any,
    source: Source,
    rows: npt.NDArray[np.int64],
    *,
    batch_size: int = 64,
    stop: Callable[[], bool] | None = None,
) -> Array:
    """Probabilities `(len(rows), classes) float32` of a model on rows of a source."""
    parts = []
    for start in range(0, len(rows), batch_size):
        if stop and stop():
            break
        inputs = source.take(rows[start : start + batch_size]).astype(np.float32)
        parts.append(np.asarray(model.predict_on_batch(inputs), np.float32))
    classes = int(model.output_shape[-1])
    return np.concatenate(parts) if parts else np.empty((0, classes), np.float32)
