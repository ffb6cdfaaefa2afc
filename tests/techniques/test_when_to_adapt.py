"""When the run stays plain: domains that hardly differ, and answers that fall into few classes."""

from __future__ import annotations

import numpy as np
import pytest

from translearn_core.techniques.bagged_answers import PLAIN_SHARE
from translearn_core.techniques.when_to_adapt import (
    LEAST_DIVERSITY,
    AdaptationCheck,
    diversity,
    tell_apart,
)

CLASSES = 4


def test_frames_of_one_burst_do_not_pass_for_a_domain() -> None:
    rng = np.random.default_rng(16)
    bursts = np.repeat(np.arange(20), 6)
    source, target = (
        (rng.normal(size=(20, 64))[bursts] + rng.normal(0, 0.1, (120, 64))).astype(np.float32)
        for _side in "st"
    )
    single = np.arange(120)
    known = tell_apart(source, target, source_groups=single, target_groups=single, seed=0)
    assert known > 0.95, "by the other frames of its burst"
    for moved_by, least, most in ((0, 0.2, 0.8), (9, 0.95, 1)):
        there = target + np.float32(moved_by)
        share = tell_apart(source, there, source_groups=bursts, target_groups=bursts, seed=0)
        assert least <= share <= most


@pytest.mark.parametrize(
    ("told_apart", "diverse", "left"),
    [(1, 1, None), (0.9, 0.85, None), (0.89, 0.84, "alike"), (1, 0.84, "few_classes")],
)
def test_plain_answers_count_alone_where_there_is_little_to_go_by(
    told_apart: float, diverse: float, left: str | None
) -> None:
    verdict = AdaptationCheck(
        told_apart=told_apart,
        plain=0.5,
        aligned=0.6,
        agreement_certainty=0,
        diversity=diverse,
        information_certainty=0,
        expected_gain=0,
    )
    assert verdict.weight == pytest.approx(1 - PLAIN_SHARE if left is None else 0)
    assert verdict.figures()["helps"] == (left is None)
    assert verdict.figures()["left_plain"] == left


def test_labels_of_one_class_are_not_diverse_and_even_ones_are() -> None:
    even = np.eye(CLASSES)[np.arange(40) % CLASSES]
    assert diversity(even) == pytest.approx(1.0)
    assert diversity(even[:1].repeat(40, axis=0)) == 0.0
    assert 0 < diversity(np.concatenate([even[:4], even[:1].repeat(40, axis=0)])) < 0.5
    assert diversity(even[:1]) == 0.0


def test_fewer_photos_than_classes_are_diverse_where_no_two_are_alike() -> None:
    answers = np.eye(100)[:12]
    assert diversity(answers) == pytest.approx(1.0)
    assert diversity(answers[[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2]]) < LEAST_DIVERSITY
