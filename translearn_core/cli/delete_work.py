"""What the command `delete` does: it deletes a run, a search or a data set, or lists damaged ones."""

from __future__ import annotations

from pathlib import Path

import typer

from translearn_core import datasets, runs
from translearn_core.config import home
from translearn_core.errors import InputError, SourceError
from translearn_core.i18n import _
from translearn_core.runs.in_use import delete_unused_dataset


def delete(name: str, *, yes: bool) -> None:
    """Delete what has this name, or is this folder of the workspace, once a person has said yes.

    Raises:
        InputError: there is no such run, search or data set.
    """
    given = Path(name)
    rooms = [home() / room for room in ("runs", "studies", "datasets")]
    if given.name != name:
        rooms = [room for room in rooms if given.parent.resolve() == room.resolve()]
        name = given.name
    rooms = [room for room in rooms if name[:1] not in ("", ".") and (room / name).is_dir()]
    if not rooms:
        raise InputError(
            _("There is no run, search or data set {name} in {folder}. Check the name.").format(
                name=given, folder=home()
            )
        )
    folder = rooms[0] / name
    if not yes:
        typer.confirm(_("Delete {folder} for good?").format(folder=folder), abort=True)
    if rooms[0].name != "datasets":
        runs.delete_run(runs.Run(folder))
        return
    dataset = datasets.Dataset(folder)
    try:
        _record = dataset.record
    except SourceError:
        datasets.delete_folder(folder)
    else:
        delete_unused_dataset(dataset)


def list_damaged() -> None:
    """Print the damaged runs, searches and data sets."""
    found = [
        (entry.run.id, entry.reason)
        for folder in (home() / "runs", home() / "studies")
        for entry in runs.list_unreadable_runs(folder)
    ]
    found += [(run.id, run.problem) for run in runs.list_runs() if run.problem]
    found += [(folder.name, reason) for folder, reason in datasets.list_unreadable_datasets()]
    for name, reason in found:
        typer.echo(f"{name}\t{' '.join(reason.split())}")
    if not found:
        typer.echo(_("Nothing in {folder} is damaged.").format(folder=home()))
