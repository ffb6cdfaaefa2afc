"""Writes a model as Teachable Machine does: a TensorFlow.js layers model.

Owns: model.json, metadata.json and weights.bin; how each layer of ours is written with the layers of
TensorFlow.js 1.3, which the programs for such models load; reading the files back, for the
verification.
Leaves to others: the model (`writers.py`), the comparison (`verify.py`).

Those programs (the library `@teachablemachine/image`, ml5, and what is built on them) cut the middle
square out of a photo, make it 224 x 224, and give the model `pixel / 127 - 1`. So the first layers
written here are ours: they bring that square to the side of the run with the weights with which the app
resizes (two dense layers, over columns and rows), and the values to what the backbone takes (one
convolution of 1 x 1). The format of the files:
https://www.tensorflow.org/js/tutorials/conversion/import_keras
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from translearn_core import __version__
from translearn_core.arrays import Array, Floats
from translearn_core.errors import InputError
from translearn_core.graph.engine import answer_batch
from translearn_core.graph.variables import made_quickly
from translearn_core.i18n import _

SIDE = 224
"""Side of the photo that programs for this format give a model, in pixels."""
HALF_RANGE = 127.0
"""They give it `pixel / HALF_RANGE - 1`."""
LIBRARY = "1.3.1"
"""The version of TensorFlow.js that `@teachablemachine/image` asks for."""
TOLERANCE = 1e-4
"""Largest difference of a probability between the files and the model that they were written from."""
WEIGHTS = "weights.bin"
METADATA = "metadata.json"


def write_model(model: Any, path: Path, *, name: str, classes: Sequence[str]) -> None:
    """Write model.json to `path`, and the other two files beside it.

    Args:
        model: a functional Keras model of ours in float32,
            `(n, size, size, 3) float32 in [0, 255]` -> `(n, classes) float32`.

    Raises:
        InputError: the model has a layer that these programs do not know.
    """
    graph = _Graph()
    graph.write(model)
    topology = {
        "class_name": "Model",
        "config": {
            "name": "translearn",
            "layers": graph.layers,
            "input_layers": [[graph.layers[0]["name"], 0, 0]],
            "output_layers": [[graph.layers[-1]["name"], 0, 0]],
        },
    }
    manifest = [
        {"name": name, "shape": list(array.shape), "dtype": "float32"}
        for name, array in graph.weights
    ]
    content = {
        "format": "layers-model",
        "generatedBy": f"TransLearn {__version__}",
        "convertedBy": None,
        "modelTopology": {
            "keras_version": "2.2.4",
            "backend": "tensorflow",
            "model_config": topology,
        },
        "weightsManifest": [{"paths": [WEIGHTS], "weights": manifest}],
    }
    path.write_text(json.dumps(content), encoding="utf-8")
    metadata = {
        "tfjsVersion": LIBRARY,
        "packageName": "@teachablemachine/image",
        "timeStamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "userMetadata": {},
        "modelName": name,
        "labels": list(classes),
        "imageSize": SIDE,
    }
    path.with_name(METADATA).write_text(
        json.dumps(metadata, ensure_ascii=False, indent=1), encoding="utf-8"
    )
    path.with_name(WEIGHTS).write_bytes(
        b"".join(array.astype("<f4").tobytes() for _name, array in graph.weights)
    )


def check_model(model: Any, path: Path) -> None:
    """Compare the files with the model that they were written from, on photos of noise.

    Raises:
        ValueError: a probability differs by more than `TOLERANCE`.
    """
    rng = np.random.default_rng(0)
    photos = rng.integers(0, 256, (3, SIDE, SIDE, 3)).astype(np.float32)
    weights = resizing(SIDE, model.input_shape[1])
    resized = np.einsum("yh,nhwc,xw->nyxc", weights, photos, weights, optimize=True)
    expected = answer_batch(model, resized, traces=False)
    received = answer_batch(read_model(path), photos / HALF_RANGE - 1, traces=False)
    difference = float(np.abs(expected - received).max())
    if not difference <= TOLERANCE:
        raise ValueError(f"the files answer otherwise than the model, by {difference}")


def read_model(path: Path) -> Any:
    """The model of a model.json as Keras reads it: `(n, 224, 224, 3) float32 in [-1, 1]` ->
    `(n, classes) float32`.

    Raises:
        ValueError: the files do not belong together.
    """
    from keras.src.legacy.saving.saving_utils import model_from_config

    content = json.loads(path.read_text(encoding="utf-8"))
    with made_quickly():
        model = model_from_config(content["modelTopology"]["model_config"])
    [group] = content["weightsManifest"]
    data = b"".join(path.with_name(name).read_bytes() for name in group["paths"])
    weights: dict[str, list[Array]] = {}
    at = 0
    for entry in group["weights"]:
        flat = np.frombuffer(data, "<f4", int(np.prod(entry["shape"])), at)
        weights.setdefault(entry["name"].partition("/")[0], []).append(flat.reshape(entry["shape"]))
        at += flat.nbytes
    if at != len(data):
        raise ValueError(f"{at} bytes of weights are named, and {len(data)} are there")
    for layer in model.layers:  # in the order in which Keras has the weights of a layer
        layer.set_weights(weights.pop(layer.name, []))
    if weights:
        raise ValueError(f"there are weights of layers that the model has not: {sorted(weights)}")
    return model


class _Graph:
    """The layers and weights written so far; `names` gives the layer that stands for a Keras tensor,
    by the tensor's id."""

    def __init__(self) -> None:
        self.layers: list[dict[str, Any]] = []
        self.weights: list[tuple[str, Array]] = []
        self.names: dict[int, str] = {}

    def write(self, model: Any) -> None:
        """All layers of a functional model, and the photo in front of them."""
        by_depth = model._nodes_by_depth
        nodes = [node for depth in sorted(by_depth, reverse=True) for node in by_depth[depth]]
        place = self._write_input(nodes, model.input_shape[1])
        for node in nodes[place:]:
            operation = node.operation
            write = _WRITERS.get(_kind(operation))
            if write is None:
                raise _unknown(operation, _kind(operation))
            self.names[id(node.output_tensors[0])] = write(self, node)

    def _write_input(self, nodes: Sequence[Any], size: int) -> int:
        """The input, resizing, and the scaling of pixels; the number of nodes that it stands for."""
        value = self.add(
            "InputLayer", "photo", [], {"batch_input_shape": [None, SIDE, SIDE, 3], "sparse": False}
        )
        if size != SIDE:
            kernel = resizing(SIDE, size).T
            for axis in ("rows", "columns"):  # the last axis each time: height, then width
                dims = [3, 2, 1] if axis == "rows" else [1, 3, 2]
                turned = self.add("Permute", f"{axis}_last", [value], {"dims": dims})
                dense = {"units": size, "activation": "linear", "use_bias": False}
                value = self.add("Dense", axis, [turned], dense, {"kernel": kernel})
            # after the first step (3, width, rows), after the second (3, rows, columns)
            value = self.add("Permute", "channels_last", [value], {"dims": [2, 3, 1]})
        matrix, shift = HALF_RANGE * np.eye(3), np.full(3, HALF_RANGE)
        place = 1
        while _kind(nodes[place].operation) in _PIXELS:
            step = _PIXELS[_kind(nodes[place].operation)]
            factor, offset = step(nodes[place].operation)
            matrix, shift = matrix @ factor, shift @ factor + offset
            place += 1
        config = {"filters": 3, "kernel_size": [1, 1], "strides": [1, 1], "padding": "valid"}
        weights = {"kernel": matrix[None, None], "bias": shift}
        config |= {"activation": "linear", "use_bias": True}
        self.names[id(nodes[place - 1].output_tensors[0])] = self.add(
            "Conv2D", "pixels", [value], config, weights
        )
        return place

    def add(
        self,
        kind: str,
        name: str,
        inputs: Sequence[str],
        config: dict[str, Any],
        weights: dict[str, Array] | None = None,
    ) -> str:
        """Append a layer; its name, which is `name` where that is free."""
        taken = {layer["name"] for layer in self.layers}
        while name in taken:
            name += "_"
        self.layers.append(
            {
                "class_name": kind,
                "name": name,
                "config": {"name": name, "trainable": False, "dtype": "float32"} | config,
                "inbound_nodes": [[[source, 0, 0, {}] for source in inputs]] if inputs else [],
            }
        )
        for weight, array in (weights or {}).items():
            self.weights.append((f"{name}/{weight}", np.asarray(array)))
        return name

    def inputs(self, node: Any) -> list[str]:
        """The layers that a node reads."""
        return [self.names[id(tensor)] for tensor in node.arguments.keras_tensors]


