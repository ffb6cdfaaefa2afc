"""Whether guesses for unsorted photos are used: certain on clouds that help, and that harm."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.clouds import WIDTH, accuracy, draw_clouds
from translearn_core.errors import StopRequestedError
from translearn_core.techniques.self_training import Scene, SelfTrainingCheck, judge_guesses


def odd_ones() -> tuple[np.ndarray, np.ndarray]:
    """Twelve sorted photos whose second feature says the class as well, but for one of each."""
    labels = np.repeat([0, 1], 6)
    features = np.zeros((12, 2), np.float32)
    features[:, 0] = np.where(labels == 0, 1, -1)
    features[:, 1] = 2 * features[:, 0]
    features[[5, 11], 1] *= -1
    return features + np.random.default_rng(0).normal(0, 0.02, (12, 2)).astype(np.float32), labels


def plain_ones(each: int) -> np.ndarray:
    """Unsorted photos that only the first feature tells apart."""
    rng = np.random.default_rng(1)
    first = np.repeat([1, -1], each) + rng.normal(0, 0.02, 2 * each)
    return np.stack([first, rng.normal(0, 0.05, 2 * each)], axis=1).astype(np.float32)


def few_and_many(
    sorted_ones: tuple[np.ndarray, np.ndarray], unsorted: np.ndarray
) -> tuple[Scene, np.ndarray]:
    features, labels = sorted_ones
    scene = Scene.of([np.concatenate([features, unsorted])], labels, classes=2)
    return scene, np.arange(len(labels))


def test_unsorted_photos_that_show_which_feature_counts_help() -> None:
    scene, groups = few_and_many(odd_ones(), plain_ones(60))
    verdict = judge_guesses(scene, groups, seed=0)
    assert verdict.plain == pytest.approx(10 / 12), "the odd ones are named wrong when hidden"
    assert verdict.taught == 1.0
    assert verdict.helps
    assert verdict.certainty > 1
    assert verdict.hidden == 12


def test_where_plain_training_names_all_hidden_photos_nothing_is_used() -> None:
    sorted_ones = draw_clouds(12, seed=3)
    between = np.random.default_rng(0).uniform(0, 4, (150, WIDTH)).astype(np.float32)
    scene, groups = few_and_many(sorted_ones, between)
    verdict = judge_guesses(scene, groups, seed=0)
    assert verdict.plain == 1.0
    assert not verdict.helps


@pytest.mark.parametrize(
    ("certainty", "class_gain", "helps"),
    [(2.0, 0.05, True), (0.8, 0.05, False), (2.0, -0.05, False), (0.0, 0.0, False)],
    ids=["clear", "within chance", "only large classes gain", "a tie"],
)
def test_guesses_are_used_only_where_the_gain_is_clear_and_shared_by_classes(
    certainty: float, class_gain: float, helps: bool
) -> None:
    check = SelfTrainingCheck(
        plain=0.8,
        taught=0.85,
        threshold=0.5,
        hidden=40,
        certainty=certainty,
        class_gain=class_gain,
    )
    assert check.helps == helps


def test_guesses_keep_known_labels_and_name_the_others() -> None:
    sorted_ones = draw_clouds(6, seed=4)
    more, truth = draw_clouds(40, seed=5)
    scene, _groups = few_and_many(sorted_ones, more)
    known = np.ones(12, bool)
    known[[0, 7]] = False
    _plain, guesses = scene.guess(known)
    assert np.array_equal(guesses[:12][known], np.eye(2)[sorted_ones[1][known]])
    assert accuracy(guesses[12:], truth) == 1.0
    assert accuracy(guesses[:12][~known], sorted_ones[1][~known]) == 1.0


def test_a_threshold_that_no_guess_reaches_is_plain_training() -> None:
    scene, _groups = few_and_many(draw_clouds(6, seed=6, apart=1.0), draw_clouds(30, seed=7)[0])
    known = np.ones(12, bool)
    plain, guesses = scene.guess(known)
    assert np.allclose(scene.relearn(known, guesses, threshold=2.0), plain, atol=1e-6)


def test_views_count_as_one_photo() -> None:
    features, labels = draw_clouds(5, seed=8)
    more, _truth = draw_clouds(20, seed=9)
    both = np.concatenate([features, more])
    scene = Scene.of([both, both + 0.1], labels, classes=2)
    assert (scene.total, scene.views) == (50, 2)
    assert scene.graph.shape == (50, 50)


def test_judging_heeds_a_stop() -> None:
    features, labels = draw_clouds(5, seed=10)
    with pytest.raises(StopRequestedError):
        Scene.of([features], labels, classes=2, stop=lambda: True)
