"""Fits heads of one or two dense layers without Keras.

Owns: the steps of a `NumpyHead` (dropout, cross-entropy, Adam) and its epochs.
Leaves to others: how long a fit goes on and what is told of it (`rules.py`), models of Keras (`fit.py`).

Arithmetic and recipe are those of `fit.py`; random numbers are others. Hidden units learn in `PARTS`
parts, each in one thread at a time: a part needs nothing of the others but the sum of all logits. The
parts are the same whatever the machine has, so a run gives the same bits on one and on many processors.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np

from translearn_core.arrays import Array
from translearn_core.concurrency import one_blas_thread
from translearn_core.evaluation.calibration import as_logits, calibrated_loss
from translearn_core.evaluation.dense_head import DenseHead
from translearn_core.fitting.numpy_head import NumpyHead
from translearn_core.fitting.rates import rates_of
from translearn_core.fitting.rules import (
    JUDGE_BATCH,
    FitSpec,
    Fitted,
    Telling,
    batches_together,
)
from translearn_core.fitting.subsets import Subset, as_arrays, bytes_of
from translearn_core.monitor import Monitor

PARTS = 4
LEAST_UNITS = 256
"""Fewer hidden units than this learn in one part."""
AT_ONCE = 2**16
"""Weights that a step of Adam goes over at a time: what stays in a processor's cache."""
BETA_1, BETA_2, EPSILON = np.float32(0.9), np.float32(0.999), 1e-7
"""Of Adam (Kingma & Ba 2015), as Keras has them."""
LEAST_PROBABILITY = 1e-7
"""Below it Keras cuts a probability off before its logarithm is taken."""

T = TypeVar("T")


def fit_numpy(
    head: NumpyHead, train: Subset, validation: Subset, spec: FitSpec, monitor: Monitor
) -> Fitted:
    """Fit a head and leave it with its best weights.

    Args:
        head: features of the parts' sources -> class probabilities.
        train, validation: what to learn from, and what to judge by; validation may be empty.

    Raises:
        TrainingError: the loss diverged.
    """
    with one_blas_thread(), _Fit(head, train, validation, spec, monitor) as fitting:
        return fitting.run()


class _Fit:
    """One fit of a head."""

    def __init__(
        self, head: NumpyHead, train: Subset, validation: Subset, spec: FitSpec, monitor: Monitor
    ) -> None:
        self._head, self._spec, self._monitor = head, spec, monitor
        self._validation = validation
        self._telling = Telling(monitor, spec)
        settings = spec.settings
        self._classes = int(head.output_shape[-1])
        self._rng = np.random.default_rng([settings.seed, 1])
        self._rows = _InMemory(train, self._classes)
        if bytes_of(train) * (1 + len(train.views)) > spec.in_memory_bytes:
            self._rows = _BySource(train, self._classes)
        batch_size = min(settings.batch_size, max(1, len(train)))
        together = batches_together(len(self._rows), batch_size) if settings.large_batches else 1
        self._steps = max(1, math.ceil(len(self._rows) / (batch_size * together)))
        self._rates = rates_of(
            spec.learning_rate * math.sqrt(together), self._steps * spec.epochs, settings.schedule
        )
        self._smoothing = np.float32(settings.label_smoothing)
        self._learner = _Learner(head, self._rng)

    def __enter__(self) -> _Fit:
        return self

    def __exit__(self, *_error: object) -> None:
        self._learner.close()

    def run(self) -> Fitted:
        """Learn, and put the best weights back."""
        spec, validates = self._spec, len(self._validation) > 0
        patience = spec.patience(validates=validates)
        least, best_epoch, best = math.inf, 0, self._learner.weights()
        epoch, last = -1, None
        for epoch in range(spec.epochs):
            self._telling.begin_epoch(epoch)
            figures = self._learn_epoch(epoch)
            if validates:
                figures |= self._judge()
            self._telling.epoch(figures, float(self._rates[(epoch + 1) * self._steps - 1]))
            value = figures["val_loss_calibrated" if validates else "loss"]
            if epoch == 0 or value < least:
                least, best_epoch, best = value, epoch, self._learner.weights()
            if self._monitor.stop_requested or epoch - best_epoch >= patience:
                break
        if spec.keep_last:
            last = self._answer_validation()
        self._head.set_weights(best)
        if best_epoch == 0:
            self._telling.first_is_best(epoch + 1, len(self._validation))
        return Fitted(epochs=epoch + 1, last=last)

    def _learn_epoch(self, epoch: int) -> dict[str, float]:
        """Loss and accuracy on the photos of the epoch, as they were learned."""
        seen = loss = right = 0.0
        batches = self._rows.batches(self._steps, self._rng)
        for step, (inputs, targets, weights) in enumerate(batches):
            wanted = targets * (1 - self._smoothing) + self._smoothing / np.float32(self._classes)
            rate = float(self._rates[epoch * self._steps + step])
            answers = self._learner.step(inputs, wanted, weights, rate)
            seen += len(inputs)
            loss += _loss(answers, wanted, weights) * len(inputs)
            right += int((answers.argmax(axis=1) == targets.argmax(axis=1)).sum())
            if self._telling.batch(
                step, self._steps, {"loss": loss / seen, "accuracy": right / seen}
            ):
                break
        return {"loss": loss / max(1.0, seen), "accuracy": right / max(1.0, seen)}

    def _judge(self) -> dict[str, float]:
        """Loss and accuracy on the validation photos."""
        part = self._validation
        answers = self._answer_validation()
        targets = part.answers(self._classes)
        targets = targets * (1 - self._smoothing) + self._smoothing / np.float32(self._classes)
        return {
            "val_loss": _loss(answers, targets, part.weights),
            "val_accuracy": float((answers.argmax(axis=1) == part.labels).mean()),
            "val_loss_calibrated": calibrated_loss(as_logits(answers), part.labels),
        }

    def _answer_validation(self) -> Array:
        part, dense = self._validation, self._learner.as_dense()
        answers = [
            dense.probabilities(part.source.take(part.rows[start : start + JUDGE_BATCH]))
            for start in range(0, len(part), JUDGE_BATCH)
        ]
        return np.concatenate(answers) if answers else np.empty((0, self._classes), np.float32)