def resizing(before: int, after: int) -> Floats:
    """The weights with which a side of `before` pixels becomes one of `after`: `(after, before)`, each
    row adds up to 1. A triangle as wide as it must be to see every pixel, as the app resizes."""
    scale = before / after
    reach = max(scale, 1.0)
    centres = (np.arange(after) + 0.5) * scale
    places = np.arange(before) + 0.5
    weights = np.maximum(0, 1 - np.abs(places[None] - centres[:, None]) / reach)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)


Writer = Callable[[_Graph, Any], str]
Affine = tuple[Array, Array]
"""`(3, 3)` and `(3,)`: a pixel becomes `pixel @ matrix + shift`."""


def _kind(operation: Any) -> str:
    return type(operation).__name__


def _unknown(operation: Any, what: str) -> InputError:
    return InputError(
        _(
            "The layer {layer} is of a kind ({kind}) that programs for Teachable Machine models do "
            "not know. Take the web page, or ONNX."
        ).format(layer=operation.name, kind=what)
    )


def _array(values: Any) -> Array:
    if isinstance(values, (np.ndarray, float, int, list, tuple)):
        return np.asarray(values, np.float64)
    import keras

    return np.asarray(keras.ops.convert_to_numpy(values), np.float64)


# ------------------------------------------------------------------------- the scaling of pixels


