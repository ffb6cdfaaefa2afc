"""Proposals of classes from a few labels, and which photo is asked next, on drawn features."""

from __future__ import annotations

import numpy as np

from tests.support.sorting import CLASSES, clouds
from translearn_core.sorting.proposals import head_points, next_questions, propose


def test_a_few_labels_propose_the_rest_and_the_most_doubtful_lie_between() -> None:
    features, labels = clouds(150)
    given = [label if place < 12 else "" for place, label in enumerate(labels)]
    known = np.array([bool(label) for label in given])
    points = head_points(features)
    proposals = propose(points, given, by_hand=known)
    assert proposals is not None
    best = [proposals.classes[place] for place in proposals.best]
    assert np.mean([one == label for one, label in zip(best, labels, strict=True)]) > 0.95
    asked = next_questions(proposals, points, ~known, most=10)
    rest = np.setdiff1d(np.flatnonzero(~known), asked)
    assert proposals.margins[asked].max() <= proposals.margins[rest].min()


def test_nothing_is_proposed_before_two_classes_have_photos() -> None:
    features, labels = clouds(30)
    points = head_points(features)
    none = np.zeros(30, bool)
    assert propose(points, [""] * 30, by_hand=none) is None
    given = [label if label == "cat" else "" for label in labels]
    assert propose(points, given, by_hand=none) is None
    given[1] = "dog"
    assert propose(points, given, by_hand=none) is None


def test_the_most_different_questions_are_of_every_cloud() -> None:
    features, labels = clouds(90)
    unsorted = np.ones(90, bool)
    asked = next_questions(None, head_points(features), unsorted, order="different", most=3)
    assert {labels[photo] for photo in asked} == set(CLASSES)
    unsorted[[place for place, label in enumerate(labels) if label != "owl"]] = False
    asked = next_questions(None, head_points(features), unsorted, order="different", most=5)
    assert {labels[photo] for photo in asked} == {"owl"}
