"""Writes the model of a run in each format.

Owns: the conversions, and which photos one is fitted to.
Leaves to others: the graph in ONNX (`graph/onnx_writer.py`), whether it answers as the app (`verify.py`).

Every model takes `photo` `(n, size, size, 3) float32 in [0, 255]` and gives probabilities
`(n, classes) float32`; where the run has further tasks, theirs follow in the same row
(`multi_head.py`). Imports TensorFlow only inside the functions.
"""

from __future__ import annotations

import json
import shutil
import zipfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from translearn_core import datasets
from translearn_core.errors import SourceError
from translearn_core.evaluation.dense_head import DenseHead
from translearn_core.export.multi_head import join
from translearn_core.runs import Run
from translearn_core.runs.task_heads import load_heads

MOST_FITTED = 100
"""Photos that an int8 model is fitted to, at most."""


@dataclass(frozen=True)
class ExportSource:
    """The model of a run, opened when somebody asks for it."""

    run: Run

    @cached_property
    def model(self) -> Any:
        """As Keras has it, computing in float32 wherever it was trained."""
        from translearn_core.graph.saving import load_model

        model = load_model(self.run.model_path)
        return join(_in_float32(model) if self.is_mixed else model, self.heads)

    @cached_property
    def heads(self) -> tuple[DenseHead, ...]:
        """What answers the run's further tasks; none where it has one only."""
        return load_heads(self.run.folder)

    @property
    def widths(self) -> list[int]:
        """How many probabilities each task takes in a row of answers."""
        return [len(self.run.labels), *(len(head.classes) for head in self.heads)]

    @cached_property
    def is_mixed(self) -> bool:
        """Whether it computes in mixed precision, as models do that were trained on a GPU."""
        with zipfile.ZipFile(self.run.model_path) as archive:
            return _MIXED in archive.read("config.json").decode("utf-8")


_MIXED = '"mixed_float16"'


def _in_float32(model: Any) -> Any:
    """The same model without mixed precision; its weights are in float32 anyway."""
    import keras

    text = json.dumps(keras.saving.serialize_keras_object(model)).replace(_MIXED, '"float32"')
    precise = keras.saving.deserialize_keras_object(json.loads(text), safe_mode=True)
    precise.set_weights(model.get_weights())
    return precise


def write_keras(source: ExportSource, path: Path) -> None:
    """The file as it is, but for mixed precision, in which a processor is slow and less exact, and
    for further tasks, which are joined to it."""
    if source.is_mixed or source.heads:
        source.model.save(path)
    else:
        shutil.copyfile(source.run.model_path, path)


def write_openvino(source: ExportSource, path: Path) -> None:
    """The copy that the app answers with, or a new one where there is none."""
    from translearn_core.graph.engine import convert_to_openvino, keep_one_output

    own = source.run.openvino_path
    if source.heads or not own.is_file():
        convert_to_openvino(source.model, path)
        return
    keep_one_output(own, path)


def write_onnx(source: ExportSource, path: Path) -> None:
    """Through our own writer."""
    from translearn_core.graph.onnx_writer import write_onnx as write

    write(source.model, path)


def write_saved_model(source: ExportSource, path: Path) -> None:
    """TensorFlow's own format, with one signature, `serve`."""
    import tensorflow as tf

    model = source.model
    holder = tf.Module()
    holder.model = model
    holder.serve = tf.function(
        lambda photo: model(photo, training=False),
        input_signature=[tf.TensorSpec((None, *model.input_shape[1:]), tf.float32, name="photo")],
        autograph=False,
    )
    tf.saved_model.save(holder, str(path), signatures={"serving_default": holder.serve})


def write_litert(source: ExportSource, path: Path) -> None:
    """All in float32."""
    from translearn_core.export import litert

    litert.write_float32(source.model, path)


def write_litert_float16(source: ExportSource, path: Path) -> None:
    """Kernels in half the bytes."""
    from translearn_core.export import litert

    litert.write_float16(source.model, path)


def write_litert_int8(source: ExportSource, path: Path) -> None:
    """Kernels in a quarter of the bytes, fitted to the photos that the run learned from."""
    from translearn_core.export import litert

    litert.write_int8(source.model, path, training_photos(source.run), widths=source.widths)


WEB_FOLDER = Path(__file__).with_name("web")
WEB_FILES = ("index.html", "page.js", "prepare.js", "network.js")
WEB_TOLERANCE = 1e-3
"""By so much a browser's answer to the drawn pattern may differ before the page says so."""


def write_web(source: ExportSource, path: Path) -> None:
    """The ONNX file, and beside it the page, its runtime, and what the page checks itself with."""
    write_onnx(source, path)
    for name in WEB_FILES:
        shutil.copyfile(WEB_FOLDER / name, path.with_name(name))
    size = source.model.input_shape[1]
    answer = source.model.predict_on_batch(pattern(size)[None])[0]
    check = {"probabilities": [float(share) for share in answer], "tolerance": WEB_TOLERANCE}
    path.with_name("check.json").write_text(json.dumps(check), encoding="utf-8")


def pattern(size: int) -> npt.NDArray[np.float32]:
    """The picture that `prepare.js` draws, too: `(size, size, 3) float32 in [0, 255]`."""
    y, x, c = np.mgrid[:size, :size, :3]
    values: npt.NDArray[np.int64] = (x * 3 + y * 2 + c * 85 + ((x * y) >> 4)) % 256
    return values.astype(np.float32)


def training_photos(run: Run, *, most: int = MOST_FITTED) -> list[Path]:
    """Photos that the run learned from and that are still here, spread evenly over the data set."""
    tested = set(_paths(run))
    try:
        dataset = datasets.open_dataset(Path(run.config.dataset))
        listed = [path for path in dataset.photos["path"] if path not in tested]
    except (SourceError, OSError):
        return []
    return [path for path in map(dataset.photo_path, _spread(listed, most)) if path.is_file()]


def tested_photos(run: Run, *, most: int) -> list[Path]:
    """Photos that the run was tested on and that are still here, spread evenly over the classes."""
    tested = _paths(run)
    try:
        dataset = datasets.open_dataset(Path(run.config.dataset))
    except SourceError:
        return []
    return [path for path in map(dataset.photo_path, _spread(tested, most)) if path.is_file()]


def _spread(paths: list[str], most: int) -> list[str]:
    """At most so many of them, evenly spread."""
    if not paths:
        return []
    places = np.linspace(0, len(paths) - 1, most).round().astype(int)
    return [paths[place] for place in np.unique(places)]


def _paths(run: Run) -> list[str]:
    """The test photos of a run, as the data set names them."""
    try:
        return [str(path) for path in pd.read_parquet(run.folder / "predictions.parquet")["path"]]
    except (OSError, ValueError, KeyError):
        return []
