"""Learning rates of a schedule as numbers. Imports no Keras."""

from __future__ import annotations

import numpy as np

from translearn_core.arrays import Floats

WARMUP_PARTS = 20
START, END = 0.1, 0.01
"""Shares of the highest rate that a schedule begins and ends with."""


def rates_of(peak: float, steps: int, kind: str = "cosine") -> Floats:
    """The rates of `optimizer.make_schedule` as numbers, `(steps,)`.

    A graph that is handed its rate serves any number of steps; one with a schedule inside does not.
    """
    if kind == "constant":
        return np.full(steps, peak, np.float32)
    warmup = max(1, steps // WARMUP_PARTS)
    step = np.arange(steps)
    rising = peak * (START + (1 - START) * step / warmup)
    share = np.clip((step - warmup) / max(1, steps - warmup), 0.0, 1.0)
    falling = peak * (END + (1 - END) * 0.5 * (1 + np.cos(np.pi * share)))
    return np.where(step < warmup, rising, falling).astype(np.float32)
