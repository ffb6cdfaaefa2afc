"""Warm start from an earlier run: fine-tuned weights, or rehearsal of its photos.

Owns: what is carried over from a run: its backbone's weights where they were changed, and, where
its photos are still here, the photos of classes with the same name, which are learned from beside
the new ones (rehearsal, as by Robins 1995) by a head that begins afresh. They are moved to the mean
and deviation of the new photos first. How much they weigh, and whether they help at all, is settled
by new photos that are hidden in turn. Without those photos, and where blocks of that run's backbone
learned from them: the hidden layer and the outputs of classes with the same name, as where learning
begins.
Leaves to others: the fit (`fitting/head.py`), linear heads and folds (`evaluation/cross_validation.py`), which runs fit
(`recipe/technique_table.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from translearn_core.arrays import Array, Ints
from translearn_core.evaluation import cross_validation, linear_probe
from translearn_core.evaluation.evidence import standard_errors
from translearn_core.evaluation.predictions import TestPredictions
from translearn_core.features.weight_change import figures_of
from translearn_core.fitting.data import TrainingData
from translearn_core.fitting.head import build_new_head
from translearn_core.fitting.plan import Plan
from translearn_core.formatting import percent
from translearn_core.i18n import _
from translearn_core.monitor import Monitor
from translearn_core.runs import Run
from translearn_core.runs.find import find_run
from translearn_core.runs.model_files import KERAS, require_whole
from translearn_core.runs.provenance import (
    are_among,
    are_copies,
    refuse_training_overlap,
    training_hashes,
)
from translearn_core.techniques.base import Technique, TrainingSet
from translearn_core.techniques.extra_samples import (
    UnlabelledSet,
    gather_unlabelled,
    with_extra_samples,
)

SHRINK = 0.1
"""Part of the old photos' deviation that is added to that of a few new ones."""
WEIGHTS = (0.0, 0.03, 0.1, 0.3, 1.0)
"""What all old photos together may weigh, as a share of what the new ones do; 0 leaves them out."""
PENALTY = 0.1
"""Of the linear heads that judge the weights, see `linear_probe.fit_heads`."""
FOLDS, REPEATS = 5, 2
STEPS = 150
"""Of those heads: with the usual 30 they have not arrived, and the largest weight always won."""
CERTAIN = 1.645
"""Standard errors that the gain in log-likelihood has to exceed: a one-sided test at 5 %."""
JUDGED = 500
"""So many new photos, and so many old ones, are enough to settle the weight."""


@dataclass(frozen=True, kw_only=True)
class FeatureAlignment:
    """From features of the old photos to those of the new ones: `x -> x * scale + shift`."""

    scale: Array
    shift: Array

    @classmethod
    def between(cls, old: Array, new: Array) -> FeatureAlignment:
        """Mean and deviation of `old` `(n, d)` become those of `new` `(m, d)`."""
        deviation = old.std(axis=0) + 1e-3
        scale = (new.std(axis=0) + SHRINK * deviation) / deviation
        return cls(scale=scale, shift=new.mean(axis=0) - old.mean(axis=0) * scale)

    def __call__(self, features: Array) -> Array:
        moved: Array = (features * self.scale + self.shift).astype(np.float32)
        return moved

    def apply_to(self, others: UnlabelledSet) -> UnlabelledSet:
        """The same photos with features and views moved."""
        views = tuple(self(view) for view in others.views)
        return replace(others, pooled=self(others.pooled), views=views)


class WarmStart(Technique):
    """Starts from another run: its photos beside the new ones, or what its head knows."""

    def prepare(self, training: TrainingSet, monitor: Monitor) -> TrainingSet:
        """See `Technique.prepare`.

        Raises:
            SettingsError: that run learned from photos that are tested here.
        """
        monitor.stage("technique")
        plan, data = self.plan, training.data
        self._run = run = find_run(plan.settings.start_from)
        unknown = refuse_training_overlap(run, data.photos, data.split == "test")
        if unknown:
            monitor.warning(unknown)
        self._shared = [name for name in run.labels if name in data.classes]
        self._layers: list[str] = []
        self._verdict: RehearsalChoice | None = None
        known = figures_of(run)  # weights that learned the photos say more than the photos
        by_heart = known is not None and known.fine_tuned
        rehearses = self._shared and not plan.fine_tunes and not by_heart
        self._old = _old_photos(plan, run, data, monitor) if rehearses else None
        if self._old is None:
            return training
        new = data.pooled.take(np.flatnonzero(data.split != "test"))
        old = FeatureAlignment.between(self._old.pooled, new).apply_to(self._old)
        verdict = self._verdict = _judge(plan, data, old, monitor)
        if not verdict.helps:
            monitor.warning(_left_out(verdict))
            return training
        return TrainingSet.of(_rehearsing(data, old, verdict.weight))

    def initial_head(self, data: TrainingData) -> Any:
        """See `Technique.initial_head`."""
        if self._old is not None:  # the photos say more than what a head made of them
            return None
        head, self._layers = start_head(self.plan, data, self._run)
        return head

    def figures(self, test: TestPredictions) -> dict[str, Any]:
        """See `Technique.figures`."""
        verdict = self._verdict
        useless = verdict is not None and not verdict.helps
        figures: dict[str, Any] = {
            "run": str(self._run.folder),
            "classes_carried_over": [] if useless else self._shared,
            "backbone_changed": self.plan.change is not None,
            "rehearsed_photos": 0 if self._old is None or useless else len(self._old),
        }
        figures |= {} if verdict is None else verdict.figures()
        return {"carryover": figures | {"layers": list(self._layers)}}


