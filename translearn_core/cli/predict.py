"""Commands on trained runs: `predict`, `compare`, `report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from translearn_core.cli.app import JsonOption, app
from translearn_core.cli.interrupt import kept
from translearn_core.cli.screen import print_line
from translearn_core.i18n import _


@app.command()
def predict(
    run_dir: Annotated[Path, typer.Argument(help="The folder of a run.")],
    photos: Annotated[list[Path], typer.Argument(help="Photos, or folders of photos.")],
    json_: JsonOption = False,
    csv_: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="Write a table to FILE.")
    ] = None,
) -> int:
    """Predict the classes of photos with a trained model. An unreadable file is a row with an error."""
    with kept(_("No prediction was kept: they are printed and written when all are there.")):
        from translearn_core.cli import predict_work

        run, predictions = predict_work.ask(run_dir, photos)
    predict_work.tell(run, predictions, json_=json_, table=csv_)
    return 0


@app.command()
def compare(
    run_dirs: Annotated[list[Path], typer.Argument(help="The folders of two runs or more.")],
    against: Annotated[
        Path | None, typer.Option(help="The reference run; default the most accurate.")
    ] = None,
    json_: JsonOption = False,
) -> None:
    """Compare runs on photos that none of them was trained on (McNemar test)."""
    with kept(_("Nothing was kept of the comparison; the runs stay as they are.")):
        from translearn_core.cli import predict_work

        comparison = predict_work.compare_runs(run_dirs, against)
    predict_work.tell_comparison(comparison, json_=json_)


@app.command()
def report(
    run_dir: Annotated[Path, typer.Argument(help="The folder of a run.")],
    target: Annotated[Path, typer.Argument(metavar="DEST", help="An HTML file to write.")],
) -> None:
    """Write a report (model card) of a run: one HTML file that can be printed."""
    with kept(_("The report was not written; the run stays as it is.")):
        from translearn_core.reports.report import write_report
        from translearn_core.runs import Run

        file = write_report(Run(run_dir), target)
    print_line(_("Written: {file}").format(file=file))
