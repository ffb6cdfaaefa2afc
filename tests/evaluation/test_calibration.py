"""Confidence against cases whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from translearn_core.evaluation import calibration


def drawn(n: int, *, sharpness: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits of a model that is `sharpness` times too sure, and labels drawn as they truly are."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1.5, (n, 4))
    probs = calibration.softmax(logits)
    labels = np.array([rng.choice(4, p=row) for row in probs])
    return sharpness * logits, labels


@pytest.mark.parametrize("sharpness", [0.5, 1.0, 2.0, 4.0])
def test_the_temperature_undoes_overconfidence(sharpness: float) -> None:
    logits, labels = drawn(4000, sharpness=sharpness)
    assert calibration.fit_temperature(logits, labels) == pytest.approx(sharpness, rel=0.1)


def test_calibration_lowers_the_error_on_other_photos() -> None:
    logits, labels = drawn(2000, sharpness=3.0)
    new, truth = drawn(3000, sharpness=3.0, seed=1)
    temperature = calibration.fit_temperature(logits[:200], labels[:200])
    before = calibration.expected_calibration_error(calibration.softmax(new), truth)
    after = calibration.expected_calibration_error(calibration.softmax(new / temperature), truth)
    assert before is not None
    assert after is not None
    assert before > 0.15
    assert after < 0.04


def test_a_handful_of_right_answers_does_not_make_it_certain() -> None:
    logits = np.eye(3)[np.arange(12) % 3] * 3.0
    temperature = calibration.fit_temperature(logits, np.arange(12) % 3)
    assert 0.2 < temperature < 2.0
    assert calibration.fit_temperature(logits[:5], np.arange(5) % 3) == 1.0


def test_scaling_probabilities_is_scaling_logits() -> None:
    logits, _labels = drawn(50, sharpness=1.0)
    scaled = calibration.rescaled(calibration.softmax(logits), 2.0)
    assert np.allclose(scaled, calibration.softmax(logits / 2), atol=1e-6)
    assert (scaled.argmax(axis=1) == logits.argmax(axis=1)).all()


def test_a_scaled_head_gives_the_scaled_probabilities() -> None:
    from translearn_core.graph.assembly import build_head
    from translearn_core.run_settings import Settings

    head = build_head(8, 3, Settings(hidden_units=5))
    features = np.random.default_rng(0).normal(size=(6, 8)).astype(np.float32)
    before = np.asarray(head(features))
    calibration.scale_head(head, 2.5)
    assert np.allclose(np.asarray(head(features)), calibration.rescaled(before, 2.5), atol=1e-6)


def test_a_head_inside_another_is_scaled_and_one_without_logits_is_left() -> None:
    import keras

    from translearn_core.graph.assembly import build_head
    from translearn_core.run_settings import Settings

    head = build_head(8, 3, Settings(hidden_units=5))
    inputs = keras.Input((8,))
    outer = keras.Model(inputs, head(keras.layers.Rescaling(2.0)(inputs)))
    features = np.random.default_rng(0).normal(size=(6, 8)).astype(np.float32)
    before = np.asarray(outer(features))
    assert calibration.scale_head(outer, 2.5)
    assert np.allclose(np.asarray(outer(features)), calibration.rescaled(before, 2.5), atol=1e-6)
    bare = keras.Model(inputs, keras.layers.Softmax()(inputs))
    assert not calibration.scale_head(bare, 2.5)


def test_bins_hold_equally_many_answers_and_their_errors_add_up() -> None:
    confidence = np.repeat([0.55, 0.95], 50)
    right = np.r_[np.arange(50) < 20, np.arange(50) < 50]  # 40 % and 100 %
    bins = calibration.reliability_bins(confidence, right, bins=2)
    assert [bin_.n for bin_ in bins] == [50, 50]
    assert [bin_.accuracy for bin_ in bins] == pytest.approx([0.4, 1.0])
    assert bins[0].low < 0.4 < bins[0].high
    assert calibration.calibration_error(bins) == pytest.approx((0.15 + 0.05) / 2)
    assert calibration.calibration_error([]) is None


@pytest.mark.parametrize("n", [1, 9, 40])
def test_the_error_by_chance_is_the_mean_over_sets_that_are_drawn(n: int) -> None:
    probabilities = np.random.default_rng(1).dirichlet(np.ones(3), n)
    confidence = probabilities.max(axis=1)
    rng = np.random.default_rng(4)
    drawn = [
        calibration.calibration_error(
            calibration.reliability_bins(confidence, rng.random(n) < confidence)
        )
        for _draw in range(5)
    ]
    found = calibration.calibration_error_by_chance(probabilities, draws=5, seed=4)
    assert found == pytest.approx(np.mean([error or 0.0 for error in drawn]), rel=1e-12)


def test_few_answers_look_off_by_chance_alone() -> None:
    few = calibration.softmax(drawn(60, sharpness=1.0)[0])
    many = calibration.softmax(drawn(6000, sharpness=1.0)[0])
    error_few, error_many = (
        calibration.calibration_error_by_chance(few),
        calibration.calibration_error_by_chance(many),
    )
    assert error_few is not None
    assert error_many is not None
    assert error_few > 3 * error_many
    assert calibration.calibration_error_by_chance(np.empty((0, 3))) is None


def test_out_of_fold_answers_come_from_models_that_did_not_see_the_photo() -> None:
    labels = np.arange(60) % 3
    groups = np.arange(60) // 6  # copies of each other, of all classes

    def learn(trained_on: np.ndarray, held: np.ndarray) -> np.ndarray:
        assert not set(groups[trained_on]) & set(groups[held])
        return np.stack([held, held, held], axis=1)

    logits = calibration.out_of_fold_logits(learn, labels, folds=3, groups=groups)
    assert (logits[:, 0] == np.arange(60)).all()


def test_what_a_run_keeps_can_be_written_as_json() -> None:
    import json

    logits, labels = drawn(300, sharpness=1.0)
    kept = calibration.figures(
        temperature=2.0,
        fitted_on=60,
        how="validation",
        test=calibration.softmax(logits),
        truth=labels,
    )
    assert json.loads(json.dumps(kept)) == kept
    assert kept["error"] < kept["error_before"]
    assert len(kept["reliability"]) == 10


def test_who_is_right_more_often_is_better_however_sure() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, 2000)
    modest, sure = (
        sharpness * (np.eye(4)[labels] + rng.normal(0, noise, (2000, 4)))
        for sharpness, noise in ((1.0, 1.2), (12.0, 0.8))
    )
    before = [
        float(-np.log(calibration.softmax(x)[np.arange(2000), labels]).mean())
        for x in (modest, sure)
    ]
    assert before[1] > before[0], "as it is, the loss prefers the one that errs more often"
    assert calibration.calibrated_loss(sure, labels) < calibration.calibrated_loss(modest, labels)


@pytest.mark.parametrize("n", [60, 400])
def test_confidence_that_fits_already_is_mostly_left_alone(n: int) -> None:
    kept = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        logits = rng.normal(0, 1.5, (n, 3))
        labels = np.array([rng.choice(3, p=row) for row in calibration.softmax(logits)])
        kept += calibration.fit_helpful_temperature(logits, labels) == 1.0
    assert kept >= 14
    assert calibration.fit_helpful_temperature(8 * logits, labels) > 3
