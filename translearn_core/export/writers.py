"""Writes the model of a run in each format.

Owns: the conversions, and the calibration and test photos of a run.
Leaves to others: the ONNX graph (`graph/onnx_writer.py`), the verification (`verify.py`).

A model's file is written into the folder of its export, which has labels.json already.
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

from translearn_core import datasets
from translearn_core.arrays import Floats, Ints
from translearn_core.errors import RunError, SourceError
from translearn_core.evaluation.dense_head import DenseHead
from translearn_core.export import teachable
from translearn_core.export.multi_head import merge
from translearn_core.export.one_file import write_page
from translearn_core.export.page_words import page_script
from translearn_core.graph.convert import convert_to_openvino, keep_one_output
from translearn_core.graph.engine import answer_batch
from translearn_core.graph.onnx_writer import write_onnx as write_onnx_graph
from translearn_core.runs import Run
from translearn_core.runs.model_files import COPY, altered_files
from translearn_core.runs.predictions import read_predictions
from translearn_core.runs.task_heads import load_heads

MOST_CALIBRATION_PHOTOS = 100
"""Photos that an int8 model is calibrated on, at most."""


@dataclass(frozen=True)
class ExportSource:
    """The model of a run, opened on first use."""

    run: Run

    @cached_property
    def model(self) -> Any:
        """The Keras model in float32, with the heads of all tasks."""
        from translearn_core.graph.saving import in_float32, load_model

        return merge(in_float32(load_model(self.run.model_path)), self.heads)

    @cached_property
    def heads(self) -> tuple[DenseHead, ...]:
        """The heads of the run's further tasks."""
        return load_heads(self.run.folder)

    @property
    def widths(self) -> list[int]:
        """Number of classes of each task in a row of probabilities."""
        return [len(self.run.labels), *(len(head.classes) for head in self.heads)]

    @cached_property
    def is_mixed(self) -> bool:
        """Whether it computes in mixed precision, as those of earlier versions do that were trained
        on a GPU."""
        from translearn_core.graph.saving import MIXED

        with zipfile.ZipFile(self.run.model_path) as archive:
            return MIXED in archive.read("config.json").decode("utf-8")


def write_keras(source: ExportSource, path: Path) -> None:
    """Copy the file; a model with mixed precision or further tasks is saved anew in float32."""
    if source.is_mixed or source.heads:
        source.model.save(path)
    else:
        shutil.copyfile(source.run.model_path, path)


def write_openvino(source: ExportSource, path: Path) -> None:
    """The OpenVINO copy of the run, or a new one where there is none."""
    own = source.run.openvino_path
    if source.heads or not own.is_file() or altered_files(source.run, *COPY):
        convert_to_openvino(source.model, path)
        return
    keep_one_output(own, path)


def write_onnx(source: ExportSource, path: Path) -> None:
    """ONNX, by `graph.onnx_writer`."""
    write_onnx_graph(source.model, path)


def write_saved_model(source: ExportSource, path: Path) -> None:
    """TensorFlow SavedModel with the signature `serving_default`."""
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
    """LiteRT in float32."""
    from translearn_core.export import litert

    litert.write_float32(source.model, path)


def write_litert_float16(source: ExportSource, path: Path) -> None:
    """LiteRT with kernels in float16."""
    from translearn_core.export import litert

    litert.write_float16(source.model, path)


def write_litert_int8(source: ExportSource, path: Path) -> None:
    """LiteRT in int8, calibrated on training photos."""
    from translearn_core.export import litert

    photos, fit = training_photos(source.run), source.run.read_labels().fit
    litert.write_int8(source.model, path, photos, fit=fit, widths=source.widths)


WEB_FOLDER = Path(__file__).with_name("web")
WEB_FILES = ("index.html", "page.js", "files.js", "prepare.js", "network.js")
WEB_TOLERANCE = 1e-3
"""Largest difference of a probability on the test pattern before the page shows a warning."""


def write_web(source: ExportSource, path: Path) -> None:
    """The ONNX file, the page, its runtime, and the expected probabilities of the test pattern."""
    write_onnx(source, path)
    for name in WEB_FILES:
        shutil.copyfile(WEB_FOLDER / name, path.with_name(name))
    script = page_script(WEB_FOLDER / "page.js")
    path.with_name("page.js").write_text(script, encoding="utf-8")
    size = source.model.input_shape[1]
    probs = answer_batch(source.model, pattern(size)[None], traces=False)[0]
    check = {"probabilities": [float(prob) for prob in probs], "tolerance": WEB_TOLERANCE}
    path.with_name("check.json").write_text(json.dumps(check), encoding="utf-8")


def write_html(source: ExportSource, path: Path) -> None:
    """The web page in one file; what it is made of stays beside it."""
    write_web(source, path.with_name("model.onnx"))
    write_page(path.parent, path)


def write_teachable(source: ExportSource, path: Path) -> None:
    """As Teachable Machine writes a model."""
    name = source.run.config.name or source.run.config.dataset_name or source.run.id
    teachable.write_model(source.model, path, name=name, classes=source.run.labels)
    teachable.check_model(source.model, path)


def pattern(size: int) -> Floats:
    """The test pattern, as `prepare.js` draws it: `(size, size, 3) float32 in [0, 255]`."""
    y, x, c = np.mgrid[:size, :size, :3]
    values: Ints = (x * 3 + y * 2 + c * 85 + ((x * y) >> 4)) % 256
    return values.astype(np.float32)


def training_photos(run: Run, *, most: int = MOST_CALIBRATION_PHOTOS) -> list[Path]:
    """Existing training photos of the run, spread evenly over the data set."""
    test_paths = set(_paths(run))
    try:
        dataset = datasets.open_dataset(Path(run.config.dataset))
        train_paths = [path for path in dataset.photos["path"] if path not in test_paths]
    except (SourceError, OSError):
        return []
    return [path for path in map(dataset.photo_path, _spread(train_paths, most)) if path.is_file()]


def test_photos(run: Run, *, most: int) -> list[Path]:
    """Existing test photos of the run, spread evenly over the classes."""
    test_paths = _paths(run)
    try:
        dataset = datasets.open_dataset(Path(run.config.dataset))
    except SourceError:
        return []
    return [path for path in map(dataset.photo_path, _spread(test_paths, most)) if path.is_file()]


def _spread(paths: list[str], most: int) -> list[str]:
    """At most `most` of them, evenly spaced."""
    if not paths:
        return []
    indices = np.linspace(0, len(paths) - 1, most).round().astype(int)
    return [paths[index] for index in np.unique(indices)]


def _paths(run: Run) -> list[str]:
    """Manifest paths of the test photos of a run."""
    try:
        return [str(path) for path in read_predictions(run)["path"]]
    except (RunError, KeyError):
        return []
