"""What more photos would bring."""

from __future__ import annotations

import numpy as np
import pytest

from translearn_core.evaluation.learning_curve import forecast

SIZES = [25, 50, 100, 200, 400]


@pytest.mark.parametrize(
    ("ceiling", "drop", "exponent"), [(0.95, 2.0, 0.6), (0.8, 1.5, 0.4), (1, 3, 0.8)]
)
def test_a_power_law_is_carried_on(ceiling: float, drop: float, exponent: float) -> None:
    def law(n: float) -> float:
        return float(ceiling - drop * n**-exponent)

    result = forecast(SIZES, [law(n) for n in SIZES], [0.02] * 5, 800)
    assert result is not None
    assert result.accuracy == pytest.approx(law(800), abs=0.015)
    assert result.low - 0.01 <= law(800) <= result.high + 0.01
    assert result.high - result.low < 0.12


def test_noise_widens_the_range_and_what_is_reached_bounds_it() -> None:
    rng = np.random.default_rng(0)
    reached = np.array([0.6, 0.72, 0.8, 0.86, 0.89])
    quiet = forecast(SIZES, reached, [0.01] * 5, 800)
    noisy = forecast(SIZES, reached + rng.normal(0, 0.02, 5), [0.05] * 5, 800, offset=0.02)
    assert quiet is not None
    assert noisy is not None
    assert noisy.high - noisy.low > quiet.high - quiet.low
    assert 0.89 < quiet.accuracy < 0.95
    assert noisy.high <= 1.0


def test_a_flat_curve_stays_flat() -> None:
    result = forecast(SIZES, [0.5] * 5, [0.02] * 5, 800)
    assert result is not None
    assert result.accuracy == pytest.approx(0.5, abs=0.02)


def test_two_points_are_no_curve() -> None:
    assert forecast([50, 100], [0.5, 0.6], [0.02] * 2, 200) is None
