"""Fits Keras models on cached features, and tells a monitor how it goes.

Owns: the fit of one model (`fit`), the Keras callback that validates and tells of it, and the answer to
running out of memory.
Leaves to others: which model on which features (`head.py`, `training/train.py`), batches of them
(`batches.py`), the optimiser (`optimizer.py`), the live figures (`live_figures.py`), when it stops early
and which weights are kept (`early_stopping.py`).
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from translearn_core.arrays import Array, Floats
from translearn_core.errors import TrainingError
from translearn_core.evaluation.calibration import as_logits, calibrated_loss
from translearn_core.fitting import kept_heads
from translearn_core.fitting.answers import predict_rows
from translearn_core.fitting.batches import Batches
from translearn_core.fitting.early_stopping import best_weights, tell_first_is_best
from translearn_core.fitting.fit_spec import JUDGE_BATCH, FitSpec, Fitted, batches_together
from translearn_core.fitting.live_figures import STOP_POLL_S, Telling
from translearn_core.fitting.mixing import mixes
from translearn_core.fitting.optimizer import FusedAdam, make_schedule, restart
from translearn_core.fitting.rates import rates_of
from translearn_core.fitting.subsets import Subset, as_arrays, bytes_of, unrolled
from translearn_core.graph.assembly import build_head
from translearn_core.graph.engine import answer_batch
from translearn_core.i18n import _
from translearn_core.monitor import Monitor
from translearn_core.run_settings import Settings

logger = logging.getLogger(__name__)

_HOST = "CPU:0"
"""Batches are put together there, and only they go to a GPU."""
STEPS_PER_CALL = 64
"""Training steps of a small model that run in one call, to save the overhead of each."""


def fit(model: Any, train: Subset, validation: Subset, spec: FitSpec, monitor: Monitor) -> Fitted:
    """Fit a model, which is compiled here, and leave it with its best weights.

    Args:
        model: inputs of the parts' sources -> class probabilities.
        train, validation: what to learn from, and what to judge by; validation may be empty.

    Raises:
        TrainingError: memory does not suffice even for single photos, or the loss diverged.
    """
    batch_size = min(spec.settings.batch_size, max(1, len(train)))
    start = model.get_weights()
    while True:
        try:
            return _Fit(model, train, validation, spec, monitor, batch_size).run()
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
        monitor.warning(
            _("Memory ran out; going on with batches of {n} photos.").format(n=batch_size)
        )
        model.set_weights(start)


class _Fit:
    """One attempt to fit a model with one batch size."""

    def __init__(
        self,
        model: Any,
        train: Subset,
        validation: Subset,
        spec: FitSpec,
        monitor: Monitor,
        batch_size: int,
    ) -> None:
        self._model, self._train, self._validation = model, train, validation
        self._spec, self._monitor = spec, monitor
        settings = spec.settings
        self._classes = int(model.output_shape[-1])
        views = 1 + len(train.views)
        self._in_memory = spec.is_head and bytes_of(train) * views <= spec.in_memory_bytes
        self._mixes = mixes(settings, spatial=len(train.source.shape) == 4)
        self._pieces = math.ceil(batch_size / (spec.most_at_once or batch_size))
        samples = len(train) * (views if self._in_memory else 1)
        self._together = 1
        if spec.is_head and settings.large_batches:
            self._together = batches_together(samples, batch_size)
        batch_size *= self._together
        self._steps = math.ceil(samples / batch_size)
        self._at_once = math.ceil(batch_size / self._pieces)

    @property
    def _as_arrays(self) -> bool:
        """Whether rows are taken from arrays as they are."""
        return self._in_memory and not self._mixes

    def run(self) -> Fitted:
        """Compile, fit and put the best weights back."""
        settings = self._spec.settings
        shape = kept_heads.shape_of(self._model, settings) if self._as_arrays else None
        was_known = kept_heads.note(shape)
        if shape is None or not was_known or self._has_graphs or self._pieces > 1:
            return self._run()
        with kept_heads.borrowed(shape, self._model) as self._model:
            if hasattr(self._model, "learn_arrays"):
                self._model.learned_with = settings
            return self._run()

    @property
    def _has_graphs(self) -> bool:
        """Whether the model was compiled for these settings before."""
        return getattr(self._model, "learned_with", None) == self._spec.settings

    def _run(self) -> Fitted:
        spec = self._spec
        self._compile()
        judge = self._judge_answers if spec.is_head else self._judge_batches
        told = FitCallback(
            self._monitor,
            spec,
            judge=judge if len(self._validation) else None,
            at_end=self._answer_validation if spec.keep_last else None,
        )
        keeper = best_weights(spec, validates=len(self._validation) > 0)
        callbacks = [told, keeper]
        rng = np.random.default_rng([spec.settings.seed, 1 if spec.is_head else 2])
        if self._as_arrays:
            data = as_arrays(self._train, self._classes)
            fit_arrays(
                self._model,
                data,
                batch_size=self._at_once,
                epochs=spec.epochs,
                callbacks=callbacks,
                rng=rng,
                rates=rates_of(self._rate, self._steps * spec.epochs, spec.settings.schedule),
            )
        else:
            batches = Batches(
                unrolled(self._train, self._classes) if self._in_memory else self._train,
                self._classes,
                self._at_once,
                rng=rng,
                strength=spec.augmentation,
                mixing=spec.settings if self._mixes else None,
            )
            self._model.fit(batches, epochs=spec.epochs, callbacks=callbacks, verbose=0)
        if keeper.best_epoch == 0:
            tell_first_is_best(
                self._monitor,
                spec,
                epochs=told.epochs_run,
                validation_photos=len(self._validation),
            )
        return Fitted(epochs=told.epochs_run, last=told.last)

    @property
    def _rate(self) -> float:
        """The highest rate of the schedule."""
        return self._spec.learning_rate * math.sqrt(self._together)

    def _compile(self) -> None:
        spec, settings = self._spec, self._spec.settings
        in_calls = spec.is_head
        steps = self._steps * spec.epochs
        if self._as_arrays and self._has_graphs:
            restart(self._model.optimizer)
            return
        accumulated = self._pieces if self._pieces > 1 else None
        if self._as_arrays:
            _compile_for_arrays(self._model, settings, self._rate, accumulated)
            return
        self._model.learned_with = None
        _compile(
            self._model,
            settings,
            make_schedule(self._rate, steps, settings.schedule),
            accumulated,
            at_once=min(self._steps, STEPS_PER_CALL) if in_calls else 1,
        )
        _make_variables(self._model, self._classes)

    def _judge_answers(self, _cut_short: bool) -> dict[str, float] | None:
        """Loss and accuracy on the validation photos, by the function that predicts later."""
        part = self._validation
        answers = predict_rows(
            self._model, part.source, part.rows, batch_size=JUDGE_BATCH, traces=True
        )
        targets = part.answers(answers.shape[1])
        loss = self._model.loss(targets, answers, sample_weight=part.weights)
        right = answers.argmax(axis=1) == part.labels
        return {
            "loss": float(loss),
            "accuracy": float(right.mean()),
            "loss_calibrated": calibrated_loss(as_logits(answers), part.labels),
        }

    def _judge_batches(self, cut_short: bool) -> dict[str, float] | None:
        """The same by the model's own test step; None where a stop cut it or the epoch short."""
        if cut_short:  # the first batch of it takes as long as many others: its graph is built then
            return None
        batches = math.ceil(len(self._validation) / self._at_once)
        stops = _StopsEvaluation(self._monitor, batches)
        figures = self._model.evaluate(
            self._validation_batches, verbose=0, callbacks=[stops], return_dict=True
        )
        return None if stops.cut_short else dict(figures)

    @cached_property
    def _validation_batches(self) -> Any:
        """The same in every epoch: making a pipeline of arrays takes as long as a small epoch."""
        part = self._validation
        if bytes_of(part) > self._spec.in_memory_bytes // 4:
            return Batches(part, self._classes, self._at_once)
        arrays = as_arrays(part, self._classes)
        return tf.data.Dataset.from_tensor_slices(arrays).batch(self._at_once)

    def _answer_validation(self) -> Array:
        return predict_rows(self._model, self._validation.source, self._validation.rows)


