"""Distillation: a run learns the softened probabilities of a teacher beside the labels.

Owns: asking the teacher about every photo that is learned from, matching its classes, and softened
targets (Hinton, Vinyals & Dean 2015). No photo that is tested here may be one that the teacher
learned from: its answers would carry the labels of the test over.
Leaves to others: the teacher's model (`predict.py`), the fit (`train.py`).
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from translearn_core import datasets
from translearn_core.augment import view_of
from translearn_core.calibration import softmax
from translearn_core.errors import PhotoError, StopRequestedError
from translearn_core.find import find_run
from translearn_core.lesson import Lesson
from translearn_core.lineage import refuse_taught
from translearn_core.material import Material
from translearn_core.plan import Plan
from translearn_core.predict import open_predictor
from translearn_core.resolve import check_same_classes
from translearn_core.runs import Run

Array = npt.NDArray[Any]
SOFTNESS = 2.0
"""Temperature of the teacher's answers: what it confuses becomes visible."""
SHARE = 0.7
"""How much of a target is the teacher's; the rest is the label."""
BATCH = 16
"""Photos that the teacher is asked about at a time; a stop waits for them."""
TELL_EVERY_S = 0.25


def distil(plan: Plan, material: Material) -> Lesson:
    """The lesson of a run that learns from a teacher.

    Raises:
        SettingsError: the teacher knows other classes, or learned from photos tested here.
        StopRequestedError: the run was asked to stop.
    """
    teacher = find_run(plan.settings.distill_from)
    columns = _columns(teacher, material.classes)
    tested = material.photos.iloc[material.rows("test")]
    refuse_taught(teacher, set(tested["sha256"]))
    learned = np.flatnonzero(material.split != "test")
    answers = _ask(plan, teacher, material, learned)[..., columns]  # (views, n, classes)
    right = float((answers[0].argmax(axis=1) == material.labels[learned]).mean())
    targets = [targets_of(theirs, material.labels, learned) for theirs in answers]
    figures = {
        "teacher": str(teacher.folder),
        "teacher_test_accuracy": teacher.metrics.get("test_accuracy"),
        "agrees_with_labels": round(right, 4),
    }
    return Lesson(
        material=replace(material, targets=targets[0], view_targets=tuple(targets[1:])),
        report=lambda _answers: {"distillation": figures},
    )


def targets_of(
    answers: Array, labels: npt.NDArray[np.int64], learned: npt.NDArray[np.int64]
) -> Array:
    """What photos are to be answered with, `(n, classes) float32`: their labels, and in the rows
    `learned` `SHARE` of the teacher's softened answers.

    Args:
        answers: of the teacher about the rows `learned`, `(len(learned), classes)`.
        labels: of all, `(n,)`.
    """
    targets = np.eye(answers.shape[1], dtype=np.float32)[labels]
    targets[learned] = SHARE * soften(answers) + (1 - SHARE) * targets[learned]
    return targets


def soften(answers: Array) -> Array:
    """Probabilities at temperature `SOFTNESS`, `(n, classes)`."""
    return softmax(np.log(np.asarray(answers, np.float64) + 1e-7) / SOFTNESS).astype(np.float32)


def _columns(teacher: Run, classes: list[str]) -> list[int]:
    """Where the teacher's answers hold each of `classes`."""
    known = teacher.labels
    check_same_classes(teacher, classes)
    return [known.index(name) for name in classes]


def _ask(plan: Plan, teacher: Run, material: Material, rows: npt.NDArray[np.int64]) -> Array:
    """The teacher's answers about these rows, and about each view that is learned from.

    It sees the same views as its pupil: a teacher has to be consistent (Beyer et al. 2022).

    Returns:
        `(1 + views, n, classes)`; even ones where a photo vanished.
    """
    predictor = open_predictor(teacher)
    views = 1 + max(len(material.views_pooled), len(material.views_cut))
    classes = len(predictor.classes)
    answers = np.full((views, len(rows), classes), 1 / classes, np.float32)
    chosen = material.photos.iloc[rows]
    paths = [plan.dataset.photo_path(path) for path in chosen["path"]]
    hashes = list(chosen["sha256"])
    images: list[Array] = []
    places: list[tuple[int, int]] = []
    began, told = time.monotonic(), 0.0

    def flush() -> None:
        if images:
            view, place = np.array(places).T
            answers[view, place] = predictor.probabilities(np.stack(images))
        images.clear()
        places.clear()

    for done, (place, photo) in enumerate(
        datasets.iterate_photos(paths, size=predictor.size), start=1
    ):
        if plan.run.stop_requested:
            raise StopRequestedError
        seen: list[Array] = []
        if not isinstance(photo, PhotoError):
            seen = [
                view_of(photo.image, plan.augmentation, sha256=hashes[place], view=view)
                for view in range(views)
            ]
        for view, image in enumerate(seen):
            images.append(image)
            places.append((view, place))
            if len(images) == BATCH:
                flush()
        now = time.monotonic()
        if now - told > TELL_EVERY_S or done == len(paths):
            told = now
            per_s = done / max(now - began, 1e-6)
            plan.run.append_event(
                "progress",
                stage="technique",
                done=done,
                total=len(paths),
                per_s=round(per_s, 1),
                left_s=round((len(paths) - done) / per_s, 1),
            )
    flush()
    return answers
