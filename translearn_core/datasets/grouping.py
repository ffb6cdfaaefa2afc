"""Named groups of photos that belong together: a site, a camera, a specimen, a batch, a pupil.

Owns: the column `group_name` of the manifest and `grouped_by` of dataset.json, the words of
`--group-by` that mean folders, the folder levels of a data set and the groups that they make.
Leaves to others: columns of label tables (`label_csv.py`), how named groups and near-duplicates
together keep photos on one side of a split (`duplicate_groups.py`).

A folder level is counted from the class folder: `level:1` is the first folder below it
(`cats/site1/a.jpg`), `level:-1` the one above (`farm1/cats/a.jpg`). The import takes the folder
that holds a photo for its class; a level below the class says that the outer folder is. Folders of
the same name in different classes are one group, folders of the same name inside different folders
are not. Folders of splits (train, test) and folders around everything do not count.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import pandas as pd

from translearn_core.datasets.excluded import read_excluded, write_excluded
from translearn_core.datasets.layout import SPLIT_FOLDERS, assign_classes, tidy
from translearn_core.datasets.library import Dataset
from translearn_core.errors import SettingsError, SourceError
from translearn_core.i18n import _

FOLDER = "folder"
NO_GROUPS = "none"
_LEVEL = "level:"
_CLASS_FOLDERS = 0.9
"""Share of the photos whose class agrees with the others of their folder, from which the folders
are the classes."""


@dataclass(frozen=True)
class FolderLevel:
    """A folder level that could name groups.

    Args:
        by: the value of `--group-by`, like `level:1`.
        names: the groups, sorted.
        shared: groups that have photos of at least two classes.
        photos: photos that lie in one of the groups.
    """

    by: str
    names: tuple[str, ...]
    shared: int
    photos: int


def set_groups(dataset: Dataset, groups: Mapping[str, str], *, by: str) -> None:
    """Store which photos belong together; earlier groups are replaced.

    Args:
        groups: manifest path -> name of the group; a photo with an empty name, or none, is in no
            group. Paths that the data set does not have are ignored.
        by: what the groups are: the column or the folder level they come from; empty with `groups`
            empty removes all groups.

    Raises:
        StorageError: the disk is full, or another process holds the data set too long.
    """
    names = {path: tidy(name) for path, name in groups.items()}
    with dataset.locked():
        dataset.write_photos(_named(dataset.photos, names))
        excluded_rows = read_excluded(dataset)
        if len(excluded_rows):
            write_excluded(dataset, _named(excluded_rows, names))
        if dataset.record.grouped_by != by:
            dataset.write_record(dataset.record.model_copy(update={"grouped_by": by}))


def named_groups(dataset: Dataset) -> pd.Series | None:
    """The name of each photo's group, "" for none, by manifest path; None where none has one."""
    photos = dataset.photos
    if not (photos["group_name"] != "").any():
        return None
    index = pd.Index(photos["path"], name="path")
    return pd.Series(photos["group_name"].to_numpy(dtype=object), index=index, name="group")


def means_folders(by: str) -> bool:
    """Whether a value of `--group-by` names a folder level, and no column of a table."""
    return by == FOLDER or by.startswith(_LEVEL)


def group_by_folders(dataset: Dataset, by: str) -> int:
    """Group a data set by a folder level; `none` removes its groups.

    Where photos lie directly in their class folders and `by` is a level below, the outer folders
    become the classes.

    Args:
        by: `folder`, `level:N`, `level:NAME` or `none`.

    Returns:
        The number of groups.

    Raises:
        SettingsError: `by` is none of these, or the photos have no such folder.
    """
    if by == NO_GROUPS:
        set_groups(dataset, {}, by="")
        return 0
    if not means_folders(by):
        raise SettingsError(
            _(
                "`{by}` is no folder level. Name one: `folder`, `level:1` for the first folder below "
                "the class folder, `level:-1` for the one above it, or `level:site` for folders "
                "whose names begin with site."
            ).format(by=by)
        )
    with dataset.locked():
        photos, excluded_rows = dataset.photos, read_excluded(dataset)
        rows = _grouped(pd.concat([photos, excluded_rows], ignore_index=True), by)
        names = set(rows["group_name"]) - {""}
        if not names:
            levels = ", ".join(level.by for level in folder_levels(dataset))
            raise SettingsError(
                _(
                    "The photos lie in no folder that `{by}` names. Levels that they have: {levels}."
                ).format(by=by, levels=levels or _("none"))
            )
        dataset.write_photos(rows[: len(photos)])
        if len(excluded_rows):
            write_excluded(dataset, rows[len(photos) :])
        dataset.write_record(dataset.record.model_copy(update={"grouped_by": by}))
    return len(names)


