"""Opens a trained model so that it gives features and feature maps beside probabilities.

Owns: running a whole model over photos with its pooled features and its last feature maps as
further outputs, and reading the head's weights out of it.
Leaves to others: how a graph is prepared (`graph/engine.py`), what is made of the features
(`evaluation/ood.py`, `explain.py`), which run (`predict.py`).

Every model of ours ends in global average pooling and a head of dense layers (`graph/assembly.py`),
which are found in the Keras model when its OpenVINO copy is written. For a model that ends
otherwise only the probabilities are told. A copy of an earlier version has no head beside it; the
Keras model then answers in its place.

Files: `<copy>.xml`, `<copy>.bin`, `<copy>.head.npz`.

Arrays: photos `(n, h, w, 3) uint8`, probabilities `(n, classes)`, pooled features `(n, d)`,
feature maps `(n, h', w', d)`, all float32.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from translearn_core.atomic import replace_file
from translearn_core.evaluation.dense_head import DenseHead, DenseLayer
from translearn_core.graph.engine import ENGINE_BATCH, convert_checked, import_openvino

logger = logging.getLogger(__name__)

Array = npt.NDArray[Any]
OUTPUTS = ("probabilities", "pooled", "maps")
"""Of a model that tells more than probabilities, in this order."""


@dataclass(frozen=True, kw_only=True)
class ModelOutput:
    """What a model made of some photos; `pooled` and `maps` are None where they are not known."""

    probabilities: Array
    pooled: Array | None = None
    maps: Array | None = None


class ModelRunner(Protocol):
    """An open model. Not for several threads at once.

    `head` leads from pooled features to logits; None where the model does not end in global
    average pooling and dense layers.
    """

    name: str
    head: DenseHead | None

    def see(self, photos: Array, *, maps: bool = False) -> ModelOutput:
        """Run photos; `maps` asks for the feature maps as well."""
        ...


def open_runner(openvino_path: Path, keras_path: Path) -> ModelRunner:
    """Open a model by its OpenVINO copy, or by Keras where there is none."""
    if openvino_path.is_file() and head_path(openvino_path).is_file():
        return OpenVINOProbe(openvino_path)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from translearn_core.graph.saving import load_model

    return KerasProbe(load_model(keras_path))


# ------------------------------------------------------------------------------------- OpenVINO


def write_copy(
    model: Any, path: Path, *, photos: Array, expected: Array, tolerance: float
) -> float:
    """Write the OpenVINO copy of a Keras model that answers without TensorFlow, if it agrees.

    Its outputs are `OUTPUTS`, and the dense layers of its head lie beside it; a copy of a model
    that ends otherwise has probabilities only, and no layers beside it.

    Args:
        path: `.xml`; the layers go to `head_path(path)`.
        photos, expected, tolerance: see `convert_checked`.

    Returns:
        The largest difference of probabilities; infinite where OpenVINO cannot take the model.
    """
    end = find_end(model)
    if end is not None:
        difference = _convert(end.told_by(model), path, end.head, photos, expected, tolerance)
        if path.is_file() and _fits_its_head(OpenVINOProbe(path), photos, tolerance):
            return difference
        logger.warning("The copy is written without features: they do not lead to its answers")
    return _convert(model, path, None, photos, expected, tolerance)


def _convert(
    model: Any,
    path: Path,
    head: DenseHead | None,
    photos: Array,
    expected: Array,
    tolerance: float,
) -> float:
    _save_head(head, head_path(path))
    return convert_checked(model, path, photos=photos, expected=expected, tolerance=tolerance)


def _fits_its_head(probe: OpenVINOProbe, photos: Array, tolerance: float) -> bool:
    """Whether maps lead to the pooled features, and these to the probabilities."""
    seen = probe.see(photos, maps=True)
    if probe.head is None or seen.pooled is None or seen.maps is None:
        return False
    if not len(photos):
        return True
    scale = float(np.abs(seen.pooled).max()) or 1.0
    pooled = np.abs(seen.maps.mean(axis=(1, 2)) - seen.pooled).max() / scale
    probs = probe.head.probabilities(seen.pooled)
    return bool(max(pooled, np.abs(probs - seen.probabilities).max()) <= tolerance)


def head_path(path: Path) -> Path:
    """Where the head of the OpenVINO copy `path` lies: `DenseHead.as_arrays`, and `layers`, the
    number of layers (0 where the model does not end in dense layers)."""
    return path.with_suffix(".head.npz")


def _save_head(head: DenseHead | None, path: Path) -> None:
    arrays = head.as_arrays() if head else {}
    arrays["layers"] = np.array(len(head.layers) if head else 0)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.tmp.npz")
    np.savez(temporary, **arrays)  # type: ignore[arg-type]
    replace_file(temporary, path)


def _load_head(path: Path) -> DenseHead | None:
    with np.load(path, allow_pickle=False) as arrays:
        return DenseHead.from_arrays(arrays)


class OpenVINOProbe:
    """A model's OpenVINO copy on the CPU, several requests in flight.

    Args:
        path: as `write_copy` made it.
    """

    name = "OpenVINO"

    def __init__(self, path: Path) -> None:
        openvino = import_openvino()
        core = openvino.Core()
        model = core.read_model(path)
        self.head = _load_head(head_path(path))
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
            np.array(request.get_output_tensor(index).data, dtype=np.float32)
            for index in range(self._wanted)
        ]

    def see(self, photos: Array, *, maps: bool = False) -> ModelOutput:
        """See `ModelRunner.see`."""
        self._parts = {}
        self._wanted = (3 if maps else 2) if self.head else 1
        for start in range(0, len(photos), ENGINE_BATCH):
            self._queue.start_async({0: photos[start : start + ENGINE_BATCH]}, start)
        self._queue.wait_all()
        parts = [self._parts[start] for start in sorted(self._parts)]
        self._parts = {}
        if not parts:
            return ModelOutput(probabilities=np.empty((0, self._classes), np.float32))
        columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
        return ModelOutput(**dict(zip(OUTPUTS, columns, strict=False)))


# ---------------------------------------------------------------------------------------- Keras


class KerasProbe:
    """A Keras model, where there is no OpenVINO copy of it."""

    name = "Keras"

    def __init__(self, model: Any) -> None:
        import keras

        end = find_end(model)
        self.head = end.head if end else None
        self._model = end.told_by(model) if end else keras.Model(model.input, model.outputs)

    def see(self, photos: Array, *, maps: bool = False) -> ModelOutput:
        """See `ModelRunner.see`."""
        if not len(photos):
            classes = int((self._model.outputs[0]).shape[-1])
            return ModelOutput(probabilities=np.empty((0, classes), np.float32))
        parts = []
        for start in range(0, len(photos), ENGINE_BATCH):
            batch = photos[start : start + ENGINE_BATCH].astype(np.float32)
            answer = self._model.predict_on_batch(batch)
            parts.append(answer[: 3 if maps else 2] if self.head else [answer])
        columns = [
            np.asarray(np.concatenate(column), np.float32) for column in zip(*parts, strict=True)
        ]
        return ModelOutput(**dict(zip(OUTPUTS, columns, strict=False)))


@dataclass(frozen=True, kw_only=True)
class ModelEnd:
    """The end of a Keras model: its head, and the tensors of pooled features and feature maps."""

    head: DenseHead
    pooled: Any
    maps: Any

    def told_by(self, model: Any) -> Any:
        """The model with these tensors as further outputs, in the order of `OUTPUTS`."""
        import keras

        outputs = [model.outputs[0], self.pooled, self.maps]
        return keras.Model(model.input, outputs, name=model.name)


def find_end(model: Any) -> ModelEnd | None:
    """Walk back from the probabilities over dense layers to global average pooling.

    Returns None where the model does not end that way.
    """
    import keras

    layers: list[DenseLayer] = []
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
            layers.append(DenseLayer(kernel, np.asarray(bias, np.float32), relu))
        elif isinstance(operation, keras.layers.GlobalAveragePooling2D):
            if not layers:
                return None
            return ModelEnd(
                head=DenseHead(layers=tuple(reversed(layers))), pooled=tensor, maps=before
            )
        elif not isinstance(operation, keras.layers.Dropout):
            return None
        tensor = before
