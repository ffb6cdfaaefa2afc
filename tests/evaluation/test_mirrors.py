"""Classes that mirroring exchanges are found in features, others are left alone."""

from __future__ import annotations

import numpy as np
import pytest

from translearn_core.arrays import Array, Ints
from translearn_core.evaluation.mirrors import (
    LEAST_OF_CLASS,
    MOST_OF_CLASS,
    find_lookalike,
    sample_rows,
)

pytestmark = pytest.mark.awkward

NAMES = ["b", "d", "o", "w", "x", "y", "z", "a"]


def _features(per_class: int, *, classes: int, exchanged: bool) -> tuple[Array, Array, Ints]:
    """Clouds of features, mirrored ones and labels; `exchanged`: those of the first two classes.

    As by a network, mirrored photos are a little off themselves even where nothing changes.
    """
    rng = np.random.default_rng(3)
    centres = rng.normal(0, 3, (classes, 40))
    centres[1] = centres[0]
    centres[0, 0], centres[1, 0] = -2.5, 2.5
    labels = np.repeat(np.arange(classes), per_class)
    features = centres[labels] + rng.normal(0, 1, (len(labels), 40))
    mirrored = features + rng.normal(0, 0.4, features.shape)
    if exchanged:
        mirrored[labels < 2, 0] *= -1
    return features.astype(np.float32), mirrored.astype(np.float32), labels


@pytest.mark.parametrize(("per_class", "classes"), [(12, 2), (40, 2), (16, 8)])
def test_left_and_right_are_found(per_class: int, classes: int) -> None:
    features, mirrored, labels = _features(per_class, classes=classes, exchanged=True)
    found = find_lookalike(features, mirrored, labels)
    assert found is not None
    assert (found.first, found.second, found.n) == (0, 1, 2 * per_class)
    assert found.mirrored > 0.5 * found.n > 2 * found.plain
    sentence = found.describe(NAMES)
    assert f"of {found.n} photos" in sentence
    assert "b look like d" in sentence


@pytest.mark.parametrize("classes", [2, 8])
def test_classes_that_stay_themselves_are_left_alone(classes: int) -> None:
    assert find_lookalike(*_features(40, classes=classes, exchanged=False)) is None


def test_mirrored_photos_of_one_class_that_look_like_another_only_one_way_are_no_exchange() -> None:
    features, mirrored, labels = _features(40, classes=2, exchanged=False)
    mirrored[labels == 0] = mirrored[labels == 1]
    assert find_lookalike(features, mirrored, labels) is None


def test_too_few_photos_say_nothing() -> None:
    assert find_lookalike(*_features(3, classes=2, exchanged=True)) is None


def test_the_sample_is_bounded_and_holds_one_of_each_burst() -> None:
    labels = np.repeat(np.arange(100), 60)
    groups = np.arange(len(labels)) // 2
    allowed = labels != 7
    rows = sample_rows(labels, groups, allowed)
    counts = np.bincount(labels[rows], minlength=100)
    assert counts[7] == 0
    assert set(counts) == {0, LEAST_OF_CLASS}
    assert len(np.unique(groups[rows])) == len(rows)
    few = sample_rows(labels[:120], groups[:120], np.ones(120, np.bool_))
    assert len(few) == 2 * 30 < 2 * MOST_OF_CLASS
