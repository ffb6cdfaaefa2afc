"""Makes a run of an imported model.

Owns: the order of the steps, the limits of time and memory of the process that opens the model, and
the run folder.
Leaves to others: accepted files (`inspect.py`), the work of that process (`sandbox.py`), the
provenance (`provenance.py`), predictions (`prediction/predict.py`).

An adopted run is `finished`, has no figures and no data set: `Run.has_model`, not `has_result`.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import psutil

from translearn_core import __version__, quotas
from translearn_core.atomic import sha256_of, write_atomically
from translearn_core.concurrency import import_path
from translearn_core.config import home
from translearn_core.errors import InputError, StopRequestedError, StorageError
from translearn_core.i18n import N_, _, language
from translearn_core.imaging.square import Fit
from translearn_core.model_import.archive import MOST_BYTES, copy_entry, opened
from translearn_core.model_import.inspect import MOST_SIDE, Candidate, check_classes, inspect_model
from translearn_core.model_import.labels import Labels
from translearn_core.model_import.provenance import Origin
from translearn_core.run_settings import Settings
from translearn_core.runs import Run, RunConfig, new_id
from translearn_core.runs.model_files import write_hashes

Pixels = Literal["0..255", "0..1", "-1..1"]
PIXELS: dict[Pixels, str] = {
    "0..255": N_("0 to 255 (models of TransLearn; scaling inside the model)"),
    "0..1": N_("0 to 1 (divided by 255)"),
    "-1..1": N_("-1 to 1 (divided by 127.5, less 1)"),
}
"""Pixel ranges that an imported model may expect."""

POLL_S = 0.1

ProgressCallback = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits of the process that opens a model."""

    time_s: float = 240.0
    memory_bytes: int = 6 * 2**30


def adopt_model(
    path: Path,
    *,
    classes: Sequence[str] | None = None,
    name: str = "",
    image_size: int = 0,
    pixels: Pixels = "0..255",
    fit: Fit | None = None,
    file_name: str = "",
    tell: ProgressCallback = lambda _words: None,
    stop: Callable[[], bool] = lambda: False,
    limits: Limits = Limits(),
) -> Run:
    """Make a run of a foreign model.

    Args:
        path: a `.keras` file, or a zip that holds one.
        classes: names in the order of the outputs; needed where the file brings none.
        name: of the run; default the file's.
        image_size: side in pixels, for a model that takes any size.
        pixels: pixel range that the model expects; other than 0 to 255 a scaling layer is added.
        fit: how photos that are not square become so; default what labels.json says, else stretched.
        file_name: original name of the file, where `path` is a copy.
        tell: called with the name of each step.
        stop: checked while the model is examined; true stops the import.
        limits: limits of the process that examines it.

    Returns:
        A finished run with a model, class names and the copy for predictions without TensorFlow.

    Raises:
        InputError: the file is refused, or a pupil may keep no more.
        StopRequestedError: `stop` returned true.
        StorageError: the disk is full.
    """
    file_name = file_name or path.name
    quotas.check_room(runs=1)
    tell(_("Looking at the file"))
    candidate = inspect_model(path)
    class_names = check_classes(classes, candidate)
    folder = home() / "uploads" / f"model-{secrets.token_hex(6)}"
    try:
        with quotas.room_for(n_bytes=2 * path.stat().st_size, runs=1):
            folder.mkdir(parents=True)
            _copy_model(candidate, folder / "received.keras")
            request: dict[str, Any] = {
                "classes": len(class_names),
                "image_size": image_size or candidate.image_size,
                "pixels": "0..255" if candidate.ours else pixels,
                "most_bytes": MOST_BYTES,
                "most_side": MOST_SIDE,
                "tasks": candidate.tasks,
            }
            tell(_("Opening the model in a process of its own"))
            result = _examine(folder, request, file_name, stop, limits)
            origin = Origin(
                file=file_name,
                sha256=sha256_of(path),
                adopted=time.time(),
                keras_version=result["keras_version"],
                pixels=request["pixels"],
                parameters=result["parameters"],
                layers=result["layers"],
            )
            settings = Settings(backbone=candidate.backbone, fit=fit or candidate.labels.fit)
            labels = candidate.labels
            if fit is not None:
                labels = labels.model_copy(update={"fit": fit})
            return _make_run(
                folder, class_names, result["image_size"], labels, origin, name, settings
            )
    except OSError as error:
        raise StorageError(
            _("The model cannot be kept: {cause}. Make room and try again.").format(
                cause=error.strerror or error
            )
        ) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _copy_model(candidate: Candidate, target: Path) -> None:
    if not candidate.member:
        shutil.copyfile(candidate.path, target)
        return
    with opened(candidate.path) as archive:
        copy_entry(archive, candidate.member, target)


