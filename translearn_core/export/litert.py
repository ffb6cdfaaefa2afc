"""Writes a Keras model as LiteRT (TensorFlow Lite): float32, float16 weights, or int8.

Owns: the conversions and what each rounds. Leaves to others: whether the answers hold
(`verify.py`), which photos int8 is fitted to (`writers.py`).

The file takes one photo `(1, size, size, 3) float32 in [0, 255]` and gives `(1, classes) float32`.

- float16 rounds only the large kernels (convolutions over all channels, dense layers), which are
  nearly all of the bytes. The biases and depthwise kernels that TensorFlow's converter rounds as
  well are a fiftieth of the bytes and cause most of the error (docs/exports.md).
- int8 computes in whole numbers, with ranges measured on photos (post-training quantisation, B.
  Jacob et al., 2018). A network that loses too many answers that way keeps its kernels in int8
  and computes in float32.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from translearn_core.export.preprocess import prepare

logger = logging.getLogger(__name__)

Array = npt.NDArray[Any]
AGREEMENT = 0.98
"""Share of the fitted photos that int8 arithmetic must answer as the model does, to be used."""
JUDGED = 50
"""So many of the photos are asked for that."""
_KERNELS = {"CONV_2D": 1, "FULLY_CONNECTED": 1}
"""Operations whose kernels float16 rounds, and which of their inputs that is."""


def write_float32(model: Any, path: Path) -> None:
    """All in float32."""
    path.write_bytes(_converter(model).convert())


def write_float16(model: Any, path: Path) -> None:
    """Large kernels in float16; everything is computed in float32."""
    write_float32(model, path)
    _round_kernels(path)


def write_int8(
    model: Any, path: Path, photos: Sequence[Path], *, widths: Sequence[int] | None = None
) -> None:
    """Kernels in int8, and the arithmetic too, unless that changes too many answers.

    Args:
        photos: a sample of what the model will see.
        widths: how many probabilities each task takes in a row of answers; None: one task.
    """
    import tensorflow as tf

    size = model.input_shape[1]

    def sample() -> Iterator[list[Array]]:
        for file in photos:
            yield [prepare(file, size)[None]]

    converter = _converter(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = sample
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    path.write_bytes(converter.convert())
    judged = [prepare(file, size) for file in photos[:: max(1, len(photos) // JUDGED)]]
    agreement = _agreement(model, path, judged, widths or [model.output_shape[-1]])
    logger.info("int8 arithmetic gives the model's answer on %.1f%%", 100 * agreement)
    if agreement < AGREEMENT:
        converter = _converter(model)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        path.write_bytes(converter.convert())


def _converter(model: Any) -> Any:
    """TensorFlow's converter, on the model with its weights as constants."""
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2,
    )

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
    """Share of the photos on which a file answers every task as the model does."""
    interpreter = open_file(path)
    entry = interpreter.get_input_details()[0]["index"]
    answer = interpreter.get_output_details()[0]["index"]
    same = 0
    for photo in photos:
        interpreter.set_tensor(entry, photo[None])
        interpreter.invoke()
        expected = model.predict_on_batch(photo[None])[0]
        received = interpreter.get_tensor(answer)[0]
        same += int(winners(expected, widths) == winners(received, widths))
    return same / max(1, len(photos))


def winners(answers: Array, widths: Sequence[int]) -> list[int]:
    """The place of the likeliest class of each task in a row of answers."""
    parts = np.split(answers, np.cumsum(widths)[:-1])
    return [int(part.argmax()) for part in parts]


def open_file(path: Path) -> Any:
    """A LiteRT file, ready to run."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path))
    interpreter.allocate_tensors()
    return interpreter


def _round_kernels(path: Path) -> None:
    """Store the large kernels of a float32 file as float16, each turned back before it is used."""
    from tensorflow.lite.python import schema_py_generated as schema
    from tensorflow.lite.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model(str(path))
    graph = model.subgraphs[0]
    opener = _code_of(model, schema, schema.BuiltinOperator.DEQUANTIZE)
    wanted = {getattr(schema.BuiltinOperator, name): place for name, place in _KERNELS.items()}
    restored: dict[int, int] = {}
    first: list[Any] = []
    for operator in graph.operators:
        place = wanted.get(model.operatorCodes[operator.opcodeIndex].builtinCode)
        if place is None:
            continue
        kernel = int(operator.inputs[place])
        if kernel not in restored and _can_be_halved(model, graph.tensors[kernel], schema):
            restored[kernel] = _store_as_half(model, graph, kernel, schema)
            turn_back = schema.OperatorT()
            turn_back.opcodeIndex = opener
            turn_back.inputs = np.array([kernel], np.int32)
            turn_back.outputs = np.array([restored[kernel]], np.int32)
            first.append(turn_back)
        if kernel in restored:
            inputs = np.array(operator.inputs, np.int32)
            inputs[place] = restored[kernel]
            operator.inputs = inputs
    graph.operators = first + list(graph.operators)
    flatbuffer_utils.write_model(model, str(path))


def _code_of(model: Any, schema: Any, builtin: int) -> int:
    """The place of an operation in the file's list of those that it uses; appended if need be."""
    for place, code in enumerate(model.operatorCodes):
        if code.builtinCode == builtin:
            return place
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = builtin
    code.version = 2  # of turning float16 back
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1


def _can_be_halved(model: Any, tensor: Any, schema: Any) -> bool:
    """Whether a tensor is a constant whose values float16 holds well."""
    data = model.buffers[tensor.buffer].data
    if tensor.type != schema.TensorType.FLOAT32 or data is None or len(data) == 0:
        return False
    largest = float(np.abs(_values(data)).max())
    return 1e-3 <= largest <= 6e4


def _values(data: Any) -> Array:
    return np.frombuffer(bytes(bytearray(data)), np.float32)


def _store_as_half(model: Any, graph: Any, kernel: int, schema: Any) -> int:
    """Round a constant to float16; the number of the float32 tensor that stands for it."""
    tensor = graph.tensors[kernel]
    values = _values(model.buffers[tensor.buffer].data)
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(values.astype(np.float16).tobytes(), np.uint8)
    model.buffers.append(buffer)
    again = schema.TensorT()
    again.name = tensor.name + b"_float32"
    again.shape, again.type, again.buffer = tensor.shape, tensor.type, 0
    graph.tensors.append(again)
    model.buffers[tensor.buffer].data = None
    tensor.type, tensor.buffer = schema.TensorType.FLOAT16, len(model.buffers) - 1
    return len(graph.tensors) - 1
