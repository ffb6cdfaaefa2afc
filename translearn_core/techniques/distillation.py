"""Distillation: a run learns the softened probabilities of a teacher beside the labels.

Owns: asking the teacher about every photo that is learned from, matching its classes, and softened
targets (Hinton, Vinyals & Dean 2015). No photo that is tested here may be one that the teacher
learned from: its answers would carry the labels of the test over.
Leaves to others: the teacher's model (`prediction/predict.py`), the fit (`fitting/head.py`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from translearn_core import datasets
from translearn_core.arrays import Array, Ints
from translearn_core.evaluation.calibration import softmax
from translearn_core.evaluation.predictions import TestPredictions
from translearn_core.fitting.data import TrainingData
from translearn_core.fitting.plan import Plan
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
        refuse_training_overlap(teacher, set(data.photos["sha256"].iloc[data.rows("test")]))
        rows = np.flatnonzero(data.split != "test")
        probs = _ask(self.plan, teacher, data, rows, monitor)[..., columns]  # (views, n, classes)
        self._agreement = float((probs[0].argmax(axis=1) == data.labels[rows]).mean())
        targets = [targets_of(theirs, data.labels, rows) for theirs in probs]
        return TrainingSet.of(replace(data, targets=targets[0], view_targets=tuple(targets[1:])))

    def figures(self, test: TestPredictions) -> dict[str, Any]:
        """See `Technique.figures`."""
        return {
            "distillation": {
                "teacher": str(self._teacher.folder),
                "teacher_test_accuracy": self._teacher.metrics.test_accuracy,
                "agrees_with_labels": round(self._agreement, 4),
            }
        }


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
    paths = [plan.dataset.photo_path(path) for path in chosen["path"]]
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
