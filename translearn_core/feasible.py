"""Can this work with these photos? The report of the whole check of a data set, before anyone trains.

Owns: the report and its files, and the process that makes it.
Leaves to others: what is computed (`assessment.py`), the verdict (`verdict.py`), the state file and
the endings of the process (`errand.py`).

Files, in `<dataset>/feasible/`, each written whole:
    report.json      `Report`
    photos.parquet   a row per photo, `PHOTO_COLUMNS`
    findings.json    what the checks found, a list of `Finding` as objects
    state.json       while a process is at it, and how it ended: `State`
    stop             a request to stop, by existing
    log.txt          of the process
The report of before stays until the new one is whole. Imports nothing heavy: pages read reports.
"""

from __future__ import annotations

import io
import json
import logging
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from filelock import FileLock, Timeout

from translearn_core import backbones, datasets, errand, recommendation
from translearn_core.backbones import Backbone
from translearn_core.datasets import Dataset
from translearn_core.errand import State, Teller
from translearn_core.errors import StorageError, WeightsError
from translearn_core.feasible_report import Report, folder_of
from translearn_core.files import write_atomically
from translearn_core.monitor import SILENT, Monitor
from translearn_core.texts import N_, _
from translearn_core.weights import weights_status

if TYPE_CHECKING:
    from translearn_core.findings import Finding

logger = logging.getLogger(__name__)

STAGES: dict[str, str] = {
    "look": N_("Looking at the photos"),
    "judge": N_("Learning and judging, many times"),
    "compare": N_("Comparing with luck, and with colour and size alone"),
    "curve": N_("Learning from fewer photos, to see what more would bring"),
    "check": N_("Checking the photos"),
    "map": N_("Drawing the map"),
}
"""What a check goes through, in order."""
STOP_PATIENCE_S = 3.0
"""What a stage may still take once it was asked to stop; then the process ends itself."""

# ------------------------------------------------------------------------------- the check


def assess(
    dataset: Dataset,
    *,
    backbone: Backbone | None = None,
    seed: int = 0,
    monitor: Monitor = SILENT,
) -> Report:
    """Check a data set and write what came out.

    Args:
        backbone: default the best that is ready here.
        seed: of folds, subsets and shuffles.
        monitor: told of each of `STAGES` as it begins, and of photos in the first one.

    Raises:
        SourceError: the data set has fewer than two classes, or a class with a single photo.
        WeightsError: the backbone's weights are not here.
        StopRequestedError: the monitor said so; nothing is written.
        StorageError: the disk is full.
    """
    from translearn_core import assessment

    chosen = _check_early(dataset, backbone)
    report, table, found = assessment.compute(dataset, chosen, seed=seed, monitor=monitor)
    _write(dataset, report, table, found)
    return report


def _check_early(dataset: Dataset, backbone: Backbone | None) -> Backbone:
    """The backbone that will look, once what can be refused before any photo is read was not."""
    datasets.check_ready(dataset)
    chosen = backbone or recommendation.default_backbone()
    status = weights_status(chosen)
    if status.state != "ready":
        raise WeightsError(status.sentence)
    return chosen


def _write(dataset: Dataset, report: Report, table: pd.DataFrame, found: list[Finding]) -> None:
    """Write everything, the report last: where it is, the rest is."""
    folder = folder_of(dataset)
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False)
    try:
        folder.mkdir(exist_ok=True)
        write_atomically(folder / "photos.parquet", buffer.getvalue())
        listed = json.dumps([asdict(one) for one in found], ensure_ascii=False, indent=1)
        write_atomically(folder / "findings.json", listed)
        write_atomically(folder / "report.json", report.model_dump_json(indent=1))
    except OSError as error:
        raise StorageError(
            _("The result cannot be written to {folder}: {cause}. Make room and try again.").format(
                folder=folder, cause=error.strerror or error
            )
        ) from error


# ------------------------------------------------------------------------------- the process


def start(dataset: Dataset, *, backbone: str = "", seed: int = 0) -> None:
    """Start the process that checks a data set, unless one is at it.

    Raises:
        SourceError, WeightsError: it could not be checked; nothing was started.
    """
    chosen = _check_early(dataset, backbones.get_backbone(backbone) if backbone else None)
    now = state(dataset)
    if now is not None and now.state == "running":
        return
    folder = folder_of(dataset)
    folder.mkdir(exist_ok=True)
    (folder / "stop").unlink(missing_ok=True)
    arguments = [
        *(sys.executable, "-m", "translearn_core.worker", "--feasible", str(dataset.folder)),
        *("--backbone", chosen.name, "--seed", str(seed)),
    ]
    errand.start(
        arguments,
        state=folder / "state.json",
        log=folder / "log.txt",
        fingerprint=dataset.fingerprint,
    )


def state(dataset: Dataset) -> State | None:
    """What the process is doing or how it ended; None before there was one.

    A process that is gone without a word has failed.
    """
    gone = _("The check ended before it was done. Try again; its log may tell why.")
    return errand.read(folder_of(dataset) / "state.json", gone=gone)


def request_stop(dataset: Dataset) -> None:
    """Ask the process to stop; it does within a few seconds, and the last report stays."""
    folder = folder_of(dataset)
    if folder.is_dir():
        (folder / "stop").touch()


class _CheckMonitor(Monitor):
    """Writes stages and progress to the state file; hears the request to stop."""

    def __init__(self, teller: Teller, stop: Path) -> None:
        self._teller, self._stop = teller, stop

    @property
    def stop_requested(self) -> bool:
        return self._stop.exists()

    def stage(self, name: str) -> None:
        self._teller.tell(name)

    def progress(self, done: int, total: int, per_s: float = 0.0, *, what: str = "") -> None:
        self._teller.progress(done, total, per_s)


def work(folder: Path, *, backbone: str = "", seed: int = 0) -> bool:
    """The life of the process: check, and tell every ending. True when there is a report."""
    dataset = datasets.open_dataset(folder)
    place = folder_of(dataset)
    place.mkdir(exist_ok=True)
    lock = FileLock(place / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        logger.info("Another process is checking this data set")
        return False
    teller, stop = Teller(place / "state.json", fingerprint=dataset.fingerprint), place / "stop"

    def check() -> None:
        report = assess(
            dataset,
            backbone=backbones.get_backbone(backbone) if backbone else None,
            seed=seed,
            monitor=_CheckMonitor(teller, stop),
        )
        teller.update(fingerprint=report.fingerprint)

    with lock:
        teller.update()
        # a stage may not listen to the request to stop (t-SNE does not)
        with errand.ended_when_asked(stop, teller, patience_s=STOP_PATIENCE_S):
            failed = _("Something unexpected went wrong. The log of the check has the details.")
            return errand.carry_out(check, teller, stop=stop, failed=failed)
