"""Commands that come before training: `backbones`, `check`, `feasible`."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from translearn_core.cli.app import (
    BackboneOption,
    JsonOption,
    SourceArgument,
    TestSourceOption,
    app,
)
from translearn_core.cli.choices import ImportOptions, with_import_options, with_option
from translearn_core.cli.interrupt import kept
from translearn_core.cli.screen import (
    Bar,
    BarMonitor,
    import_folders,
    import_of_manifest,
    import_photos,
    import_with_table,
    local_source,
    output_to,
    print_json,
    print_line,
)
from translearn_core.cli.settings import have_weights, make_settings_of
from translearn_core.errors import InputError
from translearn_core.formatting import percent, percent_range
from translearn_core.i18n import _, ngettext


@app.command()
def backbones(json_: JsonOption = False) -> None:
    """List the backbones and whether their weights are on this machine."""
    from translearn_core.backbones import BACKBONES
    from translearn_core.backbones.weights import weights_status

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
    if json_:
        print_json(rows)
        return
    for backbone, row in zip(BACKBONES.values(), rows, strict=True):
        top1 = percent(backbone.top1, 1) if backbone.top1 is not None else "-"
        print_line(
            f"{row['name']:<20} {row['size_mb']:>5.0f} MB {row['input_size']:>4} px "
            f"{top1:>7}  {row['weights']:<9} {row['when']}"
        )


@app.command()
@with_import_options
def check(
    source: SourceArgument,
    json_: JsonOption = False,
    *,
    options: ImportOptions,
) -> None:
    """Check a labelled folder or archive: classes, counts, files that would be left out, warnings."""
    with kept(_("Nothing was changed: a check keeps nothing, and its photos stay as they are.")):
        report = _check(source, options)
    if json_:
        print_json(report)
    else:
        _print_report(report)
    if report["problem"]:
        raise InputError(report["problem"])


def _check(source: str, options: ImportOptions) -> dict[str, Any]:
    """Import into a workspace that is removed again, and describe what came."""
    from translearn_core.datasets.photo_manifest import is_manifest

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


def _describe(dataset: Any) -> dict[str, Any]:
    """The report of `check` as JSON."""
    from translearn_core import datasets
    from translearn_core.datasets.tasks import table_notes
    from translearn_core.feasibility import assessment

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


def _print_report(report: dict[str, Any]) -> None:
    n, classes = report["n_photos"], report["classes"]
    print_line(_("{photos} photos in {classes} classes").format(photos=n, classes=len(classes)))
    for name, count in classes.items():
        print_line(f"  {count:>6}  {name}")
    if report["groups"]:
        print_line(
            _("{n} groups by {by}, which no split tears apart").format(
                n=report["groups"], by=report["grouped_by"]
            )
        )
    if report["splits"]:
        counts = ", ".join(f"{name} {n}" for name, n in report["splits"].items())
        free = n - sum(report["splits"].values())
        print_line(_("Splits given by the source: {counts}").format(counts=counts))
        if free:
            print_line(
                ngettext(
                    "{n} photo has no split and counts as training.",
                    "{n} photos have no split and count as training.",
                    free,
                ).format(n=free)
            )
    left_out = report["left_out"]
    if left_out:
        print_line(
            ngettext("{n} file left out:", "{n} files left out:", len(left_out)).format(
                n=len(left_out)
            )
        )
    for row in left_out:
        print_line(f"  {row['file']}: {row['reason']}")
    for warning in report["warnings"]:
        print_line(_("Note: {text}").format(text=warning))
    if not report["problem"]:
        print_line(report["assessment"]["sentence"])


@app.command()
@with_import_options
def feasible(
    source: SourceArgument,
    test_source: TestSourceOption = None,
    backbone: BackboneOption = "",
    seed: Annotated[
        int, typer.Option(help="Random seed: the same seed gives the same answer.")
    ] = 0,
    json_: JsonOption = False,
    *,
    options: ImportOptions,
) -> None:
    """Estimate by cross-validation how well training will work, and what would help most."""
    with kept(_("Nothing was kept: the check had not begun.")):
        from translearn_core.backbones import get_backbone
        from translearn_core.feasibility import job as check
        from translearn_core.feasibility import report as check_report
        from translearn_core.recipe.resolve import resolve

        settings = make_settings_of({"backbone": backbone, "seed": seed})
        have_weights(resolve(settings))
        dataset = import_photos(source, test_source=test_source, options=options)
        folder = check_report.folder_of(dataset)
        folder.mkdir(exist_ok=True)
    with kept(lambda: _what_is_kept(dataset)), output_to(folder / "log.txt"), Bar() as bar:
        report = check.assess(
            dataset,
            backbone=get_backbone(backbone) if backbone else None,
            seed=seed,
            monitor=BarMonitor(bar, check.STAGES),
        )
    if json_:
        print_json(report.model_dump(mode="json"), indent=None)
    else:
        _print_feasible(report)


def _what_is_kept(dataset: Any) -> str:
    """What an interrupt of the feasibility check leaves."""
    from translearn_core.feasibility import report as check_report

    if check_report.read(dataset) is None:
        return _(
            "Kept: the list of the photos, in {folder}. Not kept: there is no report yet."
        ).format(folder=dataset.folder)
    return _(
        "Kept: the list of the photos and the report that was there before, in {folder}. Not kept: "
        "the new report."
    ).format(folder=dataset.folder)


def _print_feasible(report: Any) -> None:
    print_line(report.sentence)
    for text in report.remarks:
        print_line(_("Note: {text}").format(text=text))
    if report.random_split_note:
        print_line(_("Note: {text}").format(text=report.random_split_note))
    forecast = report.forecast
    if forecast is not None:
        print_line(
            _(
                "With {n} photos the expected accuracy is {share} (95 % interval: {interval})."
            ).format(
                n=forecast.n,
                share=percent(forecast.accuracy),
                interval=percent_range(forecast.low, forecast.high),
            )
        )
    if report.advice:
        print_line(_("What would help most, in order:"))
    for number, advice in enumerate(report.advice, 1):
        print_line(f"  {number}. {advice.text}")


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
