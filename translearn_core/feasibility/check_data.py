"""What a feasibility check has to work with: photos with their features, and what was measured.

Owns: `CheckData` and `Evaluation`. Leaves to others: computing them (`compute.py`), the report that is
made of them (`make_report.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from translearn_core.arrays import Array, Ints
from translearn_core.datasets import Dataset
from translearn_core.datasets.aspect_ratios import FitChoice
from translearn_core.datasets.duplicates import Pairs
from translearn_core.datasets.embedding import Features
from translearn_core.evaluation.cross_validation import CrossValidation, CurvePoint
from translearn_core.evaluation.linear_probe import PCASpace
from translearn_core.evaluation.mirrors import Lookalike

MOST_VALIDATED = 4000
"""Photos in the cross-validation at most; the others are only predicted."""


@dataclass(frozen=True, kw_only=True)
class CheckData:
    """Photos with their features; `rows` are those in the cross-validation, `given` the splits of the source
    that count (`datasets.given_splits`).

    `features` `(n, d) float32`, read as they are asked for, `labels` `(n,)` class indices, `groups` `(n,)` of photos that stay on
    one side of every split, `copies` `(n,)` near-duplicate groups alone; `lookalike` two classes that
    mirroring exchanges, where training would mirror photos;
    `fit_choice` how the photos became squares.
    """

    dataset: Dataset
    photos: pd.DataFrame
    features: Features
    classes: list[str]
    labels: Ints
    pairs: Pairs
    groups: Ints
    copies: Ints
    lookalike: Lookalike | None
    given: npt.NDArray[np.object_]
    rows: Ints
    fit_choice: FitChoice
    seed: int

    @property
    def validated_photos(self) -> pd.DataFrame:
        """The manifest rows of the photos in the cross-validation."""
        return self.photos.iloc[self.rows]


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """The results on the photos in the cross-validation.

    `random` is the accuracy with a naive random split and `random_gap_error` the standard error of
    how much higher it is than that of `cv`; `shuffled` `(shuffles, 2)` the accuracy and
    the mean recall on shuffled labels, `trivial` the accuracy on each trivial property.
    """

    space: PCASpace
    cv: CrossValidation
    random: float
    random_gap_error: float
    shuffled: Array
    trivial: dict[str, float]
    curve: list[CurvePoint]
