"""The job that makes an export in a process of its own.

Owns: starting it, its state, stopping it, and its work.
Leaves to others: making the export (`make.py`), the files of the job (`runs/job.py`), its states
(`jobs/background.py`), the queue (`jobs/queue.py`).

Folder: `<run>/exports/<format>/`, beside the files that `formats.py` names.
Imports nothing heavy: pages read states.
"""

from __future__ import annotations

import shutil
import time
from contextlib import suppress

from translearn_core import jobs, quotas
from translearn_core.errors import InputError, StorageError
from translearn_core.export import formats
from translearn_core.export.formats import Format
from translearn_core.export.make import make_export
from translearn_core.i18n import _
from translearn_core.monitor import Monitor
from translearn_core.runs import Job, JobConfig, JobState, Kind, Run


class ExportConfig(JobConfig):
    """config.json of an export."""

    kind: Kind = "export"
    run: str
    """Folder of the run, absolute."""
    format: str


def start(run: Run, row: Format) -> None:
    """Start an export in a process of its own, unless one is running or the export is finished.

    Raises:
        RunError, InputError: it could not be made, or a pupil has no room or place for more; nothing was
            started.
        StorageError: the disk is full.
    """
    formats.check_model(run)
    if formats.read(run, row) is not None:
        return
    reason = formats.obstacle(run, row)
    if reason:
        raise InputError(reason)
    now = state(run, row)
    if now is not None and now.is_live:
        return
    job = formats.job_of(run, row)
    try:
        with jobs.place_in_line(job), quotas.room_for(n_bytes=1):
            job.begin(ExportConfig(created=time.time(), run=str(run.folder), format=row.name))
        jobs.submit(job)
    except OSError as error:
        raise StorageError(
            _("The export cannot be begun: {cause}. Make room and try again.").format(
                cause=error.strerror or error
            )
        ) from error


def state(run: Run, row: Format) -> JobState | None:
    """The state of the latest job; None before the first one."""
    return jobs.follow(formats.job_of(run, row))


def request_stop(run: Run, row: Format) -> None:
    """Request a stop; the process ends within a second, and the export is discarded."""
    with suppress(OSError):
        formats.job_of(run, row).request_stop()


def work(job: Job, monitor: Monitor) -> bool:
    """Make the export of a job, see `jobs.background.Work`."""
    tidy(job)
    config = job.read_config(ExportConfig)
    make_export(Run(config.run), formats.get_format(config.format), monitor)
    return True


def tidy(job: Job) -> None:
    """Remove the temporary folders of earlier attempts."""
    for left in job.folder.glob(f"{formats.HALF_MADE}*"):
        shutil.rmtree(left, ignore_errors=True)
