"""Distillation: a run learns the softened probabilities of a teacher beside the labels.

Owns: asking the teacher about every photo that is learned from, matching its classes, softened
targets (Hinton, Vinyals & Dean 2015), and whether they are used at all: labelled photos are hidden
in turn, and what a linear head says of them with and without the teacher decides. No photo that is
tested here may be one that the teacher learned from: its answers would carry the labels of the test
over.
Leaves to others: the teacher's model (`prediction/predict.py`), the fit (`fitting/head.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from translearn_core import datasets
from translearn_core.arrays import Array, Ints
from translearn_core.evaluation import cross_validation, linear_probe
from translearn_core.evaluation.calibration import softmax
from translearn_core.evaluation.evidence import HiddenCheck, standard_errors
from translearn_core.evaluation.predictions import TestPredictions
from translearn_core.fitting.data import TrainingData
from translearn_core.fitting.plan import Plan
from translearn_core.formatting import percent
from translearn_core.i18n import _
from translearn_core.imaging.augment import augmented_view
from translearn_core.imaging.batches import in_batches
from translearn_core.monitor import Monitor
from translearn_core.prediction.predict import open_predictor
from translearn_core.recipe.resolve import check_same_classes
from translearn_core.runs import Run
from translearn_core.runs.find import find_run
from translearn_core.runs.provenance import refuse_training_overlap
from translearn_core.techniques.base import Technique, TrainingSet

TEACHER_TEMPERATURE = 2.0
"""Temperature of the teacher's answers: what it confuses becomes visible."""
TEACHER_SHARE = 0.7
"""How much of a target is the teacher's; the rest is the label."""
PENALTY = 0.1
"""Of the linear heads that judge the teacher, see `linear_probe.fit_heads`."""
FOLDS, REPEATS = 5, 2
JUDGED = 500
"""So many photos are enough to tell whether the teacher helps."""
CERTAIN = 2.0
"""Standard errors that the gain has to exceed: below that it was lost on photos that were not held out."""
LIKELIEST = 3
"""Classes of a soft target that the judging heads learn; they hold nearly all of it."""
BATCH = 16
"""Photos that the teacher is asked about at a time; a stop waits for them."""


class Distillation(Technique):
    """Learns the answers of a teacher, beside the labels."""

    def prepare(self, training: TrainingSet, monitor: Monitor) -> TrainingSet:
        """See `Technique.prepare`.

        Raises:
            SettingsError: the teacher knows other classes, or learned from photos tested here.
        """
        monitor.stage("technique")
        data = training.data
        self._teacher = teacher = find_run(self.plan.settings.distill_from)
        columns = _columns(teacher, data.classes)
        unknown = refuse_training_overlap(teacher, data.photos, data.split == "test")
        if unknown:
            monitor.warning(unknown)
        rows = np.flatnonzero(data.split != "test")
        probs = _ask(self.plan, teacher, data, rows, monitor)[..., columns]  # (views, n, classes)
        self._agreement = float((probs[0].argmax(axis=1) == data.labels[rows]).mean())
        targets = [targets_of(theirs, data.labels, rows) for theirs in probs]
        verdict = self._verdict = _judge(self.plan, data, targets, monitor)
        if not verdict.helps:
            monitor.warning(_left_out(verdict))
            return training
        return TrainingSet.of(replace(data, targets=targets[0], view_targets=tuple(targets[1:])))

    def figures(self, test: TestPredictions) -> dict[str, Any]:
        """See `Technique.figures`."""
        return {
            "distillation": {
                "teacher": str(self._teacher.folder),
                "teacher_test_accuracy": self._teacher.metrics.test_accuracy,
                "agrees_with_labels": round(self._agreement, 4),
            }
            | self._verdict.figures()
        }


def _left_out(verdict: HiddenCheck) -> str:
    return _(
        "The answers of the other model are not learned; this is the plain run. With them, {taught} "
        "of {n} labelled photos, held out in turn, were right, without them {plain}, which is no "
        "clear gain over all classes."
    ).format(taught=percent(verdict.taught), plain=percent(verdict.plain), n=verdict.hidden)


def _judge(
    plan: Plan, data: TrainingData, targets: Sequence[Array], monitor: Monitor
) -> HiddenCheck:
    rng = np.random.default_rng([plan.settings.seed, 89])
    rows = np.flatnonzero(data.split != "test")
    if len(rows) > JUDGED:
        rows = np.sort(rng.permutation(rows)[:JUDGED])
    sources = (data.pooled, *data.views_pooled)
    return judge_teaching(
        [source.take(rows) for source in sources],
        [of_view[rows] for of_view in targets[: len(sources)]],
        data.labels[rows],
        data.groups[rows],
        rng=rng,
        stop=lambda: monitor.stop_requested,
    )


