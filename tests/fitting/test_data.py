"""What a run learns from: views of its photos by the rows of all of them."""

from __future__ import annotations

import numpy as np

from translearn_core.features.cache import FeatureTable
from translearn_core.fitting.data import _ViewTable


def table(values: list[float]) -> FeatureTable:
    rows = np.arange(len(values))
    return FeatureTable(
        [np.array(values, np.float32)[:, None]], np.stack([np.zeros_like(rows), rows], axis=1)
    )


def test_a_photo_without_a_view_stands_as_it_is() -> None:
    plain, mirrored = table([0, 1, 2, 3]), table([10, 12])
    views = _ViewTable(mirrored, np.array([0, 2]), plain)
    assert views.shape == (4, 1)
    assert views.take(np.array([3, 2, 1, 0]))[:, 0].tolist() == [3, 12, 1, 10]
    assert views.take(np.array([2, 2]))[:, 0].tolist() == [12, 12]
