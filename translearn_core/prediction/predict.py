"""Predicts new photos with a trained model.

Owns: opening a run's model for prediction, the small cache of open models, batches of photos,
and saying of each answer whether it is sure and whether the photo is like anything known.
Leaves to others: decoding (`datasets`), how a model is run (`model_runner.py`), from when on an answer
is sure (`runs/threshold.py`), what is unlike (`evaluation/ood.py`).

Runs on the CPU, without TensorFlow where the run has its OpenVINO copy, so that the web
process stays light and never takes the GPU.
"""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from translearn_core.datasets import iterate_photos
from translearn_core.datasets.layout import is_junk
from translearn_core.errors import RunError
from translearn_core.evaluation.dense_head import DenseHead
from translearn_core.evaluation.ood import FILE as REFERENCE_FILE
from translearn_core.evaluation.ood import Reference, load_reference
from translearn_core.i18n import _
from translearn_core.imaging.batches import in_batches
from translearn_core.prediction.model_runner import ModelOutput, open_runner
from translearn_core.runs import Run
from translearn_core.runs.task_heads import NAME as HEADS_FILE
from translearn_core.runs.task_heads import load_heads
from translearn_core.runs.threshold import Decision, read_decision

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
    sure: bool | None = None
    """Whether the probability reaches the run's threshold; below it the answer is "not sure"."""
    unlike: bool | None = None
    """Whether the photo is like nothing that was learned from; None where the run cannot tell."""
    tasks: dict[str, dict[str, float]] | None = None
    """What it says of each further task: class name -> probability, the likeliest first."""
    tasks_sure: dict[str, bool] | None = None
    """Whether these answers reach the run's threshold, as `sure`."""


class Predictor:
    """An open model of a run. Safe to use from several threads; one photo batch at a time.

    `head` stands behind the pooled features, None where the model ends otherwise;
    `reference` the training photos that new ones are compared with, None where the run has none.

    Raises:
        RunError: the run has no model that can be opened.
    """

    def __init__(self, run: Run) -> None:
        content = _read_labels(run)
        self.classes: list[str] = content["classes"]
        self.size: int = content["image_size"]
        self.reference: Reference | None = load_reference(run.folder)
        self.tasks: tuple[DenseHead, ...] = load_heads(run.folder)
        self._probe = open_runner(run.openvino_path, run.model_path)
        self.head: DenseHead | None = self._probe.head
        self._lock = threading.Lock()

    def see(self, photos: Array, *, maps: bool = False) -> ModelOutput:
        """What the model makes of photos `(n, size, size, 3) uint8`; see `model_runner.ModelOutput`."""
        with self._lock:
            return self._probe.see(photos, maps=maps)

    def probabilities(self, photos: Array) -> Array:
        """Probabilities `(n, classes) float32` of photos `(n, size, size, 3) uint8`."""
        return self.see(photos).probabilities

    def unlike(self, seen: ModelOutput) -> npt.NDArray[np.bool_] | None:
        """Which photos are like nothing that was learned from `(n,)`; None where that is unknown."""
        reference = self.reference
        if reference is None or reference.threshold is None or seen.pooled is None:
            return None
        return reference.is_unlike(seen.pooled)


def _read_labels(run: Run) -> dict[str, Any]:
    path = run.folder / "labels.json"
    if not path.is_file() or not run.model_path.is_file():
        run.require()
        raise RunError(
            _("The run {run} has no model: it is {state}. Choose a finished run.").format(
                run=run.id, state=run.state.state
            )
        )
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


_open: OrderedDict[tuple[str, tuple[int, ...]], Predictor] = OrderedDict()
_open_lock = threading.Lock()


def open_predictor(run: Run) -> Predictor:
    """The open model of a run; the two last used stay open."""
    _labels = _read_labels(run)
    key = (str(run.folder), _written(run))
    with _open_lock:
        if key not in _open:
            _open[key] = Predictor(run)
        _open.move_to_end(key)
        while len(_open) > OPEN_MODELS:
            _open.popitem(last=False)
        return _open[key]


def _written(run: Run) -> tuple[int, ...]:
    """When the files of an open model were written, in ns; 0 for a file that is not there."""
    files = (run.model_path, *(run.folder / name for name in (HEADS_FILE, REFERENCE_FILE)))
    return tuple(file.stat().st_mtime_ns if file.is_file() else 0 for file in files)


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
        yield from _predict_batch(predictor, batch, read_decision(run.folder))


def _predict_batch(
    predictor: Predictor, photos: list[Path | tuple[str, bytes]], decision: Decision
) -> Iterator[Prediction]:
    sources = [item if isinstance(item, Path) else item[1] for item in photos]
    names = [str(item) if isinstance(item, Path) else item[0] for item in photos]
    decoded = iterate_photos(sources, size=predictor.size)
    for batch in in_batches(decoded, BATCH):
        result = {n: Prediction(file="", error=e.message) for n, e in batch.unreadable.items()}
        if batch.photos:
            answers = _ask(predictor, batch.images(), decision)
            result |= zip(batch.indices, answers, strict=True)
        for index in sorted(result):
            yield replace(result[index], file=names[index])


def _ask(predictor: Predictor, photos: Array, decision: Decision) -> Iterator[Prediction]:
    """The predictions of photos `(n, size, size, 3) uint8`, not named yet."""
    seen = predictor.see(photos)
    unlike = predictor.unlike(seen)
    for place, probabilities in enumerate(seen.probabilities):
        prediction = _prediction(
            predictor.classes,
            probabilities,
            decision,
            unlike=None if unlike is None else bool(unlike[place]),
        )
        if predictor.tasks and seen.pooled is not None:
            more = _more(predictor, seen.pooled[place])
            sure = {task: decision.is_sure(next(iter(s.values()))) for task, s in more.items()}
            prediction = replace(prediction, tasks=more, tasks_sure=sure)
        yield prediction


def _more(predictor: Predictor, pooled: Array) -> dict[str, dict[str, float]]:
    """The answers of the further tasks about one photo, by its pooled features `(d,)`."""
    return {
        head.name: _ranked(head.classes, head.probabilities(pooled[None])[0])
        for head in predictor.tasks
    }


def _ranked(classes: Sequence[str], probabilities: Array) -> dict[str, float]:
    """Class name -> probability, the likeliest first."""
    order = np.argsort(-probabilities, kind="stable")
    return {classes[index]: float(probabilities[index]) for index in order}


def _prediction(
    classes: list[str], probabilities: Array, decision: Decision, *, unlike: bool | None
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
