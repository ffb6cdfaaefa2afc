"""Metrics of predictions: accuracy with its interval, per class, confusion.

Owns: the formulas. Leaves to others: where predictions come from and how figures are shown.
Shares and probabilities are in [0, 1].
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from translearn_core.arrays import Array, Bools, Ints


@dataclass(frozen=True, kw_only=True)
class ClassFigures:
    """Metrics of one class. `precision` is None where the class was never predicted."""

    name: str
    n_test: int
    correct: int
    answered: int
    precision: float | None
    recall: float | None
    f1: float | None


def wilson_interval(correct: float, total: float, *, z: float = 1.959964) -> tuple[float, float]:
    """The Wilson score interval of a proportion (E. B. Wilson, 1927); 95 % by default.

    Args:
        correct: number of successes; a fraction for an effective sample size.
        total: number of trials; 0 gives [0, 1].

    Returns:
        Low and high end, in [0, 1].
    """
    if total == 0:
        return 0.0, 1.0
    share = correct / total
    center = (share + z * z / (2 * total)) / (1 + z * z / total)
    root = math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    half = z * root / (1 + z * z / total)
    return max(0.0, center - half), min(1.0, center + half)


def paired_gain(
    first: Bools,
    second: Bools,
    *,
    draws: int = 10_000,
    seed: int = 0,
) -> tuple[float, float, float]:
    """Difference in accuracy of two models on the same photos, with its interval.

    `first` and `second` are `(n,) bool`: whether each prediction is correct.

    The interval is the percentile bootstrap over photos (Efron 1979), 95 %: as a photo counts
    +1, 0 or -1, a draw is multinomial.

    Returns:
        Gain, low and high end, in [-1, 1].
    """
    n = len(first)
    if n == 0:
        return 0.0, -1.0, 1.0
    better, worse = int((first & ~second).sum()), int((~first & second).sum())
    probs = [better / n, worse / n, 1 - (better + worse) / n]
    drawn = np.random.default_rng(seed).multinomial(n, probs, size=draws)
    gains = (drawn[:, 0] - drawn[:, 1]) / n
    low, high = (float(end) for end in np.percentile(gains, [2.5, 97.5]))
    return (better - worse) / n, low, high


def confusion_matrix(
    truth: npt.NDArray[np.integer], predictions: npt.NDArray[np.integer], classes: int
) -> Ints:
    """Counts `(classes, classes) int64`: row = true class, column = predicted class."""
    codes = truth.astype(np.int64) * classes + predictions.astype(np.int64)
    return np.bincount(codes, minlength=classes * classes).reshape(classes, classes)


def class_figures(confusion: Ints, names: Sequence[str]) -> list[ClassFigures]:
    """Precision, recall and F1 of each class, from the confusion matrix."""
    figures = []
    for index, name in enumerate(names):
        correct = int(confusion[index, index])
        shown, answered = int(confusion[index].sum()), int(confusion[:, index].sum())
        precision = correct / answered if answered else None
        recall = correct / shown if shown else None
        f1 = 2 * correct / (shown + answered) if shown + answered else None
        figures.append(
            ClassFigures(
                name=name,
                n_test=shown,
                correct=correct,
                answered=answered,
                precision=precision,
                recall=recall,
                f1=f1,
            )
        )
    return figures


def head_figures(
    truth: Ints,
    probs: Array,
    classes: Sequence[str],
    train_labels: Ints,
    *,
    n_groups: Ints | None = None,
) -> dict[str, Any]:
    """Metrics of one head on the test photos, by the keys of metrics.json.

    Args:
        truth: class indices of the test photos, `(n,)`.
        probs: predicted probabilities, `(n, classes)`.
        train_labels: class indices of the training photos.
        n_groups: photos of each class with near-duplicates counted once, `(classes,)`; None where
            that is unknown.
    """
    predicted = probs.argmax(axis=1)
    correct, n = int((predicted == truth).sum()), len(truth)
    confusion = confusion_matrix(truth, predicted, len(classes))
    train_counts = np.bincount(train_labels, minlength=len(classes))
    majority = int(train_counts.argmax())
    per_class: list[dict[str, Any]] = [
        vars(figure) for figure in class_figures(confusion, list(classes))
    ]
    for index, row in enumerate(per_class):
        row["n_train"] = int(train_counts[index])
        row["n_groups"] = None if n_groups is None else int(n_groups[index])
    recalls = [row["recall"] for row in per_class if row["recall"] is not None]
    return {
        "n_train": len(train_labels),
        "n_test": n,
        "test_accuracy": correct / n if n else None,
        "test_correct": correct,
        "test_interval": list(wilson_interval(correct, n)),
        "majority_accuracy": float((truth == majority).mean()) if n else None,
        "majority_class": classes[majority],
        "balanced_accuracy": sum(recalls) / len(recalls) if recalls else None,
        "per_class": per_class,
        "confusion": confusion.tolist(),
    }
