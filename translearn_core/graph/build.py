"""Building a backbone: `keras.applications` and our own, with pixel scaling and stable names.

Owns: the graph from pixels to feature maps, and the weights that are loaded into it.
Leaves to others: the table (`backbones/catalog.py`), files of weights (`backbones/weights.py`), cutting the graph
(`assembly.py`).
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, Literal

import keras

from translearn_core.backbones import Backbone, image_size_for, pixel_scaling
from translearn_core.backbones.weights import check_weights, weights_path, weights_status
from translearn_core.errors import WeightsError
from translearn_core.graph.chance import set_seed
from translearn_core.graph.device import apply_precision
from translearn_core.graph.variables import made_quickly
from translearn_core.graph.walk import PIXELS, automatic_stem, replay
from translearn_core.i18n import _
from translearn_core.run_settings import Settings

INPUT = "photo"


def build_backbone(
    backbone: Backbone,
    *,
    size: int | None = None,
    weights: Literal["imagenet", "random"] = "imagenet",
    seed: int = 0,
) -> keras.Model:
    """Build a backbone without its top, with its pixel scaling inside.

    Operations keep the names that Keras gives them in a fresh process, whatever was built
    before, so that cuts can be named in files.

    Args:
        backbone: a row of the table.
        size: side of the square photos in pixels; default the backbone's own.
        weights: `imagenet` reads the file in Keras' folder, `random` initialises afresh.
        seed: of the random weights. Sets the global random state of Keras, NumPy and Python.

    Returns:
        A functional model, `(n, size, size, 3) float32 in [0, 255]` -> feature maps
        `(n, h, w, c)`; its input is named `photo`.

    Raises:
        SettingsError: `size` is below the backbone's smallest, or between its steps.
        WeightsError: the weights are not on this machine, or do not fit.
    """
    size = backbone.input_size if size is None else size
    if size < backbone.min_size or size % backbone.size_step:
        image_size_for(backbone, Settings(image_size=size))  # raises with the sentence
    return with_pixel_scaling(backbone, call_builder(backbone, size, weights, seed), size)


def with_pixel_scaling(backbone: Backbone, application: keras.Model, size: int) -> keras.Model:
    """The network of `build_backbone` out of that of `call_builder`, whose layers it shares.

    Args:
        application: made for photos of any size; its operations get their lasting names here. One
            that holds a model within it (ConvNeXt) or sees photos in patches (`size_step`) takes
            photos of the size it was made for alone.
        size: side of the square photos in pixels.
    """
    restore_names(application)
    photo = keras.Input((size, size, 3), dtype="float32", name=INPUT)
    scaled = _scale_pixels(photo, backbone)
    feature_maps = replay(application, scaled, after_normalization=backbone.after_normalization)
    return keras.Model(photo, feature_maps, name=backbone.name)


def call_builder(
    backbone: Backbone, size: int, weights: Literal["imagenet", "random"], seed: int
) -> keras.Model:
    """The network as its builder makes it: no top, no pixel scaling, names as they come."""
    module, _colon, function = backbone.builder.rpartition(":")
    builder = getattr(import_module(module) if module else keras.applications, function)
    apply_precision()
    arguments = {**dict(backbone.arguments), "include_top": False, "input_shape": (size, size, 3)}
    if weights == "random":
        set_seed(seed)
        with made_quickly():
            return builder(weights=None, **arguments)
    status = weights_status(backbone)
    if status.state != "ready":
        raise WeightsError(status.sentence)
    path = weights_path(backbone)
    check_weights(backbone)
    try:
        with made_quickly():
            return builder(weights=str(path), **arguments)
    except (OSError, ValueError, KeyError) as error:
        raise WeightsError(
            _(
                "The weights file {file} does not fit {title}: {cause}. Delete it and download "
                "it again, or put the right file in its place."
            ).format(file=path, title=backbone.title, cause=str(error).splitlines()[0])
        ) from error


def restore_names(model: keras.Model) -> None:
    """Number Keras' automatic names from zero again: `conv2d_94` -> `conv2d`, `_95` -> `_1`."""
    numbered: dict[str, list[tuple[int, Any]]] = {}
    for operation in model.operations:
        stem = automatic_stem(operation)
        if stem:
            suffix = operation.name[len(stem) + 1 :]
            numbered.setdefault(stem, []).append((int(suffix or 0), operation))
    for stem, entries in numbered.items():
        entries.sort(key=lambda entry: entry[0])
        for index, (_number, operation) in enumerate(entries):
            operation.name = f"{stem}_{index}" if index else stem


def _scale_pixels(photo: Any, backbone: Backbone) -> Any:
    """Pixels in [0, 255] -> what the backbone was trained on; built-in operations only."""
    scaling = pixel_scaling(backbone.pixels)
    x = photo  # (n, h, w, 3)
    if scaling is None:
        return keras.layers.Identity(name=f"{PIXELS}unchanged", dtype="float32")(x)
    if scaling.flip_channels:
        x = keras.src.ops.numpy.Flip(axis=-1, name=f"{PIXELS}bgr")(x)
    return keras.layers.Rescaling(
        scaling.scale, scaling.offset, name=f"{PIXELS}rescaling", dtype="float32"
    )(x)
