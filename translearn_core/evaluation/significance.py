"""Paired significance tests of runs on the same photos (McNemar, Holm).

Owns: the test and its sentences. Leaves to others: which photos and predictions
(`prediction/compare.py`, `prediction/compare_tasks.py`).

The test: McNemar's exact test (Q. McNemar, 1947) on the photos where one is right and the other is
wrong; with more than two runs, p-values are corrected by Holm's step-down method (S. Holm, 1979),
over the comparisons with the chosen run, or over all pairs where the best run is selected on the
same photos.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TypeVar

import pandas as pd

from translearn_core.evaluation.metrics import wilson_interval
from translearn_core.i18n import _, ngettext

SIGNIFICANT = 0.05
S = TypeVar("S", bound="Score")


@dataclass(frozen=True, kw_only=True)
class Score:
    """Accuracy of the run with this letter on the common photos."""

    letter: str
    n: int
    correct: int

    @property
    def accuracy(self) -> float:
        """Share of the common photos that it classifies correctly."""
        return self.correct / self.n

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's interval of the accuracy, 95 %."""
        return wilson_interval(self.correct, self.n)


@dataclass(frozen=True, kw_only=True)
class PairedTest:
    """One run against another.

    `better`: photos that only `letter` classifies correctly; `worse`: photos that only `against`
    does.
    """

    letter: str
    against: str
    better: int
    worse: int
    p_value: float
    p_corrected: float
    """Holm's; equal to `p_value` where there is one comparison only."""

    @property
    def significant(self) -> bool:
        """Whether the corrected p-value is below `SIGNIFICANT`."""
        return self.p_corrected < SIGNIFICANT

    @property
    def sentence(self) -> str:
        """The result as a sentence."""
        if self.better + self.worse == 0:
            return _("{a} and {b} are right on the very same photos.").format(
                a=self.letter, b=self.against
            )
        first, second, better, worse = self.letter, self.against, self.better, self.worse
        if worse > better:
            first, second, better, worse = second, first, worse, better
        counts = ngettext(
            "{a} is better than {b} on {better} photo, worse on {worse}: ",
            "{a} is better than {b} on {better} photos, worse on {worse}: ",
            better,
        ).format(a=first, b=second, better=better, worse=worse)
        if self.significant:
            return counts + _("chance would hardly do that.")
        if mcnemar(self.better + self.worse, 0) >= SIGNIFICANT:
            return counts + _("so few that nothing can be concluded.")
        return counts + _("this could be chance.")


def summarise(scores: Sequence[Score], significance: Sequence[PairedTest], reference: str) -> str:
    """The result in a sentence or two; `significance` holds the test of every other run against the
    reference."""
    best, n = best_of(scores), scores[0].n
    if all(score.correct == best.correct for score in scores):
        return _("All are right equally often: on {correct} of {n} photos.").format(
            correct=best.correct, n=n
        )
    counts = ", ".join(f"{score.letter} {score.correct}" for score in scores)
    text = _("Of the same {n} photos, right: {shares}.").format(n=n, shares=counts)
    if len(significance) == 1:
        return f"{text} {significance[0].sentence}"
    names = ", ".join(test.letter for test in significance if test.significant)
    if not names:
        none = _("None differs from {reference} by more than chance.")
        return f"{text} {none.format(reference=reference)}"
    significant = _("More than chance: {reference} against {names}.")
    return f"{text} {significant.format(reference=reference, names=names)}"


def best_of(scores: Sequence[S]) -> S:
    """The run with the highest accuracy; the first of equals."""
    return max(scores, key=lambda score: score.correct)


def mcnemar(better: int, worse: int) -> float:
    """McNemar's exact test, two-sided: the probability of so uneven a count if neither is better.

    Args:
        better, worse: photos that only the first, and only the second, classifies correctly.

    Returns:
        The p-value in [0, 1]; 1 where there is no such photo.
    """
    n, few = better + worse, min(better, worse)
    if n == 0:
        return 1.0
    tail = sum(math.comb(n, k) for k in range(few + 1))
    return min(1.0, float(2 * tail / 2**n))  # integers until the one division: exact


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values corrected for their number by Holm's step-down method, in the same order."""
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    corrected = [1.0] * len(p_values)
    highest = 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = highest
    return corrected


def paired_test(
    runs: Sequence[Score], photos: pd.DataFrame, chosen: str | None
) -> tuple[PairedTest, ...]:
    """Every run against the chosen one, or against the best where none was chosen.

    The best is selected on the same photos; to account for that selection, the correction then
    counts all pairs.
    """
    letters = [run.letter for run in runs]
    reference = chosen or best_of(runs).letter
    pairs = [(a, b) for a, b in combinations(letters, 2) if chosen is None or chosen in (a, b)]
    counts = {}
    for a, b in pairs:
        right_a = photos[f"correct_{letters.index(a)}"]
        right_b = photos[f"correct_{letters.index(b)}"]
        counts[a, b] = int((right_a & ~right_b).sum()), int((~right_a & right_b).sum())
    p_values = [mcnemar(*counts[pair]) for pair in pairs]
    tests = []
    for (a, b), p_value, corrected in zip(pairs, p_values, holm(p_values), strict=True):
        if reference not in (a, b):
            continue
        only_a, only_b = counts[a, b]
        is_reference = a == reference
        tests.append(
            PairedTest(
                letter=b if is_reference else a,
                against=reference,
                better=only_b if is_reference else only_a,
                worse=only_a if is_reference else only_b,
                p_value=p_value,
                p_corrected=corrected,
            )
        )
    return tuple(tests)
