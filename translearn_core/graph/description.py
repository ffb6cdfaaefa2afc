"""What the web process must know about a backbone without building it.

Owns: the entries of `data/blocks.json` and `data/weights.json`, which `scripts/make_blocks`
writes: blocks, cut points, layers, weights and multiply-accumulate operations; the graphs of
`data/graphs/`, for converting a backbone without Keras; and the answers of `data/answers.npz`.
Leaves to others: reading them (`backbones/freezing.py`, `backbones/weights_check.py`, `recorded.py`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import keras
import numpy as np
from keras.src.utils.naming import to_snake_case

from translearn_core.arrays import Array
from translearn_core.backbones import Backbone
from translearn_core.graph.assembly import assemble, build_head, split_at
from translearn_core.graph.block_boundaries import find_blocks
from translearn_core.graph.build import build_backbone, call_builder, with_pixel_scaling
from translearn_core.graph.drawn_weights import draw_weights
from translearn_core.graph.engine import probe_photos, run_keras
from translearn_core.graph.keras_file import describe_model, described
from translearn_core.graph.recorded import DEFAULTS, lay_out, read_record
from translearn_core.graph.walk import Walk, cut_points, is_pixels, walk_graph
from translearn_core.run_settings import Settings


def describe_backbone(backbone: Backbone, application: keras.Model | None = None) -> dict[str, Any]:
    """Everything that the web process must know about a graph without building it.

    Args:
        application: the network as its builder makes it, where that was done already, for photos
            of any size; see `with_pixel_scaling` for the one kind that cannot be taken.

    Returns:
        One entry of `data/blocks.json`: the fields of `freezing.BackboneGraph`.
    """
    if application is None:
        model = build_backbone(backbone, weights="random")
    else:
        model = with_pixel_scaling(backbone, application, backbone.input_size)
    walk = walk_graph(model)
    cut_names = set(cut_points(model))
    nodes = [node for node in walk.nodes if not is_pixels(node.operation)]
    operations = [node.operation for node in nodes]
    names = [operation.name for operation in operations]
    cuts = [index for index, name in enumerate(names) if name in cut_names]
    layers = [isinstance(operation, keras.layers.Layer) for operation in operations]
    parameters = [_count_parameters(operation) for operation in operations]
    trainable = [_count_parameters(operation, trainable=True) for operation in operations]
    macs = [_count_macs(node) for node in nodes]
    blocks = []
    begin = 0
    for block in find_blocks(model):
        end = names.index(block.end) + 1
        blocks.append(
            {
                "title": block.title,
                "end_layer": block.end,
                "layers": sum(layers[begin:end]),
                "parameters": sum(parameters[begin:end]),
                "macs": sum(macs[begin:end]),
                "output": _sides(nodes[end - 1].output_tensors[0].shape),
            }
        )
        begin = end
    return {
        "layers": sum(layers),
        "parameters": sum(parameters),
        "trainable": sum(trainable),
        "macs": sum(macs),
        "blocks": blocks,
        "cuts": cuts,
        "layers_up_to": [sum(layers[: cut + 1]) for cut in cuts],
        "trainable_after": [sum(trainable[cut + 1 :]) for cut in cuts],
        "macs_up_to": [sum(macs[: cut + 1]) for cut in cuts],
        "names": " ".join(names),
    }


def ask_keras(backbone: Backbone, size: int) -> Array:
    """What Keras answers to `probe_photos` of `size` pixels with the weights of the backbone's file: pooled
    features `(2, d) float32`, for `data/answers.npz`."""
    network = build_backbone(backbone, size=size)
    return _ask(network)


def ask_keras_drawn(backbone: Backbone, size: int) -> Array:
    """The same with the weights of `draw_weights`; the backbone's graph is recorded."""
    network = build_backbone(backbone, size=size, weights="random")
    for name, arrays in draw_weights(backbone, read_record(backbone)).items():
        layer = network.get_layer(name)
        for variable in layer.weights:
            variable.assign(arrays[variable.name])
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()
    return _ask(network)


