"""MixUp and CutMix.

Owns: how two inputs and their labels become one, and the batches made so.
Leaves to others: which inputs (`data.py`), the fit loop (`fit.py`).

MixUp (Zhang et al. 2018, https://arxiv.org/abs/1710.09412) adds two inputs in random shares; on
features of a frozen network that is manifold MixUp (Verma et al. 2019). CutMix (Yun et al. 2019,
https://arxiv.org/abs/1905.04899) pastes a rectangle of one input into the other; it needs inputs
with places: photos, or feature maps.
"""

from __future__ import annotations

import numpy as np

from translearn_core.arrays import Array
from translearn_core.run_settings import Settings


def mixes(settings: Settings, *, spatial: bool) -> bool:
    """Whether these settings blend inputs of this kind (`spatial`: with places)."""
    return settings.mixup > 0 or (spatial and settings.cutmix > 0)


def mix(
    inputs: Array, targets: Array, weights: Array, settings: Settings, rng: np.random.Generator
) -> tuple[Array, Array, Array]:
    """Blend every row of a batch with another row of it.

    Args:
        inputs: `(n, ...) float32`; with places `(n, h, w, c)`.
        targets: `(n, classes) float32`.
        weights: `(n,) float32` of each row in the loss.

    Returns:
        The same shapes. A row's labels and weight are blended in the shares of its input.
    """
    other = rng.permutation(len(inputs))
    spatial = inputs.ndim == 4 and settings.cutmix > 0
    if spatial and (settings.mixup == 0 or rng.random() < 0.5):
        inputs, share = _paste(inputs, other, rng.beta(settings.cutmix, settings.cutmix), rng)
        shares = np.full(len(inputs), share, np.float32)
    elif settings.mixup > 0:
        shares = rng.beta(settings.mixup, settings.mixup, len(inputs)).astype(np.float32)
        broad = shares.reshape(-1, *[1] * (inputs.ndim - 1))
        inputs = broad * inputs + (1 - broad) * inputs[other]
    else:
        return inputs, targets, weights
    column = shares[:, None]
    return (
        inputs,
        column * targets + (1 - column) * targets[other],
        shares * weights + (1 - shares) * weights[other],
    )


def _paste(
    inputs: Array, other: Array, share: float, rng: np.random.Generator
) -> tuple[Array, float]:
    """Paste a rectangle of `inputs[other]` into `inputs`, and the share that is left of each."""
    height, width = inputs.shape[1:3]
    side = np.sqrt(1 - share)
    middle_y, middle_x = rng.random() * height, rng.random() * width
    top, bottom = _ends(middle_y, side * height, height)
    left, right = _ends(middle_x, side * width, width)
    pasted = inputs.copy()
    pasted[:, top:bottom, left:right] = inputs[other, top:bottom, left:right]
    return pasted, 1 - (bottom - top) * (right - left) / (height * width)


def _ends(middle: float, length: float, limit: int) -> tuple[int, int]:
    low, high = round(middle - length / 2), round(middle + length / 2)
    return int(np.clip(low, 0, limit)), int(np.clip(high, 0, limit))
