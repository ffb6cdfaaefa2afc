"""Writes a Keras model as an ONNX graph.

Owns: the ONNX nodes of each layer of our backbones and heads.
Leaves to others: the comparison of its outputs with the model (`convert.py`, `export/verify.py`),
running it.

Converters were measured: tf2onnx 1.17 takes 20 to 70 s for the larger backbones, leaves 102
transposes in MobileNetV3 and cannot convert ConvNeXt; Keras' export gives a broken file for
EfficientNetB0. Backbones use some two dozen kinds of layers, and the runtime of the web page must
support every kind of node that can occur; this table lists them.

The graph takes `photo` `(n, h, w, 3) float32 in [0, 255]`, gives `probabilities`
`(n, classes) float32`, and works channels-first inside, as ONNX does; tokens stay `(n, t, c)`. A
BatchNormalization right after a convolution is folded into it, zero padding before one into its
pads.
Semantics of the nodes: https://onnx.ai/onnx/operators/, opset 17.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from translearn_core.arrays import Array
from translearn_core.errors import InputError
from translearn_core.i18n import _

OPSET = 17
IR_VERSION = 8
"""Of the file format: what every runtime since 2022 reads."""
INPUT = "photo"
OUTPUT = "probabilities"
EPSILON = 1e-7
"""Keras' own, which nothing here changes."""
Pads = tuple[int, int, int, int]
"""Top, left, bottom, right."""


def write_onnx(model: Any, path: Path) -> None:
    """Write a functional model of ours as an ONNX file, in float32.

    Args:
        model: of Keras, or recorded (`recorded.py`);
            `(n, size, size, 3) float32` -> one or more outputs, each `(n, classes)` or
            `(n, h, w, channels) float32`; `size` is fixed. The first output is named
            `probabilities`, further ones `output_1`, `output_2`.

    Raises:
        InputError: the model has a layer that is not supported here.
    """
    onnx = _import_onnx()
    graph = _Graph()
    graph.add(model)
    outputs = []
    for index, tensor in enumerate(model.outputs):
        output = graph.pad_now(graph.names[id(tensor)])
        if len(tensor.shape) == 4:
            output = graph.node("Transpose", [output], perm=[0, 2, 3, 1])
        name = f"output_{index}" if index else OUTPUT
        node = onnx.helper.make_node("Identity", [output], [name], name=f"answer_{name}")
        graph.nodes.append(node)
        shape = ["n", *tensor.shape[1:]]
        outputs.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape))
    sides = model.input_shape[1:3]
    photo = onnx.helper.make_tensor_value_info(INPUT, onnx.TensorProto.FLOAT, ["n", *sides, 3])
    onnx_graph = onnx.helper.make_graph(
        graph.nodes, "translearn", [photo], outputs, initializer=graph.constants
    )
    opset = [onnx.helper.make_opsetid("", OPSET)]
    proto = onnx.helper.make_model(
        onnx_graph, opset_imports=opset, ir_version=IR_VERSION, producer_name="translearn"
    )
    content = proto.SerializeToString()
    onnx.checker.check_model(content)
    path.write_bytes(content)


def _import_onnx() -> Any:
    """The library, which is not needed to know what can be written."""
    import onnx

    return onnx


