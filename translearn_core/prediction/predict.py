"""Predicts new photos with a trained model.

Owns: opening a run's model for prediction, the small cache of open models, batches of photos,
and whether a prediction is above the confidence threshold and its photo in distribution.
Leaves to others: decoding (`datasets`), running a model (`model_runner.py`), the confidence
threshold (`runs/threshold.py`), out-of-distribution detection (`evaluation/ood.py`).

Runs on the CPU, without TensorFlow where the run has its OpenVINO copy, so that the web
process stays light and never takes the GPU.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from translearn_core.arrays import Array, Bools
from translearn_core.datasets import iterate_photos
from translearn_core.datasets.folder_listing import photos_below
from translearn_core.datasets.photo_names import PHOTO_SUFFIXES, is_junk
from translearn_core.errors import RunError
from translearn_core.evaluation.dense_head import DenseHead
from translearn_core.evaluation.ood import Reference, load_reference
from translearn_core.formatting import shortened
from translearn_core.i18n import _
from translearn_core.imaging.batches import in_batches
from translearn_core.imaging.reading import Reading, parse_reading
from translearn_core.prediction.model_runner import (
    KerasRunner,
    ModelOutput,
    ModelRunner,
    head_path,
    open_runner,
)
from translearn_core.runs import Run
from translearn_core.runs.model_files import (
    COPY,
    KERAS,
    REFERENCE,
    TASKS,
    altered_files,
    require_whole,
)
from translearn_core.runs.task_heads import load_heads
from translearn_core.runs.threshold import ConfidenceThreshold, read_threshold

OPEN_MODELS = 2
BATCH = 64


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """The prediction for one photo. With an `error`, the other fields are empty."""

    file: str
    label: str | None = None
    confidence: float | None = None
    probabilities: dict[str, float] | None = None
    """Class name -> probability, the most probable first."""
    error: str | None = None
    sure: bool | None = None
    """Whether the probability reaches the run's confidence threshold."""
    unlike: bool | None = None
    """Whether the photo is out of distribution; None where the run has no reference."""
    tasks: dict[str, dict[str, float]] | None = None
    """Name of a further task -> class name -> probability, the most probable first."""
    tasks_sure: dict[str, bool] | None = None
    """Name of a further task -> `sure` of its prediction."""


class Predictor:
    """An open model of a run. Safe to use from several threads; one photo batch at a time.

    `head` holds the dense layers after the pooled features, None where the model ends otherwise;
    `reference` the features of training photos for out-of-distribution detection, or None;
    `notices` what a person should know of the files that were opened, as sentences.

    Raises:
        RunError: the run has no model that can be opened.
    """

    def __init__(self, run: Run) -> None:
        content = _read_labels(run)
        self.classes: list[str] = content["classes"]
        self.size: int = content["image_size"]
        self.reading: Reading = parse_reading(content.get("reading"))
        self.notices: list[str] = []
        require_whole(run, TASKS)
        is_altered = bool(altered_files(run, REFERENCE))
        self.reference: Reference | None = None if is_altered else load_reference(run.folder)
        if is_altered:
            self.notices.append(
                _(
                    "{file} was changed or damaged since it was saved, so photos of something else "
                    "are not recognised as such."
                ).format(file=REFERENCE)
            )
        self.tasks: tuple[DenseHead, ...] = load_heads(run.folder)
        self._runner = self._open(run)
        self.head: DenseHead | None = self._runner.head
        self._lock = threading.Lock()

    def _open(self, run: Run) -> ModelRunner:
        """The model by its copy where that is as it was saved, else by Keras."""
        altered = altered_files(run, *COPY)
        if not run.openvino_path.is_file() or altered:
            require_whole(run, KERAS)
        runner = open_runner(run.openvino_path, run.model_path, is_copy_whole=not altered)
        is_slower = run.openvino_path.is_file() and isinstance(runner, KerasRunner)
        if altered or (is_slower and not _is_older_copy(run)):
            require_whole(run, KERAS)
            self.notices.append(
                _(
                    "The fast copy of the model ({file}) was changed or damaged since it was saved. "
                    "The answers come from {model}, which is whole."
                ).format(file=(altered or [run.openvino_path.name])[0], model=KERAS)
            )
        return runner

    def run(self, photos: Array, *, maps: bool = False) -> ModelOutput:
        """The outputs for photos `(n, size, size, 3) uint8`, see `model_runner.ModelOutput`."""
        with self._lock:
            return self._runner.run(photos, maps=maps)

    def probabilities(self, photos: Array) -> Array:
        """Probabilities `(n, classes) float32` of photos `(n, size, size, 3) uint8`."""
        return self.run(photos).probabilities

    def unlike(self, output: ModelOutput) -> Bools | None:
        """Which photos are out of distribution, `(n,)`; None where that is unknown."""
        reference = self.reference
        if reference is None or reference.threshold is None or output.pooled is None:
            return None
        return reference.is_out_of_distribution(output.pooled)


def _is_older_copy(run: Run) -> bool:
    """Whether the copy is one of an earlier version, which is not used."""
    return not head_path(run.openvino_path).is_file()


def _read_labels(run: Run) -> dict[str, Any]:
    path = run.folder / "labels.json"
    if not path.is_file() or not run.model_path.is_file():
        run.require()
        raise RunError(
            _("The run {run} has no model: it is {state}. Choose a finished run.").format(
                run=run.id, state=run.state.state
            )
        )
    return run.read_labels().model_dump()


