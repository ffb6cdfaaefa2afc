"""Writes a run as a short Keras program or notebook that trains the same without the app.

Owns: program, notebook and the files beside them. A CSV beside the program lists the photos with
their split, so that it is that of the run.
Leaves to others: the text (`keras_script_code.py`), training (`training/train.py`,
`fitting/fit.py`); a test runs the program and compares its accuracy with that of the run.

Files beside the program: `<name>.csv` (part, class, file and further labels of every photo), and
`<backbone>.npz` where its network is not one of Keras'.
"""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from translearn_core import backbones
from translearn_core.atomic import write_atomically
from translearn_core.backbones.dino_weights import PATCH, read_dino_weights
from translearn_core.backbones.lite_weights import read_lite_weights
from translearn_core.backbones.weights import check_weights, weights_path
from translearn_core.csv_tables import csv_text
from translearn_core.datasets.tasks import tasks_of
from translearn_core.errors import InputError, RunError, StorageError
from translearn_core.export.keras_script_code import (
    TASK,
    Facts,
    introduction,
    own_weights,
    sections_of,
)
from translearn_core.i18n import _
from translearn_core.runs import Run
from translearn_core.runs.annotations import display_name
from translearn_core.runs.splits import RunSplit, recover_split


def script(run: Run, *, stem: str = "train") -> str:
    """The run as a Python program.

    Args:
        stem: name of the program and of the list of photos beside it, without ending.

    Raises:
        RunError: the run has no result.
        SourceError: its data set is gone.
    """
    facts, _parts = _read_facts(run, stem)
    head = f'"""{introduction(facts)}\n"""\n\n'
    parts = []
    for number, section in enumerate(sections_of(facts, in_notebook=False)):
        title = f"# --- {number}. {section.title} ".ljust(88, "-") + "\n" if number else ""
        parts.append(title + section.code)
    return head + "\n\n".join(parts)


def notebook(run: Run, *, stem: str = "train") -> dict[str, Any]:
    """The run as a notebook, in nbformat 4.5 (https://nbformat.readthedocs.io).

    Raises:
        RunError: the run has no result.
        SourceError: its data set is gone.
    """
    facts, _parts = _read_facts(run, stem)
    cells = [_cell("markdown", 0, f"# {facts.name}\n\n{introduction(facts)}")]
    for number, section in enumerate(sections_of(facts, in_notebook=True)):
        if number:
            cells.append(_cell("markdown", len(cells), f"## {number}. {section.title}"))
        cells.append(_cell("code", len(cells), section.code.strip()))
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "cells": cells,
    }


def _cell(kind: str, number: int, text: str) -> dict[str, Any]:
    cell: dict[str, Any] = {
        "cell_type": kind,
        "id": f"cell-{number}",
        "metadata": {},
        "source": text.splitlines(keepends=True),
    }
    return cell | ({"execution_count": None, "outputs": []} if kind == "code" else {})


def write_code(run: Run, target: Path) -> list[Path]:
    """Write the program (`.py`) or the notebook (`.ipynb`), and what it needs, beside it.

    Returns:
        The files written, the program first.

    Raises:
        InputError: the name ends in neither, or the place cannot be written.
        RunError: the run has no result.
        SourceError: its data set is gone.
    """
    if target.suffix not in (".py", ".ipynb"):
        raise InputError(
            _(
                "The code is written as a program (.py) or as a notebook (.ipynb). Received: {file}."
            ).format(file=target.name)
        )
    files = _files(run, target.stem, kinds=(target.suffix,))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            write_atomically(target.with_name(name), content)
    except OSError as error:
        raise StorageError(
            _("{file} cannot be written: {cause}. Name another place.").format(
                file=target, cause=error.strerror
            )
        ) from error
    return [target.with_name(name) for name in files]


def code_zip(run: Run) -> bytes:
    """A zip with the program, the notebook and what both need.

    Raises:
        RunError: the run has no result.
        SourceError: its data set is gone.
    """
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in _files(run, "train", kinds=(".py", ".ipynb")).items():
            archive.writestr(name, content)
    return target.getvalue()


