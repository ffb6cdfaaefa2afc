"""Label errors found by confident learning.

Owns: which labels are likely wrong, with a score and the suggested class.
Leaves to others: the probabilities (`evaluation/cross_validation.py`), the sentence about a label
error (`checks.py`).

Confident learning (Northcutt, Jiang and Chuang 2021), by cleanlab: the number of wrong labels is
estimated from out-of-sample probabilities and the self-confidence of each class. That many photos
with the lowest probability of the given class are candidates; one counts when another class is at
least `ODDS` times as probable. Photos whose given class has a probability below `LEAST_GIVEN` are
candidates in any case: with few wrong labels cleanlab underestimates their number
(docs/benchmarks.md).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from translearn_core.arrays import Array, Bools, Ints

LEAST_GIVEN = 0.05
"""A label with a lower probability is a candidate in any case."""
ODDS = 4.0
"""Least ratio of the probabilities of another class and of the given one."""
LEAST_SCORE = 0.5
"""Score of the least certain label error; 1 is certain."""


@dataclass(frozen=True, kw_only=True)
class LabelError:
    """A photo (its row) whose class is likely `suggested` instead; score in [0.5, 1]."""

    row: int
    suggested: int
    score: float


def find_label_errors(labels: Ints, probabilities: Array) -> list[LabelError]:
    """Photos whose label is likely wrong, the most certain first.

    Args:
        labels: `(n,)`, class indices.
        probabilities: `(n, classes)`, out-of-sample.
    """
    n = len(labels)
    if not n:
        return []
    given = probabilities[np.arange(n), labels]
    other = probabilities.copy()
    other[np.arange(n), labels] = -1.0
    suggested = other.argmax(axis=1)
    outweighed = other.max(axis=1) > ODDS * given
    chosen = outweighed & (_confident_learning(labels, probabilities) | (given < LEAST_GIVEN))
    limit = max(LEAST_GIVEN, float(given[chosen].max(initial=0.0)))
    score = 1.0 - (1.0 - LEAST_SCORE) * given / limit
    rows = np.flatnonzero(chosen)
    return [
        LabelError(row=int(row), suggested=int(suggested[row]), score=round(float(score[row]), 4))
        for row in rows[np.argsort(given[rows], kind="stable")]
    ]


def _confident_learning(labels: Ints, probabilities: Array) -> Bools:
    """cleanlab's choice `(n,) bool`, among the classes that have photos."""
    from cleanlab.filter import find_label_issues

    present, indices = np.unique(labels, return_inverse=True)
    if len(present) < 2:
        return np.zeros(len(labels), bool)
    probs = probabilities[:, present] + 1e-9
    probs /= probs.sum(axis=1, keepdims=True)
    issues: Bools = find_label_issues(indices, probs, filter_by="low_self_confidence", n_jobs=1)
    return issues