_open: OrderedDict[tuple[str, tuple[int, ...]], Predictor] = OrderedDict()
_open_lock = threading.Lock()


def open_predictor(run: Run) -> Predictor:
    """The open model of a run; the last `OPEN_MODELS` used stay open."""
    _labels = _read_labels(run)
    key = (str(run.folder), _modified_ns(run))
    with _open_lock:
        if key not in _open:
            _open[key] = Predictor(run)
        _open.move_to_end(key)
        while len(_open) > OPEN_MODELS:
            _open.popitem(last=False)
        return _open[key]


def _modified_ns(run: Run) -> tuple[int, ...]:
    """Modification times of the files of an open model, in ns; 0 for a missing file."""
    files = [run.folder / name for name in (KERAS, *COPY, TASKS, REFERENCE)]
    return tuple(file.stat().st_mtime_ns if file.is_file() else 0 for file in files)


def predict(run: Run, photos: Iterable[Path | tuple[str, bytes]]) -> Iterator[Prediction]:
    """Predict photos with a run's model, in their order.

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
        yield from _predict_batch(predictor, batch, read_threshold(run.folder))


def _predict_batch(
    predictor: Predictor, photos: list[Path | tuple[str, bytes]], decision: ConfidenceThreshold
) -> Iterator[Prediction]:
    sources = [item if isinstance(item, Path) else item[1] for item in photos]
    names = [str(item) if isinstance(item, Path) else item[0] for item in photos]
    decoded = iterate_photos(sources, size=predictor.size, how=predictor.reading)
    for batch in in_batches(decoded, BATCH):
        result = {n: Prediction(file="", error=e.message) for n, e in batch.unreadable.items()}
        if batch.photos:
            predictions = _predict_images(predictor, batch.images(), decision)
            result |= zip(batch.indices, predictions, strict=True)
        for index in sorted(result):
            yield replace(result[index], file=names[index])


def _predict_images(
    predictor: Predictor, photos: Array, decision: ConfidenceThreshold
) -> Iterator[Prediction]:
    """The predictions for photos `(n, size, size, 3) uint8`, with an empty `file`."""
    output = predictor.run(photos)
    unlike = predictor.unlike(output)
    for index, probabilities in enumerate(output.probabilities):
        prediction = _make_prediction(
            predictor.classes,
            probabilities,
            decision,
            unlike=None if unlike is None else bool(unlike[index]),
        )
        if predictor.tasks and output.pooled is not None:
            tasks = _predict_tasks(predictor, output.pooled[index])
            sure = {name: decision.is_sure(next(iter(p.values()))) for name, p in tasks.items()}
            prediction = replace(prediction, tasks=tasks, tasks_sure=sure)
        yield prediction


def _predict_tasks(predictor: Predictor, pooled: Array) -> dict[str, dict[str, float]]:
    """The probabilities of the further tasks for one photo, from its pooled features `(d,)`."""
    return {
        head.name: _ranked(head.classes, head.probabilities(pooled[None])[0])
        for head in predictor.tasks
    }


def _ranked(classes: Sequence[str], probabilities: Array) -> dict[str, float]:
    """Class name -> probability, the most probable first."""
    order = np.argsort(-probabilities, kind="stable")
    return {classes[index]: float(probabilities[index]) for index in order}


def _make_prediction(
    classes: list[str], probabilities: Array, decision: ConfidenceThreshold, *, unlike: bool | None
) -> Prediction:
    ranked = _ranked(classes, probabilities)
    best = next(iter(ranked))
    return Prediction(
        file="",
        label=best,
        confidence=ranked[best],
        probabilities=ranked,
        sure=decision.is_sure(ranked[best]),
        unlike=unlike,
    )


def find_photos(paths: Iterable[Path]) -> Iterator[Path]:
    """The files of files and folders; folders are searched recursively, in sorted order.

    What is no ordinary file (a pipe, a link to a folder, a folder that cannot be opened or is named
    like a photo) is among them, so that its prediction is an error of its own. Links to folders are
    not followed.

    Raises:
        RunError: a path does not exist.
    """
    for path in paths:
        try:
            is_folder, is_there = path.is_dir(), os.path.lexists(path)
        except (OSError, ValueError):  # a name that no file can have
            is_folder = is_there = False
        if not is_there:
            raise RunError(
                _("There is no file or folder {place}. Check the name.").format(
                    place=shortened(str(path), 300)
                )
            )
        if is_folder:
            yield from sorted(_walk(path))
        else:
            yield path


def hidden_folders(paths: Iterable[Path]) -> dict[Path, int]:
    """Hidden folders inside of folders, whose photos `find_photos` passes over, with the number of
    their photos; those that programs make are not among them."""
    found = {}
    for root in paths:
        for place, folders, _files in os.walk(root):
            for name in [one for one in folders if is_junk([one])]:
                folders.remove(name)
                n = photos_below(Path(place) / name, name)
                if n:
                    found[Path(place) / name] = n
    return found


def _walk(root: Path) -> Iterator[Path]:
    closed: list[Path] = []
    for folder, folders, files in os.walk(
        root, onerror=lambda error: closed.append(Path(error.filename))
    ):
        place = Path(folder)
        odd = [
            name
            for name in folders
            if Path(name).suffix.lower() in PHOTO_SUFFIXES or (place / name).is_symlink()
        ]
        for path in (place / name for name in (*files, *odd)):
            if not is_junk(path.relative_to(root).parts):
                yield path
    yield from closed