def _compile_for_arrays(
    model: Any, settings: Settings, rate: float, accumulated: int | None = None
) -> None:
    """Compile a model that `fit_arrays` fits; `rate` is replaced in every step."""
    model.learned_with = settings
    _compile(model, settings, rate, accumulated)


def _compile(
    model: Any, settings: Settings, rate: Any, accumulated: int | None, *, at_once: int = 1
) -> None:
    model.compile(
        optimizer=FusedAdam(rate, gradient_accumulation_steps=accumulated),
        loss=keras.losses.CategoricalCrossentropy(label_smoothing=settings.label_smoothing),
        metrics=[keras.metrics.CategoricalAccuracy(name="accuracy")],
        steps_per_execution=at_once,
        jit_compile=False,  # see `answer_batch`
    )


def _make_variables(model: Any, classes: int) -> None:
    """Make what a compiled model learns with: Keras traces a step twice in which variables are made,
    which takes seconds where many layers learn."""
    model.optimizer.build(model.trainable_variables)
    answers = np.full((1, classes), 1 / classes, np.float32)
    with suppress(AttributeError):  # private to Keras: without it, the step is traced twice
        model._compile_metrics.build(answers, answers)


class FitCallback(keras.callbacks.Callback):  # type: ignore[misc]
    """Judges every epoch, tells a monitor of batches and epochs, and stops when it says so.

    It stands before the callback that keeps the best weights, which goes by what it finds.
    Where a stop cuts an epoch or its validation short, what was seen of some of the photos is not
    held against what earlier epochs said of all: such an epoch is the best only when it is the
    first.

    Args:
        judge: figures of the validation photos, by whether a stop cut the epoch short; None where
            they are not to be counted. Without it, nothing is validated.
        at_end: answers of the weights as the last step left them, before the best are put back.
    """

    def __init__(
        self,
        monitor: Monitor,
        spec: FitSpec,
        *,
        judge: Callable[[bool], dict[str, float] | None] | None = None,
        at_end: Callable[[], Array] | None = None,
    ) -> None:
        super().__init__()
        self._monitor = monitor
        self._judge, self._at_end = judge, at_end
        self._cut_short = False
        self.telling = Telling(monitor, spec)
        self.epochs_run = 0
        self.last: Array | None = None

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Start the epoch's clock."""
        self.telling.begin_epoch(epoch)

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Tell a point within the epoch, a few times a second at most."""
        if self.telling.batch(batch, self.params.get("steps"), logs or {}):
            self._cut_short = self.model.stop_training = True

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Validate, tell the epoch's figures and hand them on to the next callback."""
        logs = {} if logs is None else logs
        if self._judge is not None:
            figures = self._judge(self._cut_short)
            if figures is None:
                figures = {"loss": math.inf, "accuracy": math.nan}
            figures.setdefault("loss_calibrated", figures["loss"])
            logs |= {f"val_{name}": value for name, value in figures.items()}
        self.epochs_run = epoch + 1
        rate = keras.ops.convert_to_numpy(self.model.optimizer.learning_rate)
        self.telling.epoch(logs, float(rate))
        if self._monitor.stop_requested:
            self.model.stop_training = True

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        """Keep what the last weights answer."""
        if self._at_end is not None:
            self.last = self._at_end()


