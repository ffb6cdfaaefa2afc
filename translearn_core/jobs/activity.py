"""What is going on in a space, and in the queue: for who looks after all of them.

Owns: finding the run that somebody is at, all that takes turns, and what it is about. Leaves to others: the order (`queue.py`), ending a job.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from translearn_core import spaces
from translearn_core.i18n import N_, _
from translearn_core.jobs.queue import (
    Order,
    announced_jobs,
    jobs_of_all,
    order_of_all,
    order_of_exports,
    order_of_looks,
)
from translearn_core.jobs.runner import current_runner
from translearn_core.runs import Job, JobConfig, Run, list_runs
from translearn_core.runs.annotations import display_name
from translearn_core.runs.run_caveats import told_share
from translearn_core.runs.state import JobState


@dataclass(frozen=True)
class Doing:
    """The newest run or search of a space.

    Attributes:
        ahead: how many are ahead of it in the queue; 0 where it does not wait.
        accuracy: the share of right answers that it is known by, in [0, 1]; None where there is none.
    """

    run: Run
    state: JobState
    ahead: int = 0
    accuracy: float | None = None


def doing_in(space: Path) -> Doing | None:
    """What a space is at: what is going on, else its newest run; None where it has none."""
    with spaces.acting_in(space):
        found = [run for name in ("runs", "studies") for run in list_runs(space / name)]
    found.sort(key=lambda run: run.config.created, reverse=True)
    live = [run for run in found if run.state.is_live]
    for run in [*live, *found][:1]:
        state = run.state
        ahead = 0
        if state.state == "queued":
            order = waiting_order()
            ahead = order.index(run) if run in order else 0
        accuracy = told_share(run.metrics) if run.has_result else None
        return Doing(run, state, ahead, accuracy)
    return None


def newest_result_in(space: Path) -> Doing | None:
    """The newest run of a space that was tested; None where there is none. What is going on is left out."""
    with spaces.acting_in(space):
        found = [run for run in list_runs(space / "runs") if run.has_result]
    for run in sorted(found, key=lambda run: run.config.created, reverse=True):
        accuracy = told_share(run.metrics)
        if accuracy is not None and not run.state.is_live:
            return Doing(run, run.state, accuracy=accuracy)
    return None


def waiting_order() -> list[Job]:
    """All runs and searches that wait, the next one first."""
    return list(order_of_all().waiting)


def going_on() -> list[Job]:
    """All runs and searches that are at work."""
    return list(order_of_all().running)


ORDERS: dict[str, Callable[[], Order]] = {
    N_("Trainings"): order_of_all,
    N_("Checks and sorting"): order_of_looks,
    N_("Exports"): order_of_exports,
}
"""What takes turns, each beside the others: its name, and how it stands."""


class _About(JobConfig):
    """What a job beside the runs is about; each kind has some of it."""

    dataset: str = ""
    run: str = ""
    format: str = ""


def subject_of(job: Job) -> str:
    """What a job of any space is about, in a few words: `Leaves`, `Leaves (Sort photos)`,
    `Leaves (onnx)`.

    Raises:
        TransLearnError: it went just now, or what it is about did.
    """
    with spaces.everywhere():
        if job.kind in ("train", "search"):
            return display_name(Run(job.folder))
        about = job.read_config(_About)
        if about.run:
            return f"{display_name(Run(Path(about.run)))} ({about.format})"
        from translearn_core import datasets

        name = datasets.open_dataset(Path(about.dataset)).name
        page = _("Sort photos") if job.kind == "sort" else _("Can this work?")
        return f"{name} ({page})"


def end_all_in(space: Path) -> None:
    """End every job of a space at once, so that it can be deleted."""
    with spaces.everywhere():
        jobs = [job for job in jobs_of_all() if job.folder.is_relative_to(space.resolve())]
        for job in [*jobs, *announced_jobs(space)]:
            if job.state.is_live:
                current_runner().force_stop(job)
