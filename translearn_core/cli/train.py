"""The command that trains, in this process or on the cluster: `train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from translearn_core.cli.app import (
    JsonOption,
    SourceArgument,
    TestSourceOption,
    app,
)
from translearn_core.cli.choices import ImportOptions, with_import_options
from translearn_core.cli.interrupt import kept
from translearn_core.cli.settings import make_settings_of, with_setting_options
from translearn_core.cli.startup import importing
from translearn_core.i18n import _


@app.command()
@with_import_options
@with_setting_options
def train(
    source: SourceArgument,
    test_source: TestSourceOption = None,
    preset: Annotated[
        str, typer.Option(help="A set of settings: article (VGG16 baseline) or quick.")
    ] = "",
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A setting by its name; may be repeated."),
    ] = None,
    tasks: Annotated[
        Path | None,
        typer.Option(
            metavar="TABLE.csv",
            help="Multi-task training: a table with a column `file` and a column for each task.",
        ),
    ] = None,
    run_dir: Annotated[Path | None, typer.Option(help="A new folder for the run.")] = None,
    json_: JsonOption = False,
    *,
    options: ImportOptions,
    **named: Any,
) -> int:
    """Train a classifier on a labelled folder or zip, and measure it on held-out test photos."""
    with kept(_("Nothing was kept: the run had not begun.")):
        settings = make_settings_of(named, pairs=set_, preset=preset)
        with importing(source):
            from translearn_core.cli import train_work

        run = train_work.make_run(
            source,
            settings,
            test_source=test_source,
            options=options,
            tasks=tasks,
            folder=run_dir,
        )
    interrupted = train_work.work(run)
    return train_work.report_run(run, json_, interrupted)
