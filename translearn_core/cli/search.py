"""The command that searches hyperparameters, in this process or on the cluster: `tune`."""

from __future__ import annotations

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
def tune(
    source: SourceArgument,
    minutes: Annotated[float, typer.Option(help="Time limit of the search, in minutes.")] = 3.0,
    test_source: TestSourceOption = None,
    json_: JsonOption = False,
    *,
    options: ImportOptions,
    **named: Any,
) -> int:
    """Search hyperparameters within a time limit, and measure the gain on the test photos."""
    with kept(_("Nothing was kept: the search had not begun.")):
        settings = make_settings_of(named)
        with importing(source):
            from translearn_core.cli import search_work, train_work

        run = search_work.make_search(
            source, settings, minutes=minutes, test_source=test_source, options=options
        )
    interrupted = train_work.work(run)
    return search_work.report_search(run, json_, interrupted)
