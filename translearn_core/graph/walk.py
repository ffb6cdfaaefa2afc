"""Walking Keras' graph: its operations in order, the cut points, calling it again.

Owns: the order of Keras' own nodes that cutting and rebuilding a network uses, and how operations
are named.
Leaves to others: what the operations mean (`block_boundaries.py`), building graphs (`build.py`,
`assembly.py`). `onnx_writer.py` and `prediction/model_runner.py` read Keras' nodes themselves.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import keras
from keras.src.ops.node import Node

PIXELS = "pixels_"
"""Prefix of the names of pixel scaling operations, which are not layers of the backbone."""


@dataclass(frozen=True)
class Walk:
    """The nodes of a graph in topological order, with their edges.

    `last_use[i]` is the position of the last node that reads the output of node `i`; `reads[i]`
    are the positions that node `i` reads.
    """

    nodes: tuple[Any, ...]
    reads: tuple[tuple[int, ...], ...]
    last_use: tuple[int, ...]

    def operation(self, position: int) -> Any:
        return self.nodes[position].operation


def walk_graph(model: keras.Model) -> Walk:
    """Every node once, inputs first."""
    by_depth = model._nodes_by_depth
    nodes = tuple(node for depth in sorted(by_depth, reverse=True) for node in by_depth[depth])
    made_at = {id(tensor): i for i, node in enumerate(nodes) for tensor in node.output_tensors}
    reads = tuple(
        tuple(made_at[id(tensor)] for tensor in node.arguments.keras_tensors) for node in nodes
    )
    last_use = list(range(len(nodes)))
    for position, sources in enumerate(reads):
        for source in sources:
            last_use[source] = max(last_use[source], position)
    return Walk(nodes, reads, tuple(last_use))


def cut_positions(walk: Walk) -> list[int]:
    """Positions of the cut points, inputs excluded; in linear time.

    In any topological order a node lies on every path from input to output exactly when no
    edge passes over it, so one sweep that tracks the farthest edge so far finds them.
    """
    cuts: list[int] = []
    reach = 0
    for position, farthest in enumerate(walk.last_use):
        if reach <= position and walk.reads[position]:
            cuts.append(position)
        reach = max(reach, farthest)
    return cuts


def cut_points(model: keras.Model) -> list[str]:
    """Names of the operations where the graph can be cut in two, from pixels to features.

    Pixel scaling added by `build_backbone` is left out; the last name is the output.
    """
    walk = walk_graph(model)
    operations = [walk.operation(position) for position in cut_positions(walk)]
    return [operation.name for operation in operations if not is_pixels(operation)]


def replay(
    model: keras.Model,
    value: Any,
    *,
    start: str | None = None,
    end: str | None = None,
    after_normalization: tuple[float, ...] = (),
) -> Any:
    """Call the operations of `model` again, in order, on `value`; layers are shared.

    Args:
        value: stands for the model's input, or for the output of `start`.
        start: name of the operation after which to begin; default the input.
        end: name of the operation after which to end; default the output.
        after_normalization: see `Backbone.after_normalization`.

    Returns:
        The symbolic tensor that stands for the output of `end`, or of the model.
    """
    walk = walk_graph(model)
    tensors: dict[int, Any] = {}
    before_start = True
    for position, node in enumerate(walk.nodes):
        name = node.operation.name
        begins = name == start if start is not None else not walk.reads[position]
        if begins:
            tensors[id(node.output_tensors[0])] = value
            before_start = False
        elif not before_start:
            outputs = _call_again(node, tensors)
            if after_normalization and isinstance(node.operation, keras.layers.Normalization):
                rescaling = keras.layers.Rescaling(
                    list(after_normalization), name=f"{PIXELS}after_normalization", dtype="float32"
                )
                outputs = [rescaling(*outputs)]
            for old, new in zip(node.output_tensors, outputs, strict=True):
                tensors[id(old)] = new
        if name == end:
            return tensors[id(node.output_tensors[0])]
    return tensors[id(model.outputs[0])]


def _call_again(node: Any, tensors: dict[int, Any]) -> list[Any]:
    """What the operation of a node gives for the symbolic tensors that `tensors` has for its own.

    Where these are of the same shapes and types as its own, so is what comes out: Keras need not
    work that out again, which takes about a second for a network of hundreds of layers.
    """
    arguments, keywords = node.arguments.fill_in(tensors)
    before = node.arguments.keras_tensors
    if any(_kind(tensors[id(tensor)]) != _kind(tensor) for tensor in before):
        return list(keras.tree.flatten(node.operation(*arguments, **keywords)))
    outputs = [keras.KerasTensor(*_kind(tensor)) for tensor in node.output_tensors]
    Node(node.operation, call_args=arguments, call_kwargs=keywords, outputs=outputs)
    return outputs


def _kind(tensor: Any) -> tuple[tuple[int | None, ...], str]:
    return tuple(tensor.shape), str(tensor.dtype)


def is_pixels(operation: Any) -> bool:
    """Whether `operation` scales pixels, so that it is none of the backbone's own."""
    return str(operation.name).startswith(PIXELS)


def automatic_stem(operation: Any) -> str:
    """`conv2d` when `operation` has the automatic name of its class, else an empty text."""
    stem: str = keras.src.utils.naming.to_snake_case(type(operation).__name__)
    return stem if re.fullmatch(rf"{re.escape(stem)}(_\d+)?", operation.name) else ""