def _per_colour(values: Any) -> Array:
    return np.broadcast_to(_array(values).reshape(-1), 3)


def _normalized(layer: Any) -> Affine:
    spread = np.maximum(np.sqrt(_per_colour(layer.variance)), 1e-7)
    return np.diag(1 / spread), -_per_colour(layer.mean) / spread


_PIXELS: dict[str, Callable[[Any], Affine]] = {
    "Flip": lambda _operation: (np.eye(3)[::-1], np.zeros(3)),
    "Identity": lambda _layer: (np.eye(3), np.zeros(3)),
    "Normalization": _normalized,
    "Rescaling": lambda layer: (np.diag(_per_colour(layer.scale)), _per_colour(layer.offset)),
}
"""Layers between the photo and the first convolution -> what they do with a pixel."""


# ------------------------------------------------------------------------------------ the layers


def _write_convolution(graph: _Graph, node: Any) -> str:
    layer = node.operation
    if layer.groups != 1:
        raise _unknown(layer, "Conv2D, groups")
    config = {"filters": layer.filters}
    return _convolve(graph, node, config, {"kernel": layer.kernel})


def _write_depthwise(graph: _Graph, node: Any) -> str:
    config = {"depth_multiplier": node.operation.depth_multiplier}
    # Keras 3 names it `kernel`, the format `depthwise_kernel`
    return _convolve(graph, node, config, {"depthwise_kernel": node.operation.kernel})


def _write_separable(graph: _Graph, node: Any) -> str:
    layer = node.operation
    config = {"filters": layer.filters, "depth_multiplier": layer.depth_multiplier}
    weights = {
        "depthwise_kernel": layer.depthwise_kernel,
        "pointwise_kernel": layer.pointwise_kernel,
    }
    return _convolve(graph, node, config, weights)


