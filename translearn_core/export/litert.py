"""Writes a Keras model as LiteRT (TensorFlow Lite): float32, float16 weights, or int8.

Owns: the conversions and what each rounds.
Leaves to others: the verification (`verify.py`), the calibration photos of int8 (`writers.py`).
Brings TensorFlow in: imported when such a file is written.

The file takes one photo `(1, size, size, 3) float32 in [0, 255]` and gives `(1, classes) float32`.

- float16 rounds only the large kernels (convolutions over all channels, dense layers), which are
  nearly all of the bytes. The biases and depthwise kernels that TensorFlow's converter rounds as
  well are a fiftieth of the bytes and cause most of the error (docs/exports.md).
- int8 computes in whole numbers, with ranges measured on photos (post-training quantisation, B.
  Jacob et al., 2018). Where that changes too many predicted classes, kernels stay in int8 and
  arithmetic is in float32.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.tools import flatbuffer_utils
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from translearn_core.arrays import Array
from translearn_core.export.preprocess import prepare
from translearn_core.graph.engine import answer_batch
from translearn_core.imaging.square import Fit

logger = logging.getLogger(__name__)

AGREEMENT = 0.98
"""Least share of calibration photos on which int8 arithmetic predicts the model's class."""
MEASURED = 50
"""Calibration photos that this is measured on, at most."""
_KERNELS = {"CONV_2D": 1, "FULLY_CONNECTED": 1}
"""Operations whose kernels float16 rounds -> index of the kernel among their inputs."""


def write_float32(model: Any, path: Path) -> None:
    """All in float32."""
    path.write_bytes(_converter(model).convert())


def write_float16(model: Any, path: Path) -> None:
    """Large kernels in float16; everything is computed in float32."""
    write_float32(model, path)
    _round_kernels(path)


def write_int8(
    model: Any,
    path: Path,
    photos: Sequence[Path],
    *,
    fit: Fit = "stretch",
    widths: Sequence[int] | None = None,
) -> None:
    """Kernels in int8, and the arithmetic too, unless that changes too many predicted classes.

    Args:
        photos: a sample of the photos that the model will get.
        fit: how those become squares.
        widths: number of classes of each task in a row of probabilities; None: one task.
    """
    size = model.input_shape[1]

    def sample() -> Iterator[list[Array]]:
        for file in photos:
            yield [prepare(file, size, fit)[None]]

    converter = _converter(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = sample
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    path.write_bytes(converter.convert())
    few = photos[:: max(1, len(photos) // MEASURED)]
    sample_photos = [prepare(file, size, fit) for file in few]
    agreement = _agreement(model, path, sample_photos, widths or [model.output_shape[-1]])
    logger.info("int8 arithmetic gives the model's answer on %.1f%%", 100 * agreement)
    if agreement < AGREEMENT:
        converter = _converter(model)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        path.write_bytes(converter.convert())


def _converter(model: Any) -> Any:
    """TensorFlow's converter, on the model with its weights as constants."""
    shape = (1, *model.input_shape[1:])
    holder = tf.Module()
    holder.model = model
    function = tf.function(
        lambda photo: model(photo, training=False),
        input_signature=[tf.TensorSpec(shape, tf.float32, name="photo")],
        autograph=False,
    )
    frozen = convert_variables_to_constants_v2(function.get_concrete_function())
    return tf.lite.TFLiteConverter.from_concrete_functions([frozen], holder)


def _agreement(model: Any, path: Path, photos: Sequence[Array], widths: Sequence[int]) -> float:
    """Share of the photos on which a file predicts the model's class in every task."""
    interpreter = open_interpreter(path)
    input_index = interpreter.get_input_details()[0]["index"]
    output = interpreter.get_output_details()[0]["index"]
    same = 0
    for photo in photos:
        interpreter.set_tensor(input_index, photo[None])
        interpreter.invoke()
        expected = answer_batch(model, photo[None])[0]
        received = interpreter.get_tensor(output)[0]
        same += int(predicted_classes(expected, widths) == predicted_classes(received, widths))
    return same / max(1, len(photos))


def predicted_classes(probs: Array, widths: Sequence[int]) -> list[int]:
    """Index of the most probable class of each task in a row of probabilities."""
    tasks = np.split(probs, np.cumsum(widths)[:-1])
    return [int(task.argmax()) for task in tasks]


def open_interpreter(path: Path) -> Any:
    """An interpreter of a LiteRT file, ready to run."""
    interpreter = Interpreter(model_path=str(path))
    interpreter.allocate_tensors()
    return interpreter


def _round_kernels(path: Path) -> None:
    """Store the large kernels of a float32 file as float16, each dequantised before use."""
    model = flatbuffer_utils.read_model(str(path))
    graph = model.subgraphs[0]
    dequantize_code = _code_of(model, schema.BuiltinOperator.DEQUANTIZE)
    kernel_inputs = {
        getattr(schema.BuiltinOperator, name): index for name, index in _KERNELS.items()
    }
    restored: dict[int, int] = {}
    dequantizers: list[Any] = []
    for operator in graph.operators:
        index = kernel_inputs.get(model.operatorCodes[operator.opcodeIndex].builtinCode)
        if index is None:
            continue
        kernel = int(operator.inputs[index])
        if kernel not in restored and _can_be_halved(model, graph.tensors[kernel]):
            restored[kernel] = _store_as_half(model, graph, kernel)
            dequantize = schema.OperatorT()
            dequantize.opcodeIndex = dequantize_code
            dequantize.inputs = np.array([kernel], np.int32)
            dequantize.outputs = np.array([restored[kernel]], np.int32)
            dequantizers.append(dequantize)
        if kernel in restored:
            inputs = np.array(operator.inputs, np.int32)
            inputs[index] = restored[kernel]
            operator.inputs = inputs
    graph.operators = dequantizers + list(graph.operators)
    flatbuffer_utils.write_model(model, str(path))


def _code_of(model: Any, builtin: int) -> int:
    """Index of an operation in the operator codes of the file; appended if missing."""
    for index, code in enumerate(model.operatorCodes):
        if code.builtinCode == builtin:
            return index
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = builtin
    code.version = 2  # the version that takes float16
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1


def _can_be_halved(model: Any, tensor: Any) -> bool:
    """Whether a tensor is a float32 constant in the range of float16."""
    data = model.buffers[tensor.buffer].data
    if tensor.type != schema.TensorType.FLOAT32 or data is None or len(data) == 0:
        return False
    largest = float(np.abs(_values(data)).max())
    return 1e-3 <= largest <= 6e4


def _values(data: Any) -> Array:
    return np.frombuffer(bytes(bytearray(data)), np.float32)


def _store_as_half(model: Any, graph: Any, kernel: int) -> int:
    """Round a constant to float16; returns the index of the float32 tensor that replaces it."""
    tensor = graph.tensors[kernel]
    values = _values(model.buffers[tensor.buffer].data)
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(values.astype(np.float16).tobytes(), np.uint8)
    model.buffers.append(buffer)
    restored_tensor = schema.TensorT()
    restored_tensor.name = tensor.name + b"_float32"
    restored_tensor.shape, restored_tensor.type, restored_tensor.buffer = (
        tensor.shape,
        tensor.type,
        0,
    )
    graph.tensors.append(restored_tensor)
    model.buffers[tensor.buffer].data = None
    tensor.type, tensor.buffer = schema.TensorType.FLOAT16, len(model.buffers) - 1
    return len(graph.tensors) - 1
