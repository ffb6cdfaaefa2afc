"""Predicts new photos with a trained model.

Owns: opening a run's model for prediction, the small cache of open models, batches of photos,
and whether a prediction is above the confidence threshold and its photo in distribution.
Leaves to others: which files are photos (`photo_files.py`), decoding (`imaging`), running a model
(`model_runner.py`), the confidence threshold (`runs/threshold.py`), out-of-distribution detection
(`evaluation/ood.py`).

Runs on the CPU, without TensorFlow where the run has its OpenVINO copy, so that the web
process stays light and never takes the GPU.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from translearn_core.arrays import Array, Bools
from translearn_core.errors import RunError
from translearn_core.evaluation.caveats import list_names
from translearn_core.evaluation.dense_head import DenseHead
from translearn_core.evaluation.ood import Reference, load_reference
from translearn_core.i18n import _
from translearn_core.imaging.batches import in_batches
from translearn_core.imaging.decode import DecodedPhoto, decode_photo, iterate_photos
from translearn_core.imaging.reading import Reading, parse_reading
from translearn_core.imaging.square import Fit, is_other_shape
from translearn_core.imaging.stats import PhotoStats
from translearn_core.installation_limits import Limits
from translearn_core.prediction.model_runner import (
    CANNOT_OPEN,
    KerasRunner,
    ModelOutput,
    ModelRunner,
    OpenVINORunner,
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

logger = logging.getLogger(__name__)

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
    other_shape: bool | None = None
    """Whether it is clearly wider or taller than the photos that were learned from; None where the
    run did not keep their shapes."""
    tasks: dict[str, dict[str, float]] | None = None
    """Name of a further task -> class name -> probability, the most probable first."""
    tasks_sure: dict[str, bool] | None = None
    """Name of a further task -> `sure` of its prediction."""


class Predictor:
    """An open model of a run. Safe to use from several threads; one photo batch at a time.

    `head` holds the dense layers after the pooled features, None where the model ends otherwise;
    `reference` the features of training photos for out-of-distribution detection, or None;
    `notices` what a person should know of the files that were opened, as sentences.

    Args:
        copy_only: whether only the OpenVINO copy is opened, never Keras; `model.keras` may then be
            missing.

    Raises:
        RunError: the run has no model that can be opened.
    """

    def __init__(self, run: Run, *, copy_only: bool = False) -> None:
        content = _read_labels(run, run.openvino_path if copy_only else run.model_path)
        self.classes: list[str] = content["classes"]
        self.size: int = content["image_size"]
        self.fit: Fit = content["fit"]
        self.aspect_ratios: tuple[float, float] | None = content["aspect_ratios"]
        self.reading: Reading = parse_reading(content.get("reading"))
        self.notices: list[str] = []
        if content["told_by_shape"]:
            self.notices.append(_tell_shape(content["told_by_shape"], self.fit))
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
        self._runner = _open_copy(run) if copy_only else self._open(run)
        self.head: DenseHead | None = self._runner.head
        self._lock = threading.Lock()

    def _open(self, run: Run) -> ModelRunner:
        """The model by its copy where that is as it was saved, else by Keras."""
        altered = altered_files(run, *COPY)
        if not run.openvino_path.is_file() or altered:
            require_whole(run, KERAS)
        runner = open_runner(run.openvino_path, run.model_path, is_copy_whole=not altered)
        is_slower = run.openvino_path.is_file() and isinstance(runner, KerasRunner)
        if altered or (is_slower and has_copy(run)):
            require_whole(run, KERAS)
            self.notices.append(
                _(
                    "The fast copy of the model ({file}) was changed or damaged since it was saved. "
                    "The answers come from {model}, which is whole."
                ).format(file=(altered or [run.openvino_path.name])[0], model=KERAS)
            )
        return runner

    def decode(self, source: Path | bytes, *, limits: Limits | None = None) -> DecodedPhoto:
        """A photo as this model takes it, `(size, size, 3) uint8`.

        Args:
            limits: as in `decode_photo`.

        Raises:
            PhotoError: it cannot be read.
        """
        return decode_photo(source, size=self.size, fit=self.fit, how=self.reading, limits=limits)

    def run(self, photos: Array, *, maps: bool = False) -> ModelOutput:
        """The outputs for photos `(n, size, size, 3) uint8`, see `model_runner.ModelOutput`."""
        with self._lock:
            return self._runner.run(photos, maps=maps)

    def probabilities(self, photos: Array) -> Array:
        """Probabilities `(n, classes) float32` of photos `(n, size, size, 3) uint8`."""
        return self.run(photos).probabilities

    def is_other_shape(self, stats: PhotoStats) -> bool | None:
        """Whether a photo is clearly wider or taller than those learned from; None: unknown."""
        if self.aspect_ratios is None:
            return None
        return is_other_shape(stats.width, stats.height, self.aspect_ratios)

    def unlike(self, output: ModelOutput) -> Bools | None:
        """Which photos are out of distribution, `(n,)`; None where that is unknown."""
        reference = self.reference
        if reference is None or reference.threshold is None or output.pooled is None:
            return None
        return reference.is_out_of_distribution(output.pooled)


def _tell_shape(names: Sequence[str], fit: Fit) -> str:
    known = _(
        "Where this model was trained, the shape of the photos gave the class away ({names}): it has "
        "seen none of these in photos of another shape."
    ).format(names=list_names(list(names)))
    means = (
        _(
            "It judges the square in the middle of a photo, so that the shape itself does not count; "
            "still, answers about photos of another shape are worth less."
        )
        if fit == "crop"
        else _(
            "It may judge a photo by its shape alone. Train again with `fit` set to `crop`, best with "
            "photos of all classes in the same shape."
        )
    )
    return f"{known} {means}"


def has_copy(run: Run) -> bool:
    """Whether there is an OpenVINO copy of the model that can be used; that of an earlier version
    cannot."""
    return run.openvino_path.is_file() and head_path(run.openvino_path).is_file()


def _open_copy(run: Run) -> ModelRunner:
    """The OpenVINO copy of the model.

    Raises:
        RunError: there is none, it is one of an earlier version, or it is damaged.
    """
    if not has_copy(run):
        raise RunError(
            _(
                "The run {run} has no OpenVINO copy of its model that can be used: OpenVINO could not "
                "take the model, or an earlier version made the run. Train it again, or ask it on the "
                "page Try it."
            ).format(run=run.folder)
        )
    require_whole(run, *COPY)
    try:
        return OpenVINORunner(run.openvino_path)
    except CANNOT_OPEN as error:
        logger.exception("The copy %s cannot be read", run.openvino_path)
        raise RunError(
            _("{file} cannot be read. Restore it from a copy, or train again.").format(
                file=run.openvino_path
            )
        ) from error


def _read_labels(run: Run, model: Path) -> dict[str, Any]:
    """What the outputs mean; refuses a run without the file `model`."""
    path = run.folder / "labels.json"
    if not path.is_file() or not model.is_file():
        run.require()
        raise RunError(
            _("The run {run} has no model: it is {state}. Choose a finished run.").format(
                run=run.id, state=_(run.state.state)
            )
        )
    return run.read_labels().model_dump()


_open: OrderedDict[tuple[str, tuple[int, ...]], Predictor] = OrderedDict()
_open_lock = threading.Lock()


def open_predictor(run: Run) -> Predictor:
    """The open model of a run; the last `OPEN_MODELS` used stay open."""
    _labels = _read_labels(run, run.model_path)
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
    decoded = iterate_photos(sources, size=predictor.size, fit=predictor.fit, how=predictor.reading)
    for batch in in_batches(decoded, BATCH):
        result = {n: Prediction(file="", error=e.message) for n, e in batch.unreadable.items()}
        if batch.photos:
            stats = [photo.stats for photo in batch.photos]
            predictions = predict_images(predictor, batch.images(), decision, stats=stats)
            result |= zip(batch.indices, predictions, strict=True)
        for index in sorted(result):
            yield replace(result[index], file=names[index])


def predict_images(
    predictor: Predictor,
    photos: Array,
    decision: ConfidenceThreshold,
    *,
    stats: Sequence[PhotoStats | None],
) -> Iterator[Prediction]:
    """The predictions for decoded photos, with an empty `file`.

    Args:
        photos: `(n, size, size, 3) uint8`.
        stats: what was measured of each; None where that is not known.
    """
    output = predictor.run(photos)
    unlike = predictor.unlike(output)
    for index, (probabilities, measured) in enumerate(
        zip(output.probabilities, stats, strict=True)
    ):
        prediction = _make_prediction(
            predictor.classes,
            probabilities,
            decision,
            unlike=None if unlike is None else bool(unlike[index]),
            other_shape=predictor.is_other_shape(measured) if measured is not None else None,
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
    classes: list[str],
    probabilities: Array,
    decision: ConfidenceThreshold,
    *,
    unlike: bool | None,
    other_shape: bool | None,
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
        other_shape=other_shape,
    )
