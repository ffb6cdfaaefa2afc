"""How one head is learned, with what techniques change of it.

Owns: `learn_head` (the fit, a second one with the validation photos, the linear half beside it), and
`seed`, by which the same run without a technique is the same.
Leaves to others: each of these steps (`fitting/`), what techniques change (`base.py`), whose head it
is (`training/`).
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass, replace
from typing import Any

from translearn_core.concurrency import has_one_thread, run_in_thread, wait_for
from translearn_core.errors import StopRequestedError
from translearn_core.evaluation.predictions import ValidationPredictions
from translearn_core.fitting.data import TrainingData
from translearn_core.fitting.head import (
    answer_validation,
    build_new_head,
    count_epochs,
    fit_head,
    has_linear_half,
    learns_from_validation,
    refits,
)
from translearn_core.fitting.linear import LinearHalf, join, learn_linear
from translearn_core.fitting.plan import Plan
from translearn_core.monitor import Monitor, Silent
from translearn_core.techniques.base import Techniques, TrainingSet

REFIT_PART = 0.25
"""Part of the epochs in which a head goes on, with the validation photos, where a linear half has
learned from these already. A head of its own begins anew and learns over all epochs: from few photos
it is better by that, beside a linear half it is not (docs/experiments/head.md), unless answers that it
learned have changed."""


@dataclass(frozen=True, kw_only=True)
class LearnedHead:
    """A head with its kept weights.

    Attributes:
        epochs: of the first fit.
        val_accuracy: share of the validation photos that are named right by weights that have not
            learned from them.
        validation: what the head is calibrated by.
        refitted: whether it learned from the validation photos, too.
        linear_half: its figures, where it has one.
        unseeing: the head that has not learned from the validation photos, where it was asked for;
            `unseeing_half` are the figures of its linear half.
    """

    head: Any
    epochs: int
    val_accuracy: float | None
    validation: ValidationPredictions
    refitted: bool
    linear_half: dict[str, float] | None = None
    unseeing: Any = None
    unseeing_half: dict[str, float] | None = None


def seed(plan: Plan) -> None:
    """Let everything that is drawn by chance begin as the seed of the run says."""
    from translearn_core.graph.chance import set_seed

    set_seed(plan.settings.seed)


def learn_head(
    plan: Plan,
    training: TrainingSet,
    techniques: Techniques,
    monitor: Monitor,
    *,
    epochs: int | None = None,
    keeps_unseeing: bool = False,
) -> LearnedHead:
    """Learn one head.

    Validation decides which epoch is kept; where validation photos are few, the head then learns from
    these, too, see `REFIT_PART`, and is calibrated by the last epoch before that. What was learned
    first is kept when a person stops in the middle. Where the settings leave the kind of head open, a
    linear one is learned beside it and both become one.

    Args:
        epochs: see `fit_head`.
        keeps_unseeing: whether the head before it learned from validation photos is kept, too.
    """
    joins = training.joined is not None and learns_from_validation(plan, training.data)

    with _LinearHalf(plan, training, monitor, joins) as linear:
        learned, own_way = _learn_hidden(
            plan, training, techniques, monitor, epochs, keeps_unseeing
        )
        if own_way or not has_linear_half(plan) or monitor.stop_requested:
            return learned
        try:
            adapts = _adapts(plan, training)
            both = first = join(
                plan, learned.head, linear.learned(), learned.validation, adapts=adapts
            )
            if keeps_unseeing and joins:
                half = learn_linear(
                    plan, training.data, monitor, with_validation=False, adapts=adapts
                )
                hidden = learned.unseeing
                said = answer_validation(
                    training.data, hidden, training.data.pooled
                )  # of its epoch
                first = join(plan, hidden, half, said, adapts=adapts)
        except StopRequestedError:
            return learned
    return replace(
        learned,
        head=both.head,
        val_accuracy=both.validation.accuracy,
        validation=both.validation,
        linear_half=both.figures,
        refitted=learned.refitted or joins,
        unseeing=first.head if keeps_unseeing else None,
        unseeing_half=first.figures if keeps_unseeing else None,
    )


class _LinearHalf:
    """The linear half of a head, learned in a thread while the block runs, or where it is asked for.

    At the end of the block nothing learns any more, however that ends.
    """

    def __init__(self, plan: Plan, training: TrainingSet, monitor: Monitor, joins: bool) -> None:
        self._monitor, self._ended = monitor, threading.Event()
        ending = _Ended(monitor, self._ended)
        self._learn: Callable[[], LinearHalf] = lambda: _learn_linear(plan, training, ending, joins)
        self._beside: Future[LinearHalf] | None = None
        self._learns_beside = _learns_beside(plan, training.data)

    def __enter__(self) -> _LinearHalf:
        if self._learns_beside:
            self._beside = run_in_thread(self._learn)
        return self

    def __exit__(self, *_error: object) -> None:
        self._ended.set()
        if self._beside is not None:
            wait([self._beside])

    def learned(self) -> LinearHalf:
        """What was learned.

        Raises:
            StopRequestedError: the monitor said so.
        """
        if self._beside is None:
            return self._learn()
        return wait_for(self._beside, lambda: self._monitor.stop_requested)


class _Ended(Silent):
    """A monitor of work that nobody waits for once `ended` is set."""

    def __init__(self, inner: Monitor, ended: threading.Event) -> None:
        super().__init__(inner)
        self._ended = ended

    @property
    def stop_requested(self) -> bool:
        return self._ended.is_set() or self._inner.stop_requested


def _learns_beside(plan: Plan, data: TrainingData) -> bool:
    """Whether the linear half is learned while the hidden one is: where it takes one processor and little
    memory, and is asked for in any case."""
    is_small = has_one_thread(len(data.photos) * len(data.classes))
    return has_linear_half(plan) and not plan.techniques and is_small


def _learn_linear(plan: Plan, training: TrainingSet, monitor: Monitor, joins: bool) -> LinearHalf:
    """The linear half, of the validation photos, too, if it `joins` them.

    Answers that have changed meanwhile were made with them: what is said of these photos then comes
    from a half of its own, which learned the answers before and was calibrated by their labels.
    """
    adapts = _adapts(plan, training)
    if not joins or not training.anew or training.joined is None:
        return learn_linear(plan, training.data, monitor, with_validation=joins, adapts=adapts)
    before = learn_linear(plan, training.data, monitor, with_validation=False, adapts=adapts)
    return learn_linear(plan, training.joined, monitor, with_validation=False, like=before)


def _adapts(plan: Plan, training: TrainingSet) -> bool:
    """Whether the head is, or is to be, adapted to another place."""
    return bool(plan.settings.adapt_to) and not training.left_plain


def _learn_hidden(
    plan: Plan,
    training: TrainingSet,
    techniques: Techniques,
    monitor: Monitor,
    epochs: int | None,
    keeps_unseeing: bool,
) -> tuple[LearnedHead, bool]:
    """The head without a linear half, and whether a technique fitted it in a way of its own."""
    data = training.data
    again = training.joined is not None and refits(plan, data, monitor)
    head = techniques.initial_head(data)
    start = head.get_weights()
    fitted = techniques.fit_head(head, data, monitor)
    own_way = fitted is not None
    if fitted is None:
        fitted = fit_head(plan, data, head, monitor, epochs=epochs, keep_last=again)
    validation = answer_validation(data, head, data.pooled)
    first = LearnedHead(
        head=head,
        epochs=fitted.epochs,
        val_accuracy=validation.accuracy,
        validation=validation,
        refitted=False,
        unseeing=head if keeps_unseeing else None,
    )
    if training.joined is None or fitted.last is None or monitor.stop_requested:
        return first, own_way
    kept = head.get_weights()
    if epochs is None:
        epochs = count_epochs(plan, data)
    if has_linear_half(plan) and not training.anew:
        epochs = math.ceil(epochs * REFIT_PART)
    else:
        head.set_weights(start)  # the same model: its graph is there already
    monitor.stage("refit")
    fit_head(plan, training.joined, head, _Rounds(monitor), epochs=epochs)
    if monitor.stop_requested:
        head.set_weights(kept)
        return first, own_way
    if keeps_unseeing:
        unseeing = build_new_head(plan, data)
        unseeing.set_weights(kept)
        first = replace(first, unseeing=unseeing)
    last = ValidationPredictions(probs=fitted.last, labels=validation.labels)
    return replace(first, validation=last, refitted=True), own_way


class _Rounds(Silent):
    """Shows the rounds of a second fit as progress: no photo judges them, so they are no curve."""

    def event(self, kind: str, **fields: Any) -> None:
        if kind == "epoch":
            self._inner.progress(fields["epoch"], fields["epochs"], what="rounds")
