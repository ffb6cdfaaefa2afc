"""The linear half of a head: a logistic regression on pooled features, solved rather than trained.

Owns: `learn_linear` (penalty by held-out photos, the solution in raw features, what it says of the
validation photos), and `join`, which puts it beside a hidden layer in one head.
Leaves to others: the solver (`evaluation/linear_probe.py`), the hidden half (`fit.py`), when
either is learned (`techniques/learning.py`).

Features are scaled by the root of their deviations: between raw ones, where a few large features
drown the others, and standardised ones, where the noise of the small ones counts as much as they do.
Figures: docs/experiments/head.md.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from translearn_core.arrays import Array, Ints
from translearn_core.evaluation.calibration import (
    MIN_PHOTOS,
    as_logits,
    calibrated_loss,
    fit_temperature,
    softmax,
)
from translearn_core.evaluation.cross_validation import assign_folds
from translearn_core.evaluation.linear_probe import PCASpace, fit_heads
from translearn_core.evaluation.predictions import ValidationPredictions
from translearn_core.fitting.data import TrainingData
from translearn_core.fitting.head import settings_of_kept_head, subset_of
from translearn_core.fitting.plan import Plan
from translearn_core.monitor import Monitor

PENALTIES = (0.3, 0.1, 0.03, 0.01)
"""Tried in this order until the held-out loss rises."""
LARGER_PENALTY = 1.0
"""Tried where the first of them is the best."""
USUAL_PENALTY = 0.1
"""Where no photos can be held out."""
FOLDS = 3
ENOUGH_HELD_OUT = 150
"""So many validation photos choose the penalty; where there are fewer, folds of all photos do."""
MOST_SAMPLES = 12_000
"""It learns from so many photos and views at most: with more a hidden layer learns better."""
TRIAL_STEPS, FINAL_STEPS = 30, 60
SPREAD_POWER = 0.5
SHARE = 0.5
"""Of the linear half in the logits, after both halves were calibrated."""
USUAL_TEMPERATURE = 1.5
"""Of a hidden layer, where there are too few validation photos to measure it."""


@dataclass(frozen=True, kw_only=True)
class LinearHalf:
    """A linear head: `x @ kernel + bias` are calibrated logits.

    `kernel` `(d, classes)`, `bias` `(classes,)`, float32. `held_out` `(validation photos, classes)`
    are calibrated logits of the validation photos by heads that did not learn from them.
    `penalty` and `temperature` are how it came about.
    """

    kernel: Array
    bias: Array
    held_out: Array
    penalty: float
    temperature: float


@dataclass(frozen=True, kw_only=True)
class JoinedHead:
    """A head of both halves, what it says of the validation photos, and figures for metrics.json."""

    head: Any
    validation: ValidationPredictions
    figures: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class _Samples:
    """What is learned: `rows` of the data `(n,)`, `targets` `(n, classes)`, `weights` `(n,)`."""

    space: PCASpace
    rows: Ints
    targets: Array
    weights: Array

    def solve(self, held_out: list[Ints], penalty: float, steps: int, monitor: Monitor) -> Array:
        """A head for each part of the rows that is not to be learned from."""
        learned = np.stack([~np.isin(self.rows, part) for part in held_out])
        return fit_heads(
            self.space,
            np.zeros(len(self.rows), np.int64),
            (learned * self.weights).astype(np.float32),
            self.targets.shape[1],
            penalty=penalty,
            steps=steps,
            targets=self.targets,
            stop=lambda: monitor.stop_requested,
        )

    def solve_all(self, penalty: float, temperature: float, monitor: Monitor) -> Array:
        """A head that learned from all rows, its logits in units of a temperature."""
        weights = self.solve([np.empty(0, np.int64)], penalty, FINAL_STEPS, monitor)[0]
        scaled: Array = weights / np.float32(temperature)
        return scaled


def learn_linear(
    plan: Plan,
    data: TrainingData,
    monitor: Monitor,
    *,
    with_validation: bool,
    like: LinearHalf | None = None,
) -> LinearHalf:
    """Learn the linear half of a head.

    Args:
        with_validation: learn from the validation photos as well.
        like: one whose penalty, temperature and held-out logits are taken over.

    Raises:
        StopRequestedError: the monitor said so.
    """
    val = data.rows("val")
    samples = _gather(plan, data.joined() if with_validation else data, monitor)
    if like is not None:
        weights = samples.solve_all(like.penalty, like.temperature, monitor)
        kernel, bias = _for_raw_features(samples.space, weights)
        return replace(like, kernel=kernel, bias=bias)
    parts = _held_out_parts(plan, data, samples, val)
    judged = np.concatenate([np.empty(0, np.int64), *parts])
    seen = [samples.space.transform(data.pooled.take(part)) for part in parts]
    logits, penalty = _choose_penalty(samples, parts, seen, data.labels[judged], monitor)
    temperature = fit_temperature(logits, data.labels[judged])
    weights, space = samples.solve_all(penalty, temperature, monitor), samples.space
    rest = np.setdiff1d(val, judged)  # not learned from: in no fold, or not among so many samples
    by_row = np.zeros((len(data.labels), logits.shape[1]))
    by_row[judged] = logits / temperature
    by_row[rest] = space.transform(data.pooled.take(rest)) @ weights
    kernel, bias = _for_raw_features(space, weights)
    return LinearHalf(
        kernel=kernel,
        bias=bias,
        held_out=by_row[val],
        penalty=penalty,
        temperature=temperature,
    )


def _for_raw_features(space: PCASpace, weights: Array) -> tuple[Array, Array]:
    """Weights `(d' + 1, classes)` in a space as kernel `(d, classes)` and bias `(classes,)`, float32."""
    kernel = (space.components @ weights[:-1]) / space.deviation[:, None]
    bias = weights[-1] - space.mean @ kernel
    return kernel.astype(np.float32), bias.astype(np.float32)


def _gather(plan: Plan, data: TrainingData, monitor: Monitor) -> _Samples:
    """Training photos and their views, as many as may be."""
    part = subset_of(plan, data, "train", data.pooled, data.views_pooled)
    views = part.views if len(part) * (1 + len(part.views)) <= MOST_SAMPLES else ()
    n, classes = len(part), len(data.classes)
    chosen = np.arange(n)
    if n > MOST_SAMPLES:
        rng = np.random.default_rng([plan.settings.seed, 37])
        chosen = np.sort(rng.choice(n, MOST_SAMPLES, replace=False))
    rows = part.rows[chosen]
    features = np.concatenate([source.take(rows) for source in (part.source, *views)])
    answers = [part.answers(classes, view)[chosen] for view in range(1 + len(views))]
    smoothing = np.float32(plan.settings.label_smoothing)
    return _Samples(
        space=PCASpace.fit(
            np.asarray(features, np.float32),
            power=SPREAD_POWER,
            stop=lambda: monitor.stop_requested,
        ),
        rows=np.tile(rows, len(answers)),
        targets=np.concatenate(answers) * (1 - smoothing) + smoothing / np.float32(classes),
        weights=np.tile(part.weights[chosen], len(answers)),
    )


def _held_out_parts(plan: Plan, data: TrainingData, samples: _Samples, val: Ints) -> list[Ints]:
    """Rows of the data that a head is judged by which has not learned from them, in parts."""
    if len(val) >= ENOUGH_HELD_OUT:
        return [val]
    rows = np.unique(samples.rows)
    folds = assign_folds(
        data.labels[rows],
        data.groups[rows],
        folds=FOLDS,
        rng=np.random.default_rng([plan.settings.seed, 31]),
    )
    parts = [rows[folds == fold] for fold in range(FOLDS)]
    return [part for part in parts if 0 < len(part) < len(rows)]


def _choose_penalty(
    samples: _Samples, parts: list[Ints], seen: list[Array], labels: Ints, monitor: Monitor
) -> tuple[Array, float]:
    """The logits of the parts, one below the other, by the penalty with the least loss; and it."""
    if not parts:  # all photos are of one group
        return np.empty((0, samples.targets.shape[1])), USUAL_PENALTY
    losses: dict[float, float] = {}
    answers: dict[float, Array] = {}
    least = np.inf
    trials = list(PENALTIES)
    while trials:
        penalty = trials.pop(0)
        heads = samples.solve(parts, penalty, TRIAL_STEPS, monitor)
        answers[penalty] = np.concatenate(
            [points @ head for points, head in zip(seen, heads, strict=True)]
        )
        losses[penalty] = calibrated_loss(answers[penalty], labels)
        if losses[penalty] > least:
            trials = [LARGER_PENALTY] if len(losses) == 2 else []
        least = min(least, losses[penalty])
    best = min(losses, key=losses.__getitem__)
    return answers[best], best


def join(plan: Plan, head: Any, half: LinearHalf, validation: ValidationPredictions) -> JoinedHead:
    """A head with one hidden layer and the linear half beside it -> one head with one hidden layer.

    The mean of two heads is a head: each logit of the linear half passes the hidden layer as two
    units, one for its positive and one for its negative part.

    Args:
        head: the hidden half, features `(n, d)` -> probabilities.
        validation: what the hidden half says of the validation photos, which it has not learned
            from.
    """
    from translearn_core.graph.assembly import OUTPUT, build_head

    classes = len(half.bias)
    logits = as_logits(validation.probs)
    enough = len(validation.labels) >= MIN_PHOTOS
    temperature = fit_temperature(logits, validation.labels) if enough else USUAL_TEMPERATURE
    kernel, bias = head.get_layer("head_hidden").get_weights()
    out_kernel, out_bias = (
        weight * ((1 - SHARE) / temperature) for weight in head.get_layer(OUTPUT).get_weights()
    )
    own = SHARE * np.eye(classes, dtype=np.float32)
    both = build_head(len(kernel), classes, settings_of_kept_head(plan, classes))
    both.get_layer("head_hidden").set_weights(
        [
            np.concatenate([kernel, half.kernel, -half.kernel], axis=1),
            np.concatenate([bias, half.bias, -half.bias]),
        ]
    )
    both.get_layer(OUTPUT).set_weights([np.concatenate([out_kernel, own, -own]), out_bias])
    said = (1 - SHARE) / temperature * logits + SHARE * half.held_out
    probabilities = softmax(said).astype(np.float32)
    return JoinedHead(
        head=both,
        validation=ValidationPredictions(probs=probabilities, labels=validation.labels),
        figures={
            "penalty": half.penalty,
            "temperature": round(half.temperature, 4),
            "hidden_temperature": round(temperature, 4),
        },
    )
