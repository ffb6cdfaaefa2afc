"""The data set that the product draws itself."""

from __future__ import annotations

import time

import numpy as np
from PIL import Image

from translearn_core import datasets
from translearn_core.datasets.copy_groups import groups_of


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
    assert len(set(dataset.photos["sha256"])) == 60
    again = datasets.make_demo(per_class=2, name="again")
    assert again.name == "again"
    assert len(again.photos) == 10
    assert set(again.photos["sha256"]) < set(dataset.photos["sha256"]), "the first of each"
    with Image.open(dataset.photo_path(dataset.photos["path"].iloc[0])) as image:
        assert image.size == (240, 240)
        assert image.format == "JPEG"


def test_another_seed_draws_other_pictures() -> None:
    first, second = (datasets.make_demo(per_class=1, seed=seed) for seed in (0, 1))
    assert not set(first.photos["sha256"]) & set(second.photos["sha256"])


def test_the_trap_is_drawn_for_the_demo_alone_and_is_none_of_its_pictures() -> None:
    dataset = datasets.make_demo(per_class=2)
    traps = datasets.draw_traps(dataset)
    assert {trap.lure for trap in traps} == {"lemon"}
    assert {trap.truth for trap in traps} <= set(dataset.classes) - {"lemon"}
    assert [trap.content for trap in datasets.draw_traps(dataset)] == [
        trap.content for trap in traps
    ]

    def blue(content: bytes) -> float:
        """The share of clearly blue pixels."""
        pixels = datasets.decode_photo(content, size=None).image.astype(float)
        return float((pixels[..., 2] - pixels[..., :2].max(axis=2) > 25).mean())

    shares = {
        row.class_name: blue(dataset.photo_path(row.path).read_bytes())
        for row in dataset.photos.itertuples()
    }
    shown = [blue(trap.content) for trap in traps]
    assert min(*shown, shares["lemon"]) > 0.12, "the cloth of the lemons"
    with dataset.locked():
        dataset.write_record(dataset.record.model_copy(update={"source": ""}))
    assert datasets.draw_traps(dataset) == [], "one that was drawn before there was a trap"


def test_an_unsorted_demo_does_not_tell_its_classes() -> None:
    dataset = datasets.make_demo(per_class=2, sorted_=False)
    assert dataset.counts.empty
    unsorted = datasets.read_unsorted(dataset)
    assert len(unsorted) == 10
    assert not any("lemon" in file or "apple" in file for file in unsorted["file"])
    of_class = datasets.make_demo(per_class=2)
    assert set(unsorted["sha256"]) == set(of_class.photos["sha256"])
    order = [
        dict(zip(of_class.photos["sha256"], of_class.photos["class_name"], strict=True))[one]
        for one in unsorted["sha256"]
    ]
    assert order != sorted(order)