def _ask(network: keras.Model) -> Array:
    prefix, _suffix = split_at(network, cut_points(network)[-1])
    return run_keras(prefix, probe_photos(tuple(network.input_shape[1:])))


def _sides(shape: tuple[int, ...]) -> list[int]:
    """Height, width and channels of an output; tokens `(n, t, c)` are a column of places."""
    *places, channels = shape[1:]
    return [*places, *[1] * (2 - len(places)), channels]


def describe_weights(backbone: Backbone, application: keras.Model | None = None) -> list[str]:
    """One entry of `data/weights.json`: for each layer with weights their shapes, as text.

    The order is that of Keras' pretrained files: trainable weights before the others.

    Args:
        application: the network as its builder makes it, where that was done already.
    """
    application = application or call_builder(backbone, backbone.min_size, "random", 0)
    layers = []
    for layer in application.layers:
        weights = layer.trainable_weights + layer.non_trainable_weights
        if weights:
            layers.append(" ".join("x".join(map(str, weight.shape)) for weight in weights))
    return layers


def _leaves(operation: Any) -> list[Any]:
    """The layers inside `operation`, or itself."""
    inner = getattr(operation, "layers", None)
    return [leaf for layer in inner for leaf in _leaves(layer)] if inner else [operation]


def _count_parameters(operation: Any, *, trainable: bool = False) -> int:
    """Weights of an operation; with `trainable` those that `set_trainable` lets learn."""
    count = 0
    for leaf in _leaves(operation):
        if trainable and isinstance(leaf, keras.layers.BatchNormalization):
            continue
        weights = getattr(leaf, "trainable_weights" if trainable else "weights", [])
        count += sum(math.prod(weight.shape) for weight in weights)
    return count


def _count_macs(node: Any) -> int:
    """Multiply-accumulate operations of convolutions and dense layers for one photo.

    Each value of a kernel is used once per position of the output; attention compares each token
    with each, and adds up what it found.
    """
    count = 0
    for leaf in _leaves(node.operation):
        kernels = _kernels(leaf)
        if kernels:
            output = node.output_tensors[0] if leaf is node.operation else leaf.output
            positions = math.prod(output.shape[1:-1])
            count += positions * sum(math.prod(kernel.shape) for kernel in kernels)
            if isinstance(leaf, keras.layers.MultiHeadAttention):
                count += 2 * positions**2 * leaf.num_heads * leaf.key_dim
    return count


ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "Activation": ("activation",),
    "Add": (),
    "AveragePooling2D": ("pool_size", "strides", "padding"),
    "BatchNormalization": ("epsilon", "scale", "center"),
    "Concatenate": (),
    "Conv2D": (
        *("filters", "kernel_size", "strides", "padding", "dilation_rate"),
        *("groups", "use_bias", "activation"),
    ),
    "Cropping2D": ("cropping",),
    "Dense": ("units", "use_bias", "activation"),
    "DepthwiseConv2D": (
        *("kernel_size", "strides", "padding", "dilation_rate"),
        *("depth_multiplier", "use_bias", "activation"),
    ),
    "Dropout": (),
    "Flip": (),
    "GlobalAveragePooling2D": ("keepdims",),
    "Identity": (),
    "MaxPooling2D": ("pool_size", "strides", "padding"),
    "Multiply": (),
    "Normalization": (),
    "ReLU": ("max_value", "negative_slope", "threshold"),
    "Rescaling": ("scale", "offset"),
    "Reshape": ("target_shape",),
    "SeparableConv2D": (
        *("filters", "kernel_size", "strides", "padding", "dilation_rate"),
        *("use_bias", "activation"),
    ),
    "ZeroPadding2D": ("padding",),
}
"""What is recorded of each kind of operation beside its weights."""


RECORDED_AT = (0, 1, 3)
"""A graph is recorded at its own size and at so many pixels more, which shows what follows from it."""


