"""Starting from a run: old photos moved to the new ones, and how much they may weigh."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.clouds import WIDTH, draw_clouds
from translearn_core.errors import StopRequestedError
from translearn_core.techniques.warm_start import (
    SHRINK,
    WEIGHTS,
    FeatureAlignment,
    RehearsalChoice,
    judge_weights,
)


def judged(
    new: tuple[np.ndarray, np.ndarray], old: tuple[np.ndarray, np.ndarray], **options: object
) -> RehearsalChoice:
    return judge_weights(
        [new[0]], new[1], np.arange(len(new[1])), [old[0]], old[1],
        classes=2, rng=np.random.default_rng(0), **options,  # type: ignore[arg-type]
    )  # fmt: skip


def test_a_move_gives_old_photos_the_mean_and_deviation_of_the_new_ones() -> None:
    rng = np.random.default_rng(0)
    old = rng.normal(3, 2, (500, WIDTH))
    new = rng.normal(-1, 0.5, (400, WIDTH))
    moved = FeatureAlignment.between(old, new)(old)
    assert np.allclose(moved.mean(axis=0), new.mean(axis=0), atol=1e-4)
    wanted = new.std(axis=0) + SHRINK * old.std(axis=0)
    assert np.allclose(moved.std(axis=0), wanted, rtol=1e-2)
    assert moved.dtype == np.float32


def test_a_move_from_one_new_photo_keeps_some_deviation() -> None:
    old = np.random.default_rng(0).normal(0, 1, (50, WIDTH))
    moved = FeatureAlignment.between(old, np.ones((1, WIDTH)))(old)
    assert np.allclose(moved.mean(axis=0), 1, atol=1e-4)
    assert (moved.std(axis=0) > 0.05).all()


def test_many_old_photos_of_the_same_kind_help_few_new_ones() -> None:
    new, labels = draw_clouds(16, seed=1, apart=1.0, noise=1.0)
    old = draw_clouds(200, seed=2, apart=1.0, noise=1.0)
    verdict = judged((new, labels), old)
    assert verdict.helps
    assert verdict.weight > 0
    assert verdict.nll[verdict.index] < verdict.nll[0]
    assert verdict.hidden == 32


def test_old_photos_whose_classes_are_the_other_way_round_are_left_out() -> None:
    new = draw_clouds(15, seed=3)
    features, labels = draw_clouds(200, seed=4)
    verdict = judged(new, (features, 1 - labels))
    assert not verdict.helps
    assert verdict.weight == 0
    assert verdict.right[-1] < verdict.right[0] == 1.0
    assert verdict.figures()["hidden_accuracy"] == 1.0


NLL = np.array([0.5, 0.4, 0.3, 0.35, 0.9])
RIGHT = np.array([0.7, 0.75, 0.8, 0.85, 0.6])


def choice(certainty: float, class_gain: float, nll: np.ndarray = NLL) -> RehearsalChoice:
    """A verdict in which the third weight is the least surprising, so clearly, for all classes."""
    return RehearsalChoice(
        right=RIGHT,
        nll=nll,
        certainty=np.array([0, 1, certainty, 1, -3]),
        class_gain=np.array([0, 0, class_gain, 0, 0]),
        hidden=20,
    )


def test_a_verdict_names_the_weight_with_the_least_log_loss() -> None:
    verdict = choice(2.5, 0.1)
    assert (verdict.index, verdict.weight, verdict.helps) == (2, WEIGHTS[2], True)
    assert verdict.best_with == 0.8
    assert verdict.figures() == {
        "helps": True,
        "weight": WEIGHTS[2],
        "hidden": 20,
        "hidden_accuracy_plain": 0.7,
        "hidden_accuracy": 0.8,
        "certainty": 2.5,
    }


@pytest.mark.parametrize(
    ("certainty", "class_gain", "nll"),
    [
        (1.6, 0.1, NLL),
        (2.5, -0.1, NLL),
        (2.5, 0.1, np.array([0.1, 0.4, 0.3, 0.35, 0.9])),
    ],
    ids=["within chance", "classes lose", "more surprising than without"],
)
def test_old_photos_are_left_out_where_no_gain_is_clear(
    certainty: float, class_gain: float, nll: np.ndarray
) -> None:
    verdict = choice(certainty, class_gain, nll)
    assert (verdict.weight, verdict.helps) == (0.0, False)
    assert verdict.best_with == 0.8
    assert verdict.figures()["hidden_accuracy"] == 0.7


def test_judging_heeds_a_stop() -> None:
    with pytest.raises(StopRequestedError):
        judged(draw_clouds(5), draw_clouds(5, seed=1), stop=lambda: True)