def groups_by_level(dataset: Dataset, level: int | str) -> dict[str, str]:
    """The groups that a folder level makes.

    Args:
        level: a number of folders below (1, 2, …) or above (-1, …) the class folder; `folder` for
            all folders of a photo but its class folder; or what the names of the folders begin
            with, like `site` for `site1` and `Site 2`.

    Returns:
        Manifest path -> group, of the photos that have such a folder.
    """
    photos = dataset.photos
    names = _names_at(_folders_of(photos), str(level).removeprefix(_LEVEL))
    return {path: name for path, name in zip(photos["path"], names, strict=True) if name}


def group_again(photos: pd.DataFrame, before: pd.DataFrame, grouped_by: str) -> pd.DataFrame:
    """Rows of a manifest read again, with the groups that photos of the same path had `before`; a
    set that is grouped by folders is grouped by them again."""
    if not grouped_by:
        return photos
    if means_folders(grouped_by):
        return _grouped(photos, grouped_by)
    return _named(photos, dict(zip(before["path"], before["group_name"], strict=True)))


def group_added(before: pd.DataFrame, rows: pd.DataFrame, grouped_by: str) -> pd.DataFrame:
    """Rows that are added to a manifest, with their groups where it is grouped by folders."""
    if not means_folders(grouped_by) or not len(rows):
        return rows
    return _grouped(pd.concat([before, rows], ignore_index=True), grouped_by)[len(before) :]


def folder_levels(dataset: Dataset) -> list[FolderLevel]:
    """The folder levels of a data set with at least two groups, the outermost first."""
    photos = dataset.photos
    folders = _folders_of(photos)
    depths = {depth for one in folders for depth in (-len(one.above), len(one.below))}
    classes = pd.Series(photos["class_name"].to_numpy(dtype=object))
    levels = []
    for depth in range(min(depths, default=0), max(depths, default=0) + 1):
        names = pd.Series([one.at(depth) for one in folders], dtype=object)
        named = names != ""
        distinct = tuple(sorted(set(names[named])))
        if depth == 0 or len(distinct) < 2:
            continue
        shared = int((classes[named].groupby(names[named]).nunique() > 1).sum())
        levels.append(FolderLevel(f"{_LEVEL}{depth}", distinct, shared, int(named.sum())))
    return levels


@dataclass(frozen=True)
class _Folders:
    """The folders of a photo, from the outermost: above its class folder, it, and below it."""

    above: tuple[str, ...]
    class_folder: str
    below: tuple[str, ...]

    def at(self, depth: int) -> str:
        """The folders down to a level; "" where the photo has no folder there."""
        if depth > 0:
            return "/".join(self.below[:depth]) if len(self.below) >= depth else ""
        kept = len(self.above) + depth + 1
        return "/".join(self.above[:kept]) if 0 < -depth <= len(self.above) else ""

    def called(self, pattern: re.Pattern[str]) -> str:
        """The folders down to the first one whose name fits."""
        for parts in (self.above, self.below):
            for index, part in enumerate(parts):
                if pattern.match(part):
                    return "/".join(parts[: index + 1])
        return ""

    def with_outer_class(self) -> _Folders:
        """The same with the outermost folder as the class."""
        if not self.above:
            return self
        outer, *inner = self.above
        return _Folders((), outer, (*inner, self.class_folder, *self.below))


def _named(photos: pd.DataFrame, names: Mapping[str, str]) -> pd.DataFrame:
    return photos.assign(group_name=[names.get(path, "") for path in photos["path"]])


def _grouped(rows: pd.DataFrame, by: str) -> pd.DataFrame:
    """Rows with the groups of a folder level, and the classes that it implies."""
    level = by.removeprefix(_LEVEL)
    folders = _folders_of(rows)
    names = _names_at(folders, level)
    classes = rows["class_name"]
    if any(one.above for one in folders) and (
        not any(names) or _fits_class_folders(folders, level)
    ):
        turned = [one.with_outer_class() for one in folders]
        if any(inner := _names_at(turned, level)) and len({one.class_folder for one in turned}) > 1:
            names = inner
            classes = pd.Series(
                [
                    new.class_folder if new.class_folder != old.class_folder else name
                    for old, new, name in zip(folders, turned, classes, strict=True)
                ],
                index=rows.index,
            )
    return rows.assign(class_name=classes, group_name=names)


