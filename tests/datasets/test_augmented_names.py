"""Versions of one photo by their names: what is joined, and what a common name does not tell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from tests.support.drawing import draw_image
from translearn_core import datasets
from translearn_core.datasets.augmented_names import MOST_VERSIONS, find_named_copies


def version(stem: str, number: int) -> str:
    return f"train/{stem}_jpg.rf.{number:032x}.jpg"


def test_versions_of_a_photo_are_joined_in_their_class() -> None:
    files = [
        version("IMG_1", 1),
        version("IMG_2", 2),
        "train/IMG_1.jpg",
        version("IMG_1", 3),
        version("IMG_1", 4),
        version("IMG_1", 5),
        "train/surf.rf.jpg",
    ]
    first, second = find_named_copies(files, ["a", "a", "a", "a", "b", "a", "a"])
    assert set(zip(first.tolist(), second.tolist(), strict=True)) == {(0, 3), (3, 5)}


def test_a_name_that_every_photo_has_tells_nothing() -> None:
    files = [version("image", number) for number in range(MOST_VERSIONS + 1)]
    assert len(find_named_copies(files, ["a"] * len(files))[0]) == 0
    assert len(find_named_copies(files[1:], ["a"] * MOST_VERSIONS)[0]) == MOST_VERSIONS - 1
    assert len(find_named_copies([], [])[0]) == 0


def test_no_split_tears_versions_apart(tmp_path: Path, workspace: Path) -> None:
    for number in range(36):
        stem, name = number // 3, "ab"[number // 3 % 2]
        path = tmp_path / name / Path(version(f"IMG_{stem}", number)).name
        path.parent.mkdir(exist_ok=True)
        draw_image(number, size=(96, 72)).save(path)  # unlike each other
    dataset = datasets.import_source(tmp_path)
    stems = dataset.photos["file"].str.extract(r"(IMG_\d+)")[0].to_numpy()
    features = np.random.default_rng(0).normal(size=(36, 16))
    groups = pd.Series(datasets.assign_groups(dataset, features).groups)
    assert groups.groupby(stems).nunique().eq(1).all()
    assert groups.nunique() == 12
    split = datasets.assign_splits(dataset, validation_share=0.2, test_share=0.2, seed=0)
    assert split.groupby(stems).nunique().max() == 1
    assert set(split) == {"train", "val", "test"}
