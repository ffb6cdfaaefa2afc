"""The feasibility check of a data set: its stages and its process.

Owns: writing the report, and the job that makes it (`<dataset>/feasible/` is its folder, too).
Leaves to others: what is computed (`assess.py`), the verdict (`verdict.py`), the report's files
(`report.py`), the files of the job (`runs/job.py`) and its life (`jobs/background.py`).

The report of before stays until the new one is whole. Imports nothing heavy: pages read reports.
"""

from __future__ import annotations

import io
import json
import time
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from translearn_core import backbones, datasets, jobs
from translearn_core.atomic import write_atomically
from translearn_core.backbones import Backbone, default
from translearn_core.backbones.weights import weights_status
from translearn_core.datasets import Dataset, Finding
from translearn_core.errors import StorageError, WeightsError
from translearn_core.feasibility.report import Report, folder_of
from translearn_core.i18n import N_, _
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
    from translearn_core.feasibility.assess import compute

    chosen = _check_early(dataset, backbone)
    report, table, found = compute(dataset, chosen, seed=seed, monitor=monitor)
    _write(dataset, report, table, found)
    return report


def _check_early(dataset: Dataset, backbone: Backbone | None) -> Backbone:
    """The backbone that will look, once what can be refused before any photo is read was not."""
    datasets.check_ready(dataset)
    chosen = backbone or default.default_backbone()
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


class CheckConfig(JobConfig):
    """What a check was asked to do."""

    kind: Kind = "check"
    dataset: str
    """Folder of the data set, absolute."""
    backbone: str = ""
    seed: int = 0


def job_of(dataset: Dataset) -> Job:
    """The job that checks a data set: its latest one, if there was any."""
    return Job(folder_of(dataset))


def start(dataset: Dataset, *, backbone: str = "", seed: int = 0) -> None:
    """Have a data set checked in a process of its own, unless one is at it.

    Raises:
        SourceError, WeightsError: it could not be checked; nothing was started.
    """
    chosen = _check_early(dataset, backbones.get_backbone(backbone) if backbone else None)
    now = state(dataset)
    if now is not None and now.is_live:
        return
    config = CheckConfig(
        created=time.time(), dataset=str(dataset.folder), backbone=chosen.name, seed=seed
    )
    job = job_of(dataset)
    job.begin(config, fingerprint=dataset.fingerprint)
    jobs.submit(job)


def state(dataset: Dataset) -> JobState | None:
    """What the process is doing or how it ended; None before there was one."""
    return jobs.follow(job_of(dataset))


def request_stop(dataset: Dataset) -> None:
    """Ask the process to stop; it does within a few seconds, and the last report stays."""
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