def _fits_class_folders(folders: Sequence[_Folders], level: str) -> bool:
    """Whether a level by name means what was taken for the class folders."""
    if _is_depth(level):
        return False
    if level != FOLDER:
        pattern = _beginning(level)
        return any(pattern.match(one.class_folder) for one in folders)
    if any(one.below for one in folders):
        return False
    inner = _are_numbered({one.class_folder for one in folders if one.above})
    outer = _are_numbered({one.above[0] for one in folders if one.above})
    if inner == outer:
        raise SettingsError(
            _(
                "The photos lie two folders deep, and both could be the class. Say which: `level:1` "
                "where the inner folders are the groups, `level:-1` where the outer ones are."
            )
        )
    return inner


def _are_numbered(names: Collection[str]) -> bool:
    return bool(names) and all(any(letter.isdigit() for letter in name) for name in names)


def _names_at(folders: Sequence[_Folders], level: str) -> list[str]:
    """The group of each photo at a level, "" for none."""
    if level == FOLDER:
        return ["/".join([*one.above, *one.below]) for one in folders]
    if _is_depth(level):
        return [one.at(int(level)) for one in folders]
    pattern = _beginning(level)
    return [one.called(pattern) for one in folders]


def _is_depth(level: str) -> bool:
    return re.fullmatch(r"[+-]?\d+", level) is not None


def _beginning(word: str) -> re.Pattern[str]:
    """Names that begin with a word, and do not go on with a letter."""
    return re.compile(re.escape(word) + r"(?![^\W\d_])", re.IGNORECASE)


def _folders_of(rows: pd.DataFrame) -> list[_Folders]:
    """The folders of each photo; where the classes do not come from folders, all are below."""
    held_out = (rows["split"] == "test").to_list()
    parts = _without_outer([_parts(str(file)) for file in rows["file"]], held_out)
    candidates = [_holding_folders(parts), [one[0] if one else "" for one in parts]]
    classes = rows["class_name"].to_list()
    names = next((found for found in candidates if _are_classes(found, classes)), None)
    if names is None:
        return [_Folders((), "", folders) for folders in parts]
    result = []
    for folders, name in zip(parts, names, strict=True):
        index = folders.index(name) if name in folders else -1
        result.append(_Folders(folders[: max(index, 0)], name, folders[index + 1 :]))
    return result


def _parts(file: str) -> tuple[str, ...]:
    """The folders of a file without those of splits."""
    parts = (tidy(part) for part in PurePosixPath(file).parts[:-1])
    return tuple(part for part in parts if part != "/" and part.lower() not in SPLIT_FOLDERS)


def _without_outer(parts: list[tuple[str, ...]], held_out: Sequence[bool]) -> list[tuple[str, ...]]:
    """Without the folders around everything, and without the name of a test source."""
    first = {folders[0] for folders, held in zip(parts, held_out, strict=True) if held and folders}
    others = {folders[:1] for folders, held in zip(parts, held_out, strict=True) if not held}
    if len(first) == 1 and others and (next(iter(first)),) not in others:
        parts = [
            folders[1:] if held else folders for folders, held in zip(parts, held_out, strict=True)
        ]
    depth = _common(parts)
    return [folders[depth:] for folders in parts]


def _holding_folders(parts: Sequence[tuple[str, ...]]) -> list[str]:
    """The class folder of each photo by the rule of the import, "" where it finds none."""
    try:
        found = assign_classes(["/".join([*folders, "photo.jpg"]) for folders in parts])
    except SourceError:
        return [""] * len(parts)
    return [assignment.class_name for assignment in found]


def _are_classes(folders: Sequence[str], classes: Sequence[str]) -> bool:
    """Whether classes follow from folders; they may have been renamed or merged since."""
    table = pd.DataFrame({"folder": list(folders), "class": list(classes)})
    table = table[table["folder"] != ""]
    most = table.groupby(["folder", "class"]).size().groupby("folder").max().sum()
    return len(table) > 0 and bool(most >= _CLASS_FOLDERS * len(folders))


def _common(folders: Sequence[tuple[str, ...]]) -> int:
    """How many leading folders all have."""
    if not folders:
        return 0
    low, high = min(folders), max(folders)
    depth = 0
    while depth < min(len(low), len(high)) and low[depth] == high[depth]:
        depth += 1
    return depth
