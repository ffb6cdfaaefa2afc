"""The command `sort`: groups of unsorted photos, proposals of classes, and the next to label."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any

import typer

from translearn_core.atomic import disk_errors, write_atomically
from translearn_core.cli.app import BackboneOption, JsonOption, app
from translearn_core.cli.interrupt import kept
from translearn_core.cli.screen import Bar, BarMonitor, print_json, print_line
from translearn_core.cli.settings import have_weights, make_settings_of
from translearn_core.csv_tables import csv_text
from translearn_core.errors import InputError, SourceError
from translearn_core.i18n import _, ngettext

if TYPE_CHECKING:
    from translearn_core.datasets import Dataset
    from translearn_core.datasets.file_names import NameKeeper

TABLE = "proposals.csv"
COPIES = "copies.json"
COLUMNS = ("file", "class", "proposal", "confidence", "group", "ask")


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
        report = _sort(pile, into, _names(classes), labels, accept, backbone)
    if json_:
        print_json(report)
    else:
        _print(report)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _sort(
    pile: Path,
    into: Path,
    names: tuple[str, ...],
    labels: Path | None,
    bar: float | None,
    backbone: str,
) -> dict[str, Any]:
    from translearn_core import datasets
    from translearn_core.recipe.resolve import resolve

    resolved = resolve(make_settings_of({"backbone": backbone}))
    have_weights(resolved)
    if into.resolve().is_relative_to(pile.resolve()):
        raise InputError(
            _(
                "{into} lies in {pile}, so its photos would be sorted again. Name another folder."
            ).format(into=into, pile=pile)
        )
    named = str(pile.resolve())
    with contextlib.ExitStack() as stack:
        if pile.is_file():
            pile = stack.enter_context(datasets.unpacked(pile))
        dataset = datasets.open_unlabelled(str(pile))
        photos = dataset.photos
        given = _given(dataset, pile, labels, names)
        rows, wrong = _propose(dataset, given, names, resolved.backbone)
        left_out = dataset.left_out
        with disk_errors():
            into.mkdir(parents=True, exist_ok=True)
            write_atomically(into / TABLE, csv_text(COLUMNS, [list(row.values()) for row in rows]))
        copies = Copies()
        if bar is not None:
            copies = _copy(dataset, rows, into, bar, pile=named)
    return {
        "table": str(into / TABLE),
        "photos": len(photos),
        "labelled": sum(bool(row["class"]) for row in rows),
        "proposed": sum(bool(row["proposal"]) and not row["class"] for row in rows),
        "expected_wrong": None if wrong is None else round(wrong, 1),
        "groups": len({row["group"] for row in rows}),
        "copied": copies.made,
        "moved": copies.moved,
        "removed": copies.removed,
        "kept": list(copies.kept),
        "left_out": [
            {"file": str(file), "reason": str(reason)}
            for file, reason in zip(left_out["file"], left_out["reason"], strict=True)
        ],
    }


def _given(
    dataset: Dataset, pile: Path, labels: Path | None, names: tuple[str, ...]
) -> dict[str, str]:
    """The classes that the table gives, by file.

    Raises:
        SourceError: the table is not usable, or names a class that is not among `names`.
    """
    if labels is None:
        return {}
    from translearn_core.datasets.table_classes import TableLabelling
    from translearn_core.datasets.table_reading import read_table

    files = [str(file) for file in dataset.photos["file"]]
    labelling = TableLabelling(read_table(labels), several=False, key="")
    assigned = labelling.assign([files], [str(pile)])[0]
    given = {
        file: one.class_name for file, one in zip(files, assigned, strict=True) if one.class_name
    }
    unknown = sorted(set(given.values()) - set(names)) if names else []
    if unknown:
        raise SourceError(
            _("{table} names classes that `--classes` does not: {names}. Add them there.").format(
                table=labels, names=", ".join(unknown)
            )
        )
    return given


def _propose(
    dataset: Dataset, given: dict[str, str], names: tuple[str, ...], backbone: Any
) -> tuple[list[dict[str, Any]], float | None]:
    """A row of `COLUMNS` for each photo, and the expected number of wrong proposals."""
    import numpy as np

    from translearn_core.features.extractor import extract_pooled
    from translearn_core.sorting.groups import LikenessTree, one_of_each
    from translearn_core.sorting.job import STAGES
    from translearn_core.sorting.proposals import head_points, next_questions, propose

    with Bar() as bar:
        pooled = extract_pooled(dataset, backbone, fit="stretch", monitor=BarMonitor(bar, STAGES))
    features = pooled.features[:]
    files = [str(file) for file in dataset.photos["file"]]
    labels = [given.get(file, "") for file in files]
    found = LikenessTree(features).first_groups()
    groups = {photo: number for number, group in enumerate(found, 1) for photo in group.photos}
    points = head_points(features)
    unsorted = np.array([not label for label in labels], bool)
    proposals = propose(points, labels, by_hand=~unsorted)
    if proposals is None:
        order = [photo for photo in one_of_each(found) if unsorted[photo]]
    else:
        order = next_questions(proposals, points, unsorted, most=len(files))
    ask = {photo: number for number, photo in enumerate(order, 1)}
    rows = []
    for photo, file in enumerate(files):
        proposal, confidence = "", None
        if proposals is not None and not labels[photo]:
            proposal = proposals.classes[int(proposals.best[photo])]
            confidence = round(float(proposals.confidence[photo]), 4)
        rows.append(
            {
                "file": file,
                "class": labels[photo],
                "proposal": proposal,
                "confidence": confidence,
                "group": groups[photo],
                "ask": ask.get(photo),
            }
        )
    if proposals is None:
        return rows, None
    return rows, float((1.0 - proposals.confidence[unsorted]).sum())


@dataclass(frozen=True, kw_only=True)
class Copies:
    """What became of the copies: how many photos lie in the folder of their class, how many copies
    of an earlier call went from one class to another, how many went away since their photo has no
    class any more, and old copies that were changed meanwhile and stay (`<class>/<file>`)."""

    made: int = 0
    moved: int = 0
    removed: int = 0
    kept: tuple[str, ...] = ()


def _copy(
    dataset: Dataset, rows: list[dict[str, Any]], into: Path, bar: float, *, pile: str
) -> Copies:
    """Copy photos into the folders of their classes. A file that is there already is left as it is:
    another photo of its name gets a name of its own. A copy that an earlier call made of this pile in
    the folder of another class is taken away, unless somebody changed it."""
    from translearn_core.datasets.file_names import NameKeeper, safe_name

    piles = _read_copies(into)
    before = piles.get(pile, {})
    path_of = dict(zip(dataset.photos["file"], dataset.photos["path"], strict=True))
    class_of = {str(row["file"]): _class_now(row, bar) for row in rows}
    now: dict[str, str] = {}
    moved, removed, kept = 0, 0, []
    for file, name in class_of.items():
        old = before.get(file, "")
        if not old or not (into / old).is_file():
            continue
        if name and PurePosixPath(old).parent.name == safe_name(name):
            now[file] = old
        elif _is_copy(dataset.photo_path(path_of[file]), into / old):
            _take_away(into / old)
            moved, removed = moved + bool(name), removed + (not name)
        else:
            kept.append(old)
    keeper = NameKeeper(now.values())
    for file, name in class_of.items():
        if name and file not in now:
            source = dataset.photo_path(path_of[file])
            now[file] = _copy_one(source, into, safe_name(name), PurePosixPath(file).name, keeper)
    with disk_errors():
        content = {"schema_version": 1, "piles": piles | {pile: now}}
        write_atomically(into / COPIES, json.dumps(content, ensure_ascii=False, indent=1))
    return Copies(made=len(now), moved=moved, removed=removed, kept=tuple(kept))


def _class_now(row: dict[str, Any], bar: float) -> str:
    """The class that a photo is copied to: its label, or a proposal that is sure enough; or none."""
    is_sure = bool(row["proposal"]) and row["confidence"] >= bar
    return str(row["class"] or (row["proposal"] if is_sure else ""))


def _copy_one(source: Path, into: Path, folder: str, name: str, keeper: NameKeeper) -> str:
    """Copy one photo without its position, unless its copy is there; returns its place in `into`."""
    from translearn_core.imaging.positions import without_position

    with disk_errors():
        (into / folder).mkdir(exist_ok=True)
        target = into / folder / keeper.claim(folder, name)
        while target.exists() and not _is_copy(source, target):
            target = into / folder / keeper.claim(folder, name)
        if not target.exists():
            target.write_bytes(without_position(source.read_bytes()))
    return f"{folder}/{target.name}"


def _is_copy(source: Path, copy: Path) -> bool:
    """Whether a file is a copy of a photo, without its position or, of an earlier version, with it."""
    from translearn_core.imaging.positions import without_position

    data, content = source.read_bytes(), copy.read_bytes()
    return content == data or content == without_position(data)


def _take_away(copy: Path) -> None:
    with disk_errors():
        copy.unlink()
    with contextlib.suppress(OSError):  # the folder still holds photos
        copy.parent.rmdir()


def _read_copies(into: Path) -> dict[str, dict[str, str]]:
    """The copies that earlier calls left: pile -> file -> `<class>/<file>`; none where the list is
    damaged."""
    try:
        piles = json.loads((into / COPIES).read_text(encoding="utf-8"))["piles"]
        return {
            str(pile): {str(file): str(copy) for file, copy in found.items() if _is_inside(copy)}
            for pile, found in piles.items()
        }
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}


def _is_inside(copy: str) -> bool:
    """Whether it names a file in a folder of a class, and nothing outside."""
    path = PurePosixPath(copy)
    return len(path.parts) == 2 and not path.is_absolute() and ".." not in path.parts


def _print(report: dict[str, Any]) -> None:
    text = ngettext(
        "{n} photo, {labelled} labelled, {groups} groups of like photos.",
        "{n} photos, {labelled} labelled, {groups} groups of like photos.",
        report["photos"],
    )
    print_line(
        text.format(n=report["photos"], labelled=report["labelled"], groups=report["groups"])
    )
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
