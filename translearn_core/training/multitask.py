"""Learns the heads of a run: its own, and one more for each further kind of label.

Owns: the data of a further task, and the heads' figures.
Leaves to others: how one head is learned (`techniques/learning.py`), the labels (`datasets/tasks.py`), what
heads answer about new photos (`runs/task_heads.py`).

All heads read the same pooled features: one pass of the backbone answers every task. A photo whose
label is missing has no part in that task's loss. Where blocks are unfrozen they learn by the first
task; the other heads then learn on what comes out. The split is the run's own, and every head is
calibrated on the validation photos that carry its label (`postprocess.py`).

File: `<run>/tasks.parquet`: for the test photos `path`, `file`, and for each task `<task>` (the
truth, empty where missing), `<task>: answer`, `<task>: confidence`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from translearn_core.arrays import Array, Ints
from translearn_core.atomic import write_parquet
from translearn_core.datasets.tasks import DatasetTasks, tasks_of
from translearn_core.evaluation.dense_head import DenseHead
from translearn_core.evaluation.metrics import head_figures
from translearn_core.evaluation.predictions import TestPredictions
from translearn_core.fitting.data import TrainingData
from translearn_core.fitting.inputs import InMemory
from translearn_core.fitting.plan import Plan
from translearn_core.i18n import _
from translearn_core.monitor import Monitor
from translearn_core.runs.task_heads import save_heads
from translearn_core.techniques.base import Techniques, TrainingSet
from translearn_core.techniques.learning import learn_head
from translearn_core.training.postprocess import calibrate, calibration_figures

UNKNOWN = -1
LEAST_TRAINED = 4
"""Labelled photos that a task must have among those to learn from."""


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
            epochs=plan.settings.epochs if plan.fine_tunes else None,
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
