"""How many photos of two domains are gone by, and which."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.support.clouds import draw_clouds, training_data
from tests.support.monitors import Warned
from tests.support.photos import draw_photos
from translearn_core import datasets, runs
from translearn_core.fitting.inputs import InMemory
from translearn_core.fitting.plan import make_plan
from translearn_core.monitor import SILENT
from translearn_core.run_settings import make_settings
from translearn_core.techniques import domains
from translearn_core.techniques.domains import (
    LEAST_OF_CLASS,
    MOST_CELLS,
    MOST_LABELLED,
    MOST_UNLABELLED,
    Domains,
    choose_rows,
    most_photos,
)
from translearn_core.techniques.extra_samples import UnlabelledSet, gather_unlabelled


@pytest.mark.parametrize("classes", [2, 7, 100, 1000])
def test_photos_times_classes_are_bounded_and_no_class_is_left_without(classes: int) -> None:
    for most in (MOST_LABELLED, MOST_UNLABELLED):
        found = most_photos(classes, most)
        assert LEAST_OF_CLASS * classes <= found <= most
        assert found * classes <= max(MOST_CELLS, LEAST_OF_CLASS * classes**2)


def test_the_pairs_that_the_rule_was_judged_on_are_far_from_the_bounds() -> None:
    """PACS: 3,929 photos of the largest place, 45 % of them and their mirror images, 7 classes."""
    assert most_photos(7, MOST_LABELLED) > 2 * 0.45 * 3929
    assert most_photos(7, MOST_UNLABELLED) > 0.45 * 3929


def test_a_sample_keeps_shares_and_some_photos_of_each_class() -> None:
    labels = np.repeat([0, 1, 2], [6000, 3000, 7])
    rows = choose_rows(labels, 300, seed=1)
    counts = np.bincount(labels[rows])
    assert len(rows) == len(np.unique(rows)) == 300
    assert (np.diff(rows) > 0).all()
    assert counts[2] >= LEAST_OF_CLASS
    assert counts[0] / counts[1] == pytest.approx(2, rel=0.3)
    assert np.array_equal(rows, choose_rows(labels, 300, seed=1))
    assert not np.array_equal(rows, choose_rows(labels, 300, seed=2))
    assert np.array_equal(choose_rows(labels, len(labels), seed=1), np.arange(len(labels)))


@pytest.mark.parametrize(
    ("most", "photos", "views"), [(160, 80, 2), (159, 80, 1), (40, 40, 1)], ids=str
)
def test_views_are_left_out_before_photos(
    monkeypatch: pytest.MonkeyPatch, most: int, photos: int, views: int
) -> None:
    monkeypatch.setattr(domains, "MOST_LABELLED", most)
    features, labels = draw_clouds(40)
    data = training_data(features, labels, np.full(80, "train"))
    data = replace(data, views_pooled=(InMemory(-features),))
    others = UnlabelledSet(photos=pd.DataFrame(), pooled=features, views=(features,))
    both = Domains(data=data, others=others, rows=np.arange(80), stop=lambda: False).sampled(0)
    assert [len(view) for view in both.source_views()] == [photos] * views
    assert len(both.target_views()) == 2, "each is a photo to be answered"
    np.testing.assert_array_equal(both.source_views()[0], features[both.rows])
    np.testing.assert_array_equal(both.labels, labels[both.rows])


def test_of_many_unlabelled_photos_some_are_looked_at_the_same_ones_by_every_seed(
    workspace: Path, colour_photos: Path, tmp_path: Path
) -> None:
    own = datasets.import_source(colour_photos, in_place=True, check=False)
    there = draw_photos(tmp_path / "there", per_class=6, seed=9)
    seen, monitor = [], Warned()
    for seed in (0, 1):
        settings = make_settings({"backbone": "starter", "image_size": 32, "seed": seed})
        plan = make_plan(runs.create_run(own.folder, settings, fingerprint=own.fingerprint))
        seen.append(gather_unlabelled(plan, str(there), monitor, most=7))
    every = gather_unlabelled(plan, str(there), SILENT)
    assert len(seen[0]) == len(seen[0].pooled) == 7 < len(every)
    assert list(seen[0].photos["path"]) == list(seen[1].photos["path"])
    assert len(monitor.said) == 2
    assert all(f"7 of the {len(every)} photos in there" in text for text in monitor.said)
    rows = [list(every.photos["path"]).index(path) for path in seen[0].photos["path"]]
    assert rows != list(range(7)), "not the first ones"
    np.testing.assert_array_equal(seen[0].pooled, every.pooled[rows])
