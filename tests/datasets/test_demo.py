"""The data set that the product draws itself."""

from __future__ import annotations

import time

import numpy as np
from PIL import Image

from translearn_core import datasets
from translearn_core.datasets.duplicates import groups_of


def test_demo_is_ready_to_train_and_the_same_each_time() -> None:
    begin = time.process_time()
    dataset = datasets.make_demo(per_class=12)
    assert time.process_time() - begin < 12
    assert dataset.kind == "demo"
    assert dataset.name == "Demo: fruit"
    assert dataset.counts.to_dict() == dict.fromkeys(
        ["apple", "banana", "lemon", "orange", "pear"], 12
    )
    datasets.check_ready(dataset)
    assert datasets.warnings(dataset) == []
    assert np.bincount(groups_of(dataset.photos)).max() <= 2
    again = datasets.make_demo(per_class=12, name="again")
    assert again.name == "again"
    assert set(again.photos["sha256"]) == set(dataset.photos["sha256"])
    assert len(set(again.photos["sha256"])) == 60
    with Image.open(dataset.photo_path(dataset.photos["path"].iloc[0])) as image:
        assert image.size == (240, 240)
        assert image.format == "JPEG"


def test_another_seed_draws_other_pictures() -> None:
    first, second = (datasets.make_demo(per_class=1, seed=seed) for seed in (0, 1))
    assert not set(first.photos["sha256"]) & set(second.photos["sha256"])
