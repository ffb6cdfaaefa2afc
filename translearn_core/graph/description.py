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
from translearn_core.graph.build import build_backbone, call_builder
from translearn_core.graph.cut_points import cut_points, is_pixels, walk_graph


def describe_backbone(backbone: Backbone) -> dict[str, Any]:
    """Everything that the web process must know about a graph without building it.

    Returns:
        One entry of `data/blocks.json`: the fields of `freezing.BackboneGraph`.
    """
    model = build_backbone(backbone, weights="random")
    walk = walk_graph(model)
    cut_names = set(cut_points(model))
    operations = [op for op in map(walk.operation, range(len(walk.nodes))) if not is_pixels(op)]
    names = [operation.name for operation in operations]
    cuts = [index for index, name in enumerate(names) if name in cut_names]
    layers = [isinstance(operation, keras.layers.Layer) for operation in operations]
    parameters = [_count_parameters(operation) for operation in operations]
    trainable = [_count_parameters(operation, trainable=True) for operation in operations]
    macs = [_count_macs(operation) for operation in operations]
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
                "output": list(operations[end - 1].output.shape[1:]),
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


def _count_macs(operation: Any) -> int:
    """Multiply-accumulate operations of convolutions and dense layers for one photo.

    Each value of a kernel is used once per position of the output.
    """
    count = 0
    for leaf in _leaves(operation):
        kernels = [weight for weight in getattr(leaf, "weights", []) if len(weight.shape) >= 2]
        if kernels:
            positions = math.prod(leaf.output.shape[1:-1])
            count += positions * sum(math.prod(kernel.shape) for kernel in kernels)
    return count
