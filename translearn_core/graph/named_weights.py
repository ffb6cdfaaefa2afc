"""Weights of networks of our own, by the names of layers and variables.

Owns: the names, and putting arrays into a model. Leaves to others: files (`starter.py`,
`backbones/lite_weights.py`, `backbones/dino_weights.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np


def weight_name(layer: keras.layers.Layer, variable: Any) -> str:
    """`layer/variable`."""
    return f"{layer.name}/{variable.name}"


def assign_weights(model: keras.Model, arrays: Mapping[str, np.ndarray], file: str) -> None:
    """Put arrays, float16 or float32, into the variables that they are named after.

    Args:
        file: where they come from, for the message.

    Raises:
        ValueError: a variable is missing, one is left over, or a shape differs.
    """
    variables = {weight_name(layer, v): v for layer in model.layers for v in layer.weights}
    if set(arrays) != set(variables):
        mismatched = sorted(set(arrays) ^ set(variables))
        raise ValueError(f"{file} does not fit: {', '.join(mismatched[:3])}")
    for name, variable in variables.items():
        array = arrays[name]
        if array.shape != tuple(variable.shape):
            raise ValueError(f"{file} does not fit: {name} is {array.shape}")
        variable.assign(array.astype(np.float32))


def assign_in_order(
    model: keras.Model, arrays: Mapping[str, Sequence[np.ndarray]], file: str
) -> None:
    """Put arrays into layers, where the variables of a layer have no names of their own.

    Args:
        arrays: for each layer with weights its arrays, in the order of `layer.weights`.
        file: where they come from, for the message.

    Raises:
        ValueError: a layer is missing, one is left over, or a shape differs.
    """
    layers = {layer.name: layer for layer in model.layers if layer.weights}
    if set(arrays) != set(layers):
        mismatched = sorted(set(arrays) ^ set(layers))
        raise ValueError(f"{file} does not fit: {', '.join(mismatched[:3])}")
    for name, layer in layers.items():
        layer.set_weights(list(arrays[name]))
