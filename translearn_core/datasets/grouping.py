"""Named groups of photos that belong together: a site, a camera, a specimen, a batch, a pupil.

Owns: the column `group_name` of the manifest and `grouped_by` of dataset.json, the words of
`--group-by` that mean folders or file names, the folder levels of a data set and the groups that
they make. Leaves to others: columns of label tables (`label_table.py`), how named groups and
near-duplicates together keep photos on one side of a split (`kept_together.py`).

A folder level is counted from the class folder: `level:1` is the first folder below it
(`cats/site1/a.jpg`), `level:-1` the one above (`farm1/cats/a.jpg`). Folders of the same name in
different classes are one group, folders of the same name inside different folders are not. Folders
of splits (train, test) and folders around everything do not count.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import pandas as pd

from translearn_core.datasets.dataset import Dataset
from translearn_core.datasets.excluded import read_excluded, write_excluded
from translearn_core.datasets.file_names import tidy
from translearn_core.datasets.folder_words import split_kind
from translearn_core.datasets.layout import read_layout
from translearn_core.datasets.recordings import RECORDINGS, recording_of
from translearn_core.errors import SettingsError, SourceError
from translearn_core.i18n import _

FOLDER = "folder"
NO_GROUPS = "none"
_LEVEL = "level:"
_NAME = "name:"
_SEPARATORS = ("_", "-", " ")
_CLASS_FOLDERS = 0.9
"""Share of the photos whose class agrees with the others of their folder, from which the folders
are the classes."""


@dataclass(frozen=True)
class FolderLevel:
    """A folder level, or a beginning of names, that could name groups.

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
    """Whether a value of `--group-by` names folders or file names, and no column of a table."""
    return by in (FOLDER, RECORDINGS) or by.startswith((_LEVEL, _NAME))


def group_by_folders(dataset: Dataset, by: str) -> int:
    """Group a data set by its folders or the beginnings of its file names; `none` removes its
    groups.

    Args:
        by: `folder`, `level:N`, `level:NAME`, `name:SEPARATOR`, `recordings` or `none`.

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
                "`{by}` names no groups of photos. Name a folder level: `folder`, `level:1` for the "
                "first folder below the class folder, `level:-1` for the one above it, `level:site` "
                "for folders whose names begin with site; or `name:_` for what stands before the "
                "first _ in the names of the files."
            ).format(by=by)
        )
    with dataset.locked():
        photos, excluded_rows = dataset.photos, read_excluded(dataset)
        rows = _grouped(pd.concat([photos, excluded_rows], ignore_index=True), by)
        names = set(rows["group_name"]) - {""}
        if not names:
            raise SettingsError(_not_there(dataset, by))
        dataset.write_photos(rows[: len(photos)])
        if len(excluded_rows):
            write_excluded(dataset, rows[len(photos) :])
        dataset.write_record(dataset.record.model_copy(update={"grouped_by": by}))
    return len(names)


def _not_there(dataset: Dataset, by: str) -> str:
    if by == RECORDINGS:
        return _("None of the photos is a frame of a recording or of a video.")
    if by.startswith(_NAME):
        return _("No name of a photo has “{separator}” after its beginning.").format(
            separator=by.removeprefix(_NAME)
        )
    levels = ", ".join(level.by for level in folder_levels(dataset))
    return _(
        "The photos lie in no folder that `{by}` names. Levels that they have: {levels}. A column is "
        "read from a table of labels."
    ).format(by=by, levels=levels or _("none"))


def as_folders(by: str) -> str:
    """A value of `--group-by` that is no column: a number is a level, a word the beginning of the
    names of folders."""
    if by == NO_GROUPS or means_folders(by):
        return by
    return f"{_LEVEL}{by}"


def class_rule(by: str) -> str:
    """Which folders are the classes where a numbered level names the groups, as in
    `ImportChoices.classes`; empty: the level does not say."""
    level = by.removeprefix(_LEVEL)
    if not by.startswith(_LEVEL) or not _is_depth(level) or int(level) == 0:
        return ""
    return "outer" if int(level) > 0 else "inner"


def names_class_folders(dataset: Dataset, by: str) -> bool:
    """Whether the folders that a level means were taken for the classes, so that the outermost
    folders are the classes and the photos have to be read so.

    Raises:
        SettingsError: the photos lie two folders deep, and `by` does not say which are the classes.
    """
    if not means_folders(by) or by == RECORDINGS or by.startswith(_NAME) or class_rule(by):
        return False
    level = by.removeprefix(_LEVEL)
    folders = _folders_of(dataset.photos)
    if not any(one.above for one in folders):
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


def name_beginnings(dataset: Dataset) -> list[FolderLevel]:
    """What the names of the files begin with, up to a separator, where that makes groups: at least
    two photos in most of them, and others than the classes."""
    photos = dataset.photos
    classes = photos["class_name"].to_numpy(dtype=object)
    found = []
    for separator in _SEPARATORS:
        by = f"{_NAME}{separator}"
        names = _grouped(photos, by)["group_name"]
        sizes = names[names != ""].value_counts()
        table = pd.DataFrame({"name": names, "class": classes})[(names != "").to_numpy()]
        of_class = table.groupby("class")["name"].nunique()
        if len(sizes) < 2 or sizes.median() < 2 or (of_class < 2).all():
            continue
        shared = int((table.groupby("name")["class"].nunique() > 1).sum())
        found.append(FolderLevel(by, tuple(sorted(sizes.index)), shared, len(table)))
    return found


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


def _named(photos: pd.DataFrame, names: Mapping[str, str]) -> pd.DataFrame:
    return photos.assign(group_name=[names.get(path, "") for path in photos["path"]])


def _grouped(rows: pd.DataFrame, by: str) -> pd.DataFrame:
    """Rows with the groups that their folders or names make; a frame that these put into none is in
    that of its recording."""
    recordings = [recording_of(str(file)) for file in rows["file"]]
    if by == RECORDINGS:
        names = recordings
    elif by.startswith(_NAME):
        names = [_beginning_of(str(file), by.removeprefix(_NAME)) for file in rows["file"]]
    else:
        names = _names_at(_folders_of(rows), by.removeprefix(_LEVEL))
    pairs = zip(names, recordings, strict=True)
    return rows.assign(group_name=[name or recording for name, recording in pairs])


def _beginning_of(file: str, separator: str) -> str:
    """What stands before the first separator in a file's name; "" where it has none."""
    start, found, _rest = PurePosixPath(file).stem.partition(separator or "_")
    return tidy(start) if found else ""


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
    classes = rows["class_name"].to_list()
    candidates = [
        _holding_folders(parts),
        [one[-1] if one else "" for one in parts],
        [one[0] if one else "" for one in parts],
    ]
    fitting = [found for found in candidates if _are_classes(found, classes)]
    if not fitting:
        return [_Folders((), "", folders) for folders in parts]
    names = max(fitting, key=lambda found: sum(map(str.__eq__, found, classes)))
    result = []
    for folders, name in zip(parts, names, strict=True):
        index = folders.index(name) if name in folders else -1
        result.append(_Folders(folders[: max(index, 0)], name, folders[index + 1 :]))
    return result


def _parts(file: str) -> tuple[str, ...]:
    """The folders of a file without those of splits."""
    parts = (tidy(part) for part in PurePosixPath(file).parts[:-1])
    return tuple(part for part in parts if part != "/" and not split_kind(part))


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
        found = read_layout(["/".join([*folders, "photo.jpg"]) for folders in parts])
    except SourceError:
        return [""] * len(parts)
    return [assignment.class_name for assignment in found.assignments]


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