def _convolve(graph: _Graph, node: Any, config: dict[str, Any], weights: dict[str, Any]) -> str:
    layer = node.operation
    if tuple(layer.dilation_rate) != (1, 1):
        raise _unknown(layer, f"{_kind(layer)}, dilated")
    config = config | {
        "kernel_size": [*layer.kernel_size],
        "strides": [*layer.strides],
        "padding": layer.padding,
        "data_format": "channels_last",
        "dilation_rate": [1, 1],
        "activation": "linear",
        "use_bias": bool(layer.use_bias),
    }
    if layer.use_bias:
        weights["bias"] = layer.bias
    values = {name: _array(weight) for name, weight in weights.items()}
    output = graph.add(_kind(layer), layer.name, graph.inputs(node), config, values)
    return _activate(graph, output, layer, node.output_tensors[0].shape)


def _write_dense(graph: _Graph, node: Any) -> str:
    layer = node.operation
    weights = {"kernel": _array(layer.kernel)}
    if layer.use_bias:
        weights["bias"] = _array(layer.bias)
    config = {"units": layer.units, "activation": "linear", "use_bias": bool(layer.use_bias)}
    output = graph.add("Dense", layer.name, graph.inputs(node), config, weights)
    return _activate(graph, output, layer, node.output_tensors[0].shape)


def _write_batch_normalization(graph: _Graph, node: Any) -> str:
    layer = node.operation
    config = {
        "axis": -1,
        "epsilon": layer.epsilon,
        "momentum": 0.99,
        "center": bool(layer.center),
        "scale": bool(layer.scale),
    }
    weights = {}
    if layer.scale:
        weights["gamma"] = _array(layer.gamma)
    if layer.center:
        weights["beta"] = _array(layer.beta)
    weights["moving_mean"] = _array(layer.moving_mean)
    weights["moving_variance"] = _array(layer.moving_variance)
    return graph.add("BatchNormalization", layer.name, graph.inputs(node), config, weights)


def _write_relu(graph: _Graph, node: Any) -> str:
    layer = node.operation
    if layer.negative_slope or layer.threshold:
        raise _unknown(layer, "ReLU, leaky")
    return graph.add("ReLU", layer.name, graph.inputs(node), {"max_value": layer.max_value})


def _affine(
    graph: _Graph,
    name: str,
    value: str,
    channels: int,
    *,
    factor: float = 1.0,
    offset: float = 0.0,
) -> str:
    """`value * factor + offset` of feature maps, as a convolution of 1 x 1."""
    config = {"kernel_size": [1, 1], "strides": [1, 1], "padding": "valid", "depth_multiplier": 1}
    config |= {"activation": "linear", "use_bias": True}
    weights = {
        "depthwise_kernel": np.full((1, 1, channels, 1), factor),
        "bias": np.full(channels, offset),
    }
    return graph.add("DepthwiseConv2D", name, [value], config, weights)


def _activate(graph: _Graph, value: str, layer: Any, shape: Sequence[int]) -> str:
    """The activation of a layer, as layers of its own.

    Args:
        shape: of the value.
    """
    name = layer.activation.__name__
    if name == "linear":
        return value
    if name in ("relu", "relu6"):
        most = 6.0 if name == "relu6" else None
        return graph.add("ReLU", f"{layer.name}_relu", [value], {"max_value": most})
    if name in ("softmax", "sigmoid"):
        return graph.add("Activation", f"{layer.name}_{name}", [value], {"activation": name})
    if name == "silu":
        gate = graph.add("Activation", f"{layer.name}_sigmoid", [value], {"activation": "sigmoid"})
        return graph.add("Multiply", f"{layer.name}_silu", [value, gate], {})
    if name == "hard_silu" and len(shape) == 4:  # x * relu6(x + 3) / 6
        moved = _affine(graph, f"{layer.name}_moved", value, shape[-1], offset=3.0)
        gate = graph.add("ReLU", f"{layer.name}_relu", [moved], {"max_value": 6.0})
        product = graph.add("Multiply", f"{layer.name}_times", [value, gate], {})
        return _affine(graph, f"{layer.name}_silu", product, shape[-1], factor=1 / 6)
    raise _unknown(layer, f"{_kind(layer)}, {name}")


