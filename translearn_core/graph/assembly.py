"""Splits a backbone at a cut point, builds the head, and assembles the whole model.

Owns: prefix and suffix, which of their layers are trainable, the head, and the flat graph from
photo to probabilities. Leaves to others: the backbone (`build.py`), where a person wants it cut
(`backbones/freezing.py`), training (`fitting/fit.py`), the file (`saving.py`).
"""

from __future__ import annotations

from typing import Any

import keras

from translearn_core.errors import SettingsError
from translearn_core.graph.build import INPUT
from translearn_core.graph.chance import set_seed
from translearn_core.graph.device import apply_precision
from translearn_core.graph.walk import cut_points, is_pixels, replay, walk_graph
from translearn_core.i18n import _
from translearn_core.run_settings import Settings

OUTPUT = "probabilities"
POOLING = "pooled"


def split_at(model: keras.Model, cut_layer: str | None) -> tuple[keras.Model, keras.Model | None]:
    """Cut a backbone in two at a cut point; both sides share its layers.

    The prefix is frozen. Its output is pooled when nothing is left after the cut.

    Args:
        model: from `build_backbone`.
        cut_layer: a name out of `cut_points(model)`; None freezes nothing, so that the prefix
            only scales pixels.

    Returns:
        `(prefix, suffix)`. Prefix: `(n, h, w, 3) float32 in [0, 255]` -> the cut tensor. Suffix:
        the cut tensor -> pooled features `(n, c) float32`. When all is frozen the suffix is
        None and the prefix ends in the pooled features.

    Raises:
        SettingsError: `cut_layer` is no cut point of the model.
    """
    cuts = cut_points(model)
    if cut_layer is not None and cut_layer not in cuts:
        raise SettingsError(
            _("{model} cannot be cut at `{layer}`. Choose one of: {names}.").format(
                model=model.name, layer=cut_layer, names=", ".join(cuts)
            )
        )
    end = cut_layer or _last_pixel_operation(model)
    if end == cuts[-1]:
        prefix = keras.Model(model.input, _pool(model.output), name=f"{model.name}_prefix")
        _freeze(prefix)
        return prefix, None
    photo = keras.Input(model.input_shape[1:], dtype="float32", name=INPUT)
    at_cut = replay(model, photo, end=end)
    prefix = keras.Model(photo, at_cut, name=f"{model.name}_prefix")
    _freeze(prefix)
    cut = keras.Input(at_cut.shape[1:], dtype=at_cut.dtype, name="cut")
    suffix = keras.Model(cut, _pool(replay(model, cut, start=end)), name=f"{model.name}_suffix")
    return prefix, suffix


def _last_pixel_operation(model: keras.Model) -> str:
    walk = walk_graph(model)
    position = 0
    while is_pixels(walk.operation(position + 1)):
        position += 1
    return str(walk.operation(position).name)


def _pool(feature_maps: Any) -> Any:
    """`(n, h, w, c)` -> `(n, c) float32`, also under mixed precision."""
    return keras.layers.GlobalAveragePooling2D(name=POOLING, dtype="float32")(feature_maps)


def _freeze(model: keras.Model) -> None:
    for layer in model.layers:
        layer.trainable = False


def set_trainable(suffix: keras.Model, *, batch_norm: bool = False) -> None:
    """Make every layer trainable, but keep BatchNormalization in inference mode.

    Args:
        suffix: the unfrozen part.
        batch_norm: train BatchNormalization too, with momentum 0.9: for a network with random
            weights, whose stored statistics are not usable.

    Keras runs a BatchNormalization whose `trainable` is False with its stored statistics, and
    saves that flag, so that a loaded model behaves the same
    (https://keras.io/guides/transfer_learning/).
    """
    layers = [layer for layer in suffix._flatten_layers() if layer is not suffix]
    for layer in layers:
        layer.trainable = True
    for layer in layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = batch_norm
            if batch_norm:
                layer.momentum = 0.9


def build_head(features: int, classes: int, settings: Settings) -> keras.Model:
    """The new classification head.

    Args:
        features: width of the pooled features.
        classes: number of classes, at least 2.
        settings: `head`, `hidden_units`, `dropout` and `seed` are read.

    Returns:
        `(n, features) float32` -> `(n, classes) float32` probabilities that add up to 1.
        `linear` is dropout and a softmax layer; the others have dropout and a dense ReLU layer
        before. The last layer is float32 under mixed precision as well.
    """
    apply_precision()
    set_seed(settings.seed)
    inputs = keras.Input((features,), dtype="float32", name="features")
    x = keras.layers.Dropout(settings.dropout, name="head_dropout")(inputs)  # (n, features)
    if settings.head != "linear":
        x = keras.layers.Dense(settings.hidden_units, activation="relu", name="head_hidden")(x)
        x = keras.layers.Dropout(settings.dropout, name="head_hidden_dropout")(x)
    dense = keras.layers.Dense(classes, activation="softmax", name=OUTPUT, dtype="float32")
    return keras.Model(inputs, dense(x), name="head")  # (n, classes)


def assemble(prefix: keras.Model, suffix: keras.Model | None, head: keras.Model) -> keras.Model:
    """Put prefix, suffix and head together as one flat functional model that shares their layers.

    Returns:
        `photo`, `(n, h, w, 3) float32 in [0, 255]` -> `probabilities`, `(n, classes) float32`.
    """
    photo = keras.Input(prefix.input_shape[1:], dtype="float32", name=INPUT)
    x = replay(prefix, photo)
    if suffix is not None:
        x = replay(suffix, x)
    return keras.Model(photo, replay(head, x), name="translearn")
