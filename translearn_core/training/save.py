"""Saves and verifies the model of a run, and writes its figures.

Owns: the saved model and the proof that it answers as it was measured, the copy for predictions
without TensorFlow, metrics.json and predictions.parquet.
Leaves to others: learning (`train.py`), reading these files (`runs/`, `prediction/predict.py`).
"""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from translearn_core import datasets
from translearn_core.arrays import Array, Ints
from translearn_core.atomic import write_atomically, write_parquet
from translearn_core.datasets import Dataset
from translearn_core.datasets.aspect_ratios import known_range
from translearn_core.datasets.tasks import attributes_of
from translearn_core.errors import PhotoError, RunError, TransLearnError
from translearn_core.evaluation.dense_head import DenseHead
from translearn_core.evaluation.metrics import head_figures
from translearn_core.evaluation.predictions import TestPredictions
from translearn_core.evaluation.slices import find_slices
from translearn_core.features.extractor import POOLED
from translearn_core.fitting.data import TrainingData
from translearn_core.fitting.plan import Network, Plan
from translearn_core.formatting import percent
from translearn_core.graph import keras_file
from translearn_core.graph.engine import run_keras
from translearn_core.graph.kept_engines import confirm_engine
from translearn_core.i18n import _
from translearn_core.imaging.square import Fit
from translearn_core.monitor import Monitor
from translearn_core.prediction.model_runner import write_copy, write_whole_copy
from translearn_core.runs import Run, provenance
from translearn_core.runs.find import find_run
from translearn_core.runs.model_files import write_hashes
from translearn_core.runs.run_metrics import SCHEMA, RunMetrics

logger = logging.getLogger(__name__)

PARITY_PHOTOS = 12
PARITY_TOLERANCE = 1e-3


@dataclass
class Clock:
    """Seconds that each part of a run took."""

    seconds: dict[str, float] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)

    @contextmanager
    def lap(self, name: str) -> Iterator[None]:
        """Add the time that the block takes to `name`."""
        began = time.monotonic()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.monotonic() - began


@dataclass(frozen=True, kw_only=True)
class SavedModelCheck:
    """How far the saved model, read afresh, is from the path that was measured.

    `parity_max_diff` is what Keras finds; where the model was saved by its record, its OpenVINO copy,
    which was converted from the file, stands in for Keras, and both figures are the same.
    """

    parity_max_diff: float
    openvino_max_diff: float | None
    trainable_weights: int
    model_bytes: int


def save_model(
    plan: Plan,
    data: TrainingData,
    network: Network,
    head: Any,
    test: TestPredictions,
    monitor: Monitor,
) -> SavedModelCheck:
    """Put the model together, save it, read it afresh and hold it against the measured path.

    Where Keras has confirmed what the features come from, the file is written and read without building
    the network; should what was read not answer as measured, Keras does both. Keras' answers are known
    at the usual sizes, be it with drawn weights; at others the first run with a backbone has Keras do both, and hold what the
    features came from against Keras as well.
    """
    learned = data.photos[data.split == "train"]
    plan.run.write_labels(
        data.classes,
        image_size=plan.image_size,
        backbone=plan.backbone.name,
        fit=plan.fit,
        aspect_ratios=known_range(learned["width"] / learned["height"].clip(lower=1)),
        told_by_shape=plan.fit_choice.told,
        reading=plan.dataset.reading.as_json(),
    )

    chosen = np.linspace(0, len(test.test_rows) - 1, PARITY_PHOTOS).round().astype(int)
    chosen = np.unique(chosen)
    paths = [
        plan.dataset.photo_path(path) for path in data.photos["path"].iloc[test.test_rows[chosen]]
    ]
    photos, kept = _decode_sample(paths, plan.image_size, plan.fit)
    expected = test.test[chosen][kept]
    if plan.saves_by_record:
        check = _save_by_record(plan, head, photos, expected)
        if check is not None:
            return check
    return _save_with_keras(plan, network, head, photos, expected, monitor)


