"""Proposals: which class each unsorted photo has, how sure that is, and which photo to ask next.

Owns: the head that learns from sorted photos, its calibration, the order of questions, and the
estimate of how many accepted proposals would be wrong.
Leaves to others: the state of sorting (`session.py`).

Sources: questions by the smallest margin between the two likeliest classes (Scheffer, Decomain and
Wrobel 2001, "Active hidden Markov models for information extraction"), or by the largest distance
from all sorted photos (Sener and Savarese 2018, "Active learning for convolutional neural
networks: a core-set approach"); temperature scaling (Guo et al. 2017).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from translearn_core.arrays import Array, Bools, Ints
from translearn_core.evaluation.calibration import fit_temperature, softmax
from translearn_core.sorting.groups import unit_length

Order = Literal["doubtful", "different"]
INVERSE_STRENGTH = 16.0
"""C of the logistic regression, for features whose mean squared length is 1."""
FEWEST_PHOTOS = 3
"""Sorted photos of a class from which proposals of it begin."""
FOLDS = 5
_MOST_COMPONENTS = 256


def head_points(features: Array) -> Array:
    """Features for the head `(n, c) float32`: centred, mean squared length 1, at most 256 wide."""
    scaled = unit_length(features)
    width = min(_MOST_COMPONENTS, *scaled.shape)
    if scaled.shape[1] > width:
        _values, vectors = np.linalg.eigh(scaled.T.astype(np.float64) @ scaled)
        scaled = scaled @ vectors[:, ::-1][:, :width].astype(np.float32)
    mean_square = float((scaled.astype(np.float64) ** 2).sum(axis=1).mean()) if len(scaled) else 1.0
    result: Array = (scaled / np.sqrt(max(mean_square, 1e-12))).astype(np.float32)
    return result


@dataclass(frozen=True, kw_only=True)
class Proposals:
    """What the head says of every photo.

    Attributes:
        classes: their names.
        probabilities: `(n, classes) float32`, calibrated where enough photos tell.
        margins: `(n,)`, between the likeliest class and the second.
    """

    classes: tuple[str, ...]
    probabilities: Array

    @property
    def best(self) -> Ints:
        """The likeliest class of each photo `(n,)`, as a place in `classes`."""
        best: Ints = self.probabilities.argmax(axis=1)
        return best

    @property
    def confidence(self) -> Array:
        """The probability of that class `(n,)`."""
        best: Array = self.probabilities.max(axis=1)
        return best

    @property
    def margins(self) -> Array:
        """Between the likeliest class and the second `(n,)`; 0: no telling them apart."""
        two = np.partition(self.probabilities, -2, axis=1)[:, -2:]
        margins: Array = two[:, 1] - two[:, 0]
        return margins


def propose(points: Array, labels: list[str], *, by_hand: Bools, seed: int = 0) -> Proposals | None:
    """Learn from the sorted photos and propose a class for each photo.

    Args:
        points: `head_points` of all photos `(n, c)`.
        labels: class of each photo; empty where it is unsorted.
        by_hand: `(n,)`, the sorted photos that a person judged one by one: calibration uses
            these, since photos that were named in a group are easier than the rest.

    Returns:
        None while fewer than two classes have `FEWEST_PHOTOS` photos.
    """
    known = np.array([bool(label) for label in labels])
    names, counts = np.unique([label for label in labels if label], return_counts=True)
    enough = names[counts >= FEWEST_PHOTOS]
    if len(enough) < 2:
        return None
    place = {name: number for number, name in enumerate(names)}
    of_photo = np.array([place.get(label, -1) for label in labels])
    logits = _fit(points[known], of_photo[known], len(names))(points)
    temperature = _temperature(points, of_photo, known, by_hand, len(names), seed)
    return Proposals(
        classes=tuple(str(name) for name in names), probabilities=softmax(logits / temperature)
    )


def next_questions(
    proposals: Proposals | None,
    points: Array,
    unsorted: Bools,
    *,
    order: Order = "doubtful",
    most: int = 12,
) -> list[int]:
    """Photos worth asking about next, the most useful first.

    Args:
        unsorted: `(n,)`.
        order: `doubtful`: the smallest margins; `different`: each the farthest from all sorted
            photos and from the questions before it.
    """
    open_photos = np.flatnonzero(unsorted)
    if order == "doubtful" and proposals is not None:
        chosen = open_photos[np.argsort(proposals.margins[open_photos], kind="stable")]
        return [int(photo) for photo in chosen[:most]]
    return _farthest(points, open_photos, np.flatnonzero(~unsorted), most)


def _farthest(points: Array, open_photos: Ints, known: Ints, most: int) -> list[int]:
    if not len(open_photos):
        return []
    candidates = points[open_photos]
    centre = points[known] if len(known) else candidates.mean(axis=0, keepdims=True)
    nearest = np.full(len(candidates), np.inf)
    for start in range(0, len(centre), 512):
        nearest = np.minimum(nearest, _squares(candidates, centre[start : start + 512]).min(axis=1))
    chosen: list[int] = []
    while len(chosen) < min(most, len(candidates)):
        farthest = int(nearest.argmax())
        chosen.append(farthest)
        nearest = np.minimum(nearest, _squares(candidates, candidates[farthest][None])[:, 0])
        nearest[farthest] = -1.0
    return [int(open_photos[one]) for one in chosen]


def _squares(left: Array, right: Array) -> Array:
    squares: Array = (
        (left**2).sum(axis=1)[:, None] - 2.0 * left @ right.T + (right**2).sum(axis=1)[None]
    )
    return squares


def _fit(points: Array, labels: Ints, n_classes: int) -> Callable[[Array], Array]:
    """A head: a function from points `(m, c)` to logits `(m, n_classes)`."""
    from sklearn.linear_model import LogisticRegression

    present = np.unique(labels)
    if len(present) < 2:
        only = np.full(n_classes, -20.0, np.float32)
        only[present] = 20.0
        return lambda others: np.repeat(only[None], len(others), axis=0)
    head = LogisticRegression(C=INVERSE_STRENGTH, max_iter=200, tol=1e-3).fit(points, labels)

    def logits(others: Array) -> Array:
        scores = head.decision_function(others)
        if scores.ndim == 1:  # two classes: one column
            scores = np.stack([-scores / 2, scores / 2], axis=1)
        full = np.full((len(others), n_classes), -20.0, np.float32)
        full[:, present] = scores
        return full

    return logits


def _temperature(
    points: Array, labels: Ints, known: Bools, by_hand: Bools, n_classes: int, seed: int
) -> float:
    """What logits are divided by, so that confidences of photos judged one by one come true.

    Cross-validated: each such photo is judged by a head that did not learn it. 1 where fewer than
    10 tell.
    """
    asked = np.flatnonzero(known & by_hand)
    if len(asked) < 10:
        return 1.0
    shuffled = np.random.default_rng(seed).permutation(asked)
    logits = np.zeros((len(points), n_classes), np.float32)
    for part in np.array_split(shuffled, FOLDS):
        rest = known.copy()
        rest[part] = False
        logits[part] = _fit(points[rest], labels[rest], n_classes)(points[part])
    return fit_temperature(logits[asked], labels[asked])
