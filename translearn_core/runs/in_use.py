"""Who is at work with a data set.

Owns: finding them, and deleting or throwing away what nobody is at work with.
Leaves to others: the deletion itself (`datasets`), the bin (`trash.py`).
"""

from __future__ import annotations

from pathlib import Path

from translearn_core import datasets, trash
from translearn_core.config import home
from translearn_core.datasets import Dataset
from translearn_core.errors import RunError
from translearn_core.i18n import _
from translearn_core.runs.annotations import display_name
from translearn_core.runs.job import Job
from translearn_core.runs.run import Run, list_runs


def runs_at_work_with(dataset: Dataset) -> list[Run]:
    """The runs and searches on a data set that are queued or running."""
    return [
        run
        for folder in (home() / "runs", home() / "studies")
        for run in list_runs(folder)
        if Path(run.config.dataset) == dataset.folder and run.state.is_live
    ]


def delete_unused_dataset(dataset: Dataset) -> None:
    """Delete a data set for good, unless a run, a search or a check is at work with it.

    Raises:
        RunError: one is; the message names it.
        StorageError: a file is held by another program.
    """
    _refuse_in_use(dataset)
    datasets.delete_dataset(dataset)


def throw_away_dataset(dataset: Dataset) -> trash.Entry:
    """Move a data set into the bin, unless a run, a search or a check is at work with it.

    Raises:
        RunError: one is; the message names it.
        StorageError: a file is held by another program.
    """
    _refuse_in_use(dataset)
    with dataset.locked():
        pass  # waits for a concurrent change
    return trash.throw_away(dataset.folder, kind="dataset", name=dataset.name)


def throw_away_run(run: Run) -> trash.Entry:
    """Move a run into the bin.

    Raises:
        RunError: it is still queued or running, or its process lives.
        StorageError: a file is held by another program.
    """
    if run.is_worked_on:
        raise RunError(_("This run is still going on. Stop it first, then delete it."))
    return trash.throw_away(run.folder, kind="run", name=display_name(run))


def _refuse_in_use(dataset: Dataset) -> None:
    for run in runs_at_work_with(dataset):
        raise RunError(
            _(
                "The photos of “{dataset}” are in use by “{run}” ({id}), which is {state}. Stop it "
                "first, or wait until it has ended."
            ).format(
                dataset=dataset.name,
                run=display_name(run),
                id=run.id,
                state=_(run.state.state),
            )
        )
    if Job(dataset.folder / "feasible").is_worked_on:
        raise RunError(
            _(
                "The photos of “{dataset}” are being checked (Can this work?). Stop the check "
                "first, or wait until it has ended."
            ).format(dataset=dataset.name)
        )
    if Job(dataset.folder / "sorting").is_worked_on:
        raise RunError(
            _(
                "The photos of “{dataset}” are being looked at for sorting. Stop that first, or wait "
                "until it has ended."
            ).format(dataset=dataset.name)
        )