def _save_by_record(
    plan: Plan, head: Any, photos: Array, expected: Array
) -> SavedModelCheck | None:
    """Save a model whose graph is recorded; None where what was saved does not answer as measured."""
    run, backbone = plan.run, plan.backbone
    weights = head.get_weights()
    try:
        keras_file.write_model(
            run.model_path,
            backbone,
            size=plan.image_size,
            head=DenseHead.of_weights(zip(weights[::2], weights[1::2], strict=True)),
            dropout=plan.settings.dropout,
        )
        model, dense = keras_file.read_model(run.model_path, backbone)
        difference = write_whole_copy(
            model,
            dense,
            run.openvino_path,
            photos=photos,
            expected=expected,
            tolerance=PARITY_TOLERANCE,
        )
    except (ValueError, KeyError, OSError, TransLearnError):
        logger.exception("The model cannot be saved by its record")
        return None
    if not run.openvino_path.is_file():
        logger.warning("The model saved by its record differs by %.3g", difference)
        return None
    return SavedModelCheck(
        parity_max_diff=difference,
        openvino_max_diff=difference,
        trainable_weights=sum(weight.size for weight in weights),
        model_bytes=run.model_path.stat().st_size,
    )


def _save_with_keras(
    plan: Plan, network: Network, head: Any, photos: Array, expected: Array, monitor: Monitor
) -> SavedModelCheck:
    from translearn_core.graph import saving

    assembled = network.assemble(head)
    trainable = sum(int(np.prod(weight.shape)) for weight in assembled.trainable_weights)
    saving.save_model(assembled, plan.run.model_path)
    loaded = saving.load_model(plan.run.model_path)
    received = run_keras(loaded, photos)
    difference = float(np.abs(received - expected).max()) if len(photos) else 0.0
    if difference > 0.02:
        logger.error("The saved model differs from the measured path by %.3g", difference)
        monitor.warning(
            _(
                "The saved model answers a little differently from the one that was measured: "
                "probabilities differ by up to {difference}."
            ).format(difference=percent(difference, 1))
        )
    if difference <= PARITY_TOLERANCE:
        _confirm_features(plan, network)
    copied = write_copy(
        loaded,
        plan.run.openvino_path,
        photos=photos,
        expected=received,
        tolerance=PARITY_TOLERANCE,
    )
    return SavedModelCheck(
        parity_max_diff=difference,
        openvino_max_diff=copied if math.isfinite(copied) else None,
        trainable_weights=trainable,
        model_bytes=plan.run.model_path.stat().st_size,
    )


def _confirm_features(plan: Plan, network: Network) -> None:
    """Hold the engine of the features against Keras, once, where later models may be saved without."""
    if not plan.could_save_by_record or plan.saves_by_record:
        return
    try:
        confirm_engine(plan.extractor.engine_path(POOLED), network.parts[0])
    except Exception:  # the model is saved: later ones are saved by Keras, too
        logger.exception("The converted network cannot be compared with Keras")


def _decode_sample(paths: Sequence[Path], size: int, fit: Fit) -> tuple[Array, list[int]]:
    """Photos `(n, size, size, 3) uint8` and which of the paths they are."""
    images, kept = [], []
    for index, photo in datasets.iterate_photos(paths, size=size, fit=fit):
        if not isinstance(photo, PhotoError):
            images.append(photo.image)
            kept.append(index)
    return np.stack(images) if images else np.empty((0, size, size, 3), np.uint8), kept


