"""Edits of a data set: names, classes, single photos; and undo.

Owns: edits of the manifest, each under the data set's lock and written atomically, and
`undo.json` with those that can be undone. Files do not move when a class changes its
name; files of removed photos are deleted for good, unless they were left in place; those of
excluded ones are kept (`excluded.py`).
Leaves to others: adding photos (`adding.py`).
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from translearn_core.datasets import excluded
from translearn_core.datasets.class_places import with_heir
from translearn_core.datasets.dataset import Dataset, write_file
from translearn_core.datasets.file_names import tidy
from translearn_core.datasets.photos_without_class import paths_in_use
from translearn_core.datasets.unsorted import (
    all_rows,
    move_rows,
    read_unsorted,
    write_unsorted,
)
from translearn_core.errors import SourceError
from translearn_core.i18n import _, ngettext

_MOST_STEPS = 100


def rename_dataset(dataset: Dataset, name: str) -> None:
    """Give a data set another name.

    Raises:
        SourceError: the name is empty.
    """
    name = tidy(name)
    if not name:
        raise SourceError(_("The name is empty. Type one."))
    with dataset.locked():
        dataset.write_record(dataset.record.model_copy(update={"name": name}))


def rename_class(dataset: Dataset, old: str, new: str) -> None:
    """Give a class another name.

    Raises:
        SourceError: there is no class `old`, there is one `new` already, or `new` is empty.
    """
    new = tidy(new)
    if not new:
        raise SourceError(_("The name is empty. Type one."))
    with dataset.locked():
        _check_exist(dataset, [old])
        if new == old:
            return
        if new in dataset.classes:
            raise SourceError(
                _("There is already a class {name}. Merge the two if they mean the same.").format(
                    name=new
                )
            )
        _move(dataset, [old], new, "rename")


def merge_classes(dataset: Dataset, names: Iterable[str], into: str) -> None:
    """Put the photos of several classes into one, which may be one of them or new.

    Raises:
        SourceError: a class is not there, or `into` is empty.
    """
    into = tidy(into)
    sources = [name for name in dict.fromkeys(names) if name != into]
    if not into or not sources:
        raise SourceError(_("Choose at least two classes to merge, and a name for them."))
    with dataset.locked():
        _check_exist(dataset, sources)
        _move(dataset, sources, into, "merge")


def remove_class(dataset: Dataset, name: str) -> None:
    """Remove a class with its photos; own files are deleted for good.

    Raises:
        SourceError: there is no such class.
    """
    with dataset.locked():
        _check_exist(dataset, [name])
        _remove(dataset, dataset.photos.loc[dataset.photos["class_name"] == name, "path"])


def remove_photos(dataset: Dataset, paths: Iterable[str]) -> None:
    """Remove photos, sorted or not, by their manifest paths; own files are deleted for good."""
    with dataset.locked():
        rows = all_rows(dataset)
        _remove(dataset, rows.loc[rows["path"].isin(list(paths)), "path"])


def move_photos(dataset: Dataset, paths: Iterable[str], class_name: str) -> int:
    """Give photos another class, which may be new; unknown paths are ignored.

    Returns:
        How many photos changed their class.

    Raises:
        SourceError: the name of the class is empty.
    """
    into = tidy(class_name)
    if not into:
        raise SourceError(_("The name is empty. Type one."))
    with dataset.locked():
        photos = dataset.photos
        chosen = photos["path"].isin(list(paths)) & (photos["class_name"] != into)
        rows = photos[chosen]
        if not len(rows):
            return 0
        dataset.write_photos(photos.assign(class_name=photos["class_name"].mask(chosen, into)))
        _remember(dataset, "move", into, _by_class(rows))
    return len(rows)


def sort_photos(dataset: Dataset, classes: Mapping[str, str]) -> int:
    """Give unsorted photos, or others, their classes, as one step that can be undone.

    Args:
        classes: path -> class, which may be new; empty: back to the unsorted ones. Unknown paths
            are ignored.

    Returns:
        How many photos changed their class.
    """
    wanted = {path: tidy(name) for path, name in classes.items()}
    with dataset.locked():
        former = move_rows(dataset, wanted)
        if not former:
            return 0
        n = sum(len(paths) for paths in former.values())
        moved = {path for paths in former.values() for path in paths}
        into = sorted({name for path, name in wanted.items() if path in moved})
        _remember(dataset, "sort", ", ".join(into), former)
    return n


def exclude_photos(dataset: Dataset, paths: Iterable[str]) -> int:
    """Exclude photos from the data set; they can be restored, and no file is deleted.

    Returns:
        How many were excluded.
    """
    with dataset.locked():
        photos = dataset.photos
        rows = photos[photos["path"].isin(list(paths))]
        if not len(rows):
            return 0
        excluded.exclude_rows(dataset, rows)
        _remember(dataset, "exclude", "", _by_class(rows))
    return len(rows)


def restore_excluded(dataset: Dataset, paths: Iterable[str]) -> int:
    """Restore excluded photos. Returns how many."""
    with dataset.locked():
        rows = _excluded_rows(dataset, paths)
        excluded.restore_rows(dataset, rows, paths_in_use(dataset))
        _forget_exclusion(dataset, rows)
    return len(rows)


def delete_excluded(dataset: Dataset, paths: Iterable[str]) -> int:
    """Delete excluded photos for good (those left in place stay where they are). Returns how
    many."""
    with dataset.locked():
        rows = _excluded_rows(dataset, paths)
        excluded.delete_rows(dataset, rows, paths_in_use(dataset))
        _forget_exclusion(dataset, rows)
    return len(rows)


def undo(dataset: Dataset) -> str:
    """Undo the last change: a rename, a merge, a move or an exclusion of photos.

    Returns:
        What was undone, as a sentence.

    Raises:
        SourceError: there is nothing to undo.
    """
    with dataset.locked():
        steps = _read_steps(dataset)
        if not steps:
            raise SourceError(_("There is nothing to undo."))
        step = steps.pop()
        before = {path: name for name, paths in step["was"].items() for path in paths}
        if step["kind"] == "exclude":
            excluded.restore_rows(dataset, _excluded_rows(dataset, before), paths_in_use(dataset))
        elif step["kind"] == "sort":
            move_rows(dataset, before)
        else:
            dataset.write_photos(_with_classes(dataset.photos, before))
            _change_excluded(dataset, before)
        _write_steps(dataset, steps)
    return _describe_undo(step, len(before))


def undo_count(dataset: Dataset) -> int:
    """Number of changes that can be undone."""
    return len(_read_steps(dataset))


def last_change_id(dataset: Dataset) -> str:
    """What tells the change that `undo` would take back from all others; empty when there is none."""
    steps = _read_steps(dataset)
    return str(steps[-1].get("id", "")) if steps else ""


def last_change(dataset: Dataset) -> str:
    """The change that `undo` would take back, as a sentence; empty when there is none."""
    steps = _read_steps(dataset)
    return _describe_change(steps[-1]) if steps else ""


def was_sorted_here(dataset: Dataset) -> bool:
    """Whether a change that can be undone gave unsorted photos a class."""
    return any(step["kind"] == "sort" and "" in step["was"] for step in _read_steps(dataset))


def _describe_change(step: dict[str, Any]) -> str:
    n, into = sum(len(paths) for paths in step["was"].values()), step["into"]
    if step["kind"] == "exclude":
        return ngettext("{n:,} photo is removed.", "{n:,} photos are removed.", n).format(n=n)
    if step["kind"] == "sort" and not into:
        return ngettext("{n:,} photo is unsorted.", "{n:,} photos are unsorted.", n).format(n=n)
    if step["kind"] in ("move", "sort"):
        return ngettext("{n:,} photo is now {name}.", "{n:,} photos are now {name}.", n).format(
            n=n, name=into
        )
    names = ", ".join(step["was"])
    if step["kind"] == "rename":
        return _("{old} is now {new}.").format(old=names, new=into)
    return ngettext(
        "{names} is now part of {new}.", "{names} are now part of {new}.", len(step["was"])
    ).format(names=names, new=into)


def _describe_undo(step: dict[str, Any], n: int) -> str:
    names = ", ".join(name or _("the unsorted photos") for name in step["was"])
    if step["kind"] in ("exclude", "move", "sort"):
        return ngettext(
            "{n:,} photo is back in {names}.", "{n:,} photos are back in {names}.", n
        ).format(n=n, names=names)
    if step["kind"] == "rename":
        return _("{new} is called {old} again.").format(new=step["into"], old=names)
    return _("{names} are classes of their own again.").format(names=names)


def _check_exist(dataset: Dataset, names: Iterable[str]) -> None:
    classes = dataset.classes
    for name in names:
        if name not in classes:
            raise SourceError(
                _("There is no class {name}. The classes are: {names}.").format(
                    name=name, names=", ".join(classes)
                )
            )


def _move(dataset: Dataset, names: list[str], into: str, kind: str) -> None:
    """Give all photos of some classes, excluded ones too, another class."""
    photos, excluded_rows = dataset.photos, excluded.read_excluded(dataset)
    all_rows = pd.concat([photos[["class_name", "path"]], excluded_rows[["class_name", "path"]]])
    former = _by_class(all_rows[all_rows["class_name"].isin(names)])
    class_of = {path: into for paths in former.values() for path in paths}
    if into not in dataset.classes:
        dataset.write_places(with_heir(dataset.class_places, names[0], into))
    dataset.write_photos(_with_classes(photos, class_of))
    _change_excluded(dataset, class_of)
    _remember(dataset, kind, into, former)


def _by_class(rows: pd.DataFrame) -> dict[str, list[str]]:
    """Class name -> paths, classes sorted."""
    return {
        str(name): [str(path) for path in part]
        for name, part in rows.groupby("class_name", sort=True)["path"]
    }


def _with_classes(photos: pd.DataFrame, classes: dict[str, str]) -> pd.DataFrame:
    """A copy of the rows in which the photos (by path) of `classes` have these."""
    return photos.assign(
        class_name=photos["path"].map(classes).fillna(photos["class_name"]).astype(str)
    )


def _change_excluded(dataset: Dataset, classes: dict[str, str]) -> None:
    excluded_rows = excluded.read_excluded(dataset)
    if excluded_rows["path"].isin(list(classes)).any():
        excluded.write_excluded(dataset, _with_classes(excluded_rows, classes))


def _excluded_rows(dataset: Dataset, paths: Iterable[str]) -> pd.DataFrame:
    rows = excluded.read_excluded(dataset)
    return rows[rows["path"].isin(list(paths))]


def _forget_exclusion(dataset: Dataset, rows: pd.DataFrame) -> None:
    """Drop restored and deleted photos from the undo steps."""
    gone = set(rows["path"])
    kept = []
    for step in _read_steps(dataset):
        if step["kind"] == "exclude":
            was = {name: [p for p in paths if p not in gone] for name, paths in step["was"].items()}
            step = step | {"was": {name: paths for name, paths in was.items() if paths}}
        if step["was"]:
            kept.append(step)
    _write_steps(dataset, kept)


def _remember(dataset: Dataset, kind: str, into: str, was: dict[str, list[str]]) -> None:
    step = {"id": secrets.token_hex(8), "kind": kind, "into": into, "was": was}
    _write_steps(dataset, [*_read_steps(dataset), step][-_MOST_STEPS:])
    _mark_edited(dataset)


def _remove(dataset: Dataset, paths: Any) -> None:
    photos, unsorted = dataset.photos, read_unsorted(dataset)
    if unsorted["path"].isin(paths).any():
        write_unsorted(dataset, unsorted[~unsorted["path"].isin(paths)])
    if photos["path"].isin(paths).any():
        dataset.write_photos(photos[~photos["path"].isin(paths)])
    dataset.discard_files(paths)
    _mark_edited(dataset)


def _mark_edited(dataset: Dataset) -> None:
    """Make a later import of the same zip a new data set."""
    if dataset.record.source_sha256:
        dataset.write_record(dataset.record.model_copy(update={"source_sha256": ""}))


def _read_steps(dataset: Dataset) -> list[dict[str, Any]]:
    path = dataset.folder / "undo.json"
    if not path.is_file():
        return []
    steps: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["steps"]
    return steps


def _write_steps(dataset: Dataset, steps: Sequence[dict[str, Any]]) -> None:
    content = json.dumps({"schema_version": 1, "steps": list(steps)}, ensure_ascii=False)
    write_file(dataset.folder / "undo.json", content.encode("utf-8"))
