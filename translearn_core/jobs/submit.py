"""Creates jobs and submits them, for pages and commands.

Owns: the check before a run is made, making runs and searches, submitting and ending jobs, reading
their state.
Leaves to others: the files of a run (`runs/`), where a job runs (`runner.py`), when (`queue.py`).
Imports no TensorFlow: the web process uses this module.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from translearn_core import quotas, runs, spaces
from translearn_core.atomic import write_atomically
from translearn_core.concurrency import Locks
from translearn_core.config import home
from translearn_core.errors import RunError, SettingsError
from translearn_core.i18n import _, ngettext
from translearn_core.jobs.launch import reap
from translearn_core.jobs.queue import ROOMS, announce, announced_jobs
from translearn_core.jobs.runner import current_runner
from translearn_core.run_settings import Settings
from translearn_core.runs import Job, JobState, Kind, Run, study

if TYPE_CHECKING:
    from translearn_core.datasets import Dataset

_places = Locks()


def start(dataset: Dataset, settings: Settings, *, name: str = "") -> Run:
    """Check that a run can be made, make it and hand it to a worker. What the Train button does.

    Raises:
        SourceError: the data set cannot be trained.
        SettingsError: a setting does not fit the backbone.
        WeightsError: the backbone's weights are not on this machine.
    """
    run = make_run(dataset, settings, name=name)
    submit(run)
    return run


def make_run(
    dataset: Dataset,
    settings: Settings,
    *,
    name: str = "",
    folder: Path | None = None,
    import_s: float = 0.0,
    kind: Kind = "train",
) -> Run:
    """Check that a run of these photos can be made, and make it; nothing trains yet.

    Args:
        folder, import_s, kind: as in `runs.create_run`.

    Raises:
        SourceError, SettingsError, WeightsError: as in `start`.
        RunError: `folder` already holds something, or a pupil may keep or queue no more.
        ClusterError: a cluster is named that cannot be used from here.
    """
    from translearn_core.recipe.resolve import resolve

    current_runner().check()
    with place_in_line(), quotas.room_for(runs=1, n_bytes=1):
        return runs.create_run(
            dataset.folder,
            resolve(settings, dataset).settings,
            dataset_name=dataset.name,
            fingerprint=dataset.fingerprint,
            name=name,
            folder=folder,
            import_s=import_s,
            kind=kind,
        )


@contextmanager
def place_in_line(job: Job | None = None) -> Iterator[None]:
    """Have a place for one more job while the block begins it.

    Args:
        job: one that lies where no list of jobs leads; others know of it when the block ends, before
            the next place is given.

    Raises:
        RunError: a pupil has as many waiting or going on as they may.
    """
    with nullcontext() if spaces.is_whole() else _places.of(home()):
        if not spaces.is_whole():
            _check_places(home())
        yield
        if job is not None:
            announce(job)


def _check_places(space: Path) -> None:
    kept = [run for name in ROOMS for run in runs.list_runs(space / name)]
    live = sum(run.state.is_live for run in kept)
    live += sum(job.state.is_live for job in announced_jobs(space))
    if live >= quotas.quotas_of(space).waiting:
        raise RunError(
            ngettext(
                "{n} training, check or export of yours is waiting or running; you cannot start more "
                "at once. Wait until it has ended, or stop it.",
                "{n} trainings, checks or exports of yours are waiting or running; you cannot start "
                "more at once. Wait until one has ended, or stop one.",
                live,
            ).format(n=live)
        )


def create_study(
    dataset: Dataset, *, minutes: float, settings: Settings, import_s: float = 0.0
) -> Run:
    """Make the folder of a search, queued; nothing is tried yet.

    Args:
        minutes: time limit, the final trainings included.
        settings: the starting point and baseline.

    Raises:
        SettingsError: minutes out of range, or settings that do not fit.
    """
    if settings.start_from or settings.distill_from:
        raise SettingsError(
            _(
                "A search cannot build on another run (`start_from`, `distill_from`): that run has learned "
                "from photos by which settings are compared. Search without it, then train with what was "
                "found and start from that run."
            )
        )
    if not study.LEAST_MINUTES <= minutes <= study.MOST_MINUTES:
        raise SettingsError(
            _(
                "The search may take from {least} to {most:.0f} minutes. Received: {minutes}."
            ).format(least=study.LEAST_MINUTES, most=study.MOST_MINUTES, minutes=minutes)
        )
    folder = study.folder_of_studies() / runs.new_id(time.time())
    run = make_run(dataset, settings, folder=folder, import_s=import_s, kind="search")
    plan = study.StudyPlan(minutes=minutes)
    write_atomically(run.folder / "study.json", plan.model_dump_json(indent=1))
    return run


def repeat_run(run: Run) -> Run:
    """A new run with the data set and settings of `run`."""
    from translearn_core import datasets

    dataset = datasets.open_dataset(Path(run.config.dataset))
    return start(dataset, run.config.settings, name=run.config.name)


def submit(job: Job) -> None:
    """Submit a queued job, and return at once."""
    current_runner().submit(job)


def force_stop(job: Job) -> None:
    """End a job now; what it has not saved is lost."""
    current_runner().force_stop(job)


def follow(job: Job) -> JobState | None:
    """The state of a job; None where there is none."""
    reap()
    if job.state_path.is_file() and job.written_state.cluster and job.written_state.is_live:
        current_runner().warm_up()  # whoever places it may have ended
    return job.state if job.state_path.is_file() else None


def warm_up() -> None:
    """Prepare for a training that is likely to start soon."""
    current_runner().warm_up()
