"""Label errors found by confident learning.

Owns: which labels may be wrong, with a score and the suggested class.
Leaves to others: the probabilities (`evaluation/cross_validation.py`), the sentence about a label
error (`detectors.py`).

Confident learning (Northcutt, Jiang and Chuang 2021), by cleanlab: the number of wrong labels is
estimated from out-of-sample probabilities and the self-confidence of each class. That many photos
with the lowest probability of the given class are candidates; one counts when another class is at
least `ODDS` times as probable. Photos whose given class has a probability below `LEAST_GIVEN` are
candidates in any case: with few wrong labels cleanlab underestimates their number
(docs/benchmarks.md).

Most candidates of a clean set are hard photos with the right label (docs/experiments/label_errors.md).
A label is called almost certainly wrong only where the photo itself lies among those of the suggested
class: the probabilities are extreme, none of its nearest neighbours and nearly all of them are of the
given and the suggested class, and it is as near to the suggested class as a typical photo of it. A
hard photo is far from everything, or between the two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from translearn_core.arrays import Array, Bools, Ints
from translearn_core.datasets.embedding import Features, normalised_embedding

LEAST_GIVEN = 0.05
"""A label with a lower probability is a candidate in any case."""
ODDS = 4.0
"""Least ratio of the probabilities of another class and of the given one."""
LEAST_SCORE = 0.5
"""Score of the least certain label error; 1 is certain."""
ALMOST_CERTAIN = 0.9
"""Score from which a label is almost certainly wrong; below, the photo is worth a look."""
_SURE_GIVEN, _SURE_SUGGESTED = 0.01, 0.98
"""Most and least probability of the given and the suggested class, for `ALMOST_CERTAIN`."""
_NEIGHBOURS, _LEAST_NEIGHBOURS = 5, 4
"""Nearest photos that are looked at, and how many of them are of the suggested class at least."""
_MOST_MEMBERS = 500
"""Photos of the suggested class that a photo is compared with at most."""

WEAK_ACCURACY, MOST_OF_A_WEAK_MODEL = 0.8, 6
"""A model that is less often right says of few photos that their label is worth a look."""

Strength = Literal["almost_certain", "worth_a_look"]


def strength_of(score: float) -> Strength:
    """What a score is worth."""
    return "almost_certain" if score >= ALMOST_CERTAIN else "worth_a_look"


def worth_showing(found: int, sure: int, accuracy: float) -> int:
    """How many labels that may be wrong are shown unasked: of a weak model the first few, since most
    of what it takes for wrong is its own mistake.

    Args:
        found, sure: labels that may be wrong; of these, almost certainly wrong.
        accuracy: of the models that found them.
    """
    if accuracy >= WEAK_ACCURACY:
        return found
    return max(sure, min(found, MOST_OF_A_WEAK_MODEL))


@dataclass(frozen=True, kw_only=True)
class LabelError:
    """A photo (its row) whose class may be `suggested` instead; score in [0.5, 1], see
    `strength_of`."""

    row: int
    suggested: int
    score: float


def find_label_errors(
    labels: Ints,
    probabilities: Array,
    *,
    features: Features | None = None,
    groups: Ints | None = None,
) -> list[LabelError]:
    """Photos whose label may be wrong, the most certain first.

    Args:
        labels: `(n,)`, class indices.
        probabilities: `(n, classes)`, out-of-sample.
        features: `(n, d)` of a network; without them no label is called almost certainly wrong.
        groups: `(n,)`, near-duplicates share one and are not each other's neighbours.
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
    score = ALMOST_CERTAIN - 1e-4 - (ALMOST_CERTAIN - LEAST_SCORE - 1e-4) * given / limit
    sure = np.flatnonzero(chosen & (given <= _SURE_GIVEN) & (other.max(axis=1) >= _SURE_SUGGESTED))
    if features is not None and len(sure):
        apart = np.arange(n) if groups is None else groups
        points = normalised_embedding(features)
        placed = [
            row for row in sure if _lies_among(int(row), int(suggested[row]), labels, points, apart)
        ]
        score[placed] = 1.0 - (1.0 - ALMOST_CERTAIN) * given[placed] / _SURE_GIVEN
    rows = np.flatnonzero(chosen)
    return [
        LabelError(row=int(row), suggested=int(suggested[row]), score=round(float(score[row]), 4))
        for row in rows[np.lexsort((given[rows], -score[rows]))]
    ]


def _lies_among(row: int, suggested: int, labels: Ints, points: Array, groups: Ints) -> bool:
    """Whether a photo lies among those of the suggested class: by its nearest neighbours, and as near
    to them as at least half of the class are to each other.

    Args:
        points: `(n, d)` unit vectors.
    """
    similar = points @ points[row]
    similar[groups == groups[row]] = -1.0
    nearest = labels[np.argsort(-similar, kind="stable")[:_NEIGHBOURS]]
    if (nearest == suggested).sum() < _LEAST_NEIGHBOURS or (nearest == labels[row]).any():
        return False
    members = np.flatnonzero(labels == suggested)
    members = members[:: max(1, len(members) // _MOST_MEMBERS)]
    between = points[members] @ points[members].T
    between[groups[members][:, None] == groups[members][None, :]] = -1.0
    k = min(_NEIGHBOURS, len(members) - 1)
    if k < 1:
        return False
    usual = np.sort(between, axis=1)[:, -k:].mean(axis=1)
    own = float(np.sort(similar[members])[-k:].mean())
    return own >= float(np.median(usual))


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