class _Graph:
    """The nodes and constants written so far.

    `names` gives the ONNX value that stands for a Keras tensor, by the tensor's id. Tensors of
    rank 4 are channels-last in Keras and channels-first here.
    """

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.names: dict[int, str] = {}
        self.pads: dict[str, Pads] = {}
        """Zero padding still to be done, by the value that it belongs to."""
        self.readers: dict[int, list[Any]] = {}
        self._folded: set[int] = set()

    def add(self, model: Any, value: str | None = None) -> str:
        """Write the nodes of a functional or sequential model; the name of its output.

        Args:
            value: what the model is called on; None for the photo itself.
        """
        function = getattr(model, "_functional", None) or model  # a Sequential holds one
        by_depth = function._nodes_by_depth
        nodes = [node for depth in sorted(by_depth, reverse=True) for node in by_depth[depth]]
        for node in nodes:
            for tensor in node.arguments.keras_tensors:
                self.readers.setdefault(id(tensor), []).append(node)
        for node in nodes:
            if not node.arguments.keras_tensors:  # the input
                name = (
                    self.node("Transpose", [INPUT], perm=[0, 3, 1, 2]) if value is None else value
                )
                self.names[id(node.output_tensors[0])] = name
            elif id(node) not in self._folded:
                self._write(node)
        return self.names[id(function.outputs[0])]

    def _write(self, node: Any) -> None:
        operation = node.operation
        write = _WRITERS.get(_kind(operation))
        if write is None:
            raise InputError(
                _(
                    "The layer {layer} of the kind {kind} cannot be written as ONNX here. Take the "
                    "model as `.keras` or SavedModel."
                ).format(layer=operation.name, kind=_kind(operation))
            )
        self.names[id(node.output_tensors[0])] = write(self, node)

    def node(self, kind: str, inputs: Sequence[str], **attributes: Any) -> str:
        """Append a node; the name of its output."""
        onnx = _import_onnx()
        output = f"v{len(self.nodes)}"
        kept = {name: value for name, value in attributes.items() if value is not None}
        self.nodes.append(
            onnx.helper.make_node(kind, list(inputs), [output], name=f"{kind}_{output}", **kept)
        )
        return output

    def constant(self, values: Any, dtype: Any = np.float32) -> str:
        """Append a constant; its name."""
        onnx = _import_onnx()
        name = f"c{len(self.constants)}"
        array = np.ascontiguousarray(np.asarray(values, dtype))
        self.constants.append(onnx.numpy_helper.from_array(array, name))
        return name

    def input(self, node: Any, index: int = 0) -> str:
        """The value that a node reads."""
        name = self.names[id(node.arguments.keras_tensors[index])]
        return self.pad_now(name)

    def pad_now(self, name: str) -> str:
        """The value `name` with the zero padding that it still lacks."""
        pads = self.pads.pop(name, None)
        if pads is None:
            return name
        top, left, bottom, right = pads
        amounts = self.constant([0, 0, top, left, 0, 0, bottom, right], np.int64)
        return self.node("Pad", [name, amounts], mode="constant")

    def only_reader(self, node: Any, kinds: tuple[str, ...]) -> Any | None:
        """The one node that reads the output of `node`, if it is one of `kinds`; else None."""
        readers = self.readers.get(id(node.output_tensors[0]), [])
        if len(readers) == 1 and _kind(readers[0].operation) in kinds:
            return readers[0]
        return None

    def fold(self, node: Any, name: str) -> None:
        """Use `name` as the output of a Keras node that is folded into another ONNX node."""
        self._folded.add(id(node))
        self.names[id(node.output_tensors[0])] = name


Writer = Callable[[_Graph, Any], str]


def _kind(operation: Any) -> str:
    """The class of a layer or operation of Keras, or that which a recorded one stands for."""
    kind = getattr(operation, "kind", None)
    return kind if isinstance(kind, str) else type(operation).__name__


def _array(values: Any) -> Array:
    """A weight or a plain number as float64."""
    if isinstance(values, (np.ndarray, float, int, list, tuple)):
        return np.asarray(values, np.float64)
    import keras

    return np.asarray(keras.ops.convert_to_numpy(values), np.float64)


def _per_channel(values: Any, rank: int) -> Array:
    """A number, or one for each channel, shaped to meet a value of `rank`."""
    array = _array(values)
    if array.size == 1:
        return array.reshape(())
    return array.reshape((1, -1, 1, 1) if rank == 4 else (1, -1))


def _rank(node: Any, index: int = 0) -> int:
    return len(node.arguments.keras_tensors[index].shape)


def _sides(node: Any) -> tuple[int, int]:
    """Height and width of what a node reads."""
    _n, height, width, _channels = node.arguments.keras_tensors[0].shape
    return height, width


