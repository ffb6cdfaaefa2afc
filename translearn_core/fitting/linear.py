"""The linear half of a head: a logistic regression on pooled features, solved rather than trained.

Owns: `learn_linear` (penalty by held-out photos, the solution in raw features, what it says of the
validation photos), and `join`, which puts it beside a hidden layer in one head.
Leaves to others: the solver (`evaluation/linear_probe.py`), the hidden half (`fit.py`), when
either is learned (`techniques/learning.py`).

Features are scaled by the root of their deviations: between raw ones, where a few large features
drown the others, and standardised ones, where the noise of the small ones counts as much as they do. Where
classes are many, raw ones are tried as well. Figures: docs/experiments/head.md.
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

PENALTIES = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003)
"""Tried in this order, but for the first and the last, until the held-out loss rises. The one after the best is taken:
a head that learns from all photos, and not by itself, is the better for it. One that is to be adapted to another place
takes the best, which may be the first."""
USUAL_PENALTY = 0.1
"""Where no photos can be held out."""
FOLDS = 3
ENOUGH_HELD_OUT = 150
"""So many validation photos choose the penalty; where there are fewer, folds of all photos do."""
MOST_SAMPLES = 12_000
"""It learns from so many photos and views at most: with more a hidden layer learns better."""
TRIAL_STEPS, FINAL_STEPS = 30, 60
SPREAD_POWER = 0.5
"""Features are divided by their deviations to this power."""
MANY_CLASSES = 15
"""From so many on features as they are (a power of 0) are tried, too; with fewer classes, held-out photos
do not tell which is better."""
SHARE, SHARE_IN_ADAPTATION = 2 / 3, 0.5
"""Of the linear half in the logits, after both halves were calibrated. A head that is to be adapted to another
place is surer there than it is right, the more the larger this share and the smaller its penalty are."""
USUAL_TEMPERATURE = 1.5
"""Of a hidden layer, where there are too few validation photos to measure it."""


@dataclass(frozen=True, kw_only=True)
class LinearHalf:
    """A linear head: `x @ kernel + bias` are calibrated logits.

    `kernel` `(d, classes)`, `bias` `(classes,)`, float32. `held_out` `(validation photos, classes)`
    are calibrated logits of the validation photos by heads that did not learn from them.
    `spread_power`, `penalty` and `temperature` are how it came about.
    """

    kernel: Array
    bias: Array
    held_out: Array
    spread_power: float
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
    """What is learned: `features` `(n, d)` of `rows` of the data `(n,)`, `targets` `(n, classes)`,
    `weights` `(n,)`."""

    features: Array
    rows: Ints
    targets: Array
    weights: Array

    def scaled(self, spread_power: float, monitor: Monitor) -> _Problem:
        """Ready to be solved."""
        space = PCASpace.fit(self.features, power=spread_power, stop=lambda: monitor.stop_requested)
        return _Problem(space=space, samples=self, spread_power=spread_power, monitor=monitor)


@dataclass(frozen=True, kw_only=True)
class _Problem:
    """Heads of samples in one space."""

    space: PCASpace
    samples: _Samples
    spread_power: float
    monitor: Monitor

    def solve(self, held_out: list[Ints], penalty: float, steps: int) -> Array:
        """A head for each part of the rows that is not to be learned from."""
        samples = self.samples
        learned = np.stack([~np.isin(samples.rows, part) for part in held_out])
        return fit_heads(
            self.space,
            np.zeros(len(samples.rows), np.int64),
            (learned * samples.weights).astype(np.float32),
            samples.targets.shape[1],
            penalty=penalty,
            steps=steps,
            targets=samples.targets,
            stop=lambda: self.monitor.stop_requested,
        )

    def solve_all(self, penalty: float, temperature: float) -> Array:
        """A head that learned from all rows, its logits in units of a temperature."""
        weights = self.solve([np.empty(0, np.int64)], penalty, FINAL_STEPS)[0]
        scaled: Array = weights / np.float32(temperature)
        return scaled


@dataclass(frozen=True, kw_only=True)
class _HeldOut:
    """Photos that heads are judged by which have not learned from them: rows of the data in `parts`, their
    features, and all their labels."""

    parts: list[Ints]
    features: list[Array]
    labels: Ints

    def logits(self, problem: _Problem, penalty: float) -> Array:
        """What heads that have not learned from them say of the parts, one below the other."""
        heads = problem.solve(self.parts, penalty, TRIAL_STEPS)
        points = map(problem.space.transform, self.features)
        return np.concatenate([some @ head for some, head in zip(points, heads, strict=True)])


def learn_linear(
    plan: Plan,
    data: TrainingData,
    monitor: Monitor,
    *,
    with_validation: bool,
    adapts: bool = False,
    like: LinearHalf | None = None,
) -> LinearHalf:
    """Learn the linear half of a head.

    Args:
        with_validation: learn from the validation photos as well.
        adapts: whether the head is to be adapted to another place.
        like: one whose scale, penalty, temperature and held-out logits are taken over.

    Raises:
        StopRequestedError: the monitor said so.
    """
    val = data.rows("val")
    samples = _gather(plan, data.joined() if with_validation else data)
    if like is not None:
        problem = samples.scaled(like.spread_power, monitor)
        weights = problem.solve_all(like.penalty, like.temperature)
        kernel, bias = _for_raw_features(problem.space, weights)
        return replace(like, kernel=kernel, bias=bias)
    parts = _held_out_parts(plan, data, samples, val)
    judged = np.concatenate([np.empty(0, np.int64), *parts])
    held_out = _HeldOut(
        parts=parts,
        features=[data.pooled.take(part) for part in parts],
        labels=data.labels[judged],
    )
    problem, penalty, logits = _choose(samples, held_out, monitor, adapts=adapts)
    temperature = fit_temperature(logits, held_out.labels)
    weights, space = problem.solve_all(penalty, temperature), problem.space
    rest = np.setdiff1d(val, judged)  # not learned from: in no fold, or not among so many samples
    by_row = np.zeros((len(data.labels), logits.shape[1]))
    by_row[judged] = logits / temperature
    by_row[rest] = space.transform(data.pooled.take(rest)) @ weights
    kernel, bias = _for_raw_features(space, weights)
    return LinearHalf(
        kernel=kernel,
        bias=bias,
        held_out=by_row[val],
        spread_power=problem.spread_power,
        penalty=penalty,
        temperature=temperature,
    )


def _for_raw_features(space: PCASpace, weights: Array) -> tuple[Array, Array]:
    """Weights `(d' + 1, classes)` in a space as kernel `(d, classes)` and bias `(classes,)`, float32."""
    kernel = (space.components @ weights[:-1]) / space.deviation[:, None]
    bias = weights[-1] - space.mean @ kernel
    return kernel.astype(np.float32), bias.astype(np.float32)


def _gather(plan: Plan, data: TrainingData) -> _Samples:
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
        features=np.asarray(features, np.float32),
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


def _choose(
    samples: _Samples, held_out: _HeldOut, monitor: Monitor, *, adapts: bool
) -> tuple[_Problem, float, Array]:
    """The scale with the least held-out loss, the penalty, and the logits of the held-out photos by both."""
    problem = samples.scaled(SPREAD_POWER, monitor)
    if not held_out.parts:  # all photos are of one group
        return problem, USUAL_PENALTY, np.empty((0, samples.targets.shape[1]))
    best = _Trials(problem, held_out, first=1)
    if adapts:
        best.try_larger()
        return best.problem, PENALTIES[best.best], best.logits(best.best)
    if samples.targets.shape[1] >= MANY_CLASSES:
        raw = _Trials(samples.scaled(0.0, monitor), held_out, first=best.best)
        best = min(best, raw, key=lambda trials: trials.losses[trials.best])
    chosen = best.best + 1
    return best.problem, PENALTIES[chosen], best.logits(chosen)


class _Trials:
    """Penalties that were tried, from the `first` on until the held-out loss rose, by their places.

    Attributes:
        losses: of each.
        best: the one with the least.
    """

    def __init__(self, problem: _Problem, held_out: _HeldOut, *, first: int) -> None:
        self.problem, self._held_out = problem, held_out
        self._logits: dict[int, Array] = {}
        self.losses: dict[int, float] = {}
        self.best = first
        for place in range(first, len(PENALTIES) - 1):
            self.losses[place] = calibrated_loss(self.logits(place), held_out.labels)
            if self.losses[place] > self.losses[self.best]:
                break
            self.best = place

    def try_larger(self) -> None:
        """Try the one before the first, where that is the best of several."""
        if self.best == min(self.losses) and len(self.losses) > 1:
            place = self.best - 1
            self.losses[place] = calibrated_loss(self.logits(place), self._held_out.labels)
            self.best = min(self.losses, key=self.losses.__getitem__)

    def logits(self, place: int) -> Array:
        """Of the held-out photos."""
        if place not in self._logits:
            self._logits[place] = self._held_out.logits(self.problem, PENALTIES[place])
        return self._logits[place]


def join(
    plan: Plan,
    head: Any,
    half: LinearHalf,
    validation: ValidationPredictions,
    *,
    adapts: bool = False,
) -> JoinedHead:
    """A head with one hidden layer and the linear half beside it -> one head with one hidden layer.

    The weighted mean of two heads is a head: each logit of the linear half passes the hidden layer as two
    units, one for its positive and one for its negative part.

    Args:
        head: the hidden half, features `(n, d)` -> probabilities.
        validation: what the hidden half says of the validation photos, which it has not learned
            from.
        adapts: as of `learn_linear`.
    """
    from translearn_core.graph.assembly import OUTPUT, build_head

    classes = len(half.bias)
    share = SHARE_IN_ADAPTATION if adapts else SHARE
    logits = as_logits(validation.probs)
    enough = len(validation.labels) >= MIN_PHOTOS
    temperature = fit_temperature(logits, validation.labels) if enough else USUAL_TEMPERATURE
    kernel, bias = head.get_layer("head_hidden").get_weights()
    out_kernel, out_bias = (
        weight * ((1 - share) / temperature) for weight in head.get_layer(OUTPUT).get_weights()
    )
    own = share * np.eye(classes, dtype=np.float32)
    both = build_head(len(kernel), classes, settings_of_kept_head(plan, classes))
    both.get_layer("head_hidden").set_weights(
        [
            np.concatenate([kernel, half.kernel, -half.kernel], axis=1),
            np.concatenate([bias, half.bias, -half.bias]),
        ]
    )
    both.get_layer(OUTPUT).set_weights([np.concatenate([out_kernel, own, -own]), out_bias])
    said = (1 - share) / temperature * logits + share * half.held_out
    probabilities = softmax(said).astype(np.float32)
    return JoinedHead(
        head=both,
        validation=ValidationPredictions(probs=probabilities, labels=validation.labels),
        figures={
            "share": share,
            "spread_power": half.spread_power,
            "penalty": half.penalty,
            "temperature": round(half.temperature, 4),
            "hidden_temperature": round(temperature, 4),
        },
    )
