"""Self-training with pseudo-labels for unlabelled photos, checked on held-out ones.

Owns: guessing the classes of unlabelled photos, how sure a guess has to be, and whether guesses are
used at all: labelled photos are hidden in turn, and only what names the hidden ones better than
plain training does is done.
Leaves to others: gathering the photos (`extra_samples.py`), neighbours and balance (`evaluation/label_propagation.py`),
the fit (`fitting/head.py`).

Naive self-training (learn, trust the confident answers, learn again) confirms its own mistakes:
with five photos a class it lost accuracy in a first trial. Here a guess comes from the labelled photos
and from what lies near what among all photos (Zhou et al. 2003), which are two different views.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from translearn_core.arrays import Array, Bools, Ints
from translearn_core.evaluation import cross_validation, linear_probe
from translearn_core.evaluation.evidence import HiddenCheck, standard_errors
from translearn_core.evaluation.label_propagation import balance_classes, knn_graph, propagate
from translearn_core.evaluation.predictions import TestPredictions
from translearn_core.fitting.data import TrainingData
from translearn_core.formatting import percent
from translearn_core.i18n import _
from translearn_core.monitor import Monitor
from translearn_core.runs.provenance import are_copies
from translearn_core.techniques.base import Technique, TrainingSet
from translearn_core.techniques.extra_samples import (
    UnlabelledSet,
    gather_unlabelled,
    with_extra_samples,
)

Rows = Ints
PENALTY = 1.0
"""Of the linear heads that guess and judge, see `linear_probe.fit_heads`."""
BALANCE = 0.6
THRESHOLDS = (0.0, 0.5, 0.7, 0.9)
"""How likely a guess may have to be; 0 takes all."""
FOLDS, REPEATS = 5, 2


@dataclass(frozen=True, kw_only=True)
class Scene:
    """All photos in one space: the labelled ones first, then the unlabelled.

    `points` `(views, n + m, d + 1)`; `labels` `(n,)` of the labelled ones; `graph` of all.
    """

    space: linear_probe.PCASpace
    views: int
    labels: Rows
    classes: int
    graph: Any
    stop: Callable[[], bool]

    @classmethod
    def of(
        cls,
        views: Sequence[Array],
        labels: Rows,
        *,
        classes: int,
        stop: Callable[[], bool] = lambda: False,
    ) -> Scene:
        """The scene of photos with features `views`, each `(n + m, d)`, the `n` labelled ones first.

        Raises:
            StopRequestedError: `stop` said so.
        """
        space = linear_probe.PCASpace.fit(np.concatenate(views))
        points = space.points.reshape(len(views), len(views[0]), -1)[:, :, :-1].mean(axis=0)
        graph = knn_graph(points, stop=stop)
        return cls(
            space=space, views=len(views), labels=labels, classes=classes, graph=graph, stop=stop
        )

    @property
    def total(self) -> int:
        return len(self.space.points) // self.views

    def answer(self, heads: Array) -> Array:
        """Mean answers over heads and views, `(n + m, classes)`."""
        parts = self.space.points.reshape(self.views, self.total, -1)
        answers: Array = np.mean(
            [linear_probe.predict_heads(part, heads) for part in parts], axis=0
        )
        return answers

    def learn(self, labels: Rows, learned: Bools) -> Array:
        """A linear head for `labels` `(n + m,)` of the photos in `learned` `(n + m,)`."""
        return linear_probe.fit_heads(
            self.space,
            np.tile(labels, self.views),
            np.tile(learned, self.views)[None],
            self.classes,
            penalty=PENALTY,
            stop=self.stop,
        )

    def guess(self, known: Bools) -> tuple[Array, Array]:
        """What plain training says, and what guesses say, by the labels of `known` `(n,)` alone.

        Returns:
            Two times answers of all photos `(n + m, classes)`; guesses keep known labels.
        """
        n = len(self.labels)
        labels = np.zeros(self.total, np.int64)
        labels[:n] = self.labels
        learned = np.zeros(self.total, bool)
        learned[:n] = known
        plain = self.answer(self.learn(labels, learned))
        rows = np.flatnonzero(known)
        one_hot = np.eye(self.classes)[self.labels[rows]]
        priors = one_hot.sum(axis=0) / max(1, len(rows))
        start = balance_classes(plain, priors, strength=BALANCE)
        start[rows] = one_hot
        spread = propagate(self.graph, start, stop=self.stop)
        guesses = balance_classes(spread, priors, strength=BALANCE)
        guesses[rows] = one_hot
        return plain, guesses

    def relearn(self, known: Bools, guesses: Array, threshold: float) -> Array:
        """What a head says that also learned guesses of unlabelled photos, `(n + m, classes)`."""
        n = len(self.labels)
        labels = guesses.argmax(axis=1)
        learned = guesses.max(axis=1) >= threshold
        learned[:n] = known
        return self.answer(self.learn(labels, learned))


@dataclass(frozen=True, kw_only=True)
class SelfTrainingCheck(HiddenCheck):
    """Whether guesses help. `threshold`: how likely a guess has to be."""

    threshold: float

    def figures(self) -> dict[str, Any]:
        """For metrics.json."""
        return super().figures() | {"threshold": self.threshold}


class SelfTraining(Technique):
    """Learns from unlabelled photos, too, where that helps."""

    def prepare(self, training: TrainingSet, monitor: Monitor) -> TrainingSet:
        """See `Technique.prepare`."""
        monitor.stage("technique")
        data, settings = training.data, self.plan.settings
        others = gather_unlabelled(self.plan, settings.unlabelled, monitor)
        known = are_copies(others.photos, data.photos)
        others = others.chosen(np.flatnonzero(~known.to_numpy()))
        self._unlabelled, self._used = len(others), 0
        self._verdict: SelfTrainingCheck | None = None
        if not len(others):
            text = _("All unlabelled photos are among the labelled ones; there is nothing to add.")
            monitor.warning(text)
            return training
        rows = np.flatnonzero(data.split != "test")
        scene = _set_scene(data, rows, others, stop=lambda: monitor.stop_requested)
        verdict = self._verdict = judge_guesses(scene, data.groups[rows], settings.seed)
        if not verdict.helps:
            monitor.warning(
                _(
                    "The unlabelled photos are not used: with pseudo-labels for them, "
                    "{guessed} of {n} labelled photos, held out in turn, were right, without "
                    "them {plain}, which is no clear gain over all classes."
                ).format(
                    guessed=percent(verdict.taught),
                    plain=percent(verdict.plain),
                    n=verdict.hidden,
                )
            )
            return training
        train_mask, threshold = data.split[rows] == "train", verdict.threshold
        learned, _used = _with_guesses(data, scene, others, train_mask, threshold)
        every = np.ones(len(rows), bool)
        joined, self._used = _with_guesses(data.joined(), scene, others, every, threshold)
        return TrainingSet(data=learned, joined=joined)

    def figures(self, test: TestPredictions) -> dict[str, Any]:
        """See `Technique.figures`."""
        figures = {"n_unlabelled": self._unlabelled, "pseudo_labels": self._used}
        return {"selftraining": figures | (self._verdict.figures() if self._verdict else {})}


def _set_scene(
    data: TrainingData, rows: Rows, others: UnlabelledSet, *, stop: Callable[[], bool]
) -> Scene:
    sources = (data.pooled, *data.views_pooled)
    views = [
        np.concatenate([source.take(rows), more])
        for source, more in zip(sources, (others.pooled, *others.views), strict=True)
    ]
    return Scene.of(views, data.labels[rows], classes=len(data.classes), stop=stop)


def judge_guesses(scene: Scene, groups: Rows, seed: int) -> SelfTrainingCheck:
    """Hide labelled photos in turn, and see what names them better.

    The threshold is the one whose hidden photos are least surprising among those that name most
    of them right.
    """
    n = len(scene.labels)
    rng = np.random.default_rng([seed, 71])
    plain = np.zeros((REPEATS, n, scene.classes))
    guessed = {threshold: np.zeros((REPEATS, n, scene.classes)) for threshold in THRESHOLDS}
    for repeat in range(REPEATS):
        folds = cross_validation.assign_folds(scene.labels, groups, folds=FOLDS, rng=rng)
        for fold in range(FOLDS):
            known = folds != fold
            answers, guesses = scene.guess(known)
            plain[repeat, ~known] = answers[:n][~known]
            for threshold in THRESHOLDS:
                again = scene.relearn(known, guesses, threshold)
                guessed[threshold][repeat, ~known] = again[:n][~known]

    def right(answers: Array) -> Array:
        correct: Array = (answers.argmax(axis=2) == scene.labels).mean(axis=0)
        return correct

    def nll(answers: Array) -> float:
        return float(-np.log(answers[:, np.arange(n), scene.labels] + 1e-9).mean())

    best = max(THRESHOLDS, key=lambda t: (right(guessed[t]).mean(), -nll(guessed[t])))
    before, after = right(plain), right(guessed[best])
    return SelfTrainingCheck(
        plain=float(before.mean()),
        taught=float(after.mean()),
        threshold=best,
        hidden=n,
        certainty=standard_errors(after - before),
        class_gain=cross_validation.mean_recall(after - before, scene.labels),
    )


def _with_guesses(
    data: TrainingData,
    scene: Scene,
    others: UnlabelledSet,
    known: Bools,
    threshold: float,
) -> tuple[TrainingData, int]:
    """The data with guesses that are sure enough, made by the labels of `known`; how many."""
    _plain, guesses = scene.guess(known)
    guesses = guesses[len(scene.labels) :]
    chosen = np.flatnonzero(guesses.max(axis=1) >= threshold)
    targets = np.eye(scene.classes, dtype=np.float32)[guesses[chosen].argmax(axis=1)]
    return with_extra_samples(data, others.chosen(chosen).as_extra_samples(targets)), len(chosen)
