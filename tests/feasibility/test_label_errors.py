"""Labels that may be wrong."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.points import CLASSES, alone, draw_points
from translearn_core.evaluation import cross_validation, linear_probe
from translearn_core.feasibility.label_errors import (
    LEAST_SCORE,
    find_label_errors,
    strength_of,
    worth_showing,
)


@pytest.mark.parametrize("seed", [0, 1])
def test_wrong_labels_are_found_with_what_they_should_be(seed: int) -> None:
    features, truth = draw_points(600, seed=seed, apart=4.0)
    rng = np.random.default_rng(seed)
    wrong = rng.choice(600, 30, replace=False)
    labels = truth.copy()
    labels[wrong] = (labels[wrong] + rng.integers(1, CLASSES, 30)) % CLASSES
    result = cross_validation.cross_validate(
        linear_probe.PCASpace.fit(features), labels, alone(labels), CLASSES
    )
    errors = find_label_errors(labels, result.probabilities)
    rows = {error.row for error in errors}
    hits = rows & set(wrong.tolist())
    assert len(hits) >= 0.8 * 30
    assert len(hits) >= 0.7 * len(rows)
    right = [error.suggested == truth[error.row] for error in errors if error.row in hits]
    assert np.mean(right) > 0.9
    scores = [error.score for error in errors]
    assert scores == sorted(scores, reverse=True)
    assert min(scores) >= LEAST_SCORE
    assert max(scores) <= 1.0


def test_sound_labels_are_left_alone() -> None:
    features, labels = draw_points(300, seed=2, apart=4.0)
    result = cross_validation.cross_validate(
        linear_probe.PCASpace.fit(features), labels, alone(labels), CLASSES
    )
    assert len(find_label_errors(labels, result.probabilities)) <= 3


def test_only_a_photo_among_those_of_another_class_is_almost_certainly_wrong() -> None:
    features, labels = draw_points(300, seed=2, apart=8.0)
    moved, odd = 7, 11
    wrong = (labels[moved] + 1) % CLASSES
    features[moved] = features[labels == wrong].mean(axis=0)
    features[odd] = features[labels == (labels[odd] + 1) % CLASSES].mean(axis=0) + 40.0
    probs = np.full((300, CLASSES), 0.001)
    probs[np.arange(300), labels] = 1.0
    for row in (moved, odd):
        probs[row] = 0.001
        probs[row, (labels[row] + 1) % CLASSES] = 1.0
    probs /= probs.sum(axis=1, keepdims=True)
    errors = find_label_errors(labels, probs, features=features)
    assert [(error.row, strength_of(error.score)) for error in errors] == [
        (moved, "almost_certain"),
        (odd, "worth_a_look"),
    ]
    assert all(
        strength_of(error.score) == "worth_a_look" for error in find_label_errors(labels, probs)
    )


def test_classes_without_photos_and_sets_without_photos_are_no_trouble() -> None:
    labels = np.array([0, 0, 2, 2, 2])
    probs = np.array([[0.9, 0.0, 0.1]] * 2 + [[0.1, 0.0, 0.9]] * 2 + [[0.98, 0.0, 0.02]])
    assert [error.row for error in find_label_errors(labels, probs)] == [4]
    assert find_label_errors(np.empty(0, np.int64), np.empty((0, 3))) == []
    assert find_label_errors(np.zeros(3, np.int64), np.ones((3, 1))) == []


@pytest.mark.parametrize(
    ("found", "sure", "accuracy", "shown"),
    [(25, 0, 0.54, 6), (25, 9, 0.54, 9), (4, 0, 0.54, 4), (25, 0, 0.8, 25), (0, 0, 0.3, 0)],
)
def test_a_weak_model_shows_few(found: int, sure: int, accuracy: float, shown: int) -> None:
    assert worth_showing(found, sure, accuracy) == shown
