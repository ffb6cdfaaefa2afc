"""The drawn sets for teaching hold the fault that a class is to find, and no other."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from translearn_core import datasets
from translearn_core.datasets.tasks import attributes_of
from translearn_core.datasets.teaching_sets import TEACHING_SETS
from translearn_core.feasibility.shortcuts import find_shortcuts


@pytest.fixture(scope="module")
def snow(tmp_path_factory: pytest.TempPathFactory) -> datasets.Dataset:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRANSLEARN_HOME", str(tmp_path_factory.mktemp("home")))
        return datasets.make_teaching_set("snow")


def test_the_background_gives_dogs_and_wolves_away_in_the_photos_to_learn_from(
    snow: datasets.Dataset,
) -> None:
    photos = snow.photos[snow.photos["split"] == "train"]
    told = find_shortcuts(photos, np.unique(photos["class_name"], return_inverse=True)[1], None)
    assert {one.property.name for one in told} & {"background", "colour", "brightness"}


def test_half_of_the_test_lies_the_other_way_round(snow: datasets.Dataset) -> None:
    scenes = attributes_of(snow)["scene"]
    parts = Counter(
        (split, scenes[path])
        for split, path in zip(snow.photos["split"], snow.photos["path"], strict=True)
    )
    assert parts == {
        ("train", "dog on grass"): 60,
        ("train", "wolf in snow"): 60,
        ("test", "dog on grass"): 15,
        ("test", "wolf in snow"): 15,
        ("test", "dog in snow"): 15,
        ("test", "wolf on grass"): 15,
    }


def test_there_is_no_sad_orange_robot_to_learn_from_and_every_kind_is_tested() -> None:
    drawings = list(TEACHING_SETS["robots"].drawings(0))
    kinds = Counter((one.split, one.class_name, one.attributes["colour"]) for one in drawings)
    assert ("train", "sad", "orange") not in kinds
    assert [
        kinds["test", mood, colour] for mood in ("happy", "sad") for colour in ("blue", "orange")
    ] == [20] * 4


def test_wrong_labels_are_among_the_photos_to_learn_from_only() -> None:
    drawings = list(TEACHING_SETS["wrong-labels"].drawings(0))
    wrong = Counter(
        one.split for one in drawings if one.file.split("/")[-1][0] != one.class_name[0]
    )
    learned = sum(one.split == "train" for one in drawings)
    assert set(wrong) == {"train"}
    assert 0.2 < wrong["train"] / learned < 0.4


@pytest.mark.parametrize("name", TEACHING_SETS)
def test_the_same_seed_draws_the_same_pictures(name: str) -> None:
    first, again, other = (
        next(iter(TEACHING_SETS[name].drawings(seed))).draw() for seed in (0, 0, 1)
    )
    assert first == again != other
