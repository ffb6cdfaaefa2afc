"""The model of a run for live answers in a browser: what the web page export holds, and the features
that photos of something else are known by.

Owns: reading it out of the finished export, and having the export made where there is none. Leaves to
others: making it (`make.py`, `job.py`), running it (`web/network.js` in the page), the threshold of
distances (`evaluation/ood.py`).
"""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Literal

import numpy as np

from translearn_core.errors import TransLearnError
from translearn_core.evaluation.ood import NEIGHBOURS, Reference, load_reference
from translearn_core.export import formats, job
from translearn_core.runs import Run
from translearn_core.runs.model_files import REFERENCE, altered_files

MOST_BYTES = 40 * 2**20
"""A larger model is not sent to a browser."""
_WEB = "web"
_NEEDED = ("model.onnx", "check.json", "labels.json")

State = Literal["ready", "making", "none"]


@dataclass(frozen=True, kw_only=True)
class BrowserModel:
    """What a browser needs to answer.

    Args:
        onnx: the bytes of the model.
        check: expected probabilities of the test pattern, and the tolerance.
        labels: labels.json of the export.
        reference: features of training photos, or None where photos of something else are not known.
    """

    onnx: bytes
    check: dict[str, Any]
    labels: dict[str, Any]
    reference: Reference | None


def prepare(run: Run) -> State:
    """Whether the model is ready for a browser; where there is none yet, its export is begun.

    `none` where the format cannot hold the model, where it is too large, or its export failed.
    """
    row = formats.get_format(_WEB)
    if _finished(run):
        return "ready"
    try:
        state = job.state(run, row)
        if state is not None and state.is_live:
            return "making"
        if state is not None and not _is_outdated(run):
            return "none"
        if formats.obstacle(run, row) or run.model_path.stat().st_size > MOST_BYTES:
            return "none"
        job.start(run, row)
    except (TransLearnError, OSError):
        return "none"
    return "making"


def read(run: Run) -> BrowserModel | None:
    """The model for a browser; None where `prepare` does not say `ready`."""
    if not _finished(run):
        return None
    try:
        with zipfile.ZipFile(formats.zip_path(run, formats.get_format(_WEB))) as archive:
            names = {PurePosixPath(name).name: name for name in archive.namelist()}
            onnx, check, labels = (archive.read(names[name]) for name in _NEEDED)
    except (OSError, KeyError, zipfile.BadZipFile):
        return None
    reference = None if altered_files(run, REFERENCE) else load_reference(run.folder)
    if reference is not None and reference.threshold is None:
        reference = None
    return BrowserModel(
        onnx=onnx, check=json.loads(check), labels=json.loads(labels), reference=reference
    )


def reference_for_browser(reference: Reference) -> dict[str, Any]:
    """The parts of a reference that the distance is computed from: `units` as the bytes of
    `(n, width) float16`, the threshold and the number of neighbours."""
    units = np.ascontiguousarray(reference.units, np.float16)
    return {
        "units": units.astype("<f2").tobytes(),
        "width": int(units.shape[1]),
        "threshold": reference.threshold,
        "neighbours": min(NEIGHBOURS, len(units)),
    }


def _finished(run: Run) -> bool:
    """Whether there is an export of this model; one with another confidence threshold will do."""
    row = formats.get_format(_WEB)
    try:
        path = formats.folder_of(run) / f"{row.name}.json"
        parity = formats.Parity.model_validate_json(path.read_bytes())
        whole = formats.zip_path(run, row).stat().st_size == parity.zip_bytes
    except (OSError, ValueError):
        return False
    return whole and parity.within and _model_of(parity.stamp) == _model_of(formats.stamp_of(run))


def _is_outdated(run: Run) -> bool:
    """Whether the last export was of an earlier model."""
    row = formats.get_format(_WEB)
    try:
        ended = formats.job_of(run, row).folder.stat().st_mtime_ns
    except OSError:
        return True
    return ended < run.model_path.stat().st_mtime_ns


def _model_of(stamp: str) -> str:
    """The part of a stamp that identifies the model."""
    return stamp.rpartition("-")[0]
