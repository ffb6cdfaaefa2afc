"""Adapting to a new place whose class shares are unknown: help and harm are certain by construction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from tests.support.clouds import WIDTH, accuracy, draw_clouds
from translearn_core.errors import StopRequestedError
from translearn_core.evaluation import linear_probe
from translearn_core.techniques.adaptation_methods import coral
from translearn_core.techniques.bagged_answers import (
    USUAL,
    answer_plainly,
    average_answers,
    draw_bags,
    neighbourhoods,
)
from translearn_core.techniques.balanced_alignment import BalancedAlignment
from translearn_core.techniques.when_to_adapt import (
    AdaptationCheck,
    judge_alignment,
    tell_apart,
)

CLASSES = 4


@dataclass(frozen=True)
class Trial:
    """What was answered in a new place by plain training, after alignment and by all together, and
    the verdict."""

    plain: np.ndarray
    aligned: np.ndarray
    average: np.ndarray
    verdict: AdaptationCheck
    truth: np.ndarray

    @property
    def gain(self) -> float:
        """Of what the run learns."""
        return self.gain_of(self.average) if self.verdict.helps else 0.0

    def gain_of(self, answers: np.ndarray) -> float:
        """Of some answers beside plain ones."""
        return accuracy(answers, self.truth) - accuracy(self.plain, self.truth)


def drawn(counts: tuple[int, ...], *, seed: int, **options: Any) -> tuple[np.ndarray, np.ndarray]:
    """Clouds with so many photos of each class."""
    features, labels = draw_clouds(max(counts), classes=len(counts), seed=seed, **options)
    kept = np.concatenate([np.flatnonzero(labels == c)[:n] for c, n in enumerate(counts)])
    return features[kept], labels[kept]


def plain_head(source: np.ndarray, labels: np.ndarray, target: np.ndarray) -> np.ndarray:
    alignment = BalancedAlignment.fit([source], labels, [target], classes=CLASSES)
    return alignment.answer_plain()


def tried(source: tuple[np.ndarray, np.ndarray], target: tuple[np.ndarray, np.ndarray]) -> Trial:
    features, truth = target
    bags = draw_bags(source[1], CLASSES, seed=0)
    alignment = BalancedAlignment.fit(
        [source[0]], source[1], [features], classes=CLASSES, bags=bags
    )
    near = neighbourhoods(features)[USUAL]
    apart = tell_apart(
        source[0],
        features,
        source_groups=np.arange(len(source[0])),
        target_groups=np.arange(len(features)),
        seed=0,
    )
    space = linear_probe.PCASpace.fit(source[0])
    learned = np.ones((1, len(source[1])), bool)
    head = linear_probe.fit_heads(space, source[1], learned, CLASSES, penalty=0.1)
    plain = linear_probe.predict_heads(space.transform(features), head)
    verdict = judge_alignment(alignment, near, plain, told_apart=apart, seed=0)
    aligned = alignment.answer()
    plain_bags = answer_plainly(
        [source[0]], source[1], [features], bags, classes=CLASSES, penalty=0.1, temperature=1.0
    )
    average = average_answers(neighbourhoods(features), plain, plain_bags, alignment)
    return Trial(plain=plain, aligned=aligned, average=average, verdict=verdict, truth=truth)


def moved(features: np.ndarray) -> np.ndarray:
    """The same things in another place: every feature stretched and shifted."""
    return (features * np.linspace(0.5, 2.0, WIDTH) + np.linspace(-9, 9, WIDTH)).astype(np.float32)


UNEVEN = (60, 20, 10, 30)
OTHERWISE = (15, 50, 40, 15)


@pytest.mark.parametrize("shares", [(30, 30, 30, 30), OTHERWISE], ids=["even", "uneven"])
def test_a_place_that_is_stretched_and_shifted_is_adapted_to(shares: tuple[int, ...]) -> None:
    source = drawn(UNEVEN, seed=1)
    there, truth = drawn(shares, seed=2)
    trial = tried(source, (moved(there), truth))
    assert accuracy(trial.plain, truth) < 0.6
    assert trial.verdict.helps
    assert trial.gain > 0.3


def test_other_shares_alone_are_no_shift_and_the_run_stays_plain() -> None:
    source, target = drawn((80, 10, 10, 10), seed=3), drawn((5, 5, 5, 90), seed=4)
    trial = tried(source, target)
    assert accuracy(trial.plain, trial.truth) == 1.0
    recoloured = plain_head(coral(source[0], target[0])(source[0]), source[1], target[0])
    assert accuracy(recoloured, trial.truth) < 0.9, "aligning all photos takes shares for a shift"
    assert not trial.verdict.helps
    assert trial.gain == 0


def test_where_nothing_differs_the_run_stays_plain() -> None:
    trial = tried(drawn((30,) * 4, seed=5), drawn((30,) * 4, seed=6))
    assert 0.3 < trial.verdict.told_apart < 0.7
    assert not trial.verdict.helps


def test_a_place_with_hardly_more_than_one_class_is_not_spread_over_all() -> None:
    there, truth = drawn((4, 110, 4, 2), seed=7)
    trial = tried(drawn((30,) * 4, seed=7), (there + np.float32(0.4), truth))
    assert trial.gain_of(trial.aligned) < -0.05, "even shares are wrong here"
    assert trial.gain > -0.01


def test_answers_under_the_right_shares_are_right_where_even_ones_mislead() -> None:
    source = drawn((40,) * 4, seed=8, apart=1.5)
    there, truth = drawn((100, 4, 4, 4), seed=9, apart=1.5)
    alignment = BalancedAlignment.fit([source[0]], source[1], [moved(there)], classes=CLASSES)
    shares = np.bincount(truth) / len(truth)
    assert accuracy(alignment.answer(shares), truth) > accuracy(alignment.answer(), truth) + 0.05


def test_a_class_without_photos_is_never_the_answer() -> None:
    source, labels = drawn((30, 30, 30), seed=10)
    target, truth = drawn((20, 20, 20), seed=11)
    alignment = BalancedAlignment.fit([source], labels, [target], classes=CLASSES)
    answers = alignment.answer()
    assert np.isfinite(answers).all()
    assert accuracy(answers, truth) == 1.0


def test_one_label_for_all_is_no_agreement() -> None:
    """Moved so far along one class that plain answers name no other."""
    source, labels = drawn((20,) * 4, seed=13)
    target, _truth = drawn((20,) * 4, seed=12)
    target[:, 0] += 50
    alignment = BalancedAlignment.fit([source], labels, [target], classes=CLASSES)
    assert set(alignment.answer_plain().argmax(axis=1)) == {0}
    plain, near = alignment.answer_plain(), neighbourhoods(target)[USUAL]
    verdict = judge_alignment(alignment, near, plain, told_apart=1.0, seed=0)
    assert verdict.plain == 0.0
    assert verdict.aligned > 0.9


def test_views_are_answered_together_and_a_stop_is_heeded() -> None:
    source, labels = drawn((20,) * 4, seed=14)
    target, truth = drawn((10,) * 4, seed=15)
    both = [target, target + np.float32(0.1)]
    alignment = BalancedAlignment.fit([source, source], labels, both, classes=CLASSES)
    assert alignment.logits.shape == (2, 40, CLASSES)
    assert accuracy(alignment.answer(), truth) == 1.0
    with pytest.raises(StopRequestedError):
        BalancedAlignment.fit([source], labels, [target], classes=CLASSES, stop=lambda: True)