def record_graph(networks: Sequence[keras.Model]) -> dict[str, Any] | None:
    """One file of `data/graphs/`: see `recorded.py`.

    Args:
        networks: one backbone, from `build_backbone`, for several sizes of photos.

    Returns:
        None where it has an operation of another kind, or depends on the size in another way.
    """
    records = [record_operations(network) for network in networks]
    if records[0] is None:
        return None
    first = deepcopy(records[0])
    walks = [walk_graph(network) for network in networks]
    for position, operation in enumerate(first):
        if operation[0] != "ZeroPadding2D":
            continue
        sides = [walk.nodes[position].arguments.keras_tensors[0].shape[1] for walk in walks]
        paddings = [record[position][3]["padding"] for record in records if record is not None]
        kernel = 2 * paddings[0][0][1] + 1
        if len({str(padding) for padding in paddings}) > 1:
            operation[3] = {"by_side": kernel}
        elif len({side % 2 for side in sides}) == 1:
            return None  # who knows what it would be on the other side
    record = {"operations": first, "weights": _record_weights(networks[0], walks[0])}
    return record if all(is_recorded_as(record, network) for network in networks) else None


def record_operations(model: keras.Model) -> list[list[Any]] | None:
    """The operations as they are for one size of photos; None where one is of another kind."""
    walk = walk_graph(model)
    operations: list[list[Any]] = [["InputLayer", "photo", [], {}]]
    for position, node in enumerate(walk.nodes[1:], start=1):
        kind = type(node.operation).__name__
        if kind not in ATTRIBUTES or not _takes_all_in_order(node):
            return None
        operations.append(
            [kind, node.operation.name, _reads(walk, position), _attributes(kind, node)]
        )
    return operations


def is_recorded_as(record: dict[str, Any], model: keras.Model) -> bool:
    """Whether a record, laid out at the size of a network, is that network."""
    live = record_operations(model)
    if live is None or [one[:3] for one in record["operations"]] != [one[:3] for one in live]:
        return False
    walk = walk_graph(model)
    nodes = lay_out(record["operations"], model.input_shape[1])
    for node, real, recorded, found in zip(
        nodes, walk.nodes, record["operations"], live, strict=True
    ):
        attributes = {name: value for name, value in recorded[3].items() if name != "by_side"}
        if "by_side" in recorded[3]:
            attributes["padding"] = node.operation.padding
        if node.output.shape != tuple(real.output_tensors[0].shape) or attributes != found[3]:
            return False
    return bool(record["weights"] == _record_weights(model, walk))


def _takes_all_in_order(node: Any) -> bool:
    """Whether an operation is called with tensors and plain numbers by position alone."""
    named = node.arguments.kwargs
    return all(value is None or name in ("training", "mask") for name, value in named.items())


def _reads(walk: Walk, position: int) -> list[Any]:
    """What an operation reads, in order: positions of others, and plain numbers."""
    sources = iter(walk.reads[position])
    given = keras.tree.flatten(walk.nodes[position].arguments.args)
    return [next(sources) if hasattr(one, "shape") else {"n": float(one)} for one in given]


def _attributes(kind: str, node: Any) -> dict[str, Any]:
    """What differs from the defaults."""
    found: dict[str, Any] = {}
    for name in ATTRIBUTES[kind]:
        value = getattr(node.operation, name)
        value = value.__name__ if name == "activation" else _plain(value)
        if name not in DEFAULTS or value != DEFAULTS[name]:
            found[name] = value
    if kind == "Normalization" and not node.operation.weights:
        found |= {
            name: np.ravel(getattr(node.operation, name)).tolist() for name in ("mean", "variance")
        }
    return found


def _plain(value: Any) -> Any:
    """A value of Keras as JSON has it."""
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return value.item() if hasattr(value, "item") else value


def _record_weights(model: keras.Model, walk: Walk) -> list[list[Any]]:
    """Where the weights of Keras' pretrained files belong, in their order."""
    position_of = {node.operation.name: index for index, node in enumerate(walk.nodes)}
    recorded = []
    for layer in model.layers:
        weights = layer.trainable_weights + layer.non_trainable_weights
        if weights:
            shapes = {weight.name: [*weight.shape] for weight in weights}
            recorded.append([position_of[layer.name], shapes])
    return recorded


