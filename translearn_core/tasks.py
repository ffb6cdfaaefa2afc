"""Learns more tasks on the backbone of a run: one more head for each kind of label.

Owns: the heads, which photos each learns from and is judged by, and their figures.
Leaves to others: the labels (`label_table.py`), the first task, which is the run's own (`train.py`),
what heads answer about new photos (`heads.py`).

All heads read the same pooled features: one pass of the backbone answers every task. A photo whose
label is missing has no part in that task's loss. Where blocks are unfrozen they learn by the first
task; the other heads then learn on what comes out. The split is the run's own, and every head is
calibrated on the validation photos that carry its label (`doubt.py`).

File: `<run>/tasks.parquet`: for the test photos `path`, `file`, and for each task `<task>` (the
truth, empty where missing), `<task>: answer`, `<task>: confidence`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from translearn_core.doubt import calibrate, calibration_figures
from translearn_core.feeding import InMemory, Part, class_weights
from translearn_core.files import replace_file
from translearn_core.fitting import fit, predict_rows
from translearn_core.graph.assembly import build_head
from translearn_core.heads import TaskHead, save_heads
from translearn_core.label_table import MoreTasks, tasks_of
from translearn_core.lesson import learns_again
from translearn_core.material import Material
from translearn_core.metrics import class_figures, confusion_matrix, wilson_interval
from translearn_core.plan import Plan
from translearn_core.predictions import Validation
from translearn_core.texts import _

Array = npt.NDArray[Any]
UNKNOWN = -1
LEAST_TRAINED = 4
"""Labelled photos that a task must have among those to learn from."""


@dataclass(frozen=True, kw_only=True)
class TaskLabels:
    """One task over the photos of a run: `labels` `(n,) int64`, `UNKNOWN` where missing."""

    name: str
    classes: tuple[str, ...]
    labels: npt.NDArray[np.int64]


def more_tasks(plan: Plan, material: Material) -> list[TaskLabels]:
    """The tasks of the run's data set beside its classes."""
    kept = tasks_of(plan.dataset)
    if kept is None:
        return []
    return [_labels_of(kept, task, list(material.photos["path"])) for task in kept.tasks]


def _labels_of(kept: MoreTasks, task: str, paths: list[str]) -> TaskLabels:
    given = [kept.labels.get(path, {}).get(task, "") for path in paths]
    classes = tuple(sorted({label for label in given if label}))
    codes = {name: code for code, name in enumerate(classes)}
    labels = np.array([codes.get(label, UNKNOWN) for label in given], np.int64)
    return TaskLabels(name=task, classes=classes, labels=labels)


def learn_tasks(plan: Plan, material: Material, features: Any) -> list[dict[str, Any]]:
    """Learn every further task, keep its head, and judge it on the test photos.

    Args:
        features: pooled features `(n, d)` of all photos of the material, or None to take the
            cached ones.

    Returns:
        What metrics.json says under `tasks`, one object a task, without the first.
    """
    source = material.pooled if features is None else InMemory(features)
    views = material.views_pooled if features is None else ()
    heads, figures = [], []
    test = material.rows("test")
    answers = material.photos.iloc[test][["path", "file"]].reset_index(drop=True)
    for task in more_tasks(plan, material):
        if plan.run.stop_requested:
            break
        rows = _labelled(material, task, "train")
        if len(rows) < LEAST_TRAINED or len(set(task.labels[rows])) < 2:
            text = _("{task} was not learned: too few photos to learn from carry such a label.")
            plan.run.append_event("warning", text=text.format(task=task.name))
            continue
        model, validation = _learn_head(plan, material, task, source, views)
        temperature = calibrate(model, validation)
        head = _as_task_head(task, model)
        heads.append(head)
        shares = head.answer(source.take(test))
        known = task.labels[test] != UNKNOWN
        calibrated = calibration_figures(
            temperature, validation, test=shares[known], truth=task.labels[test][known]
        )
        figures.append(_figures(task, test, rows, shares) | {"calibration": calibrated})
        truth = np.array([*task.classes, ""], object)[task.labels[test]]
        answers[task.name] = truth
        answers[f"{task.name}: answer"] = np.array(task.classes, object)[shares.argmax(axis=1)]
        answers[f"{task.name}: confidence"] = shares.max(axis=1)
    if heads:
        save_heads(plan.run.folder, heads)
        temporary = plan.run.folder / ".tasks.tmp"
        answers.to_parquet(temporary, index=False)
        replace_file(temporary, plan.run.folder / "tasks.parquet")
    return figures


