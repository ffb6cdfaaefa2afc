"""Extrapolates a learning curve to more photos.

Owns: the fit of `accuracy(n) = a - b * n ** -c` and its interval.
Leaves to others: the points of the curve (`cross_validation.py`).

The power law is the usual form of learning curves (Cortes et al. 1994; Figueroa et al. 2012).
Five points do not determine it. The fit is a grid of plausible curves, each weighted by its
likelihood and a prior; the forecast is their weighted mean. So a curve that has not flattened yet
is not extrapolated to 100 %.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

EXPONENTS = np.linspace(0.1, 1.2, 23)
USUAL_EXPONENT, EXPONENT_SPREAD = 0.5, 0.35
"""Of published curves; the spread is the standard deviation of the logarithm."""
CEILINGS = np.linspace(0.0, 1.0, 81)
"""Asymptotes of the grid, as a fraction of the way from the best measured accuracy to 1."""
MIN_POINTS = 3
MIN_DEVIATION = 0.004
UNSHARED_NOISE = 0.5
"""All points are evaluated on the same photos: this part of their deviation is independent."""
MODEL_ERROR = 0.05
"""Deviation of the power law itself at a point, for each halving below the largest."""
Z = 1.959964


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """Expected accuracy with `n` photos, and its 95 % interval."""

    n: int
    accuracy: float
    low: float
    high: float


def forecast(
    sizes: Sequence[int],
    accuracies: Sequence[float],
    deviations: Sequence[float],
    n: int,
    *,
    offset: float = 0.0,
) -> Forecast | None:
    """Extrapolate a learning curve to `n` photos.

    Args:
        sizes: numbers of training photos, ascending.
        accuracies: reached with them.
        deviations: standard deviations of these means.
        offset: standard deviation that all points share, because they are evaluated on the same
            photos; it widens the interval and leaves the curve as it is.

    Returns:
        None with fewer than three points.
    """
    if len(sizes) < MIN_POINTS:
        return None
    x, y = np.asarray(sizes, float), np.asarray(accuracies, float)
    noise = UNSHARED_NOISE * np.maximum(deviations, MIN_DEVIATION)
    precision = 1.0 / (np.square(noise) + np.square(MODEL_ERROR * np.log2(x.max() / x)))
    ceiling, exponent = np.meshgrid(y.max() + CEILINGS * (1.0 - y.max()), EXPONENTS, indexing="ij")
    ceiling, exponent = ceiling.ravel()[:, None], exponent.ravel()[:, None]
    shape = x[None, :] ** -exponent  # (curves, points)
    amplitude = (precision * shape * (ceiling - y)).sum(axis=1) / (precision * shape**2).sum(axis=1)
    amplitude = np.maximum(amplitude, 0.0)[:, None]
    misfit = (precision * np.square(ceiling - amplitude * shape - y)).sum(axis=1)
    prior_penalty = np.square(np.log(exponent[:, 0] / USUAL_EXPONENT) / EXPONENT_SPREAD)
    weights = np.exp(-0.5 * (misfit - misfit.min() + prior_penalty))
    weights /= weights.sum()
    predicted = (ceiling - amplitude * float(n) ** -exponent)[:, 0]
    mean = float((weights * predicted).sum())
    deviation = float(np.sqrt((weights * np.square(predicted - mean)).sum() + offset**2))
    return Forecast(
        n=int(n),
        accuracy=float(np.clip(mean, 0.0, 1.0)),
        low=float(np.clip(mean - Z * deviation, 0.0, 1.0)),
        high=float(np.clip(mean + Z * deviation, 0.0, 1.0)),
    )
