"""What a pupil is taught: softened answers of its teacher."""

from __future__ import annotations

import numpy as np

from translearn_core.techniques.distillation import (
    TEACHER_SHARE,
    TEACHER_TEMPERATURE,
    soften,
    targets_of,
)


def test_softening_takes_the_root_of_probabilities() -> None:
    answers = np.array([[0.9, 0.09, 0.01], [0.2, 0.5, 0.3]])
    expected = answers ** (1 / TEACHER_TEMPERATURE)
    expected /= expected.sum(axis=1, keepdims=True)
    assert np.allclose(soften(answers), expected, atol=1e-4)
    assert soften(answers).dtype == np.float32


def test_softening_shows_what_a_teacher_confuses_and_keeps_its_order() -> None:
    sure = np.array([[0.98, 0.015, 0.005]])
    soft = soften(sure)
    assert soft[0, 1] > 3 * sure[0, 1]
    assert list(np.argsort(-soft[0])) == [0, 1, 2]
    assert np.allclose(soften(np.full((1, 4), 0.25)), 0.25)


def test_a_certain_teacher_leaves_no_empty_logarithm() -> None:
    soft = soften(np.array([[1.0, 0.0]]))
    assert np.isfinite(soft).all()
    assert soft[0, 0] > 0.99


def test_targets_are_labels_where_nobody_was_asked_and_shared_where_the_teacher_was() -> None:
    labels = np.array([0, 1, 1])
    teacher = np.array([[0.05, 0.95], [0.6, 0.4]])
    targets = targets_of(teacher, labels, np.array([0, 2]))
    assert np.array_equal(targets[1], [0, 1])
    assert np.allclose(
        targets[0], TEACHER_SHARE * soften(teacher)[0] + (1 - TEACHER_SHARE) * np.array([1, 0])
    )
    assert np.allclose(targets.sum(axis=1), 1, atol=1e-6)
    assert targets[0].argmax() == 1, "a teacher that is sure outweighs the label"
    assert targets[2].argmax() == 1, "one that is not does not"
