"""Accuracy by attribute: is a model as good for every part of the test photos?

Owns: `find_slices`, which counts right answers by the values of attributes and tells which parts
fare worse than the others by more than chance.
Leaves to others: where attributes come from (`datasets`), what is said of slices
(`runs/run_caveats.py`).

The test: Fisher's exact test (R. A. Fisher, 1935) of each value against all other photos that have
the attribute, one-sided; p-values are corrected by Holm's step-down method over all slices.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from translearn_core.arrays import Array, Bools
from translearn_core.evaluation.metrics import wilson_interval
from translearn_core.evaluation.significance import SIGNIFICANT, holm

MOST_VALUES = 30
"""Attributes with more values in the test are names, dates or measures rather than parts."""
FEWEST_PHOTOS = 5
"""Of fewer test photos nothing is said."""


@dataclass(frozen=True, kw_only=True)
class Slice:
    """The test photos whose `attribute` has this `value`.

    `n` photos, `correct` of them predicted correctly; `n_rest`, `correct_rest`: the other photos
    that have the attribute. `p_corrected`: of being this much worse than these by chance (Holm).
    """

    attribute: str
    value: str
    n: int
    correct: int
    n_rest: int
    correct_rest: int
    p_corrected: float

    @property
    def accuracy(self) -> float:
        """Share predicted correctly."""
        return self.correct / self.n

    def figures(self) -> dict[str, Any]:
        """As `SliceMetrics` holds it."""
        return {
            "attribute": self.attribute,
            "value": self.value,
            "n_test": self.n,
            "correct": self.correct,
            "interval": wilson_interval(self.correct, self.n),
            "n_rest": self.n_rest,
            "correct_rest": self.correct_rest,
            "is_worse": self.p_corrected < SIGNIFICANT,
        }


def find_slices(
    correct: Bools, truth: Sequence[str], attributes: Mapping[str, Sequence[str]]
) -> list[Slice]:
    """Break the test photos down by attributes.

    Args:
        correct: `(n,)`, which test photos are predicted correctly.
        truth: their classes.
        attributes: name -> value of each test photo, empty where it is not known.

    Returns:
        By attribute, in the order given, then by accuracy, the lowest first. Attributes with a
        single value or more than `MOST_VALUES`, and those that say just what the class says, have
        none, nor have values with fewer than `FEWEST_PHOTOS` photos.
    """
    found: list[Slice] = []
    for name, values in attributes.items():
        given = np.array([str(value) for value in values], dtype=object)
        known = given != ""
        counts = pd.Series(given[known]).value_counts()
        if not 2 <= len(counts) <= MOST_VALUES or _is_class(given[known], np.array(truth)[known]):
            continue
        slices = [
            _count(name, value, correct[known], given[known] == value)
            for value in sorted(counts.index[counts >= FEWEST_PHOTOS])
        ]
        found += sorted(slices, key=lambda one: (one.accuracy, one.value))
    corrected = holm([one.p_corrected for one in found])
    return [
        replace(one, p_corrected=p_value) for one, p_value in zip(found, corrected, strict=True)
    ]


def _count(attribute: str, value: str, correct: Bools, inside: Bools) -> Slice:
    from scipy.stats import fisher_exact  # importing it takes most of a second; most sets need none

    n, right = int(inside.sum()), int(correct[inside].sum())
    n_rest, right_rest = int((~inside).sum()), int(correct[~inside].sum())
    table = [[right, n - right], [right_rest, n_rest - right_rest]]
    return Slice(
        attribute=attribute,
        value=value,
        n=n,
        correct=right,
        n_rest=n_rest,
        correct_rest=right_rest,
        p_corrected=float(fisher_exact(table, alternative="less").pvalue),
    )


def _is_class(values: Array, truth: Array) -> bool:
    """Whether each value is one class and each class one value."""
    pairs = pd.DataFrame({"value": values, "class": truth}).drop_duplicates()
    return bool(pairs["value"].is_unique and pairs["class"].is_unique)