def _labelled(material: Material, task: TaskLabels, *parts: str) -> npt.NDArray[np.int64]:
    """The photos of these parts that carry a label of the task."""
    rows: npt.NDArray[np.int64] = np.concatenate([material.rows(part) for part in parts])
    known: npt.NDArray[np.int64] = rows[task.labels[rows] != UNKNOWN]
    return known


def _learn_head(
    plan: Plan, material: Material, task: TaskLabels, source: Any, views: Any
) -> tuple[Any, Validation]:
    """One head, learned as the first task's is (`train.py`), and what it is calibrated by.

    Validation decides which epoch is kept; where validation photos are few, a head then learns
    from these, too, over the whole schedule, and is calibrated by the last epoch of the one before.
    """
    train, val = _labelled(material, task, "train"), _labelled(material, task, "val")
    last: list[Validation] = []

    def ask(model: Any) -> Validation:
        return Validation(answers=predict_rows(model, source, val), labels=task.labels[val])

    def learn(rows: npt.NDArray[np.int64], judges: npt.NDArray[np.int64]) -> Any:
        head = build_head(plan.backbone.features, len(task.classes), plan.settings)
        fit(
            plan.run,
            head,
            _part(task, rows, source, views, balance=plan.settings.class_weighting),
            _part(task, judges, source, (), balance=False),
            settings=plan.settings,
            phase="head",
            epochs=plan.settings.epochs,
            first_epoch=0,
            quiet=True,
            at_end=lambda model: last.append(ask(model)),
        )
        return head

    head = learn(train, val)
    if not learns_again(plan, material, len(val)):
        return head, ask(head)
    fresh = learn(_labelled(material, task, "train", "val"), val[:0])
    return (head, ask(head)) if plan.run.stop_requested else (fresh, last[0])


def _part(
    task: TaskLabels, rows: npt.NDArray[np.int64], source: Any, views: Any, *, balance: bool
) -> Part:
    labels = task.labels[rows]
    weights = class_weights(labels, len(task.classes), balance)
    return Part(source=source, rows=rows, labels=labels, weights=weights, views=views)


def _as_task_head(task: TaskLabels, model: Any) -> TaskHead:
    dense = [layer for layer in model.layers if layer.get_weights()]
    layers = tuple((layer.get_weights()[0], layer.get_weights()[1]) for layer in dense)
    return TaskHead(name=task.name, classes=task.classes, layers=layers)


def _figures(
    task: TaskLabels,
    test: npt.NDArray[np.int64],
    learned: npt.NDArray[np.int64],
    shares: Array,
) -> dict[str, Any]:
    """Figures of one task on the test photos that carry its label; `learned` are rows to learn from."""
    known = task.labels[test] != UNKNOWN
    truth, said = task.labels[test][known], shares[known].argmax(axis=1)
    correct, n = int((truth == said).sum()), int(known.sum())
    confusion = confusion_matrix(truth, said, len(task.classes))
    majority = int(np.bincount(task.labels[learned]).argmax())
    return {
        "name": task.name,
        "classes": list(task.classes),
        "n_train": len(learned),
        "n_test": n,
        "test_correct": correct,
        "test_accuracy": correct / n if n else None,
        "test_interval": list(wilson_interval(correct, n)),
        "majority_accuracy": float((truth == majority).mean()) if n else None,
        "per_class": [vars(figure) for figure in class_figures(confusion, list(task.classes))],
        "confusion": confusion.tolist(),
    }


def first_task(plan: Plan, answers: Any, material: Material) -> dict[str, Any]:
    """The same figures of the run's own task, which is the first one."""
    kept = tasks_of(plan.dataset)
    labels = TaskLabels(
        name=kept.main if kept else "",
        classes=tuple(material.classes),
        labels=material.labels,
    )
    return _figures(labels, answers.test_rows, material.rows("train"), answers.test)
