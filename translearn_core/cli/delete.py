"""`delete`: runs, searches and data sets of the workspace, damaged ones too."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from translearn_core.cli.app import app
from translearn_core.config import home
from translearn_core.errors import InputError, SourceError
from translearn_core.i18n import _


@app.command()
def delete(
    name: Annotated[
        str, typer.Argument(help="Name of its folder in the workspace; none: list what is damaged.")
    ] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete a run, a search or a data set for good; without NAME, list those that are damaged."""
    from translearn_core import datasets, runs
    from translearn_core.runs.in_use import delete_unused_dataset

    if not name:
        _list_damaged()
        return
    rooms = [
        home() / room
        for room in ("runs", "studies", "datasets")
        if Path(name).name == name and name[0] != "." and (home() / room / name).is_dir()
    ]
    if not rooms:
        raise InputError(
            _("There is no run, search or data set {name} in {folder}. Check the name.").format(
                name=name, folder=home()
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


def _list_damaged() -> None:
    from translearn_core import datasets, runs

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