def _left_out(verdict: RehearsalChoice) -> str:
    return _(
        "The photos of that run and what its head knows are not used: with them, {having} of {n} "
        "new photos, held out in turn, were right, without them {plain}, which is no clear gain."
    ).format(having=percent(verdict.best_with), plain=percent(verdict.right[0]), n=verdict.hidden)


def _old_photos(plan: Plan, run: Run, data: TrainingData, monitor: Monitor) -> UnlabelledSet | None:
    """The photos that the run to start from has learned from whose classes are known here; None without any.

    Its test photos are left out: it is compared with others by them, and later runs may be tested on them.
    """
    folder, learned = Path(run.config.dataset), training_hashes(run)
    if learned is None:
        return None
    if not (folder / "dataset.json").is_file():
        monitor.warning(
            _(
                "The photos of the run that this one starts from are no longer here; only its "
                "weights are carried over."
            )
        )
        return None
    others = gather_unlabelled(plan, str(folder), monitor)
    own = are_copies(others.photos, data.photos)
    known = others.photos["class_name"].isin(data.classes) & are_among(others.photos, learned)
    chosen = np.flatnonzero((known & ~own).to_numpy())
    return others.chosen(chosen) if len(chosen) else None


@dataclass(frozen=True, kw_only=True)
class RehearsalChoice:
    """What linear heads say of new photos that are hidden in turn, for each of `WEIGHTS`.

    `right` is the share that is named right, `nll` the mean negative logarithm of the
    probability of the right class, `certainty` how much less that is than without old photos, in
    standard errors, and `class_gain` the gain of the accuracy's mean over classes.
    """

    right: Array
    nll: Array
    certainty: Array
    class_gain: Array
    hidden: int

    @property
    def index(self) -> int:
        """Which of `WEIGHTS` makes the hidden photos least surprising; 0 where that is not clear, or
        where fewer of them are named right on the mean over classes."""
        best = int(self.nll.argmin())
        clear = self.certainty[best] > CERTAIN and self.class_gain[best] >= 0
        return best if clear else 0

    @property
    def weight(self) -> float:
        """What the old photos weigh."""
        return WEIGHTS[self.index]

    @property
    def helps(self) -> bool:
        """Whether old photos are learned from at all."""
        return self.index > 0

    @property
    def best_with(self) -> float:
        """Share named right by the best head that also learned from old photos."""
        return float(self.right[1 + int(self.nll[1:].argmin())])

    def figures(self) -> dict[str, Any]:
        """For metrics.json."""
        return {
            "helps": self.helps,
            "weight": self.weight,
            "hidden": self.hidden,
            "hidden_accuracy_plain": float(self.right[0]),
            "hidden_accuracy": float(self.right[self.index]),
            "certainty": round(float(self.certainty[self.index or int(self.nll.argmin())]), 3),
        }


def _judge(
    plan: Plan, data: TrainingData, others: UnlabelledSet, monitor: Monitor
) -> RehearsalChoice:
    rng = np.random.default_rng([plan.settings.seed, 73])
    rows = _some(np.flatnonzero(data.split != "test"), rng)
    others = others.chosen(_some(np.arange(len(others)), rng))
    return judge_weights(
        [source.take(rows) for source in (data.pooled, *data.views_pooled)],
        data.labels[rows],
        data.groups[rows],
        [others.pooled, *others.views],
        _codes(data, others),
        classes=len(data.classes),
        rng=rng,
        stop=lambda: monitor.stop_requested,
    )


