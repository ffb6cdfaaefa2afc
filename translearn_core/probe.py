"""Opens a trained model so that it gives features and feature maps beside probabilities.

Owns: running a whole model over photos with its pooled features and its last feature maps as
further outputs, and reading the head's weights out of it.
Leaves to others: how a graph is prepared (`engine.py`), what is made of the features
(`unlike.py`, `explain.py`), which run (`predict.py`).

Every model of ours ends in global average pooling and a head of dense layers (`graph/assembly.py`), so
both can be found by walking back from the output. In a model that ends otherwise nothing is
found, and only the probabilities are told.

Arrays: photos `(n, h, w, 3) uint8`, probabilities `(n, classes)`, pooled features `(n, d)`,
feature maps `(n, h', w', d)`, all float32.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from translearn_core.engine import ENGINE_BATCH, import_openvino

logger = logging.getLogger(__name__)

Array = npt.NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Dense:
    """One layer of a head: `x @ kernel + bias`, then ReLU or nothing.

    `kernel` `(inputs, outputs)`, `bias` `(outputs,)`, float32.
    """

    kernel: Array
    bias: Array
    relu: bool


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a model made of some photos; `pooled` and `maps` are None where they are not known."""

    probabilities: Array
    pooled: Array | None = None
    maps: Array | None = None


class Probe(Protocol):
    """An open model. Not for several threads at once.

    `head` holds its dense layers from pooled features to logits; it is empty where the model
    does not end in global average pooling and dense layers.
    """

    name: str
    head: tuple[Dense, ...]

    def see(self, photos: Array, *, maps: bool = False) -> Seen:
        """Run photos; `maps` asks for the feature maps as well."""
        ...


def open_probe(openvino_path: Path, keras_path: Path) -> Probe:
    """Open a model by its OpenVINO copy, or by Keras where there is none."""
    if openvino_path.is_file():
        return OpenVINOProbe(openvino_path)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from translearn_core.graph.saving import load_model

    return KerasProbe(load_model(keras_path))


def logits_of(head: Sequence[Dense], pooled: Array) -> Array:
    """What a head makes of pooled features `(n, d)`: logits `(n, classes)`."""
    x = np.asarray(pooled, np.float32)
    for layer in head:
        x = x @ layer.kernel + layer.bias
        x = np.maximum(x, 0.0) if layer.relu else x
    return x


def gradient_of(head: Sequence[Dense], pooled: Array, of_logits: Array) -> Array:
    """The gradient of a weighted sum of logits with respect to the pooled features.

    Args:
        head: dense layers, each with ReLU or nothing.
        pooled: features of one photo, `(d,)`.
        of_logits: the weight of each logit, `(classes,)`.

    Returns:
        `(d,) float32`.
    """
    x = np.asarray(pooled, np.float32)
    passes: list[Array] = []  # which units of each layer are on
    for layer in head:
        x = x @ layer.kernel + layer.bias
        passes.append(x > 0 if layer.relu else np.ones(x.shape, bool))
        x = np.maximum(x, 0.0) if layer.relu else x
    gradient = np.asarray(of_logits, np.float32)
    for layer, on in zip(reversed(head), reversed(passes), strict=True):
        gradient = layer.kernel @ (gradient * on)
    return gradient


# ------------------------------------------------------------------------------------- OpenVINO


