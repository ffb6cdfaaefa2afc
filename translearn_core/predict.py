"""Asks a trained model about new photos.

Owns: opening a run's model for prediction, the small cache of open models, batches of photos.
Leaves to others: decoding (`datasets`), how a graph is run (`engine.py`).

Runs on the CPU, without TensorFlow where the run has its OpenVINO copy, so that the web
process stays light and never takes the GPU.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from translearn_core.datasets import decode_photo, iterate_photos
from translearn_core.datasets.layout import is_junk
from translearn_core.engine import Engine, KerasEngine, OpenVINOEngine, run_engine
from translearn_core.errors import PhotoError, RunError
from translearn_core.runs import Run
from translearn_core.texts import _

logger = logging.getLogger(__name__)

Array = npt.NDArray[Any]
OPEN_MODELS = 2
BATCH = 64


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What the model says of one photo. With an `error`, the other fields are empty."""

    file: str
    label: str | None = None
    confidence: float | None = None
    probabilities: dict[str, float] | None = None
    """Class name -> probability, the likeliest first."""
    error: str | None = None


class Predictor:
    """An open model of a run. Safe to use from several threads; one photo batch at a time.

    Raises:
        RunError: the run has no model that can be opened.
    """

    def __init__(self, run: Run) -> None:
        content = _read_labels(run)
        self.classes: list[str] = content["classes"]
        self.size: int = content["image_size"]
        self._engine = _open_engine(run)
        self._lock = threading.Lock()

    def probabilities(self, photos: Array) -> Array:
        """Probabilities `(n, classes) float32` of photos `(n, size, size, 3) uint8`."""
        with self._lock:
            return run_engine(self._engine, photos)


def _read_labels(run: Run) -> dict[str, Any]:
    path = run.folder / "labels.json"
    if not path.is_file() or not run.model_path.is_file():
        _config = run.config  # tells when the folder is no run at all
        raise RunError(
            _("The run {run} has no model: it is {state}. Choose a finished run.").format(
                run=run.id, state=run.state.state
            )
        )
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def _open_engine(run: Run) -> Engine:
    if run.openvino_path.is_file():
        return OpenVINOEngine(run.openvino_path)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from translearn_core.model import load_model

    return KerasEngine(load_model(run.model_path))


_open: OrderedDict[tuple[str, int], Predictor] = OrderedDict()
_open_lock = threading.Lock()


def open_predictor(run: Run) -> Predictor:
    """The open model of a run; the two last used stay open."""
    _labels = _read_labels(run)
    key = (str(run.folder), run.model_path.stat().st_mtime_ns)
    with _open_lock:
        if key not in _open:
            _open[key] = Predictor(run)
        _open.move_to_end(key)
        while len(_open) > OPEN_MODELS:
            _open.popitem(last=False)
        return _open[key]


def predict(run: Run, photos: Iterable[Path | tuple[str, bytes]]) -> Iterator[Prediction]:
    """Ask a run's model about photos, in their order.

    Args:
        run: a run with a model.
        photos: paths, or pairs of a name and the bytes of a file.

    Yields:
        One prediction for each photo; one that cannot be read has an `error`.

    Raises:
        RunError: the run has no model that can be opened.
    """
    predictor = open_predictor(run)
    iterator = iter(photos)
    while batch := list(islice(iterator, BATCH)):
        yield from _predict_batch(predictor, batch)


def _predict_batch(
    predictor: Predictor, batch: list[Path | tuple[str, bytes]]
) -> Iterator[Prediction]:
    decoded = list(_decode(batch, predictor.size))
    images = [image for image in decoded if not isinstance(image, PhotoError)]
    answers: Iterator[Array] = iter(predictor.probabilities(np.stack(images)) if images else [])
    for photo, image in zip(batch, decoded, strict=True):
        name = str(photo) if isinstance(photo, Path) else photo[0]
        if isinstance(image, PhotoError):
            yield Prediction(file=name, error=image.message)
        else:
            yield _prediction(name, predictor.classes, next(answers))


def _decode(batch: list[Path | tuple[str, bytes]], size: int) -> Iterator[Array | PhotoError]:
    """The photos as `(size, size, 3) uint8`, or why not; files are decoded side by side."""
    if all(isinstance(photo, Path) for photo in batch):
        paths = [photo for photo in batch if isinstance(photo, Path)]
        for _place, photo in iterate_photos(paths, size=size):
            yield photo if isinstance(photo, PhotoError) else photo.image
        return
    for item in batch:
        try:
            source = item if isinstance(item, Path) else item[1]
            yield decode_photo(source, size=size).image
        except PhotoError as error:
            yield error


def _prediction(name: str, classes: list[str], probabilities: Array) -> Prediction:
    order = np.argsort(-probabilities, kind="stable")
    ranked = {classes[index]: float(probabilities[index]) for index in order}
    best = classes[int(order[0])]
    return Prediction(file=name, label=best, confidence=ranked[best], probabilities=ranked)


def find_photos(places: Iterable[Path]) -> Iterator[Path]:
    """The photos named: files as they are, folders searched with all below them, sorted.

    Raises:
        RunError: a place does not exist.
    """
    for place in places:
        if place.is_dir():
            for path in sorted(place.rglob("*")):
                if path.is_file() and not is_junk(path.relative_to(place).parts):
                    yield path
        elif place.exists():
            yield place
        else:
            raise RunError(
                _("There is no file or folder {place}. Check the name.").format(place=place)
            )
