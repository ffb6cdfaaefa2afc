"""What the commands `predict` and `compare` do, and how they tell what came of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer

from translearn_core.atomic import write_atomically
from translearn_core.cli.bar import Bar
from translearn_core.cli.screen import cannot_write, print_json, print_line
from translearn_core.csv_tables import csv_text, probability_column, task_column
from translearn_core.datasets.file_names import printable
from translearn_core.errors import InputError, RunError
from translearn_core.formatting import answer_words, certainty, percent, percent_range
from translearn_core.i18n import _, ngettext
from translearn_core.prediction.compare import Comparison, as_json, compare
from translearn_core.prediction.photo_files import find_photos, hidden_folders
from translearn_core.prediction.predict import Prediction, open_predictor
from translearn_core.prediction.predict import predict as predict_photos
from translearn_core.runs import Run


def ask(run_dir: Path, photos: list[Path]) -> tuple[Run, list[Prediction]]:
    """The run, and its predictions for photos and those in folders.

    Raises:
        InputError: there are no files.
    """
    run = Run(run_dir)
    paths = list(find_photos(photos))
    for folder, n in hidden_folders(photos).items():
        text = ngettext(
            "The folder {name} ({n} photo) was passed over: its name is that of a hidden folder. To "
            "predict its photos, name it beside the others.",
            "The folder {name} ({n} photos) was passed over: its name is that of a hidden folder. To "
            "predict its photos, name it beside the others.",
            n,
        )
        typer.echo(text.format(name=printable(str(folder)), n=n), err=True)
    if not paths:
        raise InputError(_("There are no files in {places}.").format(places=_join(photos)))
    return run, list(predict_photos(run, paths))


def tell(run: Run, predictions: list[Prediction], *, json_: bool, table: Path | None) -> None:
    """Print predictions and write their table.

    Raises:
        InputError: none of the files is a photo, or the table cannot be written.
    """
    for notice in open_predictor(run).notices:
        typer.echo(notice, err=True)
    if table is not None:
        _write_csv(table, run.labels, predictions)
    if json_:
        print_json([asdict(prediction) for prediction in predictions])
    elif table is None:
        for prediction in predictions:
            _print_prediction(prediction)
    if all(prediction.error for prediction in predictions):
        raise InputError(_("None of the files could be read as a photo."))


def _join(paths: list[Path]) -> str:
    return ", ".join(map(str, paths))


def _print_prediction(prediction: Any) -> None:
    if prediction.error:
        print_line(f"{prediction.file}: {prediction.error}")
        return
    text = answer_words(
        prediction.label,
        certainty(prediction.confidence, 1),
        is_sure=prediction.sure,
        is_unlike=bool(prediction.unlike),
    ).sentence
    task_columns = "".join(f"; {task_text}" for task_text in _task_texts(prediction))
    if prediction.other_shape:
        text = _("{answer}; of another shape than the training photos").format(answer=text)
    print_line(f"{prediction.file}: {text}{task_columns}")


def _task_texts(prediction: Any) -> Iterator[str]:
    """The prediction in each further task, as text."""
    for task, probs_of in (prediction.tasks or {}).items():
        label, prob = next(iter(probs_of.items()))
        sure = bool(prediction.tasks_sure[task])
        words = answer_words(label, certainty(prob, 1), is_sure=sure, is_unlike=False)
        yield f"{task}: {words.sentence}"


def _write_csv(path: Path, classes: list[str], predictions: list[Any]) -> None:
    """Write the table whole, or leave what was there.

    Columns: file, label, confidence, `p(<class>)` for each class, error, sure, unlike; then, for each
    further task, its label under its name, confidence and sure; last other_shape.
    """
    tasks = next((list(row.tasks) for row in predictions if row.tasks), [])
    fixed = ["file", "label", "confidence"], ["error", "sure", "unlike"]
    columns = [*fixed[0], *map(probability_column, classes), *fixed[1]]
    for task in tasks:
        name = task_column(task, columns)
        columns += [name, f"{name}: confidence", f"{name}: sure"]
    columns.append("other_shape")
    rows = [_table_row(prediction, classes, tasks) for prediction in predictions]
    try:
        write_atomically(path, csv_text(columns, rows))
    except OSError as error:
        raise cannot_write(path, error) from error


def _table_row(row: Any, classes: list[str], tasks: list[str]) -> list[Any]:
    yes_no = {True: "yes", False: "no", None: ""}
    probs_of = row.probabilities or {}
    values = [row.file, row.label, row.confidence, *map(probs_of.get, classes)]
    values += [row.error, yes_no[row.sure], yes_no[row.unlike]]
    for task in tasks:
        label, prob = next(iter((row.tasks or {}).get(task, {"": None}).items()))
        values += [label, prob, yes_no[(row.tasks_sure or {}).get(task)]]
    return [*values, yes_no[row.other_shape]]


def compare_runs(run_dirs: Sequence[Path], against: Path | None) -> Comparison:
    """Compare runs, with a bar.

    Raises:
        RunError: the reference is not among them.
    """
    runs = [Run(folder) for folder in run_dirs]
    reference = Run(against).id if against is not None else None
    if reference is not None and reference not in [run.id for run in runs]:
        raise RunError(_("`--against` must name one of the runs that are compared."))
    with Bar() as bar:
        return compare(
            runs,
            reference=reference,
            progress=lambda done, total, what: bar.show(f"{what} {done} / {total}", done / total),
        )


def tell_comparison(comparison: Comparison, *, json_: bool) -> None:
    """Print a comparison."""
    if json_:
        print_json(as_json(comparison))
    else:
        _print_comparison(comparison)


def _print_comparison(comparison: Any) -> None:
    print_line(comparison.sentence)
    for run in comparison.runs:
        low, high = run.interval
        seconds = run.facts.get("seconds")
        took = f"{seconds:.0f} s" if seconds is not None else "-"
        right = f"{percent(run.accuracy, 1):>7} [{percent_range(low, high, 1)}]"
        if comparison.on_known_scenes:
            right = f"{run.correct} / {run.n}"
        print_line(f"  {run.letter}  {right}  {took:>7}  {run.name}  {run.run.folder}")
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
