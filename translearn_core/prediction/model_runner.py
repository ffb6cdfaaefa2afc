"""Runs a trained model: probabilities, pooled features and feature maps of photos.

Owns: running a whole model with its pooled features and last feature maps as further outputs, and
reading the head's weights.
Leaves to others: preparing a graph (`graph/kept_engines.py`), the use of features (`evaluation/ood.py`,
`explain.py`), the model of a run (`predict.py`).

Every model of ours ends in global average pooling and a head of dense layers (`graph/assembly.py`),
which are found in the Keras model when its OpenVINO copy is written. A model that ends otherwise
gives probabilities only. A copy of an earlier version has no head beside it; the Keras model is
then used instead.

Files: `<copy>.xml`, `<copy>.bin`, `<copy>.head.npz`.

Arrays: photos `(n, h, w, 3) uint8`, probabilities `(n, classes)`, pooled features `(n, d)`,
feature maps `(n, h', w', d)`, all float32.
"""

from __future__ import annotations

import logging
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from translearn_core.arrays import Array
from translearn_core.atomic import replace_file
from translearn_core.evaluation.dense_head import DenseHead, DenseLayer
from translearn_core.graph.convert import convert_checked
from translearn_core.graph.engine import ENGINE_BATCH
from translearn_core.graph.libraries import import_keras, import_openvino

logger = logging.getLogger(__name__)

OUTPUTS = ("probabilities", "pooled", "maps")
"""Outputs of a model whose head was found, in this order."""
CANNOT_OPEN = (RuntimeError, OSError, ValueError, KeyError, zipfile.BadZipFile)
"""What opening a damaged copy raises."""
COPY_BATCH = 4
"""Photos per request to a copy. Each request in flight keeps the activations of its largest batch: with
8 photos the same processor time, and half as much memory again."""


@dataclass(frozen=True, kw_only=True)
class ModelOutput:
    """The outputs of a model for a batch; `pooled` and `maps` are None where they are unknown."""

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

    def run(self, photos: Array, *, maps: bool = False) -> ModelOutput:
        """The outputs for photos; with `maps` also the feature maps."""
        ...


def open_runner(
    openvino_path: Path, keras_path: Path, *, is_copy_whole: bool = True
) -> ModelRunner:
    """Open a model by its OpenVINO copy, or by Keras where there is none that can be read.

    Args:
        is_copy_whole: False where the copy is known to be damaged.
    """
    if is_copy_whole and openvino_path.is_file() and head_path(openvino_path).is_file():
        try:
            return OpenVINORunner(openvino_path)
        except CANNOT_OPEN:
            logger.exception("The copy %s cannot be read; Keras is used", openvino_path)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from translearn_core.graph.saving import load_model

    return KerasRunner(load_model(keras_path))


# ------------------------------------------------------------------------------------- OpenVINO


def write_copy(
    model: Any, path: Path, *, photos: Array, expected: Array, tolerance: float
) -> float:
    """Write the OpenVINO copy of a Keras model, for predictions without TensorFlow, if it agrees.

    Its outputs are `OUTPUTS`, and the weights of its head are saved beside it; a copy of a model
    that ends otherwise has probabilities only, and no head beside it.

    Args:
        path: `.xml`; the layers go to `head_path(path)`.
        photos, expected, tolerance: see `convert_checked`.

    Returns:
        The largest difference of probabilities; infinite where OpenVINO cannot take the model.
    """
    end = find_end(model)
    compared: dict[str, Any] = {"photos": photos, "expected": expected, "tolerance": tolerance}
    if end is not None:
        difference = write_whole_copy(end.with_outputs(model), end.head, path, **compared)
        if path.is_file():
            return difference
        logger.warning("The copy is written without features: they do not lead to its answers")
    _save_head(None, head_path(path))
    return convert_checked(model, path, **compared)


def write_whole_copy(
    model: Any, head: DenseHead, path: Path, *, photos: Array, expected: Array, tolerance: float
) -> float:
    """Write the copy of a model that has all `OUTPUTS`, of Keras or recorded, and its head beside it; the
    largest difference of probabilities. Otherwise as `write_copy`."""
    _save_head(head, head_path(path))

    def ask(path: Path) -> Array:
        seen = OpenVINORunner(path).run(photos, maps=True)
        agrees = _agrees_with_head(seen, head, tolerance)
        return seen.probabilities if agrees else np.full_like(expected, np.inf)

    return convert_checked(
        model, path, photos=photos, expected=expected, tolerance=tolerance, ask=ask
    )


