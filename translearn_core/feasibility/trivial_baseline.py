"""The accuracy of a head on trivial properties of photos: size, file type, brightness, colour.

Owns: the accuracy of a head on each property alone and on all together.
Leaves to others: the properties (`properties.py`), cross-validation
(`evaluation/cross_validation.py`), shortcuts (`shortcuts.py`).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from translearn_core.arrays import Array, Ints
from translearn_core.evaluation.cross_validation import cross_validate
from translearn_core.evaluation.linear_probe import PCASpace
from translearn_core.feasibility.properties import PROPERTIES

PENALTY = 0.1
_BINS = 8


COLOUR_AND_SIZE = "colour and size"
"""All counted rows of `PROPERTIES` together."""


def evaluate_properties(
    photos: pd.DataFrame, labels: Ints, groups: Ints, classes: int, *, folds: int, seed: int
) -> dict[str, float]:
    """Accuracy of a head on each counted property alone and on all together (`COLOUR_AND_SIZE`).

    Args:
        photos: manifest rows with photo statistics.
        folds, seed: as given to `cross_validate`, for the same folds.
    """
    known = photos["tint"].str.len() > 0
    if not known.all():  # measured by an earlier version: the lowest known value stands in
        photos = photos.assign(tint=photos["tint"].where(known, photos["tint"][known].min()))
    drawn = ("colour", "background")
    rows = [row for row in PROPERTIES if row.counted and (known.any() or row.name not in drawn)]
    measured = {row.name: _in_bins(row.measure(photos).astype(float)) for row in rows}
    measured[COLOUR_AND_SIZE] = np.concatenate(list(measured.values()), axis=1)
    return {
        name: cross_validate(
            PCASpace.fit(values.astype(np.float32)),
            labels,
            groups,
            classes,
            repeats=1,
            folds=folds,
            seed=seed,
            penalty=PENALTY,
        ).accuracy
        for name, values in measured.items()
    }


def _in_bins(values: Array) -> Array:
    """`values` `(n, k)`, and for each column the one-hot octile that a value lies in."""
    blocks = [values]
    for column in values.T:
        edges = np.unique(np.quantile(column, np.linspace(0, 1, _BINS + 1)[1:-1]))
        indices = np.searchsorted(edges, column, side="left")
        blocks.append(np.eye(len(edges) + 1)[indices])
    return np.concatenate(blocks, axis=1)