def _kernels(layer: Any) -> list[Any]:
    """The weights of a layer that its input is multiplied by."""
    if isinstance(layer, keras.layers.MultiHeadAttention):
        parts = (layer.query_dense, layer.key_dense, layer.value_dense, layer.output_dense)
        return [part.kernel for part in parts]
    if isinstance(layer, keras.layers.EinsumDense):
        return [layer.kernel]
    return [weight for weight in getattr(layer, "weights", []) if len(weight.shape) >= 2]


def record_saved(networks: Sequence[keras.Model], record: dict[str, Any]) -> dict[str, Any] | None:
    """The part `saved` of a file of `data/graphs/`: how Keras describes a saved model, see
    `keras_file.py`.

    Args:
        networks: as for `record_graph`, which made `record`.

    Returns:
        None where the description does not follow from the record.
    """
    described = [describe_saved(model_as_saved(network)) for network in networks]
    positions = {operation[1]: at for at, operation in enumerate(record["operations"])}
    layers = described[0]["config"]["layers"]
    order = [positions[layer["name"]] for layer in layers if layer["name"] in positions]
    saved: dict[str, Any] = {"keras": keras.__version__, "order": order, "kinds": {}, "tail": {}}
    saved["bare"] = [layer["name"] for layer in layers if layer["module"] != "keras.layers"]
    for layer in layers:
        kinds = saved["kinds" if layer["name"] in positions else "tail"]
        bare = "bare " if layer["name"] in saved["bare"] else ""
        kinds.setdefault(f"{bare}{layer['class_name']}", _kind_as_saved(layer))
    saved["differs"] = _differences(layers, record | {"saved": saved}, networks[0])
    whole = record | {"saved": saved}
    for network, description in zip(networks, described, strict=True):
        if describe_model(whole, network.input_shape[1], *RECORDED_HEAD) != description:
            return None
    return saved


RECORDED_HEAD: tuple[list[int], float] = ([4, 3], 0.5)
"""Widths and dropout of the head that models are recorded with."""


def model_as_saved(network: keras.Model) -> keras.Model:
    """The model that a run leaves of a backbone all of which is frozen; it shares the weights of `network`."""
    (hidden, classes), dropout = RECORDED_HEAD
    prefix, _suffix = split_at(network, cut_points(network)[-1])
    settings = Settings(head="hidden", hidden_units=hidden, dropout=dropout)
    return assemble(prefix, None, build_head(prefix.output_shape[-1], classes, settings))


def describe_saved(model: keras.Model) -> Any:
    """What `config.json` says of a model of `model_as_saved`."""
    return described(json.dumps(keras.saving.serialize_keras_object(model)))


def _kind_as_saved(layer: dict[str, Any]) -> dict[str, Any]:
    """What the layers of a kind have in common; what the record says of each is at its default."""
    kind = layer["class_name"]
    config = dict(layer["config"])
    for name in ("name", "batch_shape"):
        config.pop(name, None)
    for name in ATTRIBUTES.get(kind, ()):
        if name in config and name in DEFAULTS:
            config[name] = DEFAULTS[name]
    nodes = layer["inbound_nodes"]
    is_layer = layer["module"] == "keras.layers"
    return {
        "module": layer["module"],
        "registered_name": layer["registered_name"],
        "group": to_snake_case(kind) if is_layer else None,
        "config": config,
        "built": "build_config" in layer,
        "nested": bool(nodes) and isinstance(nodes[0]["args"][0], list),
        "kwargs": nodes[0]["kwargs"] if nodes else {},
    }


def _differences(
    layers: Sequence[dict[str, Any]], record: dict[str, Any], network: keras.Model
) -> dict[str, dict[str, Any]]:
    """By name of a layer: settings that neither its kind nor the record has."""
    made = describe_model(record, network.input_shape[1], *RECORDED_HEAD)
    differs = {}
    for layer, own in zip(layers, made["config"]["layers"], strict=True):
        found = {
            name: value
            for name, value in layer["config"].items()
            if own["config"].get(name) != value
        }
        if found:
            differs[layer["name"]] = found
    return differs
