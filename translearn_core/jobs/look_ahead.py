"""The job that looks at the photos of a data set before anybody asks for it.

Owns: when it is started and ended, and what is known of it.
Leaves to others: the pass itself (`training/look_ahead.py`), the cache that it fills (`features/`).

It runs at the lowest priority while a person looks at their photos, so that a training begins with
features that are there already, and gives way to every other job: what was done stays cached. One goes on
at a time, whoever's photos it looks at: thirty people who bring photos in at once would each start a
process with TensorFlow. Whose photos come too early are looked at when their page is drawn again.

Folder: `<workspace>/cache/ahead/<data set>/`.
Imports neither TensorFlow nor pandas: the web process and jobs that wait use this module.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from translearn_core import spaces
from translearn_core.config import home, load_configuration
from translearn_core.errors import RunError, TransLearnError
from translearn_core.graph.gpus import count_gpus
from translearn_core.jobs.launch import reap
from translearn_core.jobs.queue import order_of_all
from translearn_core.jobs.runner import current_runner
from translearn_core.run_settings import Settings
from translearn_core.runs import Job, JobConfig, JobState, Kind, list_jobs

if TYPE_CHECKING:
    from translearn_core.datasets import Dataset

_starting = threading.Lock()

GIVE_WAY_S = 1.5
"""A job waits so long at most for a pass to write down what it has done."""
MOST_PHOTOS = 20_000
"""More photos are not looked at before somebody asks: it would take minutes of both processors."""


class LookAheadConfig(JobConfig):
    """Which photos are to be looked at."""

    kind: Kind = "look"
    dataset: str
    fingerprint: str = ""
    """Of the photos, as they were then."""


def look_ahead(dataset: Dataset) -> None:
    """Start looking at the photos, unless that is done, or configuration or other work forbid it."""
    configuration = load_configuration()
    if not configuration.look_ahead or not configuration.cache_bytes:
        return
    if count_gpus():  # its features are others
        return
    job = _job_of(dataset)
    if not 0 < len(dataset.photos) <= MOST_PHOTOS or _has_looked(job, dataset):
        return
    if order_of_all().is_busy or not _has_weights():
        return
    reap()
    config = LookAheadConfig(
        created=time.time(), dataset=str(dataset.folder), fingerprint=dataset.fingerprint
    )
    if not _starting.acquire(blocking=False):
        return  # another page starts one
    try:
        with suppress(OSError):  # it only saves time; who starts a run is told what is wrong
            if not _live():
                job.begin(config)
                current_runner().submit(job)
    finally:
        _starting.release()


def _has_looked(job: Job, dataset: Dataset) -> bool:
    """Whether that is going on, or has ended with the photos as they are; also if it failed, since it
    would fail again."""
    if not job.state_path.is_file():
        return False
    state = job.state
    if state.is_live or state.state == "stopped":
        return state.is_live
    try:
        return job.read_config(LookAheadConfig).fingerprint == dataset.fingerprint
    except RunError:
        return False


def looking(dataset: Dataset) -> JobState | None:
    """How far it is with these photos; None while nobody looks at them."""
    job = _job_of(dataset)
    state = job.state if job.state_path.is_file() else None
    return state if state is not None and state.is_live else None


def give_way() -> None:
    """End every such job, for one that somebody asked for; returns when they have ended, or soon."""
    live = _live()
    for job in live:
        with suppress(OSError):
            job.request_stop()
    until = time.monotonic() + GIVE_WAY_S
    while any(job.state.is_live for job in live) and time.monotonic() < until:
        time.sleep(0.05)


def _live() -> list[Job]:
    """Those of all spaces that wait or go on."""
    with spaces.everywhere():
        folders = [_folder(space) for space in spaces.all_spaces()]
        return [job for folder in folders for job in list_jobs(folder) if job.state.is_live]


def _has_weights() -> bool:
    from translearn_core.backbones.weights import weights_status
    from translearn_core.recipe.resolve import fill_in

    try:
        return weights_status(fill_in(Settings()).backbone).state == "ready"
    except TransLearnError:
        return False


def _folder(space: Path) -> Path:
    return space / "cache" / "ahead"


def _job_of(dataset: Dataset) -> Job:
    return Job(_folder(home()) / dataset.folder.name)
