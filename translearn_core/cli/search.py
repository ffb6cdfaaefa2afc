"""The command that searches hyperparameters, in this process or on the cluster: `tune`."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer

from translearn_core.cli.app import (
    JsonOption,
    SourceArgument,
    TestSourceOption,
    app,
)
from translearn_core.cli.choices import ImportOptions, with_import_options
from translearn_core.cli.interrupt import Interrupted, kept
from translearn_core.cli.screen import import_photos, print_json, print_line
from translearn_core.cli.settings import have_weights, make_settings_of, with_setting_options
from translearn_core.cli.train import work
from translearn_core.errors import TransLearnError
from translearn_core.i18n import _
from translearn_core.runs.study import StudyResult


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
        from translearn_core.jobs import create_study
        from translearn_core.recipe.resolve import resolve
        from translearn_core.runs import study

        settings = make_settings_of(named)
        have_weights(resolve(settings))
        began = time.monotonic()
        dataset = import_photos(source, test_source=test_source, options=options)
        run = create_study(
            dataset, minutes=minutes, settings=settings, import_s=time.monotonic() - began
        )
    interrupted = work(run)
    result = study.read_result(run)
    if run.state.has_failed:
        raise TransLearnError(run.state.reason)
    if result is None:
        if interrupted:
            raise Interrupted(
                _(
                    "Kept: the settings of the search, in {folder}. Not kept: no trial had ended."
                ).format(folder=run.folder)
            )
        raise TransLearnError(
            _("Stopped before anything was tried. The search is at {folder}.").format(
                folder=run.folder
            )
        )
    if json_:
        print_json(result.model_dump(mode="json"), indent=None)
    else:
        _print_result(result)
    if interrupted:
        raise Interrupted(
            _(
                "Kept: the trials that had ended and the best settings among them, in {folder}. Not "
                "done: the trials that were left."
            ).format(folder=run.folder)
        )
    return 0


def _print_result(result: StudyResult) -> None:
    print_line(result.sentence)
    for name, value in result.best.items():
        print_line(f"  {name} = {value}")
    if result.run_dir:
        print_line(_("The run is at {folder}").format(folder=result.run_dir))
