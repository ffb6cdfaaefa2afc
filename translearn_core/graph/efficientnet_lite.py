"""EfficientNet-Lite0 (Tan and Le, 2019; Google's Lite variant of 2020), as Keras builds it.

Owns: the graph. `EfficientNetLite0` is called the way the builders of `keras.applications` are, so that
`build.py` treats it as one more.
Leaves to others: its weights (`backbones/lite_weights.py`, `backbones/weights.py`), pixel scaling
(`build.py`).

Against EfficientNet-B0 there is no squeeze and excitation, and ReLU6 takes the place of swish.
Imports Keras when it is imported: not for the web process.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras

from translearn_core.backbones.lite_weights import STAGES, read_lite_weights
from translearn_core.graph.named_weights import assign_weights

STEM, TOP = 32, 1280
EPSILON = 1e-3


def EfficientNetLite0(  # noqa: N802 - the builders of keras.applications are named so
    *,
    weights: str | Path | None = None,
    include_top: bool = False,
    input_shape: Sequence[int | None] = (224, 224, 3),
) -> keras.Model:
    """Build the network.

    Args:
        weights: the file of the package, or None for random ones.
        include_top: must be False; the top is left out.
        input_shape: `(height, width, 3)`; None lets a side vary.

    Returns:
        `(n, h, w, 3) float32`, (pixel - 127) / 128 -> feature maps `(n, h/32, w/32, 1280)` in [0, 6].

    Raises:
        ValueError: `include_top` is True, or the weights do not fit.
        OSError: the file cannot be read.
    """
    if include_top:
        raise ValueError(
            "`include_top` must be False: EfficientNet-Lite0 is built without its top."
        )
    pixels = keras.Input(tuple(input_shape), name="pixels")
    x = _convolution(pixels, STEM, kernel=3, stride=2, name="stem")  # (n, h/2, w/2, 32)
    for stage, (blocks, width, kernel, stride, expansion) in enumerate(STAGES, start=1):
        for number in range(blocks):
            x = _block(
                x,
                width,
                kernel=kernel,
                stride=stride if number == 0 else 1,
                expansion=expansion,
                name=f"block{stage}{'abcd'[number]}",
            )
    x = _convolution(x, TOP, kernel=1, name="top")  # (n, h/32, w/32, 1280)
    model = keras.Model(pixels, x, name="efficientnet_lite0")
    if weights is not None:
        assign_weights(model, read_lite_weights(Path(weights)), Path(weights).name)
    return model


def _convolution(
    x: Any, width: int, *, kernel: int, name: str, stride: int = 1, linear: bool = False
) -> Any:
    """Convolution, normalisation, ReLU6 unless `linear`."""
    x = keras.layers.Conv2D(
        width, kernel, strides=stride, padding="same", use_bias=False, name=f"{name}_conv"
    )(x)
    return _normalised(x, name, linear=linear)


def _normalised(x: Any, name: str, *, linear: bool = False) -> Any:
    x = keras.layers.BatchNormalization(epsilon=EPSILON, name=f"{name}_bn")(x)
    return x if linear else keras.layers.ReLU(6.0, name=f"{name}_relu")(x)


def _block(x: Any, width: int, *, kernel: int, stride: int, expansion: int, name: str) -> Any:
    """An inverted residual: wider, one filter a channel, narrower; carried past where it fits."""
    before = x
    if expansion != 1:
        x = _convolution(x, x.shape[-1] * expansion, kernel=1, name=f"{name}_expand")
    x = keras.layers.DepthwiseConv2D(
        kernel, strides=stride, padding="same", use_bias=False, name=f"{name}_depthwise_conv"
    )(x)
    x = _normalised(x, f"{name}_depthwise")
    x = _convolution(x, width, kernel=1, name=f"{name}_project", linear=True)
    if stride == 1 and before.shape[-1] == width:
        x = keras.layers.Add(name=f"{name}_add")([x, before])
    return x