def _agrees_with_head(seen: ModelOutput, head: DenseHead, tolerance: float) -> bool:
    """Whether maps lead to the pooled features, and these to the probabilities."""
    if not len(seen.probabilities):
        return True
    if seen.pooled is None or seen.maps is None:
        return False
    scale = float(np.abs(seen.pooled).max()) or 1.0
    pooled = np.abs(seen.maps.mean(axis=(1, 2)) - seen.pooled).max() / scale
    probs = head.probabilities(seen.pooled)
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


class OpenVINORunner:
    """A model's OpenVINO copy on the CPU, several requests in flight.

    Args:
        path: as `write_copy` made it.
    """

    name = "OpenVINO"

    def __init__(self, path: Path) -> None:
        openvino = import_openvino()
        core = openvino.Core()
        core.set_property({"ENABLE_MMAP": False})  # the file may be replaced or deleted meanwhile
        model = core.read_model(path)
        self.head = _load_head(head_path(path))
        steps = openvino.preprocess.PrePostProcessor(model)
        steps.input().tensor().set_element_type(openvino.Type.u8)
        settings = {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_PRECISION_HINT": "f32"}
        self._queue = openvino.AsyncInferQueue(core.compile_model(steps.build(), "CPU", settings))
        self._queue.set_callback(_finish)  # of a method, the queue would keep this runner for ever
        self._classes = int(model.outputs[0].get_partial_shape()[1].get_length())

    def run(self, photos: Array, *, maps: bool = False) -> ModelOutput:
        """See `ModelRunner.run`."""
        found: dict[int, list[Array]] = {}
        n_outputs = (3 if maps else 2) if self.head else 1
        for start in range(0, len(photos), COPY_BATCH):
            asked = found, start, n_outputs
            self._queue.start_async({0: photos[start : start + COPY_BATCH]}, asked)
        self._queue.wait_all()
        parts = [found[start] for start in sorted(found)]
        if not parts:
            return ModelOutput(probabilities=np.empty((0, self._classes), np.float32))
        columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
        return ModelOutput(**dict(zip(OUTPUTS, columns, strict=False)))


def _finish(request: Any, asked: tuple[dict[int, list[Array]], int, int]) -> None:
    """Put what a request answers to the photos from a position on, so many outputs, where it belongs."""
    found, start, n_outputs = asked
    found[start] = [
        np.array(request.get_output_tensor(index).data, dtype=np.float32)
        for index in range(n_outputs)
    ]


# ---------------------------------------------------------------------------------------- Keras


class KerasRunner:
    """A Keras model, where there is no OpenVINO copy of it."""

    name = "Keras"

    def __init__(self, model: Any) -> None:
        end = find_end(model)
        self.head = end.head if end else None
        self._model = (
            end.with_outputs(model) if end else import_keras().Model(model.input, model.outputs)
        )

    def run(self, photos: Array, *, maps: bool = False) -> ModelOutput:
        """See `ModelRunner.run`."""
        if not len(photos):
            classes = int((self._model.outputs[0]).shape[-1])
            return ModelOutput(probabilities=np.empty((0, classes), np.float32))
        parts = []
        for start in range(0, len(photos), ENGINE_BATCH):
            batch = photos[start : start + ENGINE_BATCH].astype(np.float32)
            outputs = self._model.predict_on_batch(batch)
            parts.append(outputs[: 3 if maps else 2] if self.head else [outputs])
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

    def with_outputs(self, model: Any) -> Any:
        """The model with these tensors as further outputs, in the order of `OUTPUTS`."""
        outputs = [model.outputs[0], self.pooled, self.maps]
        return import_keras().Model(model.input, outputs, name=model.name)


def find_end(model: Any) -> ModelEnd | None:
    """Walk back from the probabilities over dense layers to global average pooling.

    Returns None where the model does not end that way.
    """
    keras = import_keras()
    layers: list[DenseLayer] = []
    tensor = model.outputs[0]
    while True:
        operation, node_index, _tensor_index = tensor._keras_history
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
