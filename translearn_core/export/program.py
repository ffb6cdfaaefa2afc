"""The texts that go with an exported model: the program, its readme, its labels.

Owns: the values of their templates.
Leaves to others: the templates (`templates/classify`), which one belongs to a format (a row of
`formats.FORMATS`), preprocessing (`reading.py`) and tables
(`csv_tables.py`, copied unchanged).
They are read outside the app and are in English.
"""

from __future__ import annotations

import json
from pathlib import Path

from translearn_core import csv_tables
from translearn_core.export.formats import Format
from translearn_core.export.reading import PACKAGE
from translearn_core.formatting import percent
from translearn_core.imaging.square import BORDER
from translearn_core.runs import Run
from translearn_core.runs.run_metrics import RunMetrics
from translearn_core.runs.task_heads import load_heads
from translearn_core.runs.threshold import read_threshold
from translearn_core.templates import render, render_block


def program(row: Format) -> str:
    """The program of a format."""
    return render(_template(row), row=row)


def opening(row: Format) -> str:
    """The part of the program that opens the model and defines `ask(photo)`."""
    return "\n".join(render_block(_template(row), part, row=row) for part in ("library", "model"))


def _template(row: Format) -> str:
    return f"classify/{row.template}.py.j2"


def labels_json(run: Run) -> str:
    """labels.json: class names, image size, confidence threshold, and the classes of further tasks."""
    content = json.loads((run.folder / "labels.json").read_text(encoding="utf-8"))
    content["name"] = run.config.name or run.config.dataset_name or run.id
    content["sure_from"] = read_threshold(run.folder).sure_from
    heads = load_heads(run.folder)
    if heads:
        content["tasks"] = [{"name": head.name, "classes": list(head.classes)} for head in heads]
    return json.dumps(content, ensure_ascii=False, indent=1)


def csv_tables_py() -> str:
    """csv_tables.py: columns and cells of the table."""
    return Path(csv_tables.__file__).read_text(encoding="utf-8")


def readme(run: Run, row: Format, *, parity: str) -> str:
    """README.txt of the folder.

    Args:
        parity: the result of the verification, in a sentence.
    """
    labels = json.loads((run.folder / "labels.json").read_text(encoding="utf-8"))
    name = run.config.name or run.config.dataset_name or run.id
    files = {row.model: "the model", "labels.json": "class names in the order of the outputs"}
    files |= dict(row.extra_files)
    if row.program:
        files["classify.py"] = "names what is on photos, in a few lines of Python"
        files["prepare.py"] = "how a photo is found and prepared for the model"
        files[f"{PACKAGE}/"] = "how TransLearn reads photos of all kinds"
        files["csv_tables.py"] = "how the table of answers is written"
    files["parity.json"] = "how near this copy is to TransLearn's own answers"
    return render(
        "classify/readme.txt.j2",
        title=f"{name}, as {row.title}",
        row=row,
        files=files,
        width=max(map(len, files)) + 2,
        steps=_steps(row),
        size=labels["image_size"],
        fit=labels.get("fit", "stretch"),
        border=BORDER,
        aspect_ratios=labels.get("aspect_ratios"),
        classes=labels["classes"],
        sure_from=percent(read_threshold(run.folder).sure_from),
        heads=load_heads(run.folder),
        quality=_quality(run),
        parity=parity,
    )


def _steps(row: Format) -> tuple[str, ...]:
    return row.steps or (
        "Install Python 3.11 or newer.",
        row.pip,
        "python classify.py FOLDER_OF_PHOTOS > answers.csv",
    )


def _quality(run: Run) -> list[str]:
    """The accuracy of each task, in sentences."""
    if not run.has_result or not run.metrics.n_test:
        return [
            "Not measured: it was brought in from elsewhere, or no photos were kept for a test."
        ]
    metrics = run.metrics
    further = [
        f"{task.name}: right on {task.test_correct} of {task.n_test}."
        for task in metrics.further_tasks
    ]
    if metrics.test_accuracy is None:
        return [
            f"Right on {metrics.test_correct} of {metrics.n_test} photos that it had not seen while "
            f"learning, of which {metrics.n_test_same_scene} are of the scenes that it learned from: "
            "how often it is right in other scenes is not known.",
            *further,
        ]
    first = (
        f"Right on {metrics.test_correct} of {metrics.n_test} photos that it had not seen "
        f"while learning ({percent(metrics.accuracy)})."
    )
    if metrics.tested_elsewhere:
        return [_new_domain(metrics), f"Photos like those it learned from: {first}", *further]
    return [first, *further]


def _new_domain(metrics: RunMetrics) -> str:
    """The accuracy in the domain that the model was adapted to."""
    figures = metrics.adaptation
    if figures is None or figures.target_accuracy_after is None:
        return "Photos of the new domain, which it was adapted to: not measured."
    n, share = figures.n_target_labelled, figures.target_accuracy_after
    seen = "" if figures.held_back else " (it was adapted to these)"
    return f"Photos of the new domain: right on {round(share * n)} of {n}{seen} ({percent(share)})."