def _examine(
    folder: Path, request: dict[str, Any], name: str, stop: Callable[[], bool], limits: Limits
) -> dict[str, Any]:
    """Open, check and save the model anew in a process of its own.

    Raises:
        InputError: it was refused, took too long or too much memory, or crashed the process.
        StopRequestedError: `stop` returned true.
    """
    (folder / "request.json").write_text(json.dumps(request), encoding="utf-8")
    environment = os.environ | {
        "PYTHONPATH": import_path(),
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "CUDA_VISIBLE_DEVICES": "-1",
        "KERAS_BACKEND": "tensorflow",
        "TRANSLEARN_LANGUAGE": language.get(),
    }
    with (folder / "log.txt").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "translearn_core.model_import.sandbox", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment,
        )
        try:
            reason = _watch(process, stop, limits)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
    if reason:
        raise InputError(reason.format(file=name))
    try:
        result: dict[str, Any] = json.loads((folder / "answer.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            _(
                "{file} cannot be opened: the process that tried it broke off. The file is damaged, "
                "or too large for this machine."
            ).format(file=name)
        ) from error
    if "error" in result:
        raise InputError(str(result["error"]).replace("received.keras", name))
    return result


def _watch(process: subprocess.Popen[bytes], stop: Callable[[], bool], limits: Limits) -> str:
    """Wait for the process; returns why it was killed, else an empty text."""
    began = time.monotonic()
    watched = psutil.Process(process.pid)
    while process.poll() is None:
        if stop():
            raise StopRequestedError
        if time.monotonic() - began > limits.time_s:
            return _("{file} takes too long to open, so it was given up.")
        try:
            if watched.memory_info().rss > limits.memory_bytes:
                return _("{file} takes too much memory to open, so it was given up.")
        except psutil.Error:
            break  # ended meanwhile
        time.sleep(POLL_S)
    process.wait()
    return ""


def _make_run(
    folder: Path,
    classes: Sequence[str],
    image_size: int,
    labels: Labels,
    origin: Origin,
    name: str,
    settings: Settings,
) -> Run:
    """Make the run folder from the files of the sandbox, by one atomic rename."""
    created = origin.adopted
    run_id = new_id(created)
    draft = Run(folder / run_id)
    draft.folder.mkdir()
    openvino_files = [f"model.openvino{ending}" for ending in (".xml", ".bin", ".head.npz")]
    for file in ("model.keras", *openvino_files, "tasks.npz"):
        if (folder / file).is_file():
            (folder / file).replace(draft.folder / file)
    draft.write_labels(
        classes,
        image_size=image_size,
        fit=labels.fit,
        aspect_ratios=labels.aspect_ratios,
        told_by_shape=labels.told_by_shape,
    )
    write_hashes(draft.folder)
    write_atomically(draft.folder / "adopted.json", origin.model_dump_json(indent=1))
    config = RunConfig(
        id=run_id,
        name=name.strip() or PurePosixPath(origin.file).stem,
        created=created,
        dataset="",
        settings=settings,
        versions={"translearn": __version__},
    )
    write_atomically(draft.folder / "config.json", config.model_dump_json(indent=1))
    draft.update_state(
        state="finished", queued_at=created, started_at=created, finished_at=time.time()
    )
    draft.append_event("state", state="finished", stage="")
    target = home() / "runs" / run_id
    target.parent.mkdir(parents=True, exist_ok=True)
    draft.folder.replace(target)
    return Run(target)
