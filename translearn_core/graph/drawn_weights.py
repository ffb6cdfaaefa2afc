"""Weights of a recorded graph that are drawn, alike on every machine.

Owns: `draw_weights`. With them a converted graph can be asked where Keras' answers are known
(`known_answers.py`), whatever weights the backbone of this machine has.

With the scale of each array the answers of a graph of any depth are finite and differ between photos: He et
al. 2015 (Delving deep into rectifiers) for kernels, statistics near 0 and 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from translearn_core.arrays import Array
from translearn_core.backbones import Backbone

SEED = 20_151_206
_RANGES = {
    "beta": (-0.3, 0.3),
    "bias": (-0.3, 0.3),
    "count": (0.0, 0.0),
    "gamma": (0.7, 1.3),
    "mean": (0.4, 0.6),
    "moving_mean": (-0.3, 0.3),
    "moving_variance": (0.7, 1.3),
    "variance": (0.2, 0.3),
}
"""Least and greatest value of every variable that is no kernel."""
GAINS = {"efficientnet_v2_b0": 0.9, "efficientnet_v2_s": 0.8}
"""What kernels are multiplied by in backbones whose depth would make rounding errors grow by thousands
otherwise; 1 elsewhere, as smaller ones let a photo fade away."""


def draw_weights(backbone: Backbone, record: Mapping[str, Any]) -> dict[str, dict[str, Array]]:
    """Weights for the recorded graph of a backbone by layer and variable, float32.

    NumPy promises the raw numbers of a bit generator alone to stay the same, so values come from
    these.

    Args:
        record: see `recorded.py`.
    """
    numbers = np.random.PCG64(SEED)
    gain = GAINS.get(backbone.name, 1.0)
    drawn: dict[str, dict[str, Array]] = {}
    for position, shapes in record["weights"]:
        kind, name = record["operations"][position][:2]
        drawn[name] = {
            variable: _draw(numbers, shape, *_range_of(kind, variable, shape, gain))
            for variable, shape in shapes.items()
        }
    return drawn


def _draw(numbers: np.random.PCG64, shape: list[int], low: float, high: float) -> Array:
    count = math.prod(shape)
    raw = numbers.random_raw(count)
    raw >>= np.uint64(40)
    values: Array = raw.astype(np.float32)
    values /= np.float32(2**24)
    values *= np.float32(high - low)
    values += np.float32(low)
    return values.reshape(shape)


def _range_of(kind: str, variable: str, shape: list[int], gain: float) -> tuple[float, float]:
    if variable in _RANGES:
        return _RANGES[variable]
    by_channel = kind == "DepthwiseConv2D" or variable == "depthwise_kernel"
    inputs = math.prod(shape[:2] if by_channel else shape[:-1])
    most = gain * math.sqrt(6 / inputs)
    return -most, most
