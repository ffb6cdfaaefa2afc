"""Extrapolates a learning curve to more photos.

Owns: the fit of `accuracy(n) = a - b * n ** -c` and its range.
Leaves to others: the points of the curve (`cross_validation.py`).

The power law is the usual form of learning curves (Cortes et al. 1994; Figueroa et al. 2012).
Five points do not determine it. The fit is a grid of plausible curves, each weighted by its
likelihood and a prior; the forecast is their weighted mean. So a curve that has not flattened yet
is not extrapolated to 100 %.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

EXPONENTS = np.linspace(0.1, 1.2, 23)
USUAL_EXPONENT, EXPONENT_SPREAD = 0.5, 0.35
"""Of published curves; the spread is that of the logarithm's standard deviation."""
CEILINGS = np.linspace(0.0, 1.0, 81)
"""Where the final accuracy lies between the best point seen and 1."""
LEAST_POINTS = 3
LEAST_DEVIATION = 0.004
SHARED = 0.5
"""Points are judged on the same photos: this part of their deviation is what differs."""
DRIFT = 0.05
"""How far the law itself may be off at a point, for each halving before the largest."""
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
    """Carry a learning curve on to `n` photos.

    Args:
        sizes: photos learned from, growing.
        accuracies: reached with them.
        deviations: standard deviations of these means.
        offset: standard deviation that all points share, because they were judged on the same
            photos: it widens the range, not the curve.

    Returns:
        None with fewer than three points: there is nothing to carry on.
    """
    if len(sizes) < LEAST_POINTS:
        return None
    x, y = np.asarray(sizes, float), np.asarray(accuracies, float)
    own = SHARED * np.maximum(deviations, LEAST_DEVIATION)
    weight = 1.0 / (np.square(own) + np.square(DRIFT * np.log2(x.max() / x)))
    ceiling, exponent = np.meshgrid(y.max() + CEILINGS * (1.0 - y.max()), EXPONENTS, indexing="ij")
    ceiling, exponent = ceiling.ravel()[:, None], exponent.ravel()[:, None]
    shape = x[None, :] ** -exponent  # (curves, points)
    drop = (weight * shape * (ceiling - y)).sum(axis=1) / (weight * shape**2).sum(axis=1)
    drop = np.maximum(drop, 0.0)[:, None]
    misfit = (weight * np.square(ceiling - drop * shape - y)).sum(axis=1)
    unusual = np.square(np.log(exponent[:, 0] / USUAL_EXPONENT) / EXPONENT_SPREAD)
    belief = np.exp(-0.5 * (misfit - misfit.min() + unusual))
    belief /= belief.sum()
    reached = (ceiling - drop * float(n) ** -exponent)[:, 0]
    middle = float((belief * reached).sum())
    spread = float(np.sqrt((belief * np.square(reached - middle)).sum() + offset**2))
    return Forecast(
        n=int(n),
        accuracy=float(np.clip(middle, 0.0, 1.0)),
        low=float(np.clip(middle - Z * spread, 0.0, 1.0)),
        high=float(np.clip(middle + Z * spread, 0.0, 1.0)),
    )
