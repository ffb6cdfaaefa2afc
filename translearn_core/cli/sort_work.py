"""What the command `sort` does: proposals of classes for a pile of photos, and copies by class.

Owns: `sort_photos`, the table of proposals, and which copies of earlier calls go and stay.
Leaves to others: groups and proposals (`sorting/`), the command and its words (`sort.py`).

Files: `proposals.csv`, the table; `copies.json`, the copies that were made, by pile.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from translearn_core import datasets
from translearn_core.atomic import disk_errors, write_atomically
from translearn_core.cli.bar import Bar, BarMonitor
from translearn_core.cli.settings import make_settings_of
from translearn_core.cli.weights import have_weights
from translearn_core.csv_tables import csv_text
from translearn_core.datasets import Dataset
from translearn_core.datasets.file_names import NameKeeper, safe_name
from translearn_core.datasets.table_classes import TableLabelling
from translearn_core.datasets.table_reading import read_table
from translearn_core.errors import InputError, SourceError
from translearn_core.features.extractor import extract_pooled
from translearn_core.i18n import _
from translearn_core.imaging.positions import without_position
from translearn_core.recipe.resolve import resolve
from translearn_core.sorting.groups import LikenessTree, one_of_each
from translearn_core.sorting.job import STAGES
from translearn_core.sorting.proposals import head_points, next_questions, propose

TABLE = "proposals.csv"
COPIES = "copies.json"
COLUMNS = ("file", "class", "proposal", "confidence", "group", "ask")


def sort_photos(
    pile: Path,
    into: Path,
    names: tuple[str, ...],
    labels: Path | None,
    bar: float | None,
    backbone: str,
) -> dict[str, Any]:
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
        given, notes = _given(dataset, pile, labels, names)
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
        "notes": notes,
        "left_out": [
            {"file": str(file), "reason": str(reason)}
            for file, reason in zip(left_out["file"], left_out["reason"], strict=True)
        ],
    }


def _given(
    dataset: Dataset, pile: Path, labels: Path | None, names: tuple[str, ...]
) -> tuple[dict[str, str], list[str]]:
    """The classes that the table gives, by file, and what is to be said of rows that do not fit.

    Raises:
        SourceError: the table is not usable, or names a class that is not among `names`.
    """
    if labels is None:
        return {}, []
    files = [str(file) for file in dataset.photos["file"]]
    table = read_table(labels)
    labelling = TableLabelling(table, several=False, key="")
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
    found, column = labelling.found, labelling.main
    told = [*found.notes(table, files), *found.conflict_notes(table, files, [column])]
    return given, told


def _propose(
    dataset: Dataset, given: dict[str, str], names: tuple[str, ...], backbone: Any
) -> tuple[list[dict[str, Any]], float | None]:
    """A row of `COLUMNS` for each photo, and the expected number of wrong proposals."""
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
