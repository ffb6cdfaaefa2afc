"""Attacks on a linear model, where the best attack is known."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from translearn_core.run_settings import make_settings
from translearn_core.techniques.adversarial import Attack

SHAPE = (2, 2, 3)
KERNEL = np.array([1.0, -2.0, 3.0, -1.0, 2.0, -3.0, 1.0, 1.0, -1.0, 2.0, -2.0, 3.0])


def scores(photos: Any) -> Any:
    """Two classes: the second one's score is a weighed sum of the dots, the first one's its
    opposite."""
    flat = keras.ops.reshape(photos, (-1, 12))
    kernel = keras.ops.convert_to_tensor(np.stack([-KERNEL, KERNEL], axis=1) / 255, "float32")
    return keras.ops.matmul(flat, kernel)


@pytest.fixture
def attack() -> Attack:
    return Attack(scores, make_settings({"strength": 0.1}), 2)


@pytest.fixture
def photos() -> np.ndarray:
    return np.random.default_rng(0).uniform(60, 190, (5, *SHAPE)).astype(np.float32)


@pytest.mark.parametrize("label", [0, 1])
def test_fgsm_goes_as_far_as_allowed_against_the_sign_of_each_weight(
    attack: Attack, photos: np.ndarray, label: int
) -> None:
    away = (1 if label == 0 else -1) * np.sign(KERNEL).reshape(SHAPE)
    changed = attack.fgsm(photos, np.full(5, label))
    assert np.allclose(changed, photos + 25.5 * away, atol=1e-3)


def test_pgd_finds_the_same_corner_as_the_model_is_linear(
    attack: Attack, photos: np.ndarray
) -> None:
    changed = attack.pgd(photos, np.zeros(5, int))
    assert changed is not None
    assert np.allclose(changed, photos + 25.5 * np.sign(KERNEL).reshape(SHAPE), atol=1e-2)


def test_no_attack_leaves_the_range_of_pixels(attack: Attack) -> None:
    photos = np.stack([np.zeros(SHAPE), np.full(SHAPE, 255.0)]).astype(np.float32)
    labels = np.array([0, 1])
    for changed in (attack.fgsm(photos, labels), attack.pgd(photos, labels)):
        assert changed is not None
        assert changed.min() >= 0
        assert changed.max() <= 255
        assert np.abs(changed - photos).max() <= 25.5 + 1e-3


def test_an_answer_with_less_margin_than_the_attack_can_move_falls_and_one_with_more_holds(
    attack: Attack,
) -> None:
    reach = 25.5 * np.abs(KERNEL).sum() / 255  # of the second score
    grey = np.full(SHAPE, 127.5, np.float32)
    along = np.sign(KERNEL).reshape(SHAPE).astype(np.float32)
    base = float(np.asarray(scores(grey[None]))[0, 1])
    step = np.abs(KERNEL).sum() / 255  # of the second score, for one grey level along the signs
    close = grey + along * np.float32((0.5 * reach - base) / step)
    far = grey + along * np.float32((1.5 * reach - base) / step)
    photos, labels = np.stack([close, far]), np.array([1, 1])
    assert list(attack.answer(photos)) == [1, 1]
    assert list(attack.answer(attack.fgsm(photos, labels))) == [0, 1]
    changed = attack.pgd(photos, labels)
    assert changed is not None
    assert list(attack.answer(changed)) == [0, 1]


def test_a_stopped_attack_answers_nothing(attack: Attack, photos: np.ndarray) -> None:
    assert attack.pgd(photos, np.zeros(5, int), stop=lambda: True) is None