def _loss(answers: Array, targets: Array, weights: Array) -> float:
    """Cross-entropy, each photo with its weight; their mean."""
    logs = np.log(np.clip(answers, LEAST_PROBABILITY, 1.0))
    return float((-(targets * logs).sum(axis=1) * weights).mean())


# ------------------------------------------------------------------------------------------ rows

Batch = tuple[Array, Array, Array]
"""Inputs, targets and weights; the inputs may be changed."""


class _InMemory:
    """Training rows as arrays: photos and their views, each a row."""

    def __init__(self, part: Subset, classes: int) -> None:
        self._part, self._classes = part, classes
        self._arrays: Batch | None = None

    def __len__(self) -> int:
        return len(self._part) * (1 + len(self._part.views))

    def batches(self, steps: int, rng: np.random.Generator) -> Iterator[Batch]:
        """All rows in another order each time, in so many batches."""
        if self._arrays is None:
            self._arrays = as_arrays(self._part, self._classes)
        inputs, targets, weights = self._arrays
        for rows in np.array_split(rng.permutation(len(inputs)), steps):
            yield inputs[rows], targets[rows], weights[rows]


class _BySource(_InMemory):
    """Training rows that are read a batch at a time: each photo once, a batch by one of the views."""

    def __len__(self) -> int:
        return len(self._part)

    def batches(self, steps: int, rng: np.random.Generator) -> Iterator[Batch]:
        """See `_InMemory.batches`."""
        part = self._part
        sources = (part.source, *part.views)
        answers = [part.answers(self._classes, view) for view in range(len(sources))]
        for chosen in np.array_split(rng.permutation(len(part)), steps):
            view = int(rng.integers(len(sources)))
            inputs = np.array(sources[view].take(part.rows[chosen]), np.float32)
            yield inputs, answers[view][chosen], part.weights[chosen]


# ----------------------------------------------------------------------------------------- steps


class _Learner:
    """The weights of a head while they learn."""

    def __init__(self, head: NumpyHead, rng: np.random.Generator) -> None:
        self._keep = 1.0 - head.dropout
        self._rng = rng
        *hidden, out = head.layers
        self._out_bias = _Weights(out.bias)
        self._steps = 0
        self._parts: list[_Linear] = []
        if hidden:
            units = len(hidden[0].bias)
            parts = PARTS if units >= LEAST_UNITS else 1
            for some, own in zip(
                np.array_split(np.arange(units), parts), rng.spawn(parts), strict=True
            ):
                self._parts.append(
                    _Hidden(
                        hidden[0].kernel[:, some],
                        hidden[0].bias[some],
                        out.kernel[some],
                        keep=self._keep,
                        rng=own,
                    )
                )
        else:
            self._parts.append(_Linear(out.kernel))
        threads = min(len(self._parts), os.cpu_count() or 1)
        self._pool = ThreadPoolExecutor(threads - 1) if threads > 1 else None
        self._shares = [self._parts[first::threads] for first in range(threads)]

    def close(self) -> None:
        """End its threads."""
        if self._pool is not None:
            self._pool.shutdown()

    def step(self, inputs: Array, targets: Array, weights: Array, rate: float) -> Array:
        """Learn from a batch; what was answered to it before, with parts left out.

        Args:
            inputs: `(n, d) float32`, changed here.
        """
        _leave_out(inputs, self._keep, self._rng)
        self._each(lambda part: part.forward(inputs))
        logits = self._parts[0].logits.copy()
        for part in self._parts[1:]:
            logits += part.logits
        logits += self._out_bias.values
        logits -= logits.max(axis=1, keepdims=True)
        np.exp(logits, out=logits)
        answers: Array = logits / logits.sum(axis=1, keepdims=True)
        back = (answers - targets) * (weights / np.float32(len(inputs)))[:, None]
        self._steps += 1
        adam_rate = rate * math.sqrt(1 - float(BETA_2) ** self._steps)
        adam_rate /= 1 - float(BETA_1) ** self._steps
        self._out_bias.gradient[:] = back.sum(axis=0)
        self._out_bias.step(adam_rate)
        self._each(lambda part: part.learn(inputs, back, adam_rate))
        return answers

    def _each(self, work: Callable[[_Linear], None]) -> None:
        """Do some work for every part, in as many threads as there are."""

        def share(parts: Sequence[_Linear]) -> None:
            for part in parts:
                work(part)

        waiting: list[Future[None]] = []
        if self._pool is not None:
            waiting = [self._pool.submit(share, parts) for parts in self._shares[1:]]
        share(self._shares[0])
        for one in waiting:
            one.result()

    def weights(self) -> list[Array]:
        """A copy of all weights, as `NumpyHead.set_weights` takes them."""
        out = np.concatenate([part.out.values for part in self._parts])
        weights = [out, self._out_bias.values.copy()]
        hidden = [part for part in self._parts if isinstance(part, _Hidden)]
        if hidden:
            kernel = np.concatenate([part.kernel.values for part in hidden], axis=1)
            bias = np.concatenate([part.bias.values for part in hidden])
            weights = [kernel, bias, *weights]
        return weights

    def as_dense(self) -> DenseHead:
        """The head as it answers now."""
        weights = self.weights()
        return DenseHead.of_weights(zip(weights[::2], weights[1::2], strict=True))