def judge_teaching(
    views: Sequence[Array],
    targets: Sequence[Array],
    labels: Ints,
    groups: Ints,
    *,
    rng: np.random.Generator,
    stop: Callable[[], bool] = lambda: False,
) -> HiddenCheck:
    """Cross-validate linear heads that learn labels, and others that learn `targets`.

    Args:
        views: features of labelled photos `(n, d)`, as they are and in each view.
        targets: what is to be learned in each view, `(n, classes)`.
        labels, groups: theirs, `(n,)`; near-duplicates share a group.

    Raises:
        StopRequestedError: `stop` said so.
    """
    n, classes = len(labels), targets[0].shape[1]
    space = linear_probe.PCASpace.fit(np.concatenate(views))
    folds = [
        cross_validation.assign_folds(labels, groups, folds=FOLDS, rng=rng)
        for _repeat in range(REPEATS)
    ]
    known = np.concatenate([fold != np.arange(FOLDS)[:, None] for fold in folds])  # (heads, n)
    of_photos = space.points.reshape(len(views), n, -1)

    def right(taught: Array) -> Array:
        """How often each photo is named right by heads that learn `taught` `(views * n, classes)`."""
        kept = min(LIKELIEST, classes)
        likeliest = np.argsort(-taught, axis=1)[:, :kept]
        shares = np.take_along_axis(taught, likeliest, axis=1)
        shares = shares / shares.sum(axis=1, keepdims=True)
        heads = linear_probe.fit_heads(
            replace(space, points=np.tile(space.points, (kept, 1))),
            likeliest.T.ravel(),
            np.tile(known, kept * len(views)) * shares.T.ravel().astype(np.float32),
            classes,
            penalty=PENALTY,
            stop=stop,
        )
        correct = np.zeros((REPEATS, n))
        for repeat in range(REPEATS):
            own = slice(repeat * FOLDS, (repeat + 1) * FOLDS)
            answers = np.mean(
                [linear_probe.predict_heads(view, heads[own], ~known[own]) for view in of_photos],
                axis=0,
            )
            correct[repeat] = answers.argmax(axis=1) == labels
        mean: Array = correct.mean(axis=0)
        return mean

    plain = right(np.tile(np.eye(classes)[labels], (len(views), 1)))
    taught = right(np.concatenate(targets))
    return HiddenCheck(
        plain=float(plain.mean()),
        taught=float(taught.mean()),
        certainty=standard_errors(taught - plain),
        class_gain=cross_validation.mean_recall(taught - plain, labels),
        hidden=n,
        least=CERTAIN,
    )


def targets_of(answers: Array, labels: Ints, learned: Ints) -> Array:
    """What photos are to be answered with, `(n, classes) float32`: their labels, and in the rows
    `learned` `TEACHER_SHARE` of the teacher's softened answers.

    Args:
        answers: of the teacher about the rows `learned`, `(len(learned), classes)`.
        labels: of all, `(n,)`.
    """
    targets = np.eye(answers.shape[1], dtype=np.float32)[labels]
    targets[learned] = TEACHER_SHARE * soften(answers) + (1 - TEACHER_SHARE) * targets[learned]
    return targets


def soften(answers: Array) -> Array:
    """Probabilities at temperature `TEACHER_TEMPERATURE`, `(n, classes)`."""
    return softmax(np.log(np.asarray(answers, np.float64) + 1e-7) / TEACHER_TEMPERATURE).astype(
        np.float32
    )


def _columns(teacher: Run, classes: list[str]) -> list[int]:
    """Where the teacher's answers hold each of `classes`."""
    known = teacher.labels
    check_same_classes(teacher, classes)
    return [known.index(name) for name in classes]


def _ask(plan: Plan, teacher: Run, data: TrainingData, rows: Ints, monitor: Monitor) -> Array:
    """The teacher's answers about these rows, and about each view that is learned from.

    It sees the same views as its pupil: a teacher has to be consistent (Beyer et al. 2022).

    Returns:
        `(1 + views, n, classes)`; even ones where a photo vanished.
    """
    predictor = open_predictor(teacher)
    views = range(1 + max(len(data.views_pooled), len(data.views_cut)))
    classes = len(predictor.classes)
    probs = np.full((len(views), len(rows), classes), 1 / classes, np.float32)
    chosen = data.photos.iloc[rows]
    paths = [plan.dataset.photo_file(path) for path in chosen["path"]]
    hashes = list(chosen["sha256"])
    decoded = datasets.iterate_photos(paths, size=predictor.size, fit=predictor.fit)
    for batch in in_batches(decoded, BATCH, monitor=monitor, total=len(paths)):
        for view in views if batch.photos else ():
            images = [
                augmented_view(photo.image, plan.augmentation, sha256=hashes[index], view=view)
                for index, photo in zip(batch.indices, batch.photos, strict=True)
            ]
            probs[view, batch.indices] = predictor.probabilities(np.stack(images))
    return probs
