"""A backbone as a recorded graph, ready to be written as ONNX without TensorFlow or Keras.

Owns: reading `data/graphs/<backbone>.json`, the sizes that its operations have for photos of a
certain side, and putting a file's weights in. What comes out looks to `onnx_writer.py` like a Keras
model. The pass over the photos starts seconds earlier with it.
Leaves to others: recording (`description.py`; `scripts/make_blocks` writes the files, and a test holds
them against the live graphs), files of weights (`backbones/weights.py`), converting (`convert.py`).

A file holds `operations`, in an order in which each comes after those that it reads, each as
`[kind, name, reads, attributes]`: the class of Keras, the name, positions of operations (numbers in
`{"n": ...}` for plain numbers), and what differs from `DEFAULTS`. `weights` lists, in the order of
Keras' pretrained files, `[position, {variable: shape}]`.

A zero padding recorded as `"by_side"` is one pixel less at the beginning where the side is even, as
`keras.applications` pads before a convolution with strides.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from types import SimpleNamespace
from typing import Any

import numpy as np

from translearn_core.arrays import Array
from translearn_core.backbones import Backbone
from translearn_core.backbones.weights import read_arrays
from translearn_core.graph.drawn_weights import draw_weights
from translearn_core.graph.known_answers import read_answers, read_drawn_answers

DEFAULTS: dict[str, Any] = {
    "activation": "linear",
    "by_side": 0,
    "center": True,
    "depth_multiplier": 1,
    "dilation_rate": [1, 1],
    "groups": 1,
    "keepdims": False,
    "max_value": None,
    "negative_slope": 0.0,
    "padding": "valid",
    "scale": True,
    "strides": [1, 1],
    "threshold": 0.0,
    "use_bias": True,
}
"""What an operation has unless its attributes say otherwise."""

Shape = tuple[Any, ...]
"""`(None, h, w, channels)` or `(None, channels)`."""


@dataclass(eq=False)
class Tensor:
    """What an operation gives."""

    shape: Shape


@dataclass(eq=False)
class Operation:
    """Stands for a layer or an operation of Keras: its attributes and weights can be read from it."""

    kind: str
    name: str
    attributes: dict[str, Any]

    def __getattr__(self, name: str) -> Any:
        attributes = self.__dict__.get("attributes", {})
        if name in attributes:
            return attributes[name]
        if name in DEFAULTS:
            return DEFAULTS[name]
        raise AttributeError(name)


@dataclass(eq=False)
class Node:
    """One use of an operation, as `onnx_writer` reads it from a Keras graph."""

    operation: Operation
    inputs: list[Tensor]
    output: Tensor
    numbers: list[Any] = field(default_factory=list)
    """What was handed over, tensors and plain numbers, in order."""

    @property
    def arguments(self) -> SimpleNamespace:
        """The arguments."""
        return SimpleNamespace(keras_tensors=self.inputs, args=self.numbers)

    @property
    def output_tensors(self) -> list[Tensor]:
        """What comes out."""
        return [self.output]


@dataclass(eq=False)
class RecordedModel:
    """The part of a backbone from the photo to one operation, or a whole model.

    `ends` are what comes out; by default what the last node gives. `answers` are those of Keras to
    `probe_photos`, where they are known. `drawn` makes the same graph with drawn weights, whose answers
    are known; None where they are not.
    """

    nodes: list[Node]
    ends: tuple[Tensor, ...] = ()
    answers: Array | None = None
    drawn: Callable[[], RecordedModel | None] = lambda: None

    @property
    def _nodes_by_depth(self) -> dict[int, list[Node]]:
        return {-position: [node] for position, node in enumerate(self.nodes)}

    @property
    def outputs(self) -> list[Tensor]:
        """What comes out."""
        return [*self.ends] or [self.nodes[-1].output]

    @property
    def input_shape(self) -> Shape:
        """Of the photos."""
        return self.nodes[0].output.shape


def has_record(backbone: Backbone) -> bool:
    """Whether the graph of a backbone is recorded."""
    return bool(_record_file(backbone).is_file())


def read_record(backbone: Backbone) -> dict[str, Any]:
    """The recorded graph of a backbone, which has one."""
    record: dict[str, Any] = json.loads(_record_file(backbone).read_text(encoding="utf-8"))
    return record


def _record_file(backbone: Backbone) -> Any:
    folder = resources.files("translearn_core").joinpath(backbone.records)
    return folder.joinpath(f"graphs/{backbone.name}.json")


def recorded_prefix(backbone: Backbone, *, size: int, cut: str | None) -> RecordedModel | None:
    """The frozen part of a backbone whose graph is recorded, with the weights of its file.

    Args:
        size: side of the photos in pixels.
        cut: name of the operation that it ends with; None: all of it, pooled.

    Returns:
        `(n, size, size, 3)` -> what comes out at the cut, or pooled features `(n, c)`; None where
        there is no such operation.

    Raises:
        ValueError, OSError, KeyError: the weights do not fit, or their file cannot be read.
    """
    record = read_record(backbone)
    nodes = lay_out(record["operations"], size)
    if cut is not None:
        if cut not in {node.operation.name for node in nodes}:
            return None
        nodes = _leading_to(nodes, cut)
    _put_weights(nodes, read_recorded_weights(backbone, record))
    if cut is not None:
        return RecordedModel(nodes)
    _pool(nodes)
    return RecordedModel(
        nodes,
        answers=read_answers(backbone, size),
        drawn=lambda: drawn_prefix(backbone, size=size),
    )


def drawn_prefix(backbone: Backbone, *, size: int) -> RecordedModel | None:
    """All of a backbone whose graph is recorded, pooled, with drawn weights.

    It shows whether this machine computes that graph as Keras does. None where Keras' answers at that
    size are not known.
    """
    answers = read_drawn_answers(backbone, size)
    if answers is None:
        return None
    record = read_record(backbone)
    nodes = lay_out(record["operations"], size)
    _put_weights(nodes, draw_weights(backbone, record))
    _pool(nodes)
    return RecordedModel(nodes, answers=answers)


def _pool(nodes: list[Node]) -> None:
    """Let the graph end in pooled features."""
    pool = Operation("GlobalAveragePooling2D", "pooled", {})
    end = nodes[-1].output
    nodes.append(Node(pool, [end], Tensor((None, end.shape[-1]))))


def lay_out(operations: Sequence[Sequence[Any]], size: int) -> list[Node]:
    """The operations of a record with the shapes that they have for photos of `size` pixels."""
    photo = Operation("InputLayer", "photo", {})
    nodes = [Node(photo, [], Tensor((None, size, size, 3)))]
    for kind, name, reads, attributes in operations[1:]:
        inputs = [nodes[at].output for at in reads if isinstance(at, int)]
        given = [nodes[at].output if isinstance(at, int) else at["n"] for at in reads]
        attributes = dict(attributes)
        if kind in _NAMED_ACTIVATIONS and attributes.get("activation", "linear") is not None:
            name_of = attributes.get("activation", "linear")
            attributes["activation"] = SimpleNamespace(__name__=name_of)
        if attributes.get("by_side"):
            attributes["padding"] = _padding_by_side(inputs[0].shape, attributes["by_side"])
        operation = Operation(kind, name, attributes)
        shape = _SHAPES.get(kind, _as_before)(operation, [one.shape for one in inputs])
        nodes.append(Node(operation, inputs, Tensor(shape), given))
    return nodes


_NAMED_ACTIVATIONS = {"Conv2D", "DepthwiseConv2D", "SeparableConv2D", "Dense", "Activation"}


def _leading_to(nodes: list[Node], cut: str) -> list[Node]:
    """The nodes up to the one called `cut` that it depends on."""
    last = next(index for index, node in enumerate(nodes) if node.operation.name == cut)
    needed = {id(nodes[last].output)}
    kept = []
    for node in reversed(nodes[: last + 1]):
        if id(node.output) in needed:
            kept.append(node)
            needed |= {id(tensor) for tensor in node.inputs}
    return kept[::-1]


def _put_weights(nodes: list[Node], weights: Mapping[str, dict[str, Array]]) -> None:
    """Give the operations their weights by layer and variable."""
    present = {node.operation.name: node.operation for node in nodes}
    for layer, arrays in weights.items():
        if layer in present:
            present[layer].attributes.update(arrays)


def read_recorded_weights(
    backbone: Backbone, record: Mapping[str, Any]
) -> dict[str, dict[str, Array]]:
    """The weights of the backbone's file by layer and variable, float32, in the order of Keras' files.

    Raises:
        ValueError, OSError, KeyError, WeightsError: they do not fit, or their file cannot be read.
    """
    operations = record["operations"]
    named = [(str(operations[position][1]), shapes) for position, shapes in record["weights"]]
    arrays = read_arrays(backbone, [(layer, list(shapes)) for layer, shapes in named])
    found: dict[str, dict[str, Array]] = {}
    for layer, shapes in named:
        found[layer] = {}
        for variable, shape in shapes.items():
            array = arrays[f"{layer}/{variable}"]
            if list(array.shape) != shape:
                raise ValueError(f"{layer}/{variable} is {array.shape}, not {shape}")
            found[layer][variable] = array.astype(np.float32, copy=False)
    return found


# ---------------------------------------------------------------------------------------- shapes


def _padding_by_side(shape: Shape, kernel: int) -> list[list[int]]:
    reach = kernel // 2
    return [[reach - 1 + side % 2, reach] for side in shape[1:3]]


def _as_before(_operation: Operation, inputs: list[Shape]) -> Shape:
    return inputs[0]


def _windowed(shape: Shape, operation: Operation, window: Sequence[int]) -> tuple[int, ...]:
    """Height and width after a window has slid over a value."""
    dilation = operation.dilation_rate
    sides = []
    for side, n, step, gap in zip(shape[1:3], window, operation.strides, dilation, strict=True):
        reach = side if operation.padding == "same" else side - ((n - 1) * gap + 1) + 1
        sides.append(math.ceil(reach / step))
    return tuple(sides)


def _convolved(operation: Operation, inputs: list[Shape]) -> Shape:
    return (None, *_windowed(inputs[0], operation, operation.kernel_size), operation.filters)


def _depthwise(operation: Operation, inputs: list[Shape]) -> Shape:
    channels = inputs[0][-1] * operation.depth_multiplier
    return (None, *_windowed(inputs[0], operation, operation.kernel_size), channels)


def _pooled(operation: Operation, inputs: list[Shape]) -> Shape:
    return (None, *_windowed(inputs[0], operation, operation.pool_size), inputs[0][-1])


def _pooled_whole(operation: Operation, inputs: list[Shape]) -> Shape:
    channels = inputs[0][-1]
    return (None, 1, 1, channels) if operation.keepdims else (None, channels)


def _padded(operation: Operation, inputs: list[Shape]) -> Shape:
    (top, bottom), (left, right) = operation.padding
    _n, height, width, channels = inputs[0]
    return (None, height + top + bottom, width + left + right, channels)


def _cropped(operation: Operation, inputs: list[Shape]) -> Shape:
    (top, bottom), (left, right) = operation.cropping
    _n, height, width, channels = inputs[0]
    return (None, height - top - bottom, width - left - right, channels)


def _dense(operation: Operation, inputs: list[Shape]) -> Shape:
    return (*inputs[0][:-1], operation.units)


def _reshaped(operation: Operation, _inputs: list[Shape]) -> Shape:
    return (None, *operation.target_shape)


def _joined(_operation: Operation, inputs: list[Shape]) -> Shape:
    return (*inputs[0][:-1], sum(shape[-1] for shape in inputs))


def _merged(_operation: Operation, inputs: list[Shape]) -> Shape:
    if len(inputs[0]) == 2:
        return inputs[0]
    return (None, *(max(shape[axis] for shape in inputs) for axis in (1, 2, 3)))


_SHAPES: dict[str, Callable[[Operation, list[Shape]], Shape]] = {
    "Add": _merged,
    "AveragePooling2D": _pooled,
    "Concatenate": _joined,
    "Conv2D": _convolved,
    "Cropping2D": _cropped,
    "Dense": _dense,
    "DepthwiseConv2D": _depthwise,
    "GlobalAveragePooling2D": _pooled_whole,
    "MaxPooling2D": _pooled,
    "Multiply": _merged,
    "Reshape": _reshaped,
    "SeparableConv2D": _convolved,
    "ZeroPadding2D": _padded,
}
"""How a kind changes the shape; the others leave it as it is."""
