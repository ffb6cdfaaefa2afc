"""Can this work with these photos? The report of the whole check of a data set, before anyone trains.

Owns: the report and its files, and the process that makes it.
Leaves to others: what is computed (`assessment.py`), and the verdict (`verdict.py`).

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
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pandas as pd
import psutil
from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from translearn_core import backbones, datasets, jobs
from translearn_core.backbones import Backbone
from translearn_core.datasets import Dataset
from translearn_core.errors import StopRequestedError, StorageError, TransLearnError, WeightsError
from translearn_core.files import write_atomically
from translearn_core.runs import live_process
from translearn_core.texts import N_, _
from translearn_core.verdict import Verdict

if TYPE_CHECKING:
    from translearn_core.findings import Finding

logger = logging.getLogger(__name__)

SCHEMA = 1
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

PHOTO_COLUMNS: dict[str, str] = {
    "path": "str",
    "class_name": "str",
    "group": "int64",
    "x": "float64",
    "y": "float64",
    "pca_x": "float64",
    "pca_y": "float64",
    "answer": "str",
    "p_given": "float64",
    "correct": "bool",
    "suspect_score": "float64",
    "suggested": "str",
    "outlier_score": "float64",
}


# ------------------------------------------------------------------------------- the report


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class Forecast(_Part):
    """Expected accuracy with `n` photos; `past_error`: how far off the same forecast was when it
    was made from half of the photos (predicted less real), None with too few."""

    n: int
    accuracy: float
    low: float
    high: float
    past_error: float | None = None


class Point(_Part):
    """Accuracy after learning from `n` photos."""

    n: int
    accuracy: float


class SuspectLabel(_Part):
    """A label that is likely wrong; score in [0.5, 1]."""

    file: str
    given: str
    suggested: str
    score: float
    path: str


class Mixup(_Part):
    """Photos of `truth` that were taken for `answer`: `share` of the photos of `truth`."""

    truth: str
    answer: str
    n: int
    share: float
    paths: list[str]


class ClassResult(_Part):
    """How many photos of a class there are and the share that was found, with its interval."""

    name: str
    n: int
    recall: float
    interval: tuple[float, float]


class Given(_Part):
    """Accuracy on the photos that the source itself keeps for the test."""

    n: int
    accuracy: float
    interval: tuple[float, float]


class AdviceLine(_Part):
    """See `verdict.Advice`."""

    text: str
    kind: str
    count: int
    gain: float | None = None


class Report(_Part):
    """report.json, and what `feasible --json` prints. Shares are in [0, 1].

    Files are the names that the photos came with.
    """

    schema_version: int = SCHEMA
    verdict: Verdict = Field(description="`works_well`, `works_with_limits`, `not_yet`, `no_sign`")
    sentence: str = Field(description="the verdict in words")
    explanation: str = Field(description="the same without its first words", default="")
    rule: str = Field(description="the rule that it follows from, in words")
    accuracy: float = Field(description="cross-validated accuracy, groups of copies kept together")
    interval: tuple[float, float] = Field(
        description="95 % interval of the accuracy on new photos of a head that learned from so many"
    )
    mean_recall: float = Field(description="share of photos found, each class counted alike")
    majority_accuracy: float = Field(description="always answering the largest class")
    trivial_accuracy: float = Field(description="from colour and size alone")
    trivial: dict[str, float] = Field(description="from each trivial property alone")
    shuffled_accuracy: float = Field(description="after the labels were shuffled, mean")
    random_split_accuracy: float = Field(
        description="with copies torn apart by lot: the flattering figure"
    )
    forecast: Forecast | None = Field(
        description="`n`, `accuracy`, `low`, `high`, and `past_error`: how far off the same forecast "
        "from half of the photos was; null with too few"
    )
    learning_curve: list[Point] = Field(description="`n` photos learned from, `accuracy` on others")
    suspects: list[SuspectLabel] = Field(
        description="likely wrong labels: `file`, `given`, `suggested`, `score` in [0.5, 1]"
    )
    near_duplicate_groups: list[list[str]] = Field(
        description="files that are copies of each other or frames of one burst"
    )
    cross_class_duplicates: list[list[str]] = Field(
        description="files of one photo that lies under more than one class"
    )
    leaks: list[dict[str, str]] = Field(
        description="given test or validation photos with a copy among those given to train: "
        "`file`, `split`, `copy_of`, `kind`"
    )
    shortcuts: list[str] = Field(description="sentences about what gives a class away")
    findings_counts: dict[str, int] = Field(description="findings of each [check](checks.md)")
    seconds: float = Field(description="what the check took, reading the photos included")
    classes: list[str] = Field(description="class names, sorted: the order of `confusion`")
    counts: dict[str, int] = Field(description="photos of each class")
    n_photos: int = Field(description="photos that can be read")
    n_judged: int = Field(
        description="photos learned from and judged: no given test photos, and of very many only some"
    )
    n_groups: int = Field(description="groups of copies and bursts, single photos included")
    folds: int = Field(description="parts of a division, ten or fewer")
    repeats: int = Field(description="divisions")
    given_test: Given | None = Field(
        description="`n`, `accuracy`, `interval` on test photos that the source gives; else null"
    )
    confusion: list[list[int]] = Field(description="photos by truth (rows) and answer (columns)")
    mixups: list[Mixup] = Field(description="pairs of classes that are mixed up, with the photos")
    per_class: list[ClassResult] = Field(
        description="`name`, `n`, `recall` (share of its photos that was found), `interval`"
    )
    advice: list[AdviceLine] = Field(
        description="what would help, in order: `text`, `kind`, `count`, `gain`"
    )
    fingerprint: str = Field(description="of the photos and their classes when they were checked")
    backbone: str = Field(description="the frozen network that looked")
    seed: int = Field(description="of folds, subsets and shuffles")
    created: float = Field(description="seconds since 1970")


def folder_of(dataset: Dataset) -> Path:
    """Where a data set keeps all this."""
    return dataset.folder / "feasible"


def read(dataset: Dataset) -> Report | None:
    """The last report; None where there is none, or one that cannot be read.

    It is outdated when its `fingerprint` is not the data set's.
    """
    try:
        data = (folder_of(dataset) / "report.json").read_bytes()
        return Report.model_validate_json(data)
    except (OSError, ValidationError):
        return None


def read_photos(dataset: Dataset) -> pd.DataFrame:
    """photos.parquet of the last report; empty where there is none."""
    try:
        return pd.read_parquet(folder_of(dataset) / "photos.parquet")
    except (OSError, ValueError):
        return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in PHOTO_COLUMNS.items()})


# ------------------------------------------------------------------------------- the check


def _tell_nobody(stage: str) -> None:
    """No stages wanted."""


def _no_progress(done: int, total: int, per_s: float) -> None:
    """No progress wanted."""


def _never() -> bool:
    return False


def assess(
    dataset: Dataset,
    *,
    backbone: Backbone | None = None,
    seed: int = 0,
    progress: Callable[[int, int, float], None] | None = None,
    stop: Callable[[], bool] | None = None,
    tell: Callable[[str], None] | None = None,
) -> Report:
    """Check a data set and write what came out.

    Args:
        backbone: default the best that is ready here.
        seed: of folds, subsets and shuffles.
        progress: called with photos looked at, photos in all, photos a second.
        stop: asked between steps; True ends it.
        tell: called with the name of each of `STAGES` as it begins.

    Raises:
        SourceError: the data set has fewer than two classes, or a class with a single photo.
        WeightsError: the backbone's weights are not here.
        StopRequestedError: `stop` said so; nothing is written.
        StorageError: the disk is full.
    """
    from translearn_core import assessment

    chosen = _check_early(dataset, backbone)
    report, table, found = assessment.compute(
        dataset,
        chosen,
        seed=seed,
        progress=progress or _no_progress,
        stop=stop or _never,
        tell=tell or _tell_nobody,
    )
    _write(dataset, report, table, found)
    return report


def _check_early(dataset: Dataset, backbone: Backbone | None) -> Backbone:
    """The backbone that will look, once what can be refused before any photo is read was not."""
    datasets.check_ready(dataset)
    chosen = backbone or backbones.default_backbone()
    status = backbones.weights_status(chosen)
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


class State(_Part):
    """state.json: what the process is doing: which of `STAGES`, `done` of `total` photos, and how
    many a second."""

    state: Literal["running", "finished", "failed", "stopped"]
    pid: int = 0
    pid_started: float = 0.0
    stage: str = ""
    done: int = 0
    total: int = 0
    per_s: float = 0.0
    reason: str = ""
    fingerprint: str = ""
    t: float = 0.0


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
    with (folder / "log.txt").open("wb") as log:
        process = jobs._spawn(arguments, log)
    begun = State(
        state="running",
        pid=process.pid,
        pid_started=psutil.Process(process.pid).create_time(),
        fingerprint=dataset.fingerprint,
        t=time.time(),
    )
    write_atomically(folder / "state.json", begun.model_dump_json())


def state(dataset: Dataset) -> State | None:
    """What the process is doing or how it ended; None before there was one.

    A process that is gone without a word has failed.
    """
    jobs.reap()
    try:
        found = State.model_validate_json((folder_of(dataset) / "state.json").read_bytes())
    except (OSError, ValidationError):
        return None
    if found.state == "running" and live_process(found.pid, found.pid_started) is None:
        reason = _("The check ended before it was done. Try again; its log may tell why.")
        return found.model_copy(update={"state": "failed", "reason": reason})
    return found


def request_stop(dataset: Dataset) -> None:
    """Ask the process to stop; it does within a few seconds, and the last report stays."""
    folder = folder_of(dataset)
    if folder.is_dir():
        (folder / "stop").touch()


class _StateWriter:
    """The one writer of state.json while the process lives."""

    def __init__(self, dataset: Dataset) -> None:
        self._path = folder_of(dataset) / "state.json"
        self._lock = threading.Lock()
        self._state = State(
            state="running",
            pid=os.getpid(),
            pid_started=psutil.Process().create_time(),
            fingerprint=dataset.fingerprint,
        )

    def update(self, **changes: object) -> None:
        """Replace the state with `changes`."""
        with self._lock:
            self._state = self._state.model_copy(update={"t": time.time(), **changes})
            write_atomically(self._path, self._state.model_dump_json())

    def begin_stage(self, name: str) -> None:
        """A new stage; how far it is is not known yet."""
        self.update(stage=name, done=0, total=0, per_s=0.0)


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
    with lock:
        writer = _StateWriter(dataset)
        writer.update()
        with _stopping_in_time(place / "stop", writer):
            return _work(dataset, writer, backbone, seed)


def _work(dataset: Dataset, writer: _StateWriter, backbone: str, seed: int) -> bool:
    stop = folder_of(dataset) / "stop"
    try:
        report = assess(
            dataset,
            backbone=backbones.get_backbone(backbone) if backbone else None,
            seed=seed,
            progress=lambda done, total, per_s: writer.update(done=done, total=total, per_s=per_s),
            stop=stop.exists,
            tell=writer.begin_stage,
        )
    except StopRequestedError:
        stop.unlink(missing_ok=True)  # before the word: who reads it may start anew at once
        writer.update(state="stopped", reason=_("Stopped by request."))
    except TransLearnError as error:
        logger.exception("The check failed")
        writer.update(state="failed", reason=error.message)
    except MemoryError:
        logger.exception("Out of memory")
        writer.update(state="failed", reason=_("The memory of this machine was not enough."))
    except Exception:  # a bug: the log has it, the person gets a sentence
        logger.exception("The check failed unexpectedly")
        reason = _("Something unexpected went wrong. The log of the check has the details.")
        writer.update(state="failed", reason=reason)
    else:
        writer.update(state="finished", stage="", fingerprint=report.fingerprint)
        return True
    return False


@contextmanager
def _stopping_in_time(stop: Path, writer: _StateWriter) -> Iterator[None]:
    """End the process when a stage does not listen to the request to stop (t-SNE does not)."""
    ended = threading.Event()

    def watch() -> None:
        asked = 0.0
        while not ended.wait(0.2):
            if stop.exists():
                asked = asked or time.monotonic()
                if time.monotonic() - asked > STOP_PATIENCE_S:
                    with suppress(OSError):
                        stop.unlink(missing_ok=True)
                        writer.update(state="stopped", reason=_("Stopped by request."))
                    os._exit(0)

    thread = threading.Thread(target=watch, name="stop", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        stop.unlink(missing_ok=True)
