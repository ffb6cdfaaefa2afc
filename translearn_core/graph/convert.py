"""Writes a Keras model, or a recorded graph, as an OpenVINO file.

Owns: the two ways of converting (our ONNX writer, TensorFlow's SavedModel), and keeping a file only where
it answers as the model does. Leaves to others: the ONNX file (`onnx_writer.py`), running it (`engine.py`),
which converted graphs stay on this machine (`kept_engines.py`).
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from translearn_core import leftovers
from translearn_core.arrays import Array
from translearn_core.atomic import replace_file
from translearn_core.errors import InputError, TransLearnError
from translearn_core.graph.engine import OpenVINOEngine, run_engine
from translearn_core.graph.libraries import import_openvino
from translearn_core.graph.onnx_writer import write_onnx

logger = logging.getLogger(__name__)


def trace(model: Any) -> Any:
    """A Keras model as a concrete TensorFlow function, `(n, h, w, 3) float32` -> its output."""
    import tensorflow as tf

    signature = [tf.TensorSpec((None, *model.inputs[0].shape[1:]), tf.float32, name="photo")]
    # A functional model holds no Python control flow to convert: without it, half the time.
    function = tf.function(
        lambda photo: model(photo, training=False), input_signature=signature, autograph=False
    )
    return function.get_concrete_function()


def convert_to_openvino(model: Any, path: Path) -> None:
    """Write a Keras model as an OpenVINO file `path` (`.xml`, with `.bin` beside), in float32.

    The write is atomic: the `.xml` appears last.
    """
    try:
        convert_graph(model, path)
    except InputError as reason:  # a layer that our writer does not know
        logger.info("%s", reason)
        _convert_traced(model, path)


def convert_checked(
    model: Any,
    path: Path,
    *,
    photos: Array,
    expected: Array,
    tolerance: float,
    ask: Callable[[Path], Array] | None = None,
) -> float:
    """Write a Keras model as an OpenVINO file, and keep the file only if its outputs agree.

    Args:
        path: see `convert_to_openvino`.
        photos: `(n, h, w, 3) uint8` to compare on.
        expected: output of the model for them.
        tolerance: largest difference at which the file stays.
        ask: what the file answers to them; default its first output.

    Returns:
        The largest difference; infinite where OpenVINO cannot take the model.
    """
    difference = float("inf")
    for convert in (convert_graph, _convert_traced):
        try:
            convert(model, path)
            if ask is not None:
                received = ask(path)
            else:
                received = run_engine(OpenVINOEngine(path), photos) if len(photos) else expected
        except InputError as reason:
            logger.info("%s", reason)
            continue
        except TransLearnError:
            raise
        except Exception:  # any failure: try the next conversion, then fall back to Keras
            logger.exception("OpenVINO cannot take this graph")
            continue
        difference = float(np.abs(received - expected).max(initial=0.0))
        if difference <= tolerance:
            return difference
        logger.warning("The OpenVINO copy differs by %.3g and is not kept", difference)
        path.unlink()
        path.with_suffix(".bin").unlink(missing_ok=True)
    return difference


def convert_graph(model: Any, path: Path) -> None:
    """Converts with our ONNX writer, for the layers it supports; a fifth of the time of tracing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.stem}.{secrets.token_hex(6)}.tmp.onnx")
    try:
        write_onnx(model, temporary)
        _save(import_openvino().Core().read_model(temporary), path)
    finally:
        temporary.unlink(missing_ok=True)


def _convert_traced(model: Any, path: Path) -> None:
    """Converts through TensorFlow's SavedModel format.

    `openvino.convert_model` takes a function in memory, but not under Python 3.13: it runs
    `exec("del tensorflow")`, which fails there. Reading a SavedModel does not pass that code and
    takes the same time (ConvNeXt Tiny: 2.4 s after 2.3 s).
    """
    import tensorflow as tf

    function = trace(model)
    module = tf.Module()
    module.weights = list(function.variables)  # what is saved must be reachable from the module
    path.parent.mkdir(parents=True, exist_ok=True)
    with leftovers.working_folder(path.parent, leftovers.CONVERTING) as folder:
        tf.saved_model.save(module, folder, signatures=function)
        _save(import_openvino().Core().read_model(folder), path)


def keep_one_output(source: Path, path: Path) -> None:
    """Write an OpenVINO file with the first output of `source` only."""
    openvino = import_openvino()
    model = openvino.Core().read_model(source)
    _save(openvino.Model([model.output(0)], model.get_parameters(), model.friendly_name), path)


def _save(converted: Any, path: Path) -> None:
    openvino = import_openvino()
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.stem}.{secrets.token_hex(6)}.tmp.xml")
    openvino.save_model(converted, temporary, compress_to_fp16=False)
    replace_file(temporary.with_suffix(".bin"), path.with_suffix(".bin"))
    replace_file(temporary, path)
