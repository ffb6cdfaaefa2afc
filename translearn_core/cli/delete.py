"""`delete`: runs, searches and data sets of the workspace, damaged ones too."""

from __future__ import annotations

from typing import Annotated

import typer

from translearn_core.cli.app import app


@app.command()
def delete(
    name: Annotated[
        str, typer.Argument(help="Name of its folder in the workspace; none: list what is damaged.")
    ] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete a run, a search or a data set for good; without NAME, list those that are damaged."""
    from translearn_core.cli import delete_work

    if name:
        delete_work.delete(name, yes=yes)
    else:
        delete_work.list_damaged()