class OpenVINOProbe:
    """A model's OpenVINO copy on the CPU, several requests in flight.

    Args:
        path: an OpenVINO `.xml` from `(n, h, w, 3) float32` to probabilities.
    """

    name = "OpenVINO"

    def __init__(self, path: Path) -> None:
        openvino = import_openvino()
        core = openvino.Core()
        model = core.read_model(path)
        end = _find_end(model)
        self.head = end.head if end else ()
        self._channels_first = bool(end and end.channels_first)
        if end:
            model.add_outputs([end.pooled, end.maps])
        steps = openvino.preprocess.PrePostProcessor(model)
        steps.input().tensor().set_element_type(openvino.Type.u8)
        settings = {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_PRECISION_HINT": "f32"}
        self._queue = openvino.AsyncInferQueue(core.compile_model(steps.build(), "CPU", settings))
        self._queue.set_callback(self._finish)
        self._parts: dict[int, list[Array]] = {}
        self._wanted = 1
        self._classes = int(model.outputs[0].get_partial_shape()[1].get_length())

    def _finish(self, request: Any, start: int) -> None:
        self._parts[start] = [
            np.array(request.get_output_tensor(place).data, dtype=np.float32)
            for place in range(self._wanted)
        ]

    def see(self, photos: Array, *, maps: bool = False) -> Seen:
        """See `Probe.see`."""
        self._parts = {}
        self._wanted = (3 if maps else 2) if self.head else 1
        for start in range(0, len(photos), ENGINE_BATCH):
            self._queue.start_async({0: photos[start : start + ENGINE_BATCH]}, start)
        self._queue.wait_all()
        parts = [self._parts[start] for start in sorted(self._parts)]
        self._parts = {}
        if not parts:
            return Seen(probabilities=np.empty((0, self._classes), np.float32))
        found = [np.concatenate(column) for column in zip(*parts, strict=True)]
        pooled = found[1] if len(found) > 1 else None
        seen_maps = found[2] if len(found) > 2 else None
        if seen_maps is not None and self._channels_first:
            seen_maps = np.moveaxis(seen_maps, 1, -1)  # (n, h', w', d)
        return Seen(probabilities=found[0], pooled=pooled, maps=seen_maps)


@dataclass(frozen=True, kw_only=True)
class _End:
    """The end of a graph: where the maps and the pooled features come out, and the head."""

    maps: Any
    pooled: Any
    channels_first: bool
    head: tuple[Dense, ...]


_PASSING = {"Reshape", "Squeeze", "Convert", "Dropout", "Identity"}


def _find_end(model: Any) -> _End | None:
    """Walk back from the probabilities over dense layers to the mean over all places.

    Returns None where the graph does not end that way.
    """
    layers: list[Dense] = []
    bias: Array | None = None
    relu = False
    node = model.outputs[0].get_node().input_value(0).get_node()
    if node.get_type_name() == "Identity":
        node = node.input_value(0).get_node()
    if node.get_type_name() != "Softmax":
        return None
    while True:
        node = _moving_input(node)
        if node is None:
            return None
        kind = node.get_type_name()
        if kind == "Relu" and bias is None:
            relu = True
        elif kind == "Add" and bias is None:
            bias = _constant_input(node)
            if bias is None:
                return None
            bias = bias.reshape(-1)
        elif kind == "MatMul":
            kernel = _constant_input(node)
            if kernel is None or node.get_attributes()["transpose_a"]:
                return None
            kernel = kernel.T if node.get_attributes()["transpose_b"] else kernel
            zeros = np.zeros(kernel.shape[1], np.float32)
            layers.append(
                Dense(
                    kernel=np.ascontiguousarray(kernel),
                    bias=zeros if bias is None else bias,
                    relu=relu,
                )
            )
            bias, relu = None, False
        elif kind == "ReduceMean" and layers and bias is None:
            return _end_at(node, tuple(reversed(layers)))
        elif kind not in _PASSING:
            return None


def _end_at(node: Any, head: tuple[Dense, ...]) -> _End | None:
    """The end whose pooling is `node`, if that is a mean over the places of feature maps."""
    axes = _constant_input(node)
    maps = node.input_value(0)
    if axes is None or len(maps.get_partial_shape()) != 4:
        return None
    places = sorted(int(axis) % 4 for axis in axes.reshape(-1))
    if places not in ([2, 3], [1, 2]):
        return None
    return _End(maps=maps, pooled=_flat_output(node), channels_first=places == [2, 3], head=head)


def _flat_output(node: Any) -> Any:
    """The output of the pooling `node` as `(n, d)`, also where it keeps its dimensions."""
    output = node.output(0)
    while len(output.get_partial_shape()) > 2:
        output = next(iter(output.get_target_inputs())).get_node().output(0)
    return output


def _moving_input(node: Any) -> Any | None:
    """The one node among the inputs that is no constant; None where there is not exactly one."""
    sources = [node.input_value(place).get_node() for place in range(node.get_input_size())]
    moving = [source for source in sources if _constant_of(source) is None]
    return moving[0] if len(moving) == 1 else None


def _constant_input(node: Any) -> Array | None:
    """The value of the one constant among a node's inputs, float32 for weights."""
    for place in range(node.get_input_size()):
        value = _constant_of(node.input_value(place).get_node())
        if value is not None:
            return value
    return None


def _constant_of(node: Any) -> Array | None:
    """The value of a constant, also of one that is stored in a smaller type; else None."""
    if node.get_type_name() == "Constant":
        value = np.array(node.get_data())
        return value.astype(np.float32) if value.dtype.kind == "f" else value
    if node.get_type_name() == "Convert":
        return _constant_of(node.input_value(0).get_node())
    return None


# ---------------------------------------------------------------------------------------- Keras


class KerasProbe:
    """A Keras model, where there is no OpenVINO copy of it."""

    name = "Keras"

    def __init__(self, model: Any) -> None:
        import keras

        found = _find_keras_end(model)
        self.head: tuple[Dense, ...] = found[0] if found else ()
        outputs = [*model.outputs, *found[1:]] if found else model.outputs
        self._model = keras.Model(model.input, outputs)

    def see(self, photos: Array, *, maps: bool = False) -> Seen:
        """See `Probe.see`."""
        if not len(photos):
            classes = int((self._model.outputs[0]).shape[-1])
            return Seen(probabilities=np.empty((0, classes), np.float32))
        parts = []
        for start in range(0, len(photos), ENGINE_BATCH):
            batch = photos[start : start + ENGINE_BATCH].astype(np.float32)
            answer = self._model.predict_on_batch(batch)
            parts.append(answer[: 3 if maps else 2] if self.head else [answer])
        found = [
            np.asarray(np.concatenate(column), np.float32) for column in zip(*parts, strict=True)
        ]
        return Seen(
            probabilities=found[0],
            pooled=found[1] if self.head else None,
            maps=found[2] if self.head and maps else None,
        )


def _find_keras_end(model: Any) -> tuple[tuple[Dense, ...], Any, Any] | None:
    """The head, the pooled features and the feature maps of a Keras model; see `_find_end`."""
    import keras

    layers: list[Dense] = []
    tensor = model.outputs[0]
    while True:
        operation, node_index, _place = tensor._keras_history
        if not operation._inbound_nodes[node_index].input_tensors:
            return None
        before = operation._inbound_nodes[node_index].input_tensors[0]
        if isinstance(operation, keras.layers.Dense):
            relu = operation.activation is keras.activations.relu
            usual = keras.activations.linear if layers else keras.activations.softmax
            if not relu and operation.activation is not usual:
                return None
            bias = np.zeros(operation.units) if operation.bias is None else operation.bias
            kernel = np.asarray(operation.kernel, np.float32)
            layers.append(Dense(kernel=kernel, bias=np.asarray(bias, np.float32), relu=relu))
        elif isinstance(operation, keras.layers.GlobalAveragePooling2D):
            return (tuple(reversed(layers)), tensor, before) if layers else None
        elif not isinstance(operation, keras.layers.Dropout):
            return None
        tensor = before
