"""The engine for a frozen graph on this machine: converted once, compared with Keras, and kept.

Owns: `open_prefix_engine`, the files that are kept of a converted graph and what they say of the
comparison with Keras. Leaves to others: converting (`convert.py`), running (`engine.py`), answers of Keras
that are known (`known_answers.py`).
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np

from translearn_core import leftovers
from translearn_core.arrays import Array
from translearn_core.atomic import write_atomically
from translearn_core.errors import WeightsError
from translearn_core.graph.convert import convert_checked, convert_graph
from translearn_core.graph.device import gpu_names, prepare_device
from translearn_core.graph.engine import (
    Engine,
    KerasEngine,
    OpenVINOEngine,
    probe_photos,
    run_engine,
    run_keras,
)
from translearn_core.graph.gpus import count_gpus

logger = logging.getLogger(__name__)

GPU_BATCH = 64
"""Photos that Keras is asked about at a time on a GPU."""
TOLERANCE = 1e-3
"""Largest difference to Keras, relative to the largest value, at which OpenVINO is used."""
CONVERTER = 1
"""Raised when the same network is converted to another file than before."""
KEPT_BYTES = 2**30
"""Most bytes of converted networks that are kept."""


def open_prefix_engine(
    path: Path,
    build: Callable[[], Any],
    *,
    record: Callable[[], Any] | None = None,
    quick: bool = False,
) -> Engine:
    """The fastest engine on this machine for the graph that `build` makes.

    Args:
        path: where the converted graph is kept between runs (`.xml`); see `kept_engine`.
        build: makes the Keras model; called only when it is needed.
        record: makes the same graph without Keras, see `recorded.py`; None where there is none.
        quick: see `OpenVINOEngine`.
    """
    if count_gpus() and gpu_names():
        prepare_device()  # a check of photos opens an engine, too, maybe beside a run
        return KerasEngine(build(), batch=GPU_BATCH)
    kept = kept_engine(path)
    if kept == "disagrees":
        return KerasEngine(build())
    if kept == "agrees":
        try:
            return OpenVINOEngine(path, quick=quick)
        except RuntimeError:  # of another kind of damage than a changed file
            logger.exception("The converted network %s cannot be opened; it is made anew", path)
    recorded = None if record is None else _convert_record(record, path)
    if recorded is not None:
        return OpenVINOEngine(path, quick=True) if quick else recorded
    model = build()
    difference = _convert_and_compare(model, path)
    agrees = path.is_file()
    _keep(path, agrees=agrees, difference=difference)
    if agrees:
        logger.info("OpenVINO agrees with Keras to %.1e relative", difference)
        return OpenVINOEngine(path, quick=quick)
    logger.warning("OpenVINO differs from Keras by %.1e: Keras is used", difference)
    return KerasEngine(model)


def kept_engine(path: Path) -> Literal["agrees", "disagrees", ""]:
    """What is kept of a converted graph: one that can be used, that Keras is to be used, or nothing.

    `.json` beside the graph is written last. It holds the difference from Keras (null where the graph
    was converted without Keras and no answers of Keras are known, until `confirm_engine`; where only those
    with drawn weights are known, that of the same graph with these) and the
    checksums of the files: a damaged or half written one counts as nothing.
    """
    try:
        comparison = _read_comparison(path)
        if not comparison["agrees"]:
            return "disagrees"
        if comparison["sha256"] != _checksums(path):
            return ""
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    with suppress(OSError):
        path.with_suffix(".json").touch()  # the least recently used goes first
    return "agrees"


def is_confirmed(path: Path) -> bool:
    """Whether Keras was asked the same as what is kept of a converted graph, here or before, or the same
    graph with drawn weights (`known_answers.py`), and they agreed."""
    if kept_engine(path) != "agrees":
        return False
    with suppress(OSError, ValueError, KeyError, TypeError):
        return bool(_read_comparison(path)["difference"] <= TOLERANCE)
    return False


def confirm_engine(path: Path, model: Any) -> None:
    """Hold what is kept of a converted graph against Keras, and keep the difference beside it.

    Args:
        path: of the graph; nothing is done where there is none.
        model: the same graph in Keras.
    """
    if kept_engine(path) != "agrees":
        return
    photos, expected, _scale = _ask_keras(model)
    difference = _difference(run_engine(OpenVINOEngine(path), photos), expected)
    agrees = difference <= TOLERANCE
    if not agrees:
        logger.warning("OpenVINO differs from Keras by %.1e: Keras is used from now on", difference)
    _keep(path, agrees=agrees, difference=difference)


def _read_comparison(path: Path) -> Any:
    return json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))


def _keep(path: Path, *, agrees: bool, difference: float | None) -> None:
    """Write what `kept_engine` reads, and remove what has not been used for long."""
    content: dict[str, Any] = {
        "agrees": agrees,
        "difference": difference if difference is None or math.isfinite(difference) else None,
        "tolerance": TOLERANCE,
    }
    if agrees:
        content["sha256"] = _checksums(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path.with_suffix(".json"), json.dumps(content))
    _trim(path)


def _checksums(path: Path) -> list[str]:
    """Of the two files of a converted graph."""
    sums = []
    for part in (path, path.with_suffix(".bin")):
        with part.open("rb") as file:
            sums.append(hashlib.file_digest(file, "sha256").hexdigest())
    return sums


def _trim(newest: Path) -> None:
    """Remove the least recently used converted graphs until the others fit into `KEPT_BYTES`."""
    entries: dict[str, list[tuple[float, int, Path]]] = {}
    for file in newest.parent.iterdir():
        with suppress(OSError):
            facts = file.stat()
            entries.setdefault(file.name.split(".")[0], []).append(
                (facts.st_mtime, facts.st_size, file)
            )
    total = sum(size for files in entries.values() for _used, size, _file in files)
    oldest_first = sorted(entries.items(), key=lambda entry: max(used for used, *_ in entry[1]))
    for stem, files in oldest_first:
        if total <= KEPT_BYTES:
            return
        if stem == newest.stem:
            continue
        for _used, size, file in files:
            with suppress(OSError):
                file.unlink()
                total -= size


def _convert_record(record: Callable[[], Any], path: Path) -> OpenVINOEngine | None:
    """Convert a recorded graph; an engine for it where that went well."""
    try:
        model = record()
        if model is None:
            return None
        convert_graph(model, path)
        engine = OpenVINOEngine(path)
        answers = run_engine(engine, probe_photos(model.input_shape[1:]))
        if not np.isfinite(answers).all() or not answers.any():
            raise ValueError("it answers nothing")
        difference = _difference_from_known(model, answers, path)
        if difference is not None and not difference <= TOLERANCE:
            raise ValueError(f"it differs from what Keras answers by {difference:.1e}")
    except WeightsError:
        raise
    except Exception:  # Keras then says in words what is wrong with the weights
        logger.exception("The recorded graph cannot be used")
        return None
    _keep(path, agrees=True, difference=difference)
    return engine


def _difference_from_known(model: Any, answers: Array, path: Path) -> float | None:
    """How far this machine is from what Keras is known to answer, relative to the largest value; None
    where that is not known.

    Args:
        model: a recorded graph that was converted to `path`.
        answers: what it answers to `probe_photos`.
    """
    if model.answers is not None:
        return _difference(answers, model.answers)
    drawn = model.drawn()
    if drawn is None:
        return None
    with leftovers.working_folder(path.parent, leftovers.CONVERTING) as folder:
        file = folder / "drawn.xml"
        convert_graph(drawn, file)
        answers = run_engine(OpenVINOEngine(file), probe_photos(drawn.input_shape[1:]))
    return _difference(answers, drawn.answers)


def conversion_versions() -> str:
    """What a converted graph depends on beside the network: the programs that converted it."""
    return f"{CONVERTER} openvino {version('openvino')} keras {version('keras')}"


def _convert_and_compare(model: Any, path: Path) -> float:
    """Largest difference between the converted graph and Keras, relative to the largest value."""
    photos, expected, scale = _ask_keras(model)
    return (
        convert_checked(model, path, photos=photos, expected=expected, tolerance=TOLERANCE * scale)
        / scale
    )


def _ask_keras(model: Any) -> tuple[Array, Array, float]:
    """Two random photos, what a Keras model answers to them, and the largest value of that."""
    photos = probe_photos(tuple(model.inputs[0].shape[1:]))
    expected = run_keras(model, photos)
    return photos, expected, float(np.abs(expected).max()) or 1.0


def _difference(received: Array, expected: Array) -> float:
    """The largest difference, relative to the largest value; infinite where shapes differ."""
    if received.shape != expected.shape:
        return math.inf
    return float(np.abs(received - expected).max()) / (float(np.abs(expected).max()) or 1.0)
