"""Label errors found by confident learning.

Owns: which photos are suspected, how strongly, and what they may be instead.
Leaves to others: the probabilities (`evaluation/cross_validation.py`), what is said of a suspect (`checks.py`).

Confident learning (Northcutt, Jiang and Chuang 2021), by cleanlab: how many labels are wrong is
estimated from out-of-sample probabilities and the self-confidence of each class; suspected are so
many photos whose own class gets the least probability, where another class gets four times as much.
Added are those to whose own class less than one part in twenty is given: cleanlab's number is an
estimate, and on sets with few wrong labels it falls short (docs/benchmarks.md has the figures).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

HARDLY = 0.05
"""A label with less probability than this is suspected in any case."""
ODDS = 4.0
"""Another class must be so many times as probable as the photo's own."""
FLAGGED = 0.5
"""Score of the least suspicious photo that is still named; 1 is certain."""


@dataclass(frozen=True, kw_only=True)
class Suspect:
    """A photo (its row) that is likely to be of class `suggested` instead; score in [0.5, 1]."""

    row: int
    suggested: int
    score: float


def find_suspects(labels: npt.NDArray[np.int64], probabilities: Array) -> list[Suspect]:
    """Photos whose label is likely wrong, the most suspicious first.

    Args:
        labels: `(n,)`, class numbers.
        probabilities: `(n, classes)`, by heads that have not learned from the photo.

    """
    n = len(labels)
    if not n:
        return []
    given = probabilities[np.arange(n), labels]
    other = probabilities.copy()
    other[np.arange(n), labels] = -1.0
    suggested = other.argmax(axis=1)
    doubtful = other.max(axis=1) > ODDS * given
    chosen = doubtful & (_by_confident_learning(labels, probabilities) | (given < HARDLY))
    limit = max(HARDLY, float(given[chosen].max(initial=0.0)))
    score = 1.0 - (1.0 - FLAGGED) * given / limit
    rows = np.flatnonzero(chosen)
    return [
        Suspect(row=int(row), suggested=int(suggested[row]), score=round(float(score[row]), 4))
        for row in rows[np.argsort(given[rows], kind="stable")]
    ]


def _by_confident_learning(
    labels: npt.NDArray[np.int64], probabilities: Array
) -> npt.NDArray[np.bool_]:
    """cleanlab's choice `(n,) bool`, among the classes that have photos."""
    from cleanlab.filter import find_label_issues

    present, place = np.unique(labels, return_inverse=True)
    if len(present) < 2:
        return np.zeros(len(labels), bool)
    shares = probabilities[:, present] + 1e-9
    shares /= shares.sum(axis=1, keepdims=True)
    found: npt.NDArray[np.bool_] = find_label_issues(
        place, shares, filter_by="low_self_confidence", n_jobs=1
    )
    return found