def judge_weights(
    new_views: Sequence[Array],
    labels: Ints,
    groups: Ints,
    old_views: Sequence[Array],
    codes: Ints,
    *,
    classes: int,
    rng: np.random.Generator,
    stop: Callable[[], bool] = lambda: False,
) -> RehearsalChoice:
    """Cross-validate on the new photos how much the old ones should weigh, by log-loss.

    Args:
        new_views: features of the new photos `(n, d)`, as they are and in each view.
        labels, groups: theirs, `(n,)`; near-duplicates share a group.
        old_views, codes: features `(m, d)` and classes `(m,)` of the old ones.

    Raises:
        StopRequestedError: `stop` said so.
    """
    n, m = len(labels), len(codes)
    both = zip(new_views, old_views, strict=True)
    space = linear_probe.PCASpace.fit(np.concatenate([part for views in both for part in views]))
    points = space.points.reshape(len(new_views), n + m, -1)
    deals = [
        cross_validation.assign_folds(labels, groups, folds=FOLDS, rng=rng)
        for _repeat in range(REPEATS)
    ]
    known = np.concatenate([deal != np.arange(FOLDS)[:, None] for deal in deals])  # (heads, n)
    everyone, each = np.concatenate([labels, codes]), _shares(codes)
    right, surprise = np.zeros((len(WEIGHTS), n)), np.zeros((len(WEIGHTS), n))
    for index, weight in enumerate(WEIGHTS):
        old = np.minimum(1.0, weight * known.sum(axis=1, keepdims=True) * each)  # (heads, m)
        heads = linear_probe.fit_heads(
            space,
            np.tile(everyone, len(new_views)),
            np.tile(np.concatenate([known, old], axis=1), len(new_views)),
            classes,
            penalty=PENALTY,
            steps=STEPS,
            stop=stop,
        )
        answers = np.mean(
            [linear_probe.predict_heads(part[:n], heads, ~known) for part in points], axis=0
        )
        right[index] = answers.argmax(axis=1) == labels
        surprise[index] = -np.log(np.clip(answers[np.arange(n), labels], 1e-6, 1.0))
    return RehearsalChoice(
        right=right.mean(axis=1),
        nll=surprise.mean(axis=1),
        certainty=np.array([standard_errors(surprise[0] - having) for having in surprise]),
        class_gain=np.array(
            [cross_validation.mean_recall(having - right[0], labels) for having in right]
        ),
        hidden=n,
    )


def _some(rows: Ints, rng: np.random.Generator) -> Ints:
    """At most `JUDGED` of these rows, in order."""
    return rows if len(rows) <= JUDGED else np.sort(rng.permutation(rows)[:JUDGED])


def _codes(data: TrainingData, others: UnlabelledSet) -> Ints:
    """The class number of each old photo."""
    codes = {name: code for code, name in enumerate(data.classes)}
    return np.array([codes[name] for name in others.photos["class_name"]], np.int64)


def _shares(codes: Ints) -> Array:
    """Of all that old photos weigh, the share of each: every class weighs alike."""
    counts = np.bincount(codes)
    shares: Array = 1 / (counts[codes] * (counts > 0).sum())
    return shares


def _rehearsing(data: TrainingData, others: UnlabelledSet, weight: float) -> TrainingData:
    """Old photos among what is learned; all together they weigh `weight` times the new ones."""
    codes = _codes(data, others)
    targets = np.eye(len(data.classes), dtype=np.float32)[codes]
    own = int((data.split != "test").sum())
    weights = np.minimum(1.0, weight * own * _shares(codes)).astype(np.float32)
    return with_extra_samples(data, others.as_extra_samples(targets, weights))


def start_head(plan: Plan, data: TrainingData, run: Run) -> tuple[Any, list[str]]:
    """A head that begins with what the run's head knows, and what that is, by layer."""
    from translearn_core.graph.assembly import OUTPUT
    from translearn_core.graph.saving import load_model

    head = build_new_head(plan, data)
    require_whole(run, KERAS)
    model = load_model(run.model_path)
    theirs = {layer.name: layer for layer in model.layers if hasattr(layer, "kernel")}
    old_hidden = theirs.get("head_hidden")
    hidden = next((layer for layer in head.layers if layer.name == "head_hidden"), None)
    carried: list[str] = []
    output = theirs.get(OUTPUT)
    if (hidden is None) != (old_hidden is None) or output is None:
        return head, carried
    old_kernel, old_bias = output.get_weights()
    if hidden is not None and old_hidden is not None:
        weights = old_hidden.get_weights()
        if run.config.settings.head == "auto":  # the units of its linear half stand at the end
            own = run.config.settings.hidden_units
            weights, old_kernel = [part[..., :own] for part in weights], old_kernel[:own]
        if hidden.kernel.shape != weights[0].shape:
            return head, carried
        hidden.set_weights(weights)
        carried.append("head_hidden")
    kernel, bias = head.get_layer(OUTPUT).get_weights()
    if old_kernel.shape[0] != kernel.shape[0]:
        return head, carried
    for index, name in enumerate(data.classes):
        if name in run.labels:
            kernel[:, index] = old_kernel[:, run.labels.index(name)]
            bias[index] = old_bias[run.labels.index(name)]
            carried.append(f"{OUTPUT}: {name}")
    head.get_layer(OUTPUT).set_weights([kernel, bias])
    return head, carried