class _StopsEvaluation(keras.callbacks.Callback):  # type: ignore[misc]
    """Ends an evaluation of so many batches when the monitor says so."""

    def __init__(self, monitor: Monitor, batches: int) -> None:
        super().__init__()
        self._monitor, self._batches = monitor, batches
        self.cut_short = False

    def on_test_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Ask for a stop, unless this was the last batch."""
        if batch + 1 < self._batches and self._monitor.stop_requested:
            self.cut_short = self.model.stop_evaluating = True


def fit_arrays(
    model: Any,
    data: tuple[Any, Any, Any],
    *,
    batch_size: int,
    epochs: int,
    callbacks: list[Any],
    rng: np.random.Generator,
    rates: Floats | None = None,
) -> None:
    """What `model.fit` does with arrays, without making a pipeline of them in every epoch, and with
    many steps in one call of TensorFlow.

    For a small head either takes as long as learning. Arguments as those of `keras.Model.fit`;
    `data` holds inputs, targets and weights (of a model of several outputs the latter two by their
    names), `rng` shuffles, `rates` `(epochs x steps,)` are the learning rates, where the optimiser
    has no schedule. Callbacks hear of the last batch of each call. A model that is fitted again,
    compiled as before, is not traced again.
    """
    n = len(data[0])
    steps = math.ceil(n / batch_size)
    learn = getattr(model, "learn_arrays", None)
    if learn is None or learn.optimizer is not model.optimizer:
        learn = model.learn_arrays = _TrainingSteps(model, data, sets_rate=rates is not None)
    if rates is None:
        rates = np.zeros(epochs * steps, np.float32)
    with tf.device(_HOST):
        columns = keras.tree.map_structure(tf.constant, list(data))
    sizes = np.full(steps, n // steps)
    sizes[: n % steps] += 1
    begins = np.concatenate([[0], np.cumsum(sizes)])
    told = keras.callbacks.CallbackList(callbacks, model=model, epochs=epochs, steps=steps)
    model.stop_training = False
    told.on_train_begin()
    at_once = 1
    for epoch in range(epochs):
        told.on_epoch_begin(epoch)
        logs: dict[str, float] = {}
        order = rng.permutation(n)
        of_epoch = rates[epoch * steps : (epoch + 1) * steps]
        step = 0
        while step < steps and not model.stop_training:
            last = min(steps, step + at_once) - 1
            told.on_train_batch_begin(step)
            began = time.monotonic()
            figures = learn(*columns, order, begins[step : last + 2], of_epoch[step : last + 1])
            logs = {name: float(value) for name, value in figures.items()}
            each_s = max(time.monotonic() - began, 1e-6) / (last + 1 - step)
            at_once = max(1, min(2 * at_once, int(STOP_POLL_S / each_s)))
            told.on_train_batch_end(last, logs)
            step = last + 1
        told.on_epoch_end(epoch, dict(logs))
        if model.stop_training:
            break
    told.on_train_end(logs)


class _TrainingSteps:
    """Training steps of a model on rows of arrays, as one graph for any number of steps and batches
    of every size.

    `train_on_batch` traces a graph for the first size and another one for the second, which takes
    longer than a small head learns. A call returns the figures of its last batch.

    Args:
        sets_rate: whether each step has its rate from the call; else from the optimiser's schedule.
    """

    def __init__(self, model: Any, data: tuple[Any, Any, Any], *, sets_rate: bool) -> None:
        self.optimizer = model.optimizer
        model._symbolic_build(data_batch=keras.tree.map_structure(lambda column: column[:1], data))
        signature = keras.tree.map_structure(
            lambda column: tf.TensorSpec((None, *column.shape[1:]), column.dtype), list(data)
        )

        def steps(*given: Any) -> Any:
            *columns, order, begins, rates = given

            def one(index: Any, _figures: Any) -> Any:
                with tf.device(_HOST):
                    rows = order[begins[index] : begins[index + 1]]
                    batch = keras.tree.map_structure(
                        lambda column: tf.gather(column, rows), columns
                    )
                if sets_rate:
                    model.optimizer.learning_rate.assign(rates[index])
                model.reset_metrics()
                figures = model.train_step(tuple(batch))
                return index + 1, {
                    name: tf.cast(value, tf.float32) for name, value in figures.items()
                }

            none = {name: tf.constant(0.0) for name in model.get_metrics_result()}
            return tf.while_loop(
                lambda index, _figures: index < tf.shape(rates)[0],
                one,
                (tf.constant(0), none),
                parallel_iterations=1,
            )[1]

        self._compiled = tf.function(
            steps,
            input_signature=[
                *signature,
                tf.TensorSpec((None,), tf.int64),
                tf.TensorSpec((None,), tf.int64),
                tf.TensorSpec((None,), tf.float32),
            ],
            autograph=False,
        )

    def __call__(self, *given: Any) -> dict[str, Any]:
        figures: dict[str, Any] = self._compiled(*given)
        return figures


def make_ready(model: Any, settings: Settings) -> None:
    """Compile a new head as `fit` does where it takes rows from arrays, and make its graphs; it learns
    nothing. Where others of its shape were fitted before, this is done for one that they share."""
    shape = kept_heads.shape_of(model, settings)
    if shape is None or not kept_heads.note(shape):
        _make_graphs(model, settings)
    elif not kept_heads.has_one(shape):
        learner = kept_heads.copy_of(model)
        _make_graphs(learner, settings)
        kept_heads.keep(shape, learner)


def _make_graphs(model: Any, settings: Settings) -> None:
    _compile_for_arrays(model, settings, settings.learning_rate)
    width, classes = int(model.input_shape[-1]), int(model.output_shape[-1])
    data = (
        np.zeros((1, width), np.float32),
        np.zeros((1, classes), np.float32),
        np.ones(1, np.float32),
    )
    learn = model.learn_arrays = _TrainingSteps(model, data, sets_rate=True)
    with tf.device(_HOST):
        columns = [tf.constant(column) for column in data]
    none = np.zeros(1, np.int64)
    learn(*columns, none, none, np.zeros(0, np.float32))  # of no steps
    answer_batch(model, data[0])


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
