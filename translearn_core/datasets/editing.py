"""What a person changes in a data set: names, classes, single photos; and undo.

Owns: edits of the manifest, each under the data set's lock and written atomically, and
`undo.json` with the last renames and merges. Files do not move when a class changes its name;
files of removed photos are deleted for good, unless they were left in place.
Leaves to others: adding photos (`importing.py`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from translearn_core.datasets.layout import tidy
from translearn_core.datasets.library import Dataset, write_file
from translearn_core.errors import SourceError
from translearn_core.texts import _

_MOST_STEPS = 20


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
        _must_exist(dataset, [old])
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
    others = [name for name in dict.fromkeys(names) if name != into]
    if not into or not others:
        raise SourceError(_("Choose at least two classes to merge, and a name for them."))
    with dataset.locked():
        _must_exist(dataset, others)
        _move(dataset, others, into, "merge")


def remove_class(dataset: Dataset, name: str) -> None:
    """Remove a class with its photos; own files are deleted for good.

    Raises:
        SourceError: there is no such class.
    """
    with dataset.locked():
        _must_exist(dataset, [name])
        _remove(dataset, dataset.photos.loc[dataset.photos["class_name"] == name, "path"])


def remove_photos(dataset: Dataset, paths: Iterable[str]) -> None:
    """Remove photos by their manifest paths; own files are deleted for good."""
    with dataset.locked():
        photos = dataset.photos
        _remove(dataset, photos.loc[photos["path"].isin(list(paths)), "path"])


def undo(dataset: Dataset) -> str:
    """Take back the last rename or merge.

    Returns:
        What was taken back, as a sentence.

    Raises:
        SourceError: there is nothing to take back.
    """
    with dataset.locked():
        steps = _read_steps(dataset)
        if not steps:
            raise SourceError(_("There is nothing to undo."))
        step = steps.pop()
        before = {path: name for name, paths in step["was"].items() for path in paths}
        photos = dataset.photos.copy()
        photos["class_name"] = photos["path"].map(before).fillna(photos["class_name"])
        dataset.write_photos(photos)
        _write_steps(dataset, steps)
    names = ", ".join(step["was"])
    if step["kind"] == "rename":
        return _("{new} is called {old} again.").format(new=step["into"], old=names)
    return _("{names} are classes of their own again.").format(names=names)


def undo_count(dataset: Dataset) -> int:
    """How many renames and merges can be taken back."""
    return len(_read_steps(dataset))


def _must_exist(dataset: Dataset, names: Iterable[str]) -> None:
    classes = dataset.classes
    for name in names:
        if name not in classes:
            raise SourceError(
                _("There is no class {name}. The classes are: {names}.").format(
                    name=name, names=", ".join(classes)
                )
            )


def _move(dataset: Dataset, names: list[str], into: str, kind: str) -> None:
    photos = dataset.photos.copy()
    was = {name: list(photos.loc[photos["class_name"] == name, "path"]) for name in names}
    photos.loc[photos["class_name"].isin(names), "class_name"] = into
    dataset.write_photos(photos)
    steps = [*_read_steps(dataset), {"kind": kind, "into": into, "was": was}]
    _write_steps(dataset, steps[-_MOST_STEPS:])
    _mark_edited(dataset)


def _remove(dataset: Dataset, paths: Any) -> None:
    photos = dataset.photos
    dataset.write_photos(photos[~photos["path"].isin(paths)])
    dataset.discard_files(paths)
    _mark_edited(dataset)


def _mark_edited(dataset: Dataset) -> None:
    """The same zip, imported again, is a data set of its own from now on."""
    if dataset.record.source_sha256:
        dataset.write_record(dataset.record.model_copy(update={"source_sha256": ""}))


def _read_steps(dataset: Dataset) -> list[dict[str, Any]]:
    path = dataset.folder / "undo.json"
    if not path.is_file():
        return []
    steps: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["steps"]
    return steps


def _write_steps(dataset: Dataset, steps: list[dict[str, Any]]) -> None:
    content = json.dumps({"schema_version": 1, "steps": steps}, ensure_ascii=False)
    write_file(dataset.folder / "undo.json", content.encode("utf-8"))
