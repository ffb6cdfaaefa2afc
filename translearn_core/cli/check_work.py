"""What the commands `backbones`, `check` and `feasible` do; they print what comes of it (`check.py`)."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from translearn_core import datasets
from translearn_core.backbones import BACKBONES, get_backbone
from translearn_core.backbones.weights import weights_status
from translearn_core.cli.bar import Bar, BarMonitor
from translearn_core.cli.choices import ImportOptions, with_option
from translearn_core.cli.importing import (
    import_folders,
    import_of_manifest,
    import_photos,
    import_with_table,
    local_source,
)
from translearn_core.cli.interrupt import kept
from translearn_core.cli.screen import output_to
from translearn_core.cli.settings import make_settings_of
from translearn_core.cli.weights import have_weights
from translearn_core.datasets import Dataset
from translearn_core.datasets.photo_manifest import is_manifest
from translearn_core.datasets.tasks import table_notes
from translearn_core.errors import InputError
from translearn_core.feasibility import assessment
from translearn_core.feasibility import job as check_job
from translearn_core.feasibility import report as check_report
from translearn_core.feasibility.report import Report
from translearn_core.i18n import _
from translearn_core.recipe.resolve import resolve


def backbone_rows() -> list[dict[str, Any]]:
    """The backbones and the state of their weights, as JSON."""
    rows = []
    for backbone in BACKBONES.values():
        status = weights_status(backbone)
        rows.append(
            {
                "name": backbone.name,
                "title": backbone.title,
                "size_mb": backbone.size_mb,
                "parameters": backbone.parameters,
                "input_size": backbone.input_size,
                "top1": backbone.top1,
                "licence": backbone.licence,
                "when": _(backbone.when),
                "weights": status.state,
                "weights_file": str(status.path),
                "weights_sentence": status.sentence,
            }
        )
    return rows


def check_photos(source: str, options: ImportOptions) -> dict[str, Any]:
    """Import into a workspace that is removed again, and describe what came."""
    with (
        tempfile.TemporaryDirectory(prefix="translearn-check-") as folder,
        _workspace(Path(folder)),
        Bar() as bar,
    ):
        if is_manifest(source):
            dataset = import_of_manifest(source, options, check=True, bar=bar)
        elif options.labels is not None:
            dataset = import_with_table(
                local_source(source), options.labels, options=options, check=True, say_notes=False
            )
        else:
            dataset = import_folders(local_source(source), options, check=True, bar=bar)
        return _describe(dataset)


def _describe(dataset: Dataset) -> dict[str, Any]:
    """The report of `check` as JSON."""
    judged = assessment.assess(dataset)
    try:
        datasets.check_ready(dataset)
        problem = ""
    except InputError as error:
        problem = error.message
    photos = dataset.photos
    return {
        "name": dataset.name,
        "classes": {name: int(n) for name, n in dataset.counts.items()},
        "n_photos": len(photos),
        "grouped_by": dataset.record.grouped_by,
        "groups": len(set(photos["group_name"]) - {""}),
        "splits": {str(k): int(n) for k, n in photos["split"].value_counts().items() if k},
        "left_out": _rows(dataset.left_out),
        "smallest": [int(photos["width"].min()), int(photos["height"].min())]
        if len(photos)
        else [],
        "largest": [int(photos["width"].max()), int(photos["height"].max())] if len(photos) else [],
        "warnings": [
            *table_notes(dataset).notes,
            *map(with_option, table_notes(dataset).questions),
            *dataset.record.notices,
            *map(with_option, dataset.record.questions),
            *datasets.found_by_checks(dataset),
        ],
        "assessment": {"level": judged.level, "sentence": judged.sentence},
        "unused_rows": [row.model_dump() for row in table_notes(dataset).rows],
        "problem": problem,
    }


def _rows(frame: Any) -> list[dict[str, str]]:
    return [
        {"file": str(file), "reason": str(reason)}
        for file, reason in zip(frame["file"], frame["reason"], strict=True)
    ]


def check_feasibility(
    source: str, *, test_source: Path | None, backbone: str, seed: int, options: ImportOptions
) -> Report:
    """The report of the feasibility check of these photos, which is kept with them."""
    settings = make_settings_of({"backbone": backbone, "seed": seed})
    have_weights(resolve(settings))
    dataset = import_photos(source, test_source=test_source, options=options)
    folder = check_report.folder_of(dataset)
    folder.mkdir(exist_ok=True)
    with kept(lambda: _what_is_kept(dataset)), output_to(folder / "log.txt"), Bar() as bar:
        return check_job.assess(
            dataset,
            backbone=get_backbone(backbone) if backbone else None,
            seed=seed,
            monitor=BarMonitor(bar, check_job.STAGES),
        )


def _what_is_kept(dataset: Dataset) -> str:
    """What an interrupt of the feasibility check leaves."""
    if check_report.read(dataset) is None:
        return _(
            "Kept: the list of the photos, in {folder}. Not kept: there is no report yet."
        ).format(folder=dataset.folder)
    return _(
        "Kept: the list of the photos and the report that was there before, in {folder}. Not kept: "
        "the new report."
    ).format(folder=dataset.folder)


@contextmanager
def _workspace(folder: Path) -> Iterator[None]:
    """Use another workspace meanwhile, so that nothing is written to the person's own."""
    before = os.environ.get("TRANSLEARN_HOME")
    os.environ["TRANSLEARN_HOME"] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ["TRANSLEARN_HOME"]
        else:
            os.environ["TRANSLEARN_HOME"] = before