def _same_pads(sides: tuple[int, int], window: Sequence[int], strides: Sequence[int]) -> Pads:
    """TensorFlow's "same": what the last window lacks, the odd pixel at the end."""
    lacking = [
        max((math.ceil(side / step) - 1) * step + size - side, 0)
        for side, size, step in zip(sides, window, strides, strict=True)
    ]
    top, left = (amount // 2 for amount in lacking)
    return top, left, lacking[0] - top, lacking[1] - left


# ------------------------------------------------------------------ convolutions and dense layers


def _write_convolution(graph: _Graph, node: Any) -> str:
    layer = node.operation
    kernel = _array(layer.kernel)  # (h, w, in / groups, out)
    output = _convolve(graph, node, kernel.transpose(3, 2, 0, 1), layer.groups)
    return output


def _write_depthwise(graph: _Graph, node: Any) -> str:
    kernel = _depthwise_kernel(node.operation.kernel)
    return _convolve(graph, node, kernel, groups=node.arguments.keras_tensors[0].shape[-1])


def _write_separable(graph: _Graph, node: Any) -> str:
    layer = node.operation
    channels = node.arguments.keras_tensors[0].shape[-1]
    value, pads = _window(graph, node, layer.kernel_size)
    depthwise = graph.constant(_depthwise_kernel(layer.depthwise_kernel))
    middle = graph.node(
        "Conv", [value, depthwise], group=channels, **_steps(layer), pads=pads or None
    )
    pointwise = _array(layer.pointwise_kernel).transpose(3, 2, 0, 1)
    return _finish_convolution(graph, node, middle, pointwise, group=1)


def _depthwise_kernel(kernel: Any) -> Array:
    """`(h, w, in, multiplier)` -> `(in * multiplier, 1, h, w)`."""
    array = _array(kernel)
    height, width, channels, multiplier = array.shape
    return array.transpose(2, 3, 0, 1).reshape(channels * multiplier, 1, height, width)


def _convolve(graph: _Graph, node: Any, kernel: Array, groups: int) -> str:
    value, pads = _window(graph, node, node.operation.kernel_size)
    steps = _steps(node.operation)
    return _finish_convolution(graph, node, value, kernel, group=groups, pads=pads or None, **steps)


def _steps(layer: Any) -> dict[str, list[int]]:
    return {"strides": [*layer.strides], "dilations": [*layer.dilation_rate]}


def _window(graph: _Graph, node: Any, size: Sequence[int]) -> tuple[str, list[int]]:
    """What a convolution or pooling reads, and its pads."""
    layer = node.operation
    name = graph.names[id(node.arguments.keras_tensors[0])]
    if layer.padding == "same":
        dilation = getattr(layer, "dilation_rate", (1, 1))
        reach = [(n - 1) * gap + 1 for n, gap in zip(size, dilation, strict=True)]
        return graph.pad_now(name), [*_same_pads(_sides(node), reach, layer.strides)]
    return name, [*graph.pads.pop(name, ())]


def _finish_convolution(graph: _Graph, node: Any, value: str, kernel: Array, **how: Any) -> str:
    """Write a convolution with its bias, the BatchNormalization after it, and its activation."""
    layer = node.operation
    bias = _array(layer.bias) if layer.use_bias else np.zeros(len(kernel))
    activation = getattr(layer.activation, "__name__", "linear")
    follower = graph.only_reader(node, ("BatchNormalization",)) if activation == "linear" else None
    if follower is not None:
        scale, shift = _normalization(follower.operation)
        kernel, bias = kernel * scale[:, None, None, None], bias * scale + shift
    output = graph.node("Conv", [value, graph.constant(kernel), graph.constant(bias)], **how)
    if follower is not None:
        graph.fold(follower, output)
    return _activate(graph, output, activation, layer.name)


def _write_dense(graph: _Graph, node: Any) -> str:
    layer, value = node.operation, graph.input(node)
    kernel = _array(layer.kernel)  # (in, out)
    if _rank(node) == 4:
        bias = _array(layer.bias) if layer.use_bias else np.zeros(kernel.shape[1])
        weights = graph.constant(kernel.T[:, :, None, None])
        output = graph.node("Conv", [value, weights, graph.constant(bias)])
    else:
        output = _multiplied(graph, value, kernel, layer.bias)
    return _activate(graph, output, layer.activation.__name__, layer.name)


def _write_einsum(graph: _Graph, node: Any) -> str:
    """A dense layer for each token, with a bias for each place (`graph/dinov2.py`)."""
    layer = node.operation
    if layer.equation != "abc,cd->abd":
        raise InputError(
            _(
                "The layer {layer} computes {equation}, which cannot be written as ONNX here. Take "
                "the model as `.keras` or SavedModel."
            ).format(layer=layer.name, equation=layer.equation)
        )
    output = _multiplied(graph, graph.input(node), _array(layer.kernel), layer.bias)
    return _activate(graph, output, layer.activation.__name__, layer.name)


def _multiplied(graph: _Graph, value: str, kernel: Array, bias: Any | None) -> str:
    """`value @ kernel + bias`."""
    output = graph.node("MatMul", [value, graph.constant(kernel)])
    return output if bias is None else graph.node("Add", [output, graph.constant(_array(bias))])


def _write_attention(graph: _Graph, node: Any) -> str:
    """Each token asks all tokens: softmax(query key / sqrt(size)) value, in several heads.

    The scores `(n, heads, t, t)`, where the node gives them too, are an output like a map:
    channels-first.
    """
    layer = node.operation
    heads, size = layer.num_heads, layer.key_dim
    tokens, width = node.arguments.keras_tensors[0].shape[1:]
    value = graph.input(node)

    def projected(dense: Any, order: list[int], factor: float = 1.0) -> str:
        kernel = _array(dense.kernel).reshape(width, heads * size) * factor
        bias = None if dense.bias is None else _array(dense.bias).reshape(-1) * factor
        split = _shaped(graph, _multiplied(graph, value, kernel, bias), (tokens, heads, size))
        return graph.node("Transpose", [split], perm=order)

    query = projected(layer.query_dense, [0, 2, 1, 3], size**-0.5)  # (n, heads, t, size)
    key = projected(layer.key_dense, [0, 2, 3, 1])  # (n, heads, size, t)
    scores = graph.node("Softmax", [graph.node("MatMul", [query, key])], axis=-1)
    found = graph.node("MatMul", [scores, projected(layer.value_dense, [0, 2, 1, 3])])
    found = graph.node("Transpose", [found], perm=[0, 2, 1, 3])
    if len(node.output_tensors) > 1:
        as_map = graph.node("Transpose", [scores], perm=[0, 3, 1, 2])
        graph.names[id(node.output_tensors[1])] = as_map
    joined = _shaped(graph, found, (tokens, heads * size))
    dense = layer.output_dense
    kernel = _array(dense.kernel).reshape(heads * size, -1)
    return _multiplied(graph, joined, kernel, dense.bias)


# --------------------------------------------------------------------- normalisation, activation


def _normalization(layer: Any) -> tuple[Array, Array]:
    """Factor and summand, each `(channels,)`, of a BatchNormalization in inference."""
    mean, variance = _array(layer.moving_mean), _array(layer.moving_variance)
    gamma = _array(layer.gamma) if layer.scale else np.ones_like(mean)
    beta = _array(layer.beta) if layer.center else np.zeros_like(mean)
    factor = gamma / np.sqrt(variance + layer.epsilon)
    return factor, beta - mean * factor


def _write_batch_normalization(graph: _Graph, node: Any) -> str:
    factor, summand = _normalization(node.operation)
    rank = _rank(node)
    scaled = graph.node("Mul", [graph.input(node), graph.constant(_per_channel(factor, rank))])
    return graph.node("Add", [scaled, graph.constant(_per_channel(summand, rank))])


def _write_layer_normalization(graph: _Graph, node: Any) -> str:
    """Over the channels of each place; of maps spelled out, since ONNX normalises the last axes."""
    layer, value, rank = node.operation, graph.input(node), _rank(node)
    if rank == 3:
        gamma = _array(layer.gamma) if layer.scale else np.ones(node.output_tensors[0].shape[-1])
        weights = [graph.constant(gamma)]
        if layer.center:
            weights.append(graph.constant(_array(layer.beta)))
        return graph.node("LayerNormalization", [value, *weights], epsilon=float(layer.epsilon))
    mean = graph.node("ReduceMean", [value], axes=[1], keepdims=1)
    centred = graph.node("Sub", [value, mean])
    squared = graph.node("Mul", [centred, centred])
    variance = graph.node("ReduceMean", [squared], axes=[1], keepdims=1)
    kept = graph.node("Add", [variance, graph.constant(layer.epsilon)])
    output = graph.node("Div", [centred, graph.node("Sqrt", [kept])])
    if layer.scale:
        output = graph.node("Mul", [output, graph.constant(_per_channel(layer.gamma, rank))])
    if layer.center:
        output = graph.node("Add", [output, graph.constant(_per_channel(layer.beta, rank))])
    return output


def _write_rescaling(graph: _Graph, node: Any) -> str:
    layer, rank = node.operation, _rank(node)
    scaled = graph.node("Mul", [graph.input(node), graph.constant(_per_channel(layer.scale, rank))])
    return graph.node("Add", [scaled, graph.constant(_per_channel(layer.offset, rank))])


def _write_pixel_normalization(graph: _Graph, node: Any) -> str:
    layer, rank = node.operation, _rank(node)
    spread = np.maximum(np.sqrt(_array(layer.variance)), EPSILON)
    centred = graph.node("Sub", [graph.input(node), graph.constant(_per_channel(layer.mean, rank))])
    return graph.node("Div", [centred, graph.constant(_per_channel(spread, rank))])


def _write_scale(graph: _Graph, node: Any) -> str:
    gamma = _per_channel(node.operation.gamma, _rank(node))
    return graph.node("Mul", [graph.input(node), graph.constant(gamma)])


def _write_activation(graph: _Graph, node: Any) -> str:
    layer = node.operation
    return _activate(graph, graph.input(node), layer.activation.__name__, layer.name)


def _write_relu(graph: _Graph, node: Any) -> str:
    layer, value = node.operation, graph.input(node)
    if layer.negative_slope or layer.threshold:
        raise _unknown_activation("leaky_relu", layer.name)
    return _clip(graph, value, layer.max_value)


def _clip(graph: _Graph, value: str, most: float | None) -> str:
    if most is None:
        return graph.node("Relu", [value])
    return graph.node("Clip", [value, graph.constant(0.0), graph.constant(most)])


def _activate(graph: _Graph, value: str, name: str, layer: str) -> str:
    if name == "linear":
        return value
    if name not in _ACTIVATIONS:
        raise _unknown_activation(name, layer)
    return _ACTIVATIONS[name](graph, value)


def _unknown_activation(name: str, layer: str) -> InputError:
    return InputError(
        _(
            "The activation {name} of the layer {layer} cannot be written as ONNX here. Take the "
            "model as `.keras` or SavedModel."
        ).format(name=name, layer=layer)
    )


def _write_gelu(graph: _Graph, value: str) -> str:
    """x / 2 * (1 + erf(x / sqrt 2))."""
    inner = graph.node("Mul", [value, graph.constant(math.sqrt(0.5))])
    outer = graph.node("Add", [graph.node("Erf", [inner]), graph.constant(1.0)])
    half = graph.node("Mul", [value, graph.constant(0.5)])
    return graph.node("Mul", [half, outer])


_ACTIVATIONS: dict[str, Callable[[_Graph, str], str]] = {
    "relu": lambda graph, x: graph.node("Relu", [x]),
    "relu6": lambda graph, x: _clip(graph, x, 6.0),
    "sigmoid": lambda graph, x: graph.node("Sigmoid", [x]),
    "silu": lambda graph, x: graph.node("Mul", [x, graph.node("Sigmoid", [x])]),
    "hard_silu": lambda graph, x: graph.node("HardSwish", [x]),
    "gelu": _write_gelu,
    "softmax": lambda graph, x: graph.node("Softmax", [x], axis=-1),
}


# -------------------------------------------------------------------------- the rest of the table


def _write_padding(graph: _Graph, node: Any) -> str:
    (top, bottom), (left, right) = node.operation.padding
    value = graph.input(node)
    # a separate name: other nodes may read the unpadded value
    name = graph.node("Identity", [value])
    graph.pads[name] = (top, left, bottom, right)
    reader = graph.only_reader(node, ("Conv2D", "DepthwiseConv2D", "SeparableConv2D"))
    if reader is None or reader.operation.padding != "valid":
        return graph.pad_now(name)
    return name


def _write_cropping(graph: _Graph, node: Any) -> str:
    (top, bottom), (left, right) = node.operation.cropping
    height, width = _sides(node)
    starts = graph.constant([top, left], np.int64)
    ends = graph.constant([height - bottom, width - right], np.int64)
    return graph.node("Slice", [graph.input(node), starts, ends, graph.constant([2, 3], np.int64)])


def _write_padding_of_tokens(graph: _Graph, node: Any) -> str:
    before, after = node.operation.padding
    amounts = graph.constant([0, before, 0, 0, after, 0], np.int64)
    return graph.node("Pad", [graph.input(node), amounts], mode="constant")


def _write_cropping_of_tokens(graph: _Graph, node: Any) -> str:
    before, after = node.operation.cropping
    tokens = node.arguments.keras_tensors[0].shape[1]
    starts, ends, axes = (graph.constant([n], np.int64) for n in (before, tokens - after, 1))
    return graph.node("Slice", [graph.input(node), starts, ends, axes])


def _write_pooling(graph: _Graph, node: Any) -> str:
    layer = node.operation
    value, pads = _window(graph, node, layer.pool_size)
    shape: dict[str, Any] = {"kernel_shape": [*layer.pool_size], "strides": [*layer.strides]}
    if _kind(layer) == "MaxPooling2D":
        return graph.node("MaxPool", [value], **shape, pads=pads or None)
    return graph.node("AveragePool", [value], **shape, pads=pads or None, count_include_pad=0)


def _write_global_pooling(graph: _Graph, node: Any) -> str:
    keeps = int(node.operation.keepdims)
    return graph.node("ReduceMean", [graph.input(node)], axes=[2, 3], keepdims=keeps)


def _write_reshape(graph: _Graph, node: Any) -> str:
    """Another shape for the same values, in the order in which Keras has them."""
    shape = tuple(node.output_tensors[0].shape)
    value = graph.input(node)
    if _rank(node) == 2 and shape[1:3] == (1, 1):
        return graph.node("Unsqueeze", [value, graph.constant([2, 3], np.int64)])
    if _rank(node) == 4:
        value = graph.node("Transpose", [value], perm=[0, 2, 3, 1])
    value = _shaped(graph, value, shape[1:])
    return graph.node("Transpose", [value], perm=[0, 3, 1, 2]) if len(shape) == 4 else value


def _shaped(graph: _Graph, value: str, shape: Sequence[int]) -> str:
    """`value` in another shape; the photos of the batch stay apart."""
    return graph.node("Reshape", [value, graph.constant([0, *shape], np.int64)])


def _write_permute(graph: _Graph, node: Any) -> str:
    if 4 in (_rank(node), len(node.output_tensors[0].shape)):
        raise InputError(
            _(
                "The layer {layer} orders its values in a way that cannot be written as ONNX here. "
                "Take the model as `.keras` or SavedModel."
            ).format(layer=node.operation.name)
        )
    return graph.node("Transpose", [graph.input(node)], perm=[0, *node.operation.dims])


def _write_flip(graph: _Graph, node: Any) -> str:
    """The channels reversed: RGB to BGR."""
    channels = node.arguments.keras_tensors[0].shape[-1]
    order = graph.constant(np.arange(channels)[::-1], np.int64)
    return graph.node("Gather", [graph.input(node), order], axis=1)


def _write_concatenation(graph: _Graph, node: Any) -> str:
    inputs = [graph.input(node, index) for index in range(len(node.arguments.keras_tensors))]
    return graph.node("Concat", inputs, axis=2 if _rank(node) == 3 else 1)


def _write_elementwise(kind: str) -> Writer:
    """A writer for a layer or an operation that adds or multiplies values and plain numbers."""

    def write(graph: _Graph, node: Any) -> str:
        index = 0
        names = []
        for argument in _flat(node.arguments.args):
            if hasattr(argument, "shape"):
                names.append(graph.input(node, index))
                index += 1
            else:
                names.append(graph.constant(argument))
        output = names[0]
        for name in names[1:]:
            output = graph.node(kind, [output, name])
        return output

    return write


def _flat(arguments: Any) -> list[Any]:
    """What an operation was called with, out of lists and tuples."""
    if isinstance(arguments, (list, tuple)):
        return [one for argument in arguments for one in _flat(argument)]
    return [arguments]


def _pass_on(graph: _Graph, node: Any) -> str:
    """Layers that are the identity in inference."""
    return graph.names[id(node.arguments.keras_tensors[0])]


_WRITERS: dict[str, Writer] = {
    "Activation": _write_activation,
    "Add": _write_elementwise("Add"),
    "AveragePooling2D": _write_pooling,
    "BatchNormalization": _write_batch_normalization,
    "Concatenate": _write_concatenation,
    "Conv2D": _write_convolution,
    "Cropping1D": _write_cropping_of_tokens,
    "Cropping2D": _write_cropping,
    "Dense": _write_dense,
    "DepthwiseConv2D": _write_depthwise,
    "Dropout": _pass_on,
    "EinsumDense": _write_einsum,
    "Flip": _write_flip,
    "GlobalAveragePooling2D": _write_global_pooling,
    "Identity": _pass_on,
    "LayerNormalization": _write_layer_normalization,
    "LayerScale": _write_scale,
    "MaxPooling2D": _write_pooling,
    "MultiHeadAttention": _write_attention,
    "Multiply": _write_elementwise("Mul"),
    "Normalization": _write_pixel_normalization,
    "Permute": _write_permute,
    "ReLU": _write_relu,
    "Rescaling": _write_rescaling,
    "Reshape": _write_reshape,
    "SeparableConv2D": _write_separable,
    "Sequential": lambda graph, node: graph.add(node.operation, graph.input(node)),
    "ZeroPadding1D": _write_padding_of_tokens,
    "ZeroPadding2D": _write_padding,
}
"""The writer of each kind of layer or operation."""

KINDS = frozenset(_WRITERS)
"""All supported kinds."""
