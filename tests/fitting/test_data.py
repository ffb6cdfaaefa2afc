"""What a run learns from: views of its photos by the rows of all of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from translearn_core import datasets, runs
from translearn_core.datasets import Dataset
from translearn_core.features.cache import FeatureTable
from translearn_core.features.extractor import POOLED
from translearn_core.fitting.data import _ViewTable, gather_training_data
from translearn_core.fitting.plan import make_plan
from translearn_core.monitor import SILENT
from translearn_core.run_settings import make_settings


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


@pytest.mark.parametrize("early", [False, True])
def test_photos_that_are_sorted_meanwhile_keep_their_own_features(
    early: bool, workspace: Path, colour_photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = datasets.import_source(colour_photos, in_place=True, check=False)
    last = dataset.classes[-1]
    group = datasets.assign_groups
    moved: list[str] = []
    calls: list[int] = []

    def group_slowly(of: Dataset, *arguments: Any) -> Any:
        found = None if early and not moved else group(of, *arguments)
        if not moved:
            moved.append(str(of.photos["path"].iloc[0]))
            datasets.move_photos(of, moved, last)
        calls.append(len(of.photos))
        return group(of, *arguments) if found is None else found

    monkeypatch.setattr(datasets, "assign_groups", group_slowly)
    settings = make_settings({"backbone": "starter", "image_size": 32, "augmentation": "none"})
    plan = make_plan(runs.create_run(dataset.folder, settings, fingerprint=dataset.fingerprint))
    data = gather_training_data(plan, SILENT)
    rows = np.arange(len(data.photos))
    own = plan.extractor.table(POOLED, 0, list(data.photos["sha256"])).take(rows)
    np.testing.assert_array_equal(data.pooled.take(rows), own)
    assert len(calls) == 2, "groups are told anew"
    assert data.photos.set_index("path")["class_name"][moved[0]] == last
