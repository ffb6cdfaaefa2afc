"""Learns the heads of a run: its own, and one more for each further kind of label.

Owns: how one head is learned (`learn_head`), the data of a further task, and the heads' figures.
Leaves to others: fitting (`fitting/head.py`), the labels (`datasets/tasks.py`), what heads answer
about new photos (`runs/task_heads.py`).

All heads read the same pooled features: one pass of the backbone answers every task. A photo whose
label is missing has no part in that task's loss. Where blocks are unfrozen they learn by the first
task; the other heads then learn on what comes out. The split is the run's own, and every head is
calibrated on the validation photos that carry its label (`postprocess.py`).

File: `<run>/tasks.parquet`: for the test photos `path`, `file`, and for each task `<task>` (the
truth, empty where missing), `<task>: answer`, `<task>: confidence`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from translearn_core.arrays import Array, Ints
from translearn_core.atomic import write_parquet
from translearn_core.datasets.tasks import DatasetTasks, tasks_of
from translearn_core.errors import StopRequestedError
from translearn_core.evaluation.dense_head import DenseHead
from translearn_core.evaluation.metrics import head_figures
from translearn_core.evaluation.predictions import TestPredictions, ValidationPredictions
from translearn_core.fitting.data import TrainingData
from translearn_core.fitting.head import (
    answer_validation,
    count_epochs,
    fit_head,
    has_linear_half,
    learns_from_validation,
    refits,
)
from translearn_core.fitting.inputs import InMemory
from translearn_core.fitting.linear import join, learn_linear
from translearn_core.fitting.plan import Plan
from translearn_core.i18n import _
from translearn_core.monitor import Monitor
from translearn_core.runs.task_heads import save_heads
from translearn_core.techniques.base import Techniques, TrainingSet
from translearn_core.training.postprocess import calibrate, calibration_figures

UNKNOWN = -1
LEAST_TRAINED = 4
"""Labelled photos that a task must have among those to learn from."""
REFIT_PART = 0.25
"""Part of the epochs in which a head goes on, with the validation photos, where a linear half has
learned from these already. A head of its own begins anew and learns over all epochs: from few photos
it is better by that, beside a linear half it is not (docs/experiments/head.md)."""


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
    """

    head: Any
    epochs: int
    val_accuracy: float | None
    validation: ValidationPredictions
    refitted: bool
    linear_half: dict[str, float] | None = None


def learn_head(
    plan: Plan,
    training: TrainingSet,
    techniques: Techniques,
    monitor: Monitor,
    *,
    epochs: int | None = None,
) -> LearnedHead:
    """Learn one head.

    Validation decides which epoch is kept; where validation photos are few, the head then learns from
    these, too, see `REFIT_PART`, and is calibrated by the last epoch before that. What was learned
    first is kept when a person stops in the middle. Where the settings leave the kind of head open, a
    linear one is learned beside it and both become one.

    Args:
        epochs: see `fit_head`.
    """
    learned, own_way = _learn_hidden(plan, training, techniques, monitor, epochs)
    if own_way or not has_linear_half(plan) or monitor.stop_requested:
        return learned
    joins = training.joined is not None and learns_from_validation(plan, training.data)
    try:
        half = learn_linear(plan, training.data, monitor, with_validation=joins)
    except StopRequestedError:
        return learned
    both = join(plan, learned.head, half, learned.validation)
    return replace(
        learned,
        head=both.head,
        val_accuracy=both.validation.accuracy,
        validation=both.validation,
        linear_half=both.figures,
        refitted=learned.refitted or joins,
    )


def _learn_hidden(
    plan: Plan,
    training: TrainingSet,
    techniques: Techniques,
    monitor: Monitor,
    epochs: int | None,
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
    )
    if training.joined is None or fitted.last is None or monitor.stop_requested:
        return first, own_way
    kept = head.get_weights()
    if epochs is None:
        epochs = count_epochs(plan, data)
    if has_linear_half(plan):
        epochs = math.ceil(epochs * REFIT_PART)
    else:
        head.set_weights(start)  # the same model: its graph is there already
    monitor.stage("refit")
    fit_head(plan, training.joined, head, _Rounds(monitor), epochs=epochs)
    if monitor.stop_requested:
        head.set_weights(kept)
        return first, own_way
    last = ValidationPredictions(probs=fitted.last, labels=validation.labels)
    return replace(first, validation=last, refitted=True), own_way


class _Rounds(Monitor):
    """Shows the rounds of a second fit as progress: no photo judges them, so they are no curve."""

    def __init__(self, inner: Monitor) -> None:
        self._inner = inner

    @property
    def stop_requested(self) -> bool:
        return self._inner.stop_requested

    def warning(self, text: str) -> None:
        self._inner.warning(text)

    def event(self, kind: str, **fields: Any) -> None:
        if kind == "epoch":
            self._inner.progress(fields["epoch"], fields["epochs"], what="rounds")