def _write_activation(graph: _Graph, node: Any) -> str:
    shape = node.output_tensors[0].shape
    return _activate(graph, graph.inputs(node)[0], node.operation, shape)


def _write_pooling(graph: _Graph, node: Any) -> str:
    layer = node.operation
    config = {
        "pool_size": [*layer.pool_size],
        "strides": [*layer.strides],
        "padding": layer.padding,
        "data_format": "channels_last",
    }
    return graph.add(_kind(layer), layer.name, graph.inputs(node), config)


def _write_global_pooling(graph: _Graph, node: Any) -> str:
    layer = node.operation
    config = {"data_format": "channels_last"}
    output = graph.add(_kind(layer), layer.name, graph.inputs(node), config)
    if not layer.keepdims:
        return output
    shape = [1, 1, node.output_tensors[0].shape[-1]]
    return graph.add("Reshape", f"{layer.name}_map", [output], {"target_shape": shape})


def _write_borders(key: str) -> Writer:
    def write(graph: _Graph, node: Any) -> str:
        layer = node.operation
        sides = [[*side] for side in getattr(layer, key)]
        config = {key: sides, "data_format": "channels_last"}
        return graph.add(_kind(layer), layer.name, graph.inputs(node), config)

    return write


def _write_reshape(graph: _Graph, node: Any) -> str:
    shape = [*node.output_tensors[0].shape[1:]]
    return graph.add("Reshape", node.operation.name, graph.inputs(node), {"target_shape": shape})


def _write_merging(graph: _Graph, node: Any) -> str:
    """A layer or operation that adds, multiplies or concatenates values, or a value and a number."""
    layer, inputs = node.operation, graph.inputs(node)
    if len(inputs) == 1:
        return _write_number(graph, node)
    if _kind(layer) == "Concatenate" and layer.axis not in (
        -1,
        len(node.output_tensors[0].shape) - 1,
    ):
        raise _unknown(layer, f"Concatenate, axis {layer.axis}")
    config = {"axis": -1} if _kind(layer) == "Concatenate" else {}
    return graph.add(_kind(layer), layer.name, inputs, config)


def _write_number(graph: _Graph, node: Any) -> str:
    """An operation that adds a number to feature maps, or multiplies them by it."""
    layer, [value] = node.operation, graph.inputs(node)
    numbers = [one for one in node.arguments.args if isinstance(one, (int, float))]
    shape = node.output_tensors[0].shape
    if len(numbers) != 1 or len(shape) != 4 or _kind(layer) not in ("Add", "Multiply"):
        raise _unknown(layer, f"{_kind(layer)}, of one value")
    key = "offset" if _kind(layer) == "Add" else "factor"
    return _affine(graph, layer.name, value, shape[-1], **{key: float(numbers[0])})


def _pass_on(graph: _Graph, node: Any) -> str:
    """Layers that are the identity in inference."""
    [value] = graph.inputs(node)
    return value


_WRITERS: dict[str, Writer] = {
    "Activation": _write_activation,
    "Add": _write_merging,
    "AveragePooling2D": _write_pooling,
    "BatchNormalization": _write_batch_normalization,
    "Concatenate": _write_merging,
    "Conv2D": _write_convolution,
    "Cropping2D": _write_borders("cropping"),
    "Dense": _write_dense,
    "DepthwiseConv2D": _write_depthwise,
    "Dropout": _pass_on,
    "GlobalAveragePooling2D": _write_global_pooling,
    "Identity": _pass_on,
    "MaxPooling2D": _write_pooling,
    "Multiply": _write_merging,
    "ReLU": _write_relu,
    "Reshape": _write_reshape,
    "SeparableConv2D": _write_separable,
    "ZeroPadding2D": _write_borders("padding"),
}
"""The writer of each kind of layer."""

KINDS = frozenset(_WRITERS) | frozenset(_PIXELS)
"""All supported kinds."""
