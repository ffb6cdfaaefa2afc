"""Two domains, and how many photos of each `auto` goes by.

Owns: `Domains` (labelled photos that are learned from, and unlabelled ones), and the bounds of time and
memory: a sample of the labelled photos, and how many unlabelled ones are looked at.
Leaves to others: what is made of them (`adaptation.py`), gathering (`extra_samples.py`).

Time grows with photos times classes. Below the bounds, which the pairs of docs/experiments/domain_adaptation.md
are far from, nothing is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from translearn_core.arrays import Array, Ints
from translearn_core.fitting.data import TrainingData
from translearn_core.techniques.extra_samples import UnlabelledSet

MOST_LABELLED = 10_000
"""Labelled photos, and views of them, that heads of samples learn."""
MOST_UNLABELLED = 10_000
"""Unlabelled photos that are looked at."""
MOST_CELLS = 400_000
"""Of either, times classes."""
LEAST_OF_CLASS = 5
"""Labelled photos of each class that are in the sample, where there are as many, and unlabelled ones a
class, however many classes there are."""


@dataclass(frozen=True, kw_only=True)
class Domains:
    """Both domains: what the head may learn from (labelled), and the unlabelled photos.

    `rows` are the labelled photos that are learned from, with their views if `has_views`.
    """

    data: TrainingData
    others: UnlabelledSet
    rows: Ints
    stop: Callable[[], bool]
    has_views: bool = True

    @property
    def classes(self) -> int:
        """How many."""
        return len(self.data.classes)

    @property
    def labels(self) -> Ints:
        """Of the labelled photos."""
        return self.data.labels[self.rows]

    @property
    def priors(self) -> Array:
        """How frequent each class is among the labelled photos."""
        counts = np.bincount(self.labels, minlength=self.classes)
        priors: Array = counts / counts.sum()
        return priors

    def joined(self) -> Domains:
        """The same with the validation photos among those that are learned from."""
        data = self.data.joined()
        return replace(self, data=data, rows=data.rows("train"))

    def sampled(self, seed: int) -> Domains:
        """The same with as many labelled photos and views as may be: views are left out first."""
        most = most_photos(self.classes, MOST_LABELLED)
        views = 1 + len(self.data.views_pooled)
        chosen = choose_rows(self.labels, most, seed)
        has_views = self.has_views and len(self.rows) * views <= most
        return replace(self, rows=self.rows[chosen], has_views=has_views)

    def source_views(self) -> list[Array]:
        """Features of the labelled photos `(n, d)`, as they are and in each view."""
        views = self.data.views_pooled if self.has_views else ()
        return [source.take(self.rows) for source in (self.data.pooled, *views)]

    def target_views(self) -> list[Array]:
        """Features of the unlabelled photos `(m, d)`, as they are and in each view."""
        return [self.others.pooled, *self.others.views]


def most_photos(classes: int, most: int) -> int:
    """How many photos there may be of so many classes, `most` where these are few."""
    return max(LEAST_OF_CLASS * classes, min(most, MOST_CELLS // classes))


def choose_rows(labels: Ints, most: int, seed: int) -> Ints:
    """At most so many rows of `labels` `(n,)`, in their order: `LEAST_OF_CLASS` of each class and others by
    chance."""
    order = np.random.default_rng([seed, 37]).permutation(len(labels))
    ranks = pd.Series(labels[order]).groupby(labels[order]).cumcount().to_numpy()
    first = np.argsort(ranks >= LEAST_OF_CLASS, kind="stable")
    rows: Ints = np.sort(order[first][:most])
    return rows