@dataclass(frozen=True, kw_only=True)
class TaskLabels:
    """One task over the photos of a run: `labels` `(n,) int64`, `UNKNOWN` where missing."""

    name: str
    classes: tuple[str, ...]
    labels: Ints


@dataclass(frozen=True, kw_only=True)
class RunTasks:
    """The tasks of a run: the name of the first one (its classes), and the further ones."""

    first: str = ""
    further: tuple[TaskLabels, ...] = ()


def read_tasks(plan: Plan, data: TrainingData) -> RunTasks:
    """The tasks of the run's data set, as they are now."""
    kept = tasks_of(plan.dataset)
    if kept is None:
        return RunTasks()
    paths = list(data.photos["path"])
    return RunTasks(
        first=kept.main, further=tuple(_labels_of(kept, task, paths) for task in kept.tasks)
    )


def _labels_of(kept: DatasetTasks, task: str, paths: list[str]) -> TaskLabels:
    given = [kept.labels.get(path, {}).get(task, "") for path in paths]
    classes = tuple(sorted({label for label in given if label}))
    codes = {name: code for code, name in enumerate(classes)}
    labels = np.array([codes.get(label, UNKNOWN) for label in given], np.int64)
    return TaskLabels(name=task, classes=classes, labels=labels)


def data_of(data: TrainingData, task: TaskLabels) -> TrainingData:
    """The data of a run for the head of a further task: photos without its label have no part."""
    return replace(
        data,
        classes=list(task.classes),
        labels=task.labels,
        split=np.where(task.labels == UNKNOWN, "aside", data.split),
        targets=None,
        view_targets=(),
        weights=None,
    )


def learn_tasks(
    plan: Plan,
    data: TrainingData,
    tasks: Sequence[TaskLabels],
    features: Array | None,
    monitor: Monitor,
) -> list[dict[str, Any]]:
    """Learn every further task, keep its head, and judge it on the test photos.

    Args:
        tasks: the further ones, see `read_tasks`.
        features: pooled features `(n, d)` of all photos of the data, or None to take the
            cached ones.

    Returns:
        What metrics.json says under `tasks`, one object a task, without the first.
    """
    if features is not None:
        data = replace(data, pooled=InMemory(features), views_pooled=())
    heads, figures = [], []
    test = data.rows("test")
    answers = data.photos.iloc[test][["path", "file"]].reset_index(drop=True)
    for task in tasks:
        if monitor.stop_requested:
            break
        of_task = data_of(data, task)
        train_labels = task.labels[of_task.rows("train")]
        if len(train_labels) < LEAST_TRAINED or len(set(train_labels)) < 2:
            text = _("{task} was not learned: too few photos to learn from carry such a label.")
            monitor.warning(text.format(task=task.name))
            continue
        learned = learn_head(
            plan,
            TrainingSet.of(of_task),
            Techniques(plan),
            monitor.silent(),
            epochs=plan.settings.epochs,
        )
        temperature = calibrate(learned.head, learned.validation)
        head = _as_task_head(task, learned.head)
        heads.append(head)
        probs = head.probabilities(data.pooled.take(test))
        known = task.labels[test] != UNKNOWN
        truth = task.labels[test][known]
        calibration = calibration_figures(
            temperature, learned.validation, test=probs[known], truth=truth
        )
        judged = task_figures(task, truth, probs[known], train_labels)
        figures.append(judged | {"calibration": calibration, "linear_half": learned.linear_half})
        answers[task.name] = np.array([*task.classes, ""], object)[task.labels[test]]
        answers[f"{task.name}: answer"] = np.array(task.classes, object)[probs.argmax(axis=1)]
        answers[f"{task.name}: confidence"] = probs.max(axis=1)
    if heads:
        save_heads(plan.run.folder, heads)
        write_parquet(plan.run.folder / "tasks.parquet", answers)
    return figures


def _as_task_head(task: TaskLabels, model: Any) -> DenseHead:
    dense = [layer for layer in model.layers if layer.get_weights()]
    weights = [(layer.get_weights()[0], layer.get_weights()[1]) for layer in dense]
    return DenseHead.of_weights(weights, name=task.name, classes=task.classes)


def task_figures(
    task: TaskLabels,
    truth: Ints,
    probs: Array,
    train_labels: Ints,
) -> dict[str, Any]:
    """Figures of one task on the test photos that carry its label, see `head_figures`."""
    figures = head_figures(truth, probs, task.classes, train_labels)
    return {"name": task.name, "classes": list(task.classes), **figures}


def first_task(name: str, test: TestPredictions, data: TrainingData) -> dict[str, Any]:
    """The same figures of the run's own task, which is the first one."""
    task = TaskLabels(name=name, classes=tuple(data.classes), labels=data.labels)
    return task_figures(task, test.truth, test.test, data.labels[data.rows("train")])
