"""Commands on trained runs: `predict`, `compare`, `report`."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from translearn_core.cli.app import JsonOption, app
from translearn_core.cli.screen import Bar, cannot_write, print_json, print_line
from translearn_core.errors import InputError, RunError
from translearn_core.formatting import percent, percent_range
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
    from translearn_core.prediction.predict import find_photos
    from translearn_core.prediction.predict import predict as ask
    from translearn_core.runs import Run

    run = Run(run_dir)
    paths = list(find_photos(photos))
    if not paths:
        raise InputError(_("There are no files in {places}.").format(places=_join(photos)))
    predictions = list(ask(run, paths))
    if csv_ is not None:
        _write_csv(csv_, run.labels, predictions)
    if json_:
        print_json([asdict(prediction) for prediction in predictions])
    elif csv_ is None:
        for prediction in predictions:
            _print_prediction(prediction)
    if all(prediction.error for prediction in predictions):
        raise InputError(_("None of the files could be read as a photo."))
    return 0


def _join(paths: list[Path]) -> str:
    return ", ".join(map(str, paths))


def _print_prediction(prediction: Any) -> None:
    if prediction.error:
        print_line(f"{prediction.file}: {prediction.error}")
        return
    answer = f"{prediction.label} ({percent(prediction.confidence, 1)})"
    more = "".join(f"; {words}" for words in _task_words(prediction))
    if prediction.unlike:
        answer = _(
            "out of distribution (like nothing in the training photos); most likely {answer}"
        ).format(answer=answer)
    elif not prediction.sure:
        answer = _("not sure; most likely {answer}").format(answer=answer)
    print_line(f"{prediction.file}: {answer}{more}")


def _task_words(prediction: Any) -> Iterator[str]:
    """What is said in each further task."""
    for task, shares in (prediction.tasks or {}).items():
        label, share = next(iter(shares.items()))
        answer = f"{label} ({percent(share, 1)})"
        if not prediction.tasks_sure[task]:
            answer = _("not sure; most likely {answer}").format(answer=answer)
        yield f"{task}: {answer}"


def _write_csv(path: Path, classes: list[str], predictions: list[Any]) -> None:
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            tasks = next((list(row.tasks) for row in predictions if row.tasks), [])
            head = ["file", "label", "confidence", *classes, "error", "sure", "unlike"]
            for task in tasks:
                head += [task, f"{task}: confidence", f"{task}: sure"]
            writer.writerow(head)
            for row in predictions:
                shares = row.probabilities or {}
                answers = [shares.get(name, "") for name in classes]
                facts = [row.file, row.label or "", row.confidence or "", *answers]
                said = {True: "yes", False: "no", None: ""}
                more: list[Any] = []
                for task in tasks:
                    label, share = next(iter((row.tasks or {}).get(task, {"": ""}).items()))
                    more += [label, share, said[(row.tasks_sure or {}).get(task)]]
                writer.writerow([*facts, row.error or "", said[row.sure], said[row.unlike], *more])
    except OSError as error:
        raise cannot_write(path, error) from error


@app.command()
def compare(
    run_dirs: Annotated[list[Path], typer.Argument(help="The folders of two runs or more.")],
    against: Annotated[
        Path | None, typer.Option(help="The reference run; default the most accurate.")
    ] = None,
    json_: JsonOption = False,
) -> None:
    """Compare runs on photos that none of them was trained on (McNemar test)."""
    from translearn_core.prediction.compare import as_json
    from translearn_core.prediction.compare import compare as hold
    from translearn_core.runs import Run

    found = [Run(folder) for folder in run_dirs]
    reference = Run(against).id if against is not None else None
    if reference is not None and reference not in [run.id for run in found]:
        raise RunError(_("`--against` must name one of the runs that are compared."))
    with Bar() as bar:
        comparison = hold(
            found,
            reference=reference,
            progress=lambda done, total, what: bar.show(f"{what} {done} / {total}", done / total),
        )
    if json_:
        print_json(as_json(comparison))
    else:
        _print_comparison(comparison)


def _print_comparison(comparison: Any) -> None:
    print_line(comparison.sentence)
    for one in comparison.runs:
        low, high = one.interval
        seconds = one.facts.get("seconds")
        took = f"{seconds:.0f} s" if seconds is not None else "-"
        print_line(
            f"  {one.letter}  {percent(one.accuracy, 1):>7} [{percent_range(low, high, 1)}]  "
            f"{took:>7}  {one.name}  {one.run.folder}"
        )
    for pair in comparison.significance:
        print_line(f"{pair.sentence} (p = {pair.p_corrected:.3g})")
    for task in comparison.tasks:
        print_line(f"{task.name}: {task.sentence}")
    for name, values in comparison.settings.items():
        print_line(
            f"  {name}: " + ", ".join(f"{letter} {value}" for letter, value in values.items())
        )
    for text in comparison.remarks:
        print_line(_("Note: {text}").format(text=text))


@app.command()
def report(
    run_dir: Annotated[Path, typer.Argument(help="The folder of a run.")],
    target: Annotated[Path, typer.Argument(metavar="DEST", help="An HTML file to write.")],
) -> None:
    """Write a report (model card) of a run: one HTML file that can be printed."""
    from translearn_core.reports.report import write_report
    from translearn_core.runs import Run

    print_line(_("Written: {file}").format(file=write_report(Run(run_dir), target)))
