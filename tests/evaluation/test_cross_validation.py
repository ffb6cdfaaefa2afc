"""Judging heads on photos that they have not learned from."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.points import CLASSES, alone, draw_points
from translearn_core.errors import StopRequestedError
from translearn_core.evaluation import cross_validation, linear_probe
from translearn_core.evaluation.linear_probe import PCASpace


def test_heads_are_those_of_scikit_learn() -> None:
    from sklearn.linear_model import LogisticRegression

    features, labels = draw_points(300, seed=0)
    space = PCASpace.fit(features)
    train_mask = np.random.default_rng(0).random((3, 300)) < np.array([[0.9], [0.5], [0.15]])
    for penalty in (0.1, 0.3):
        heads = linear_probe.fit_heads(space, labels, train_mask, CLASSES, penalty=penalty)
        for mask, head in zip(train_mask, heads, strict=True):
            strength = 1.0 / (penalty * mask.sum())
            theirs = LogisticRegression(C=strength, max_iter=2000, tol=1e-6)
            theirs.fit(space.points[mask, :-1], labels[mask])
            expected = theirs.predict_proba(space.points[:, :-1])
            result = linear_probe.predict_heads(space.points, head[None])
            assert np.abs(result - expected).max() < 0.01


def test_a_photo_that_counts_half_counts_half() -> None:
    features, labels = draw_points(60, seed=0)
    space = PCASpace.fit(np.concatenate([features, features[:20]]))
    twice, once = np.ones(80, bool), np.ones(80)
    once[:20] = once[60:] = 0.5
    both = np.concatenate([labels, labels[:20]])
    half = linear_probe.fit_heads(space, both, once[None], CLASSES, penalty=0.1)
    gone = linear_probe.fit_heads(space, both, (np.arange(80) < 60)[None], CLASSES, penalty=0.1)
    all_of_them = linear_probe.fit_heads(space, both, twice[None], CLASSES, penalty=0.1)
    asked = [linear_probe.predict_heads(space.points, heads) for heads in (half, gone, all_of_them)]
    assert np.abs(asked[0] - asked[1]).max() < 0.01 < np.abs(asked[0] - asked[2]).max()


def test_photos_beyond_the_space_are_placed_in_it() -> None:
    features, _labels = draw_points(50, seed=0)
    space = PCASpace.fit(features)
    np.testing.assert_allclose(space.transform(features), space.points, atol=1e-4)
    constant = PCASpace.fit(np.ones((5, 3), np.float32))
    assert np.isfinite(constant.points).all()


def test_groups_stay_together_and_classes_are_spread() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(3), [200, 100, 20])
    groups = np.where(
        rng.random(320) < 0.3, rng.integers(0, 20, 320) + 1000 * labels, alone(labels)
    )
    folds = cross_validation.assign_folds(labels, groups, folds=5, rng=rng)
    for group in np.unique(groups):
        assert len(np.unique(folds[groups == group])) == 1
    for name, n in ((0, 200), (1, 100), (2, 20)):
        counts = np.bincount(folds[labels == name], minlength=5)
        assert counts.sum() == n
        assert counts.min() >= 0.6 * n / 5


def test_bursts_do_not_flatter_the_honest_accuracy() -> None:
    features, labels = draw_points(60, seed=1)
    rng = np.random.default_rng(1)
    bursts = np.repeat(features, 10, axis=0) + rng.normal(0, 0.05, (600, 24)).astype(np.float32)
    names, groups = np.repeat(labels, 10), np.repeat(np.arange(60), 10)
    space = PCASpace.fit(bursts)
    honest = cross_validation.cross_validate(space, names, groups, CLASSES, repeats=2)
    random = cross_validation.cross_validate(space, names, alone(names), CLASSES, repeats=1)
    head = linear_probe.fit_heads(
        space, names, np.ones((1, 600), bool), CLASSES, penalty=honest.penalty
    )
    other_features, truth = draw_points(2000, seed=2)
    real = (
        linear_probe.predict_heads(space.transform(other_features), head).argmax(axis=1) == truth
    ).mean()
    low, high = cross_validation.interval(honest.accuracy, groups)
    assert low <= real <= high
    assert random.accuracy > honest.accuracy + 0.05
    assert cross_validation.effective_number(groups) == pytest.approx(60)


def test_the_interval_holds_the_accuracy_on_new_photos() -> None:
    other_features, truth = draw_points(3000, seed=999)
    held = 0
    for draw in range(40):
        features, labels = draw_points(100, seed=draw)
        space = PCASpace.fit(features)
        result = cross_validation.cross_validate(
            space, labels, alone(labels), CLASSES, repeats=2, penalty=0.1
        )
        head = linear_probe.fit_heads(space, labels, np.ones((1, 100), bool), CLASSES, penalty=0.1)
        real = (
            linear_probe.predict_heads(space.transform(other_features), head).argmax(axis=1)
            == truth
        ).mean()
        low, high = cross_validation.interval(result.accuracy, alone(labels))
        held += low <= real <= high
    assert held >= 36


def test_shuffled_labels_leave_chance() -> None:
    features, labels = draw_points(200, seed=3)
    space = PCASpace.fit(features)
    groups = alone(labels) // 2
    left = cross_validation.cross_validate_shuffled(
        space, labels, groups, CLASSES, penalty=0.1, shuffles=8
    )
    assert left.shape == (8, 2)
    assert abs(left[:, 1].mean() - 1 / CLASSES) < 0.08


def test_a_learning_curve_grows() -> None:
    features, labels = draw_points(400, seed=4)
    groups = alone(labels) // 2
    points = cross_validation.learning_curve(
        PCASpace.fit(features), labels, groups, CLASSES, penalty=0.1, draws=2
    )
    sizes = [point.n for point in points]
    assert sizes == sorted(sizes)
    assert sizes[-1] == pytest.approx(320, abs=5)
    assert sizes[-2] == pytest.approx(160, abs=8)
    assert points[-1].accuracy > points[0].accuracy + 0.05
    assert points[-1].per_class.shape == (CLASSES,)


@pytest.mark.parametrize("shots", [5, 10, 40])
def test_a_learning_curve_of_bursts_has_photos_at_every_point(shots: int) -> None:
    features, labels = draw_points(400, seed=4)
    order = np.argsort(labels, kind="stable")
    points = cross_validation.learning_curve(
        PCASpace.fit(features[order]), labels[order], np.arange(400) // shots, CLASSES, penalty=0.1
    )
    sizes = [point.n for point in points]
    assert sizes[0] >= CLASSES
    assert sizes == sorted(set(sizes))
    assert all(np.isfinite(point.accuracy) for point in points)


@pytest.mark.parametrize("n", [4, 7, 12])
def test_a_handful_of_photos_is_enough_to_say_something(n: int) -> None:
    features, _labels = draw_points(n, seed=5)
    labels = np.arange(n) % 2
    result = cross_validation.cross_validate(PCASpace.fit(features), labels, alone(labels), 2)
    assert 0.0 <= result.accuracy <= 1.0
    assert result.probabilities.sum(axis=1) == pytest.approx(np.ones(n))
    assert cross_validation.learning_curve(
        PCASpace.fit(features), labels, alone(labels), 2, penalty=0.1
    )


def test_a_request_to_stop_is_heard() -> None:
    features, labels = draw_points(40, seed=6)
    with pytest.raises(StopRequestedError):
        cross_validation.cross_validate(
            PCASpace.fit(features), labels, alone(labels), CLASSES, stop=lambda: True
        )
