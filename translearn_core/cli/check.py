"""Commands that come before training: `backbones`, `check`, `feasible`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from translearn_core.cli.app import (
    BackboneOption,
    JsonOption,
    SourceArgument,
    TestSourceOption,
    app,
)
from translearn_core.cli.choices import ImportOptions, with_import_options
from translearn_core.cli.interrupt import kept
from translearn_core.cli.screen import print_json, print_line
from translearn_core.cli.startup import importing
from translearn_core.errors import InputError
from translearn_core.formatting import percent, percent_range
from translearn_core.i18n import _, ngettext


@app.command()
def backbones(json_: JsonOption = False) -> None:
    """List the backbones and whether their weights are on this machine."""
    from translearn_core.cli.check_work import backbone_rows

    rows = backbone_rows()
    if json_:
        print_json(rows)
        return
    for row in rows:
        top1 = percent(row["top1"], 1) if row["top1"] is not None else "-"
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
        from translearn_core.cli.check_work import check_photos

        report = check_photos(source, options)
    if json_:
        print_json(report)
    else:
        _print_report(report)
    if report["problem"]:
        raise InputError(report["problem"])


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
        with importing(source):
            from translearn_core.cli.check_work import check_feasibility

        report = check_feasibility(
            source, test_source=test_source, backbone=backbone, seed=seed, options=options
        )
    if json_:
        print_json(report.model_dump(mode="json"), indent=None)
    else:
        _print_feasible(report)


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