def write_figures(
    plan: Plan,
    data: TrainingData,
    test: TestPredictions,
    saved: SavedModelCheck,
    clock: Clock,
    epochs: int,
    stopped: bool,
    more: dict[str, Any],
) -> None:
    """Write predictions.parquet and, last, metrics.json, with `more` figures of techniques."""
    run, classes = plan.run, data.classes
    _write_predictions(run, data, test)
    provenance.write_photos(run, data.photos, data.split, _run_before(plan))
    import_s = run.config.import_s
    seconds = {name: round(value, 3) for name, value in clock.seconds.items()}
    total_s = time.monotonic() - clock.started + import_s
    warnings = [e["text"] for e in run.events()[0] if e["kind"] == "warning"]
    figures = {
        "schema_version": SCHEMA,
        "run_dir": str(run.folder),
        "state": "stopped" if stopped else "finished",
        "dataset": plan.dataset.name,
        "classes": classes,
        "blocks": plan.freeze.blocks,
        "frozen_blocks": plan.freeze.frozen_blocks,
        "n_val": len(data.rows("val")),
        "test_given": bool((data.photos["split"] == "test").any()),
        "n_test_same_scene": _count_same_scene(plan, data),
        "split_notes": datasets.split_notes(plan.dataset),
        "slices": _slices(plan, data, test),
        "left_out": _left_out(plan.dataset),
        "backbone": plan.backbone.name,
        "image_size": plan.image_size,
        "fit": plan.fit,
        "augmentation": plan.augmentation,
        "cut_layer": plan.freeze.cut_layer,
        "frozen_layers": plan.freeze.frozen_layers,
        "total_layers": plan.freeze.total_layers,
        "trainable_weights": saved.trainable_weights,
        "val_accuracy": test.val_accuracy,
        **head_figures(
            test.truth,
            test.test,
            classes,
            data.labels[data.rows("train")],
            n_groups=_count_groups(data),
        ),
        "epochs_run": epochs,
        "fine_tuned": "fine_tune" in seconds,
        "parity_max_diff": saved.parity_max_diff,
        "openvino_max_diff": saved.openvino_max_diff,
        "model_bytes": saved.model_bytes,
        "seconds": {"total": round(total_s, 3), "import": round(import_s, 3)}
        | {name: seconds.get(name, 0.0) for name in ("features", "head", "fine_tune")},
        "photos_per_s": round(data.photos_per_s, 1) if data.photos_per_s else None,
        "device": plan.device,
        "settings": plan.settings.model_dump(),
        "warnings": warnings,
        **more,
    }
    write_hashes(run.folder)
    content = RunMetrics.model_validate(figures).as_dict()
    write_atomically(run.folder / "metrics.json", json.dumps(content, ensure_ascii=False, indent=1))


def _slices(plan: Plan, data: TrainingData, test: TestPredictions) -> list[dict[str, Any]]:
    """The test photos broken down by what is known of them beside their classes."""
    tested = data.photos.iloc[test.test_rows]
    attributes = {
        name: [given.get(str(path), "") for path in tested["path"]]
        for name, given in attributes_of(plan.dataset).items()
    }
    if plan.dataset.record.grouped_by:
        attributes[_("group")] = [str(name) for name in tested["group_name"]]
    classes = np.array(data.classes, dtype=object)
    right = test.test.argmax(axis=1) == test.truth
    return [one.figures() for one in find_slices(right, list(classes[test.truth]), attributes)]


def _count_same_scene(plan: Plan, data: TrainingData) -> int:
    """Test photos of classes that are one chain of near-copies, split in time."""
    tested = data.photos["class_name"].iloc[data.rows("test")]
    return int(tested.isin(datasets.chained_classes(plan.dataset)).sum())


def _count_groups(data: TrainingData) -> Ints:
    """Photos of each class, near-duplicates counted once, `(classes,)`."""
    pairs = np.unique(np.column_stack([data.labels, data.copies]), axis=0)
    return np.bincount(pairs[:, 0], minlength=len(data.classes))


def _run_before(plan: Plan) -> Run | None:
    """The run that this one started from, unless it was deleted meanwhile."""
    try:
        return find_run(plan.settings.start_from) if plan.settings.start_from else None
    except RunError:
        return None


def _left_out(dataset: Dataset) -> list[dict[str, str]]:
    """What was left out of the data set, as `{file, reason}`."""
    frame = dataset.left_out
    return [
        {"file": str(file), "reason": str(reason)}
        for file, reason in zip(frame["file"], frame["reason"], strict=True)
    ]


def _write_predictions(run: Run, data: TrainingData, test: TestPredictions) -> None:
    names = np.array(data.classes, dtype=object)
    labels = test.test.argmax(axis=1)
    chosen = data.photos.iloc[test.test_rows]
    frame = pd.DataFrame(
        {
            "path": chosen["path"].to_numpy(),
            "file": chosen["file"].to_numpy(),
            "truth": names[test.truth],
            "label": names[labels],
            "confidence": test.test.max(axis=1) if len(labels) else np.empty(0),
            "correct": labels == test.truth,
        }
    )
    for index in range(len(names)):
        frame[f"p_{index}"] = test.test[:, index]
    write_parquet(run.folder / "predictions.parquet", frame)
