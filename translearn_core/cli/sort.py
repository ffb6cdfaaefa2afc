"""The command `sort`: groups of unsorted photos, proposals of classes, and the next to label."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from translearn_core.cli.app import BackboneOption, JsonOption, app
from translearn_core.cli.interrupt import kept
from translearn_core.cli.screen import print_json, print_line
from translearn_core.i18n import _, ngettext


@app.command()
def sort(
    pile: Annotated[Path, typer.Argument(help="A folder or archive of unsorted photos.")],
    into: Annotated[Path, typer.Option(metavar="FOLDER", help="Where proposals.csv is written.")],
    classes: Annotated[
        str, typer.Option(help="The names of the classes, separated by commas.")
    ] = "",
    labels: Annotated[
        Path | None,
        typer.Option(
            metavar="TABLE",
            help="A table with the class of some photos, like proposals.csv with its column `class` "
            "filled in.",
        ),
    ] = None,
    accept: Annotated[
        float | None,
        typer.Option(
            metavar="BAR",
            min=0.0,
            max=1.0,
            help="Copy labelled photos, and those proposed with this confidence or more, into a "
            "folder for each class in FOLDER. Without it nothing is copied.",
        ),
    ] = None,
    backbone: BackboneOption = "",
    json_: JsonOption = False,
) -> None:
    """Propose classes for unsorted photos from a few labels, and name those to label next."""
    with kept(_("Nothing was kept but the features of photos, in the cache.")):
        from translearn_core.cli.sort_work import sort_photos

        report = sort_photos(pile, into, _names(classes), labels, accept, backbone)
    if json_:
        print_json(report)
    else:
        _print(report)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _print(report: dict[str, Any]) -> None:
    text = ngettext(
        "{n} photo, {labelled} labelled, {groups} groups of like photos.",
        "{n} photos, {labelled} labelled, {groups} groups of like photos.",
        report["photos"],
    )
    print_line(
        text.format(n=report["photos"], labelled=report["labelled"], groups=report["groups"])
    )
    for note in report["notes"]:
        print_line(_("Note: {text}").format(text=note))
    if report["expected_wrong"] is None:
        print_line(
            _(
                "There are no proposals yet: label at least 3 photos each of two classes. Fill in the "
                "column `class` of {table}, those with the lowest `ask` first, and name it with "
                "`--labels`."
            ).format(table=report["table"])
        )
    else:
        print_line(
            ngettext(
                "{n} proposal is in {table}; about {wrong} of them are wrong. Label those with the "
                "lowest `ask` next.",
                "{n} proposals are in {table}; about {wrong} of them are wrong. Label those with the "
                "lowest `ask` next.",
                report["proposed"],
            ).format(
                n=report["proposed"], table=report["table"], wrong=round(report["expected_wrong"])
            )
        )
    if report["copied"]:
        print_line(
            ngettext("{n} photo was copied.", "{n} photos were copied.", report["copied"]).format(
                n=report["copied"]
            )
        )
    if report["moved"]:
        text = ngettext(
            "{n} copy of before went to the folder of another class.",
            "{n} copies of before went to the folders of other classes.",
            report["moved"],
        )
        print_line(text.format(n=report["moved"]))
    if report["removed"]:
        text = ngettext(
            "{n} copy of before was taken away: its photo has no class any more.",
            "{n} copies of before were taken away: their photos have no class any more.",
            report["removed"],
        )
        print_line(text.format(n=report["removed"]))
    for copy in report["kept"]:
        print_line(
            _(
                "{file} is a copy of before that was changed since, so it stays; its photo is of "
                "another class now. Delete it unless you need it."
            ).format(file=copy)
        )
    for row in report["left_out"]:
        print_line(_("Left out: {file}: {reason}").format(**row))
