"""The `starter` backbone: a small residual network whose weights ship with the program.

Owns: the graph of `starter` and how its weights file in `data/` is read. `Starter` is called
the way the builders of `keras.applications` are, so that `build.py` treats it as one more.
Leaves to others: how the weights were made (`tools/train_starter/`, see
`docs/starter.md`), pixel scaling (`build.py`: pixels arrive in [-1, 1]).

Dense 3x3 convolutions instead of depthwise ones, because they keep CPU cores busy; 16-fold
down-sampling instead of 32-fold, because it is used on small pictures.
Imports Keras when it is imported: not for the web process.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from translearn_core.arrays import HEADER_LOCK
from translearn_core.graph.named_weights import assign_weights, weight_name

WIDTHS = (24, 40, 96, 224)
"""Channels of the stem and of the three stages after it, each at half the resolution."""
TOP = 640
"""Channels of the output."""
MOMENTUM = 0.95


def Starter(  # noqa: N802 - the builders of keras.applications are named so
    *,
    weights: str | Path | None = None,
    include_top: bool = False,
    input_shape: Sequence[int | None] = (96, 96, 3),
) -> keras.Model:
    """Build the network.

    Args:
        weights: an `.npz` file made by `tools/train_starter`, or None for random ones.
        include_top: must be False; there is no top.
        input_shape: `(height, width, 3)`; None lets a side vary.

    Returns:
        `(n, h, w, 3) float32 in [-1, 1]` -> feature maps `(n, h/16, w/16, 640)`, at least 0.

    Raises:
        ValueError: `include_top` is True, or the weights do not fit.
    """
    if include_top:
        raise ValueError("`include_top` must be False: the starter backbone has no top.")
    pixels = keras.Input(tuple(input_shape), name="pixels")
    x = _unit(pixels, WIDTHS[0], stride=2, name="stem")  # (n, h/2, w/2, 24)
    for stage, width in enumerate(WIDTHS[1:], start=2):
        x = _unit(x, width, stride=2, name=f"stage{stage}_down")  # (n, h/4.., w/4.., width)
        x = _residual(x, width, name=f"stage{stage}_block")
    x = _unit(x, TOP, kernel=1, name="top")  # (n, h/16, w/16, 640)
    model = keras.Model(pixels, x, name="starter")
    if weights is not None:
        load_weights(model, Path(weights))
    return model


def _unit(x: Any, width: int, *, name: str, kernel: int = 3, stride: int = 1) -> Any:
    """Convolution, normalisation, ReLU."""
    return keras.layers.ReLU(name=f"{name}_relu")(
        _linear_unit(x, width, name=name, kernel=kernel, stride=stride)
    )


def _linear_unit(x: Any, width: int, *, name: str, kernel: int = 3, stride: int = 1) -> Any:
    convolution = keras.layers.Conv2D(
        width,
        kernel,
        strides=stride,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        name=f"{name}_conv",
    )
    return keras.layers.BatchNormalization(momentum=MOMENTUM, name=f"{name}_bn")(convolution(x))


def _residual(x: Any, width: int, *, name: str) -> Any:
    """Two convolutions around which the input is carried past."""
    y = _unit(x, width, name=f"{name}_a")
    y = _linear_unit(y, width, name=f"{name}_b")
    y = keras.layers.Add(name=f"{name}_add")([x, y])
    return keras.layers.ReLU(name=f"{name}_relu")(y)


def save_weights(model: keras.Model, path: Path) -> None:
    """Write the weights as float16, one array for each variable, named `layer/variable`."""
    arrays: dict[str, Any] = {
        weight_name(layer, v): _as_float16(v) for layer in model.layers for v in layer.weights
    }
    with path.open("wb") as file:
        np.savez_compressed(file, **arrays)


def load_weights(model: keras.Model, path: Path) -> None:
    """Read what `save_weights` wrote.

    Raises:
        ValueError: a variable is missing, one is left over, or a shape differs.
        OSError: the file cannot be read.
    """
    with HEADER_LOCK, np.load(path, allow_pickle=False) as stored:
        arrays = dict(stored)
    assign_weights(model, arrays, path.name)


def _as_float16(variable: Any) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(variable)).astype(np.float16)
