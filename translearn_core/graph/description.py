"""What the web process must know about a backbone without building it.

Owns: the entries of `data/blocks.json` and `data/weights.json`, which `scripts/make_blocks`
writes: blocks, cut points, layers, weights and multiply-accumulate operations.
Leaves to others: reading them (`backbones/freezing.py`, `backbones/weights.py`).
"""

from __future__ import annotations

import math
from typing import Any

import keras

from translearn_core.backbones import Backbone
from translearn_core.graph.blocks import find_blocks
from translearn_core.graph.build import build_backbone, call_builder, with_pixel_scaling
from translearn_core.graph.cut_points import cut_points, is_pixels, walk_graph


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


def _kernels(layer: Any) -> list[Any]:
    """The weights of a layer that its input is multiplied by."""
    if isinstance(layer, keras.layers.MultiHeadAttention):
        parts = (layer.query_dense, layer.key_dense, layer.value_dense, layer.output_dense)
        return [part.kernel for part in parts]
    if isinstance(layer, keras.layers.EinsumDense):
        return [layer.kernel]
    return [weight for weight in getattr(layer, "weights", []) if len(weight.shape) >= 2]
