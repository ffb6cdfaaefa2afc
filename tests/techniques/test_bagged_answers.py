"""The average of many heads: help and harm are certain by construction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pytest

from tests.support.clouds import accuracy, draw_clouds
from translearn_core.errors import StopRequestedError
from translearn_core.evaluation.label_propagation import ROUNDS
from translearn_core.techniques.bagged_answers import (
    BAGS,
    NEIGHBOURHOODS,
    PLAIN_SHARE,
    USUAL,
    answer_plainly,
    average_answers,
    draw_bags,
    neighbourhoods,
)
from translearn_core.techniques.balanced_alignment import (
    BalancedAlignment,
    balanced_weights,
    spread_answers,
)

CLASSES = 4


def saying(labels: np.ndarray, share: float = 0.7) -> np.ndarray:
    """Answers that give each label so much, and the others the rest."""
    rest = (1 - share) / (CLASSES - 1)
    answers: np.ndarray = rest + (share - rest) * np.eye(CLASSES)[labels]
    return answers


def aligned_to(answers: np.ndarray, bagged: Iterable[np.ndarray]) -> BalancedAlignment:
    """One that says this."""
    logits = np.log(answers)[None]
    return BalancedAlignment(
        logits=logits, unaligned=logits, class_logits=np.eye(CLASSES), bagged=bagged
    )


def every_bag(answers: np.ndarray) -> np.ndarray:
    return np.repeat(answers[None], BAGS, axis=0)


def test_plain_answers_decide_where_spread_ones_hang_on_the_sample() -> None:
    """Half of the samples take two clouds for each other, and half do not."""
    target, truth = draw_clouds(30, classes=CLASSES, seed=21)
    near = neighbourhoods(target)
    swapped = np.array([0, 1, 3, 2])[truth]
    right, wrong, plain = saying(truth), saying(swapped), saying(truth, 0.5)
    bags = np.stack([right, wrong] * (BAGS // 2))
    one = spread_answers(near[0], (plain + wrong) / 2)
    assert accuracy(one, truth) == 0.5, "whole clouds fall to the other class"
    average = average_answers(near, plain, bags, aligned_to(plain, bags))
    assert accuracy(average, truth) == 1.0
    assert np.allclose(average.sum(axis=1), 1)


@pytest.mark.parametrize("moved", [False, True], ids=["alignment", "plain"])
def test_an_average_is_right_where_one_of_its_kinds_is_far_off(moved: bool) -> None:
    """What is far off gives nothing away: it says of every photo what it says of the others."""
    target, truth = draw_clouds(30, classes=CLASSES, seed=17)
    right, far_off = saying(truth), saying(np.full_like(truth, 2), 0.4)
    plain, aligned = (far_off, right) if moved else (right, far_off)
    alignment = aligned_to(aligned, every_bag(aligned))
    average = average_answers(neighbourhoods(target), plain, every_bag(plain), alignment)
    assert accuracy(average, truth) == 1.0


@pytest.mark.parametrize("moved", [False, True], ids=["alignment", "plain"])
def test_what_is_sure_outvotes_what_takes_each_cloud_for_another(moved: bool) -> None:
    """Spread, wrong answers are wrong about all: the others have to be as many."""
    target, truth = draw_clouds(30, classes=CLASSES, seed=17)
    near = neighbourhoods(target)
    right, wrong = saying(truth), saying((truth + 1) % CLASSES, 0.6)
    assert accuracy(spread_answers(near[USUAL], wrong), truth) == 0.0
    plain, aligned = (wrong, right) if moved else (right, wrong)
    average = average_answers(
        near, plain, every_bag(plain), aligned_to(aligned, every_bag(aligned))
    )
    assert accuracy(average, truth) == 1.0
    unsure = saying(truth, 0.34)
    for plain, aligned in ((unsure, right), (right, unsure)):
        alignment = aligned_to(aligned, every_bag(aligned))
        average = average_answers(near, plain, every_bag(plain), alignment)
        assert accuracy(average, truth) == 1.0


def test_the_average_is_of_four_kinds_each_by_its_own_bags_and_neighbourhoods() -> None:
    target, truth = draw_clouds(12, classes=CLASSES, seed=19, noise=3.0)
    rng = np.random.default_rng(5)
    plain, aligned = (rng.dirichlet(np.ones(CLASSES), len(truth)) for _kind in "pa")
    plain_bags, aligned_bags = (
        rng.dirichlet(np.ones(CLASSES), (BAGS, len(truth))) for _kind in "pa"
    )
    near = neighbourhoods(target)
    average = average_answers(near, plain, plain_bags, aligned_to(aligned, aligned_bags))

    def spread(answers: np.ndarray, bags: np.ndarray) -> np.ndarray:
        each = [
            spread_answers(near[number % len(near)], (answers + bag) / 2)
            for number, bag in enumerate(bags)
        ]
        mean: np.ndarray = np.mean(each, axis=0)
        return mean

    kinds = [aligned_bags.mean(axis=0), spread(aligned, aligned_bags), spread(plain, plain_bags)]
    expected = PLAIN_SHARE * plain + (1 - PLAIN_SHARE) * np.mean(kinds, axis=0)
    np.testing.assert_allclose(average, expected, atol=1e-5)
    parts = [plain, *kinds]
    gaps = [np.abs(one - other).max() for one in parts for other in parts if one is not other]
    assert min(gaps) > 0.1, "each kind says something else"


def test_clouds_that_plain_answers_get_right_in_part_are_filled() -> None:
    target, truth = draw_clouds(30, classes=CLASSES, seed=22)
    rng = np.random.default_rng(0)
    said = np.where(rng.random(len(truth)) < 0.4, rng.integers(CLASSES, size=len(truth)), truth)
    plain = saying(said, 0.4)
    assert accuracy(plain, truth) < 0.8
    alignment = aligned_to(plain, every_bag(plain))
    average = average_answers(neighbourhoods(target), plain, every_bag(plain), alignment)
    assert accuracy(average, truth) > 0.95


def test_bags_are_balanced_samples_in_which_no_class_is_missing() -> None:
    labels = np.repeat([0, 1, 3], [60, 20, 1])
    bags = draw_bags(labels, CLASSES, seed=3)
    assert bags.shape == (BAGS, len(labels))
    assert np.array_equal(bags, draw_bags(labels, CLASSES, seed=3))
    assert not np.array_equal(bags, draw_bags(labels, CLASSES, seed=4))
    assert (bags == 0).mean() == pytest.approx(np.exp(-1), abs=0.1), "as many are left out"
    for bag in bags:
        weights = np.bincount(labels, weights=bag, minlength=CLASSES)
        assert np.allclose(weights[[0, 1, 3]], weights.sum() / 3, rtol=1e-5)
        assert weights[2] == 0
    assert len(np.unique(bags, axis=0)) == BAGS


def test_a_head_of_each_bag_answers_plainly_and_aligned() -> None:
    source, labels = draw_clouds(30, classes=CLASSES, seed=23)
    target, truth = draw_clouds(20, classes=CLASSES, seed=24)
    bags = draw_bags(labels, CLASSES, seed=0)
    views = [target, target + np.float32(0.1)]
    plain = answer_plainly(
        [source, source], labels, views, bags, classes=CLASSES, penalty=0.1, temperature=1.0
    )
    said = np.stack(list(plain))
    assert said.shape == (BAGS, len(truth), CLASSES)
    assert all(accuracy(answers, truth) == 1.0 for answers in said)
    assert not np.allclose(said[0], said[1]), "of another sample"
    softer = answer_plainly(
        [source, source], labels, views, bags, classes=CLASSES, penalty=0.1, temperature=4.0
    )
    assert np.stack(list(softer)).max(axis=2).mean() < said.max(axis=2).mean()
    there = [view * np.float32(2) + np.float32(9) for view in views]
    alignment = BalancedAlignment.fit([source, source], labels, there, classes=CLASSES, bags=bags)
    aligned = np.stack(list(alignment.bagged))
    assert aligned.shape == said.shape
    assert all(accuracy(answers, truth) == 1.0 for answers in aligned)
    alone = BalancedAlignment.fit([source, source], labels, there, classes=CLASSES)
    assert list(alone.bagged) == []
    assert np.allclose(alone.answer(), alignment.answer(), atol=1e-4), "bags change no other head"


def test_even_weights_make_the_same_head_as_none_are_drawn() -> None:
    labels = np.repeat([0, 1], [30, 10])
    once = balanced_weights(labels, 2)
    assert np.allclose(once, balanced_weights(labels, 2, np.ones(40)))
    assert once[labels == 0].sum() == pytest.approx(once[labels == 1].sum())


def test_neighbourhoods_of_few_photos_have_what_there_is_and_a_stop_is_heeded() -> None:
    target, _truth = draw_clouds(3, classes=CLASSES, seed=25)
    near = neighbourhoods(target)
    assert len(near) == len(NEIGHBOURHOODS)
    answers = spread_answers(near[-1], np.full((len(target), CLASSES), 1 / CLASSES))
    assert np.isfinite(answers).all()
    with pytest.raises(StopRequestedError):
        neighbourhoods(target, stop=lambda: True)


class Samples:
    """Answers of as many samples as there are bags, that count how often one was asked for."""

    def __init__(self, answers: np.ndarray) -> None:
        self.answers, self.asked = answers, 0

    def __iter__(self) -> Iterator[np.ndarray]:
        for _bag in range(BAGS):
            self.asked += 1
            yield self.answers


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 0.99])
def test_after_a_stop_in_the_middle_no_further_sample_is_asked_for(share: float) -> None:
    target, truth = draw_clouds(10, classes=CLASSES, seed=26)
    near, plain = neighbourhoods(target), saying(truth)

    def asked_at_each_poll(stop_at: int | None) -> list[int]:
        samples = Samples(plain)
        polled: list[int] = []

        def stop() -> bool:
            polled.append(samples.asked)
            return len(polled) - 1 == stop_at

        try:
            average_answers(near, plain, samples, aligned_to(plain, samples), stop=stop)
        except StopRequestedError:
            polled.append(samples.asked)
        return polled

    every = asked_at_each_poll(None)
    spread = np.unique(every, return_counts=True)[1]
    assert len(spread) == 2 * BAGS
    assert spread.min() > 2 * ROUNDS, "within each sample, too"
    stop_at = int(share * len(every))
    assert asked_at_each_poll(stop_at) == [*every[: stop_at + 1], every[stop_at]]
