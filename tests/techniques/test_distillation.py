"""What a pupil is taught: softened answers of its teacher."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.clouds import draw_clouds
from translearn_core.errors import StopRequestedError
from translearn_core.evaluation.evidence import CLEAR, HiddenCheck
from translearn_core.techniques.distillation import (
    CERTAIN,
    TEACHER_SHARE,
    TEACHER_TEMPERATURE,
    judge_teaching,
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


def overlapping() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Photos of two clouds that overlap, among features that say nothing; and how likely the
    second class is by the distance from both middles."""
    signal, labels = draw_clouds(100, seed=1, apart=0.9, noise=1.0)
    rng = np.random.default_rng(2)
    features = np.concatenate([signal, rng.normal(0, 1, (200, 60))], axis=1).astype(np.float32)
    second = 1 / (1 + np.exp(0.9 * (signal[:, 0] - signal[:, 1])))
    return features, labels, second


def judged(features: np.ndarray, labels: np.ndarray, teacher: np.ndarray) -> HiddenCheck:
    rows = np.arange(len(labels))
    targets = targets_of(teacher, labels, rows)
    return judge_teaching([features], [targets], labels, rows, rng=np.random.default_rng(0))


def test_a_teacher_that_knows_how_likely_classes_are_helps() -> None:
    features, labels, second = overlapping()
    verdict = judged(features, labels, np.stack([1 - second, second], axis=1))
    assert verdict.helps
    assert verdict.taught > verdict.plain
    assert verdict.hidden == 200
    assert verdict.figures()["helps"] is True


def test_a_teacher_that_mixes_the_classes_up_is_not_heard() -> None:
    features, labels = draw_clouds(30, seed=3)
    wrong = np.where(np.eye(2)[labels] == 1, 0.02, 0.98)
    verdict = judged(features, labels, wrong)
    assert verdict.plain == 1.0
    assert verdict.taught < 0.5
    assert not verdict.helps


def test_a_teacher_of_whom_nothing_can_be_learned_leaves_the_run_plain() -> None:
    features, labels = draw_clouds(30, seed=4)
    verdict = judged(features, labels, np.eye(2)[labels])
    assert (verdict.plain, verdict.taught) == (1.0, 1.0)
    assert not verdict.helps


def test_each_view_has_targets_of_its_own_and_a_stop_is_heeded() -> None:
    features, labels = draw_clouds(12, classes=3, seed=5)
    targets = targets_of(np.eye(3)[labels], labels, np.arange(36))
    views, rng = [features, features + np.float32(0.1)], np.random.default_rng(0)
    verdict = judge_teaching(views, [targets] * 2, labels, np.arange(36), rng=rng)
    assert verdict.taught == 1.0
    with pytest.raises(StopRequestedError):
        judge_teaching(views, [targets] * 2, labels, np.arange(36), rng=rng, stop=lambda: True)


def test_a_gain_that_may_be_chance_is_none() -> None:
    """The same teacher as that which helps with 200 photos: with 40 its gain is not certain."""
    features, labels, second = overlapping()
    few = np.sort(np.random.default_rng(3).permutation(200)[:40])
    verdict = judged(features[few], labels[few], np.stack([1 - second, second], axis=1)[few])
    assert CLEAR < verdict.certainty < CERTAIN
    assert verdict.class_gain > 0
    assert not verdict.helps
