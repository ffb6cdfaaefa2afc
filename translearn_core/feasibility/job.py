"""The feasibility check of a data set: its stages and its process.

Owns: writing the report, and the job that makes it (its folder is `<dataset>/feasible/`, too).
Leaves to others: the computation (`compute.py`), the verdict (`verdict.py`), the report's files
(`report.py`), the files of the job (`runs/job.py`) and its states (`jobs/background.py`).

The previous report stays until the new one is complete. Imports nothing heavy: pages read reports.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from translearn_core import backbones, datasets, jobs
from translearn_core.atomic import write_atomically, write_parquet
from translearn_core.backbones import Backbone, default
from translearn_core.backbones.weights import weights_status
from translearn_core.datasets import Dataset, Finding
from translearn_core.errors import StorageError, WeightsError
from translearn_core.feasibility.compute import compute
from translearn_core.feasibility.report import Report, folder_of
from translearn_core.i18n import N_, _
from translearn_core.imaging.reading import set_reading
from translearn_core.monitor import SILENT, Monitor
from translearn_core.runs import Job, JobConfig, JobState, Kind

STAGES: dict[str, str] = {
    "look": N_("Extracting features of the photos"),
    "judge": N_("Cross-validating"),
    "compare": N_("Comparing with shuffled labels, and with colour and size alone"),
    "curve": N_("Learning curve: training on fewer photos, to see what more would bring"),
    "check": N_("Checking the photos"),
    "map": N_("Drawing the map"),
}
"""The stages of a check, in order: name -> what a person reads."""

# ------------------------------------------------------------------------------- the check


def assess(
    dataset: Dataset,
    *,
    backbone: Backbone | None = None,
    seed: int = 0,
    monitor: Monitor = SILENT,
) -> Report:
    """Check a data set and write the report.

    Args:
        backbone: default the best that is ready here.
        seed: random seed of folds, subsets and shuffles.
        monitor: receives each of `STAGES`, and the progress of the first one in photos.

    Raises:
        SourceError: the data set has fewer than two classes, or a class with a single photo, or
            fewer than two classes with different photos.
        WeightsError: the backbone's weights are not here.
        StopRequestedError: the monitor requested it; nothing is written.
        StorageError: the disk is full.
    """
    set_reading(dataset.reading)
    chosen = _check_early(dataset, backbone)
    report, table, findings = compute(dataset, chosen, seed=seed, monitor=monitor)
    _write(dataset, report, table, findings)
    return report


def _check_early(dataset: Dataset, backbone: Backbone | None) -> Backbone:
    """The backbone of the check; refuses what can be refused before any photo is read."""
    datasets.check_ready(dataset)
    chosen = backbone or default.default_backbone()
    status = weights_status(chosen)
    if status.state != "ready":
        raise WeightsError(status.sentence)
    return chosen


def _write(dataset: Dataset, report: Report, table: pd.DataFrame, findings: list[Finding]) -> None:
    """Write all files, the report last, so that a report implies the others."""
    folder = folder_of(dataset)
    try:
        folder.mkdir(exist_ok=True)
        write_parquet(folder / "photos.parquet", table)
        listed = json.dumps([asdict(finding) for finding in findings], ensure_ascii=False, indent=1)
        write_atomically(folder / "findings.json", listed)
        write_atomically(folder / "report.json", report.model_dump_json(indent=1))
    except OSError as error:
        raise StorageError(
            _("The result cannot be written to {folder}: {cause}. Make room and try again.").format(
                folder=folder, cause=error.strerror or error
            )
        ) from error


# ------------------------------------------------------------------------------- the process


class CheckConfig(JobConfig):
    """config.json of a check."""

    kind: Kind = "check"
    dataset: str
    """Folder of the data set, absolute."""
    backbone: str = ""
    seed: int = 0


def job_of(dataset: Dataset) -> Job:
    """The job that checks a data set: its latest one, if there was any."""
    return Job(folder_of(dataset))


def start(dataset: Dataset, *, backbone: str = "", seed: int = 0) -> None:
    """Start the check of a data set in a process of its own, unless one is running.

    Raises:
        SourceError, WeightsError: it could not be checked; nothing was started.
        RunError: a pupil has as many jobs waiting as they may.
    """
    chosen = _check_early(dataset, backbones.get_backbone(backbone) if backbone else None)
    now = state(dataset)
    if now is not None and now.is_live:
        return
    config = CheckConfig(
        created=time.time(), dataset=str(dataset.folder), backbone=chosen.name, seed=seed
    )
    job = job_of(dataset)
    with jobs.place_in_line(job):
        job.begin(config, fingerprint=dataset.fingerprint)
    jobs.submit(job)


def state(dataset: Dataset) -> JobState | None:
    """The state of the latest check; None before the first one."""
    return jobs.follow(job_of(dataset))


def request_stop(dataset: Dataset) -> None:
    """Request a stop; the process ends within seconds, and the last report stays."""
    if folder_of(dataset).is_dir():
        job_of(dataset).request_stop()


def work(job: Job, monitor: Monitor) -> bool:
    """Check the data set of a job, see `jobs.background.Work`."""
    config = job.read_config(CheckConfig)
    report = assess(
        datasets.open_dataset(Path(config.dataset)),
        backbone=backbones.get_backbone(config.backbone) if config.backbone else None,
        seed=config.seed,
        monitor=monitor,
    )
    monitor.update(fingerprint=report.fingerprint)
    return True