class _Weights:
    """Weights with what Adam knows of their gradients."""

    def __init__(self, values: Array) -> None:
        self.values = np.array(values, np.float32, order="C")
        self.gradient = np.empty_like(self.values)
        self._mean, self._square = np.zeros_like(self.values), np.zeros_like(self.values)

    def step(self, rate: float) -> None:
        """A step of Adam against `gradient`, which is used up.

        The means are kept without the factors `1 - beta`, which are in `rate` and `epsilon` instead:
        two operations less over all weights.
        """
        deviation = math.sqrt(1 - float(BETA_2))
        scaled = np.float32(rate * (1 - float(BETA_1)) / deviation)
        epsilon = np.float32(EPSILON / deviation)
        flat = [a.reshape(-1) for a in (self.values, self.gradient, self._mean, self._square)]
        for start in range(0, len(flat[0]), AT_ONCE):
            values, gradient, mean, square = (a[start : start + AT_ONCE] for a in flat)
            mean *= BETA_1
            mean += gradient
            np.multiply(gradient, gradient, out=gradient)
            square *= BETA_2
            square += gradient
            np.sqrt(square, out=gradient)
            gradient += epsilon
            np.divide(mean, gradient, out=gradient)
            gradient *= scaled
            values -= gradient


class _Linear:
    """A kernel from what goes in to logits."""

    def __init__(self, out: Array) -> None:
        self.out = _Weights(out)
        self.logits: Array = np.empty((0, out.shape[1]), np.float32)

    def forward(self, inputs: Array) -> None:
        """Leave in `logits` `(n, classes)` what this part adds to them."""
        self.logits = inputs @ self.out.values

    def learn(self, inputs: Array, back: Array, rate: float) -> None:
        """Learn from the gradient of the logits `(n, classes)`."""
        np.matmul(inputs.T, back, out=self.out.gradient)
        self.out.step(rate)


class _Hidden(_Linear):
    """Some hidden units: from what goes in to them, and from them to logits."""

    def __init__(
        self, kernel: Array, bias: Array, out: Array, *, keep: float, rng: np.random.Generator
    ) -> None:
        super().__init__(out)
        self.kernel, self.bias = _Weights(kernel), _Weights(bias)
        self._keep, self._rng = keep, rng
        self._units: Any = None

    def forward(self, inputs: Array) -> None:
        """See `_Linear.forward`."""
        units = inputs @ self.kernel.values
        units += self.bias.values
        np.maximum(units, 0, out=units)
        _leave_out(units, self._keep, self._rng)
        self._units = units
        self.logits = units @ self.out.values

    def learn(self, inputs: Array, back: Array, rate: float) -> None:
        """See `_Linear.learn`."""
        units = self._units
        into = back @ self.out.values.T
        into *= units > 0  # those that were on and not left out
        into *= np.float32(1 / self._keep)
        np.matmul(units.T, back, out=self.out.gradient)
        np.matmul(inputs.T, into, out=self.kernel.gradient)
        np.sum(into, axis=0, out=self.bias.gradient)
        for weights in (self.kernel, self.bias, self.out):
            weights.step(rate)


def _leave_out(values: Array, keep: float, rng: np.random.Generator) -> None:
    """Dropout in place: each value stays with the probability `keep` (to 1 / 65,536), larger by 1 / `keep`."""
    if keep >= 1:
        return
    drawn = np.frombuffer(rng.bytes(2 * values.size), np.uint16).reshape(values.shape)
    values *= drawn < round(keep * 2**16)
    values *= np.float32(1 / keep)
