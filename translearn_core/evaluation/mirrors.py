"""Whether mirrored photos of one class look like another: left and right, b and d.

Owns: which photos are asked (`sample_rows`), the test (`find_lookalike`), and its result in words.
Leaves to others: features of the photos and of their mirrored views (`features/extractor.py`), what
follows for training (`fitting/mirroring.py`), the check's row (`feasibility/detectors.py`).

For two classes a linear head learns from photos as they are and predicts held-out ones, as they are
and mirrored. A paired t-test says whether the mirrored ones get a higher probability of the other class.
Networks trained on ImageNet learned from mirrored photos, so that natural photos keep their answer.
Of many classes only pairs are tested of which the mirrored one lies near the other.

How well heads do that learn from mirrored views, too, is not asked: a linear head may lose by it
where the head of a run gains (docs/experiments/mirrors.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from translearn_core.arrays import Array, Bools, Ints
from translearn_core.evaluation.cross_validation import assign_folds
from translearn_core.evaluation.linear_probe import PCASpace, fit_heads, predict_heads
from translearn_core.i18n import _

MOST_OF_CLASS, LEAST_OF_CLASS, MOST_PHOTOS = 40, 16, 1000
"""Photos of a class that are asked: 40, fewer where that were more than 1,000 in all, 16 at least."""
FEWEST_OF_CLASS = 4
"""Classes with fewer are not tested."""
SURE = 0.05
"""Error probability of the test, for all pairs together (Bonferroni)."""
LEAST_RISE = 0.1
"""Mean rise of the probability of the other class by mirroring, from which two classes look alike;
half of it in each direction. Natural sets of 6 to 102 classes stay below, left and right reach 0.4
to 0.7 (docs/experiments/mirrors.md)."""
_ALL_PAIRS_UP_TO = 6
_NEAREST = 2
_FOLDS = 4
_PENALTY = 0.1


@dataclass(frozen=True, kw_only=True)
class Lookalike:
    """Two classes, by their numbers, that mirroring exchanges.

    Of `n` photos of them `plain` are taken for the other one as they are, `mirrored` when mirrored.
    """

    first: int
    second: int
    n: int
    plain: int
    mirrored: int

    def describe(self, classes: Sequence[str]) -> str:
        """What was found, a sentence for a person."""
        return _(
            "Mirrored photos of {first} look like {second}, and the other way round: of {n} photos "
            "of the two {mirrored} are taken for the other class when mirrored, and {plain} as they "
            "are."
        ).format(
            first=classes[self.first],
            second=classes[self.second],
            n=self.n,
            mirrored=self.mirrored,
            plain=self.plain,
        )


def sample_rows(labels: Ints, groups: Ints, allowed: Bools, *, seed: int = 0) -> Ints:
    """Rows of the photos that are asked: few of each class, one of each group of near-duplicates.

    Args:
        labels, groups: `(n,)`, class numbers and near-duplicate groups.
        allowed: `(n,)`, photos that may be asked.
    """
    rows = np.flatnonzero(allowed)
    order = np.random.default_rng([seed, 47]).permutation(len(rows))
    table = pd.DataFrame({"row": rows, "label": labels[rows], "group": groups[rows]}).iloc[order]
    table = table.drop_duplicates(["label", "group"])
    classes = max(1, table["label"].nunique())
    most = int(np.clip(MOST_PHOTOS // classes, LEAST_OF_CLASS, MOST_OF_CLASS))
    return np.sort(table.groupby("label").head(most)["row"].to_numpy(np.int64))


def find_lookalike(
    features: Array, mirrored: Array, labels: Ints, *, seed: int = 0
) -> Lookalike | None:
    """The two classes that mirroring exchanges most surely; None where it exchanges none.

    Args:
        features, mirrored: `(n, d) float32` of distinct photos and of their mirrored views.
        labels: `(n,)`, class numbers.
    """
    pairs = _candidates(features, mirrored, labels)
    best, surest = None, SURE / max(1, len(pairs))
    for first, second in pairs:
        rows = np.flatnonzero((labels == first) | (labels == second))
        is_second = labels[rows] == second
        plain, turned = _predict(features[rows], mirrored[rows], is_second, seed)
        rise = turned - plain
        least = min(rise[is_second].mean(), rise[~is_second].mean())
        if rise.mean() < LEAST_RISE or least < LEAST_RISE / 2:
            continue
        probability = _greater_than_zero(rise)
        if probability <= surest:
            surest = probability
            best = Lookalike(
                first=first,
                second=second,
                n=len(rows),
                plain=int((plain > 0.5).sum()),
                mirrored=int((turned > 0.5).sum()),
            )
    return best


def _candidates(features: Array, mirrored: Array, labels: Ints) -> list[tuple[int, int]]:
    """Pairs of classes to test: all of few; of many each with those nearest to its mirrored photos."""
    names, counts = np.unique(labels, return_counts=True)
    names = names[counts >= FEWEST_OF_CLASS]
    if len(names) < 2:
        return []
    mean, spread = features.mean(axis=0), np.maximum(features.std(axis=0), 1e-6)
    centres, turned = (
        np.stack([(values[labels == name].mean(axis=0) - mean) / spread for name in names])
        for values in (features, mirrored)
    )
    distance = np.square(turned).sum(axis=1)[:, None] - 2 * turned @ centres.T
    distance += np.square(centres).sum(axis=1)
    np.fill_diagonal(distance, np.inf)
    near = len(names) - 1 if len(names) <= _ALL_PAIRS_UP_TO else _NEAREST
    nearest = np.argsort(distance, axis=1, kind="stable")[:, :near]
    pairs = {tuple(sorted((one, int(other)))) for one, row in enumerate(nearest) for other in row}
    return [(int(names[one]), int(names[other])) for one, other in sorted(pairs)]


def _predict(features: Array, mirrored: Array, is_second: Bools, seed: int) -> tuple[Array, Array]:
    """Probabilities `(n,)` of the other one of two classes for held-out photos, as they are and
    mirrored."""
    labels = is_second.astype(np.int64)
    rng = np.random.default_rng([seed, 53])
    fold_of = assign_folds(labels, np.arange(len(labels)), folds=_FOLDS, rng=rng)
    held_out = fold_of == np.arange(_FOLDS)[:, None]  # (folds, n)
    space = PCASpace.fit(features)
    heads = fit_heads(space, labels, ~held_out, 2, penalty=_PENALTY)
    rows = np.arange(len(labels))
    plain, turned = (
        predict_heads(points, heads, held_out)[rows, 1 - labels]
        for points in (space.points, space.transform(mirrored))
    )
    return plain, turned


def _greater_than_zero(values: Array) -> float:
    """Error probability of saying that the mean of `values` is above 0 (t-test, one side)."""
    from scipy.stats import ttest_1samp

    if not values.std():
        return 0.0 if values.mean() > 0 else 1.0
    return float(ttest_1samp(values, 0.0, alternative="greater").pvalue)
