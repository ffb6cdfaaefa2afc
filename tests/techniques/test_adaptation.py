"""Getting used to a new place, on features that were moved in a known way."""

from __future__ import annotations

import numpy as np

from tests.support.clouds import WIDTH, accuracy, draw_clouds
from translearn_core.evaluation import linear_probe
from translearn_core.techniques.adaptation import coral, first_guesses, settle_guesses, surest

EVEN = np.array([0.5, 0.5])


def trained_on_source(source: np.ndarray, labels: np.ndarray, target: np.ndarray) -> np.ndarray:
    """What a linear head of the sorted photos says of the others, with nothing adapted."""
    space = linear_probe.PCASpace.fit(source)
    heads = linear_probe.fit_heads(space, labels, np.ones((1, len(labels)), bool), 2, penalty=0.1)
    return linear_probe.predict_heads(space.transform(target), heads)


def moved(features: np.ndarray) -> np.ndarray:
    """The same things in another place: every feature stretched and shifted."""
    return (features * np.linspace(0.4, 2.5, WIDTH) + np.linspace(-9, 9, WIDTH)).astype(np.float32)


def test_a_place_that_is_stretched_and_shifted_is_named_right_only_after_adaptation() -> None:
    source, labels = draw_clouds(40, seed=1)
    there, truth = draw_clouds(40, seed=2)
    target = moved(there)
    assert accuracy(trained_on_source(source, labels, target), truth) < 0.7
    answers, points = first_guesses([source], labels, [target], classes=2)
    assert accuracy(answers, truth) == 1.0
    assert len(points) == len(target)
    assert accuracy(settle_guesses(answers, points, EVEN), truth) == 1.0


def test_settling_mends_first_guesses_that_are_partly_wrong() -> None:
    points, truth = draw_clouds(50, seed=3)
    wrong = np.random.default_rng(0).permutation(100)[:25]
    guesses = np.where(np.eye(2)[truth] == 1, 0.7, 0.3)
    guesses[wrong] = guesses[wrong, ::-1]
    assert accuracy(guesses, truth) == 0.75
    assert accuracy(settle_guesses(guesses, points, EVEN), truth) == 1.0


def test_a_new_place_where_the_classes_changed_places_is_harmed() -> None:
    source, labels = draw_clouds(40, seed=4)
    there, truth = draw_clouds(40, seed=5)
    mirrored = there.copy()
    mirrored[:, :2] = there[:, 1::-1]  # what looked like one class looks like the other
    answers, points = first_guesses([source], labels, [mirrored], classes=2)
    assert accuracy(settle_guesses(answers, points, EVEN), truth) == 0.0, (
        "photos without labels cannot tell; only labelled ones of the new place show it"
    )


def test_views_of_the_same_photos_are_answered_together() -> None:
    source, labels = draw_clouds(30, seed=6)
    target, truth = draw_clouds(20, seed=7)
    noisy = target + np.random.default_rng(0).normal(0, 0.3, target.shape).astype(np.float32)
    answers, points = first_guesses([source, source], labels, [target, noisy], classes=2)
    assert answers.shape == (40, 2)
    assert len(points) == 40
    assert accuracy(answers, truth) == 1.0


def test_coral_gives_sorted_photos_the_mean_and_correlations_of_the_new_place() -> None:
    rng = np.random.default_rng(0)
    turn = rng.normal(0, 1, (WIDTH, WIDTH))
    source = rng.normal(0, 1, (4000, WIDTH)).astype(np.float32)
    target = (rng.normal(0, 1, (4000, WIDTH)) @ turn + 5).astype(np.float32)
    result = coral(source, target)(source)
    assert np.allclose(result.mean(axis=0), target.mean(axis=0), atol=0.05)
    unit = np.trace(np.cov(target, rowvar=False)) / WIDTH
    expected = (np.cov(target, rowvar=False) + unit * np.eye(WIDTH)) / 2  # source: identity, twice
    assert np.allclose(np.cov(result, rowvar=False), expected, atol=0.05 * unit)


def test_coral_changes_nothing_where_the_places_are_the_same() -> None:
    source, _labels = draw_clouds(40, seed=8)
    assert np.allclose(coral(source, source)(source), source, atol=1e-3)


def test_a_head_learned_on_recoloured_photos_answers_the_shifted_place() -> None:
    source, labels = draw_clouds(60, seed=9)
    there, truth = draw_clouds(60, seed=10)
    target = there.copy()
    target[:, 0] += 9  # now everything looks like the first class
    assert accuracy(trained_on_source(source, labels, target), truth) < 0.7
    recoloured = coral(source, target)(source)
    assert accuracy(trained_on_source(recoloured, labels, target), truth) == 1.0


def test_the_surest_of_each_guessed_class_are_kept() -> None:
    sure = np.array([0.9, 0.8, 0.7, 0.6, 0.55, 0.95, 0.85])
    answers = np.stack([sure, 1 - sure], axis=1)
    answers[4:] = answers[4:, ::-1]  # four of one class, three of the other
    assert list(surest(answers, share=0.5)) == [True, True, False, False, False, True, True]
    assert surest(answers, share=0.01).sum() == 2, "of each class one at least"
    assert surest(answers, share=1.0).all()
