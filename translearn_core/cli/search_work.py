"""What the command `tune` does beside working (`train_work.py`): the search itself, and its result."""

from __future__ import annotations

import time
from pathlib import Path

from translearn_core import jobs
from translearn_core.cli.choices import ImportOptions
from translearn_core.cli.importing import import_photos
from translearn_core.cli.interrupt import Interrupted
from translearn_core.cli.screen import print_json, print_line
from translearn_core.cli.weights import have_weights
from translearn_core.errors import TransLearnError
from translearn_core.i18n import _
from translearn_core.recipe.resolve import resolve
from translearn_core.run_settings import Settings
from translearn_core.runs import Run, study
from translearn_core.runs.study import StudyResult


def make_search(
    source: str,
    settings: Settings,
    *,
    minutes: float,
    test_source: Path | None,
    options: ImportOptions,
) -> Run:
    """A search over labelled photos, which has not begun, with the weights that it needs."""
    have_weights(resolve(settings))
    began = time.monotonic()
    dataset = import_photos(source, test_source=test_source, options=options)
    return jobs.create_study(
        dataset, minutes=minutes, settings=settings, import_s=time.monotonic() - began
    )


def report_search(run: Run, json_: bool, interrupted: bool) -> int:
    """Print what a search has found; the exit code.

    Raises:
        TransLearnError: it failed, or there is no result.
        Interrupted: it was interrupted; what there is was printed.
    """
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