def _files(run: Run, stem: str, *, kinds: tuple[str, ...]) -> dict[str, bytes]:
    """Name -> content of the program in the wanted kinds, and of what it needs."""
    facts, parts = _read_facts(run, stem)
    files = {}
    if ".py" in kinds:
        files[f"{stem}.py"] = script(run, stem=stem).encode("utf-8")
    if ".ipynb" in kinds:
        content = json.dumps(notebook(run, stem=stem), ensure_ascii=False, indent=1)
        files[f"{stem}.ipynb"] = content.encode("utf-8")
    files[f"{stem}.csv"] = _photo_list(parts, facts).encode("utf-8")
    if facts.backbone.is_own and facts.settings.weights == "imagenet":
        files[own_weights(facts.backbone)] = _own_weights(facts)
    return files


def _own_weights(facts: Facts) -> bytes:
    """The weights of a network that is built here, as an `.npz` of arrays named `layer/variable`;
    those of DINOv2 `layer/number`, for photos of the run's size."""
    backbone = facts.backbone
    path = weights_path(backbone)
    if backbone.packaged:
        return path.read_bytes()
    check_weights(backbone)
    arrays: dict[str, Any]
    if backbone.size_step == PATCH:
        side = int(facts.metrics.image_size) // PATCH
        layers = read_dino_weights(path, **dict(backbone.arguments), grid=(side, side))
        arrays = {f"{name}/{n}": a for name, all_ in layers.items() for n, a in enumerate(all_)}
    else:
        arrays = dict(read_lite_weights(path))
    target = io.BytesIO()
    np.savez(target, **arrays)
    return target.getvalue()


def _read_facts(run: Run, stem: str) -> tuple[Facts, RunSplit]:
    if not run.has_result:
        raise RunError(
            _("The run {run} was not trained here, so there is no code of it to show.").format(
                run=run.id
            )
            if run.has_model
            else _("The run {run} has no result: it is {state}. Choose a finished run.").format(
                run=run.id, state=_(run.state.state)
            )
        )
    parts, metrics = recover_split(run), run.metrics
    facts = Facts(
        name=display_name(run).replace('"', "'").replace("\\", "/"),
        stem=stem,
        settings=run.config.settings,
        backbone=backbones.get_backbone(metrics.backbone),
        metrics=metrics,
        photos=_photos_folder(parts),
        certain=parts.certain,
        heif=bool((parts.table["format"] == "HEIF").any()),
        validation_given=bool((parts.rows("val")["split"] == "val").any()),
        further=tuple(task for task in metrics.further_tasks if task.name in _labels(parts)),
    )
    return facts, parts


def _labels(parts: RunSplit) -> dict[str, dict[str, str]]:
    """Further task -> path -> label, as the data set has them now."""
    kept = tasks_of(parts.dataset)
    if kept is None:
        return {}
    return {
        task: {path: given.get(task, "") for path, given in kept.labels.items()}
        for task in kept.tasks
    }


def _photos_folder(parts: RunSplit) -> Path:
    """The folder that the list of photos is relative to."""
    source = Path(parts.dataset.record.source)
    paths = [Path(path) for path in parts.table["path"]]
    if parts.dataset.kind == "folder" and any(path.is_relative_to(source) for path in paths):
        return source
    return parts.dataset.folder


def _photo_list(parts: RunSplit, facts: Facts) -> str:
    """part, class, file and labels of every photo, as CSV; files are relative where possible.

    A label of a further task that is no class of the run is left empty, like a missing one.
    """
    folder = facts.photos
    labels = _labels(parts)
    names = [task.name for task in facts.further]
    columns = ["part", "class", "file", *(f"{TASK}{name}" for name in names)]
    rows: list[list[object]] = []
    for row in parts.table.itertuples():
        path = Path(str(row.path))
        inside = path.is_absolute() and path.is_relative_to(folder)
        name = (path.relative_to(folder) if inside else path).as_posix()
        given = [(task, labels[task.name].get(str(row.path), "")) for task in facts.further]
        known = [label if label in task.classes else "" for task, label in given]
        rows.append([row.part, row.class_name, name, *known])
    return csv_text(columns, rows)
