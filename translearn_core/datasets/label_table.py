"""Makes a data set of photos and a table of their labels.

Owns: `read_table`, `import_labelled`, `attach_labels`: which column is the classes, the label of each
photo, and the sentences on rows and photos that do not fit. Leaves to others: cells
(`table_file.py`), columns (`table_columns.py`), which photo a row means (`table_match.py`), the
import itself (`importing.py`), what is stored beside the classes (`tasks.py`).

Labels are kept as they are written, but for white space and Unicode form (`layout.tidy`); no file
or folder is named after them. Folders beside a table are the classes only where `main` says `class`
or the table leaves photos without a label.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from translearn_core.datasets.annotation_file import (
    find_camera_traps,
    looks_like_json,
    read_annotations,
    read_camera_traps,
)
from translearn_core.datasets.grouping import set_groups
from translearn_core.datasets.importing import import_files, import_source
from translearn_core.datasets.layout import ClassAssignment, ImportChoices, read_layout, tidy
from translearn_core.datasets.library import Dataset
from translearn_core.datasets.sources import ProgressCallback, StopCheck
from translearn_core.datasets.table_columns import (
    ColumnRoles,
    find_column,
    find_roles,
    named_column,
    one_hot_labels,
    one_hot_name,
    split_of,
)
from translearn_core.datasets.table_file import Cells, read_cells
from translearn_core.datasets.table_match import Match, PhotoIndex
from translearn_core.datasets.tasks import (
    MAIN,
    TableNotes,
    detach_labels,
    main_task,
    store_table_notes,
    store_tasks,
)
from translearn_core.errors import SourceError
from translearn_core.i18n import _, ngettext

RESERVED = "path"
"""A column of tasks.parquet, so no task can have this name."""
_SHOWN = 3
_SHOWN_LENGTH = 60


@dataclass(frozen=True, kw_only=True)
class LabelTable:
    """A table that was read: its cells, what the columns mean, and the column of the classes.

    Args:
        main: the column that a person chose; `class` where no column has this name means the
            folders; empty: none was chosen.
        groups: the column of what photos belong together; empty: none.
    """

    cells: Cells
    roles: ColumnRoles
    main: str = ""
    groups: str = ""

    @functools.cached_property
    def values(self) -> dict[str, list[str]]:
        """The labels of each row, by column of labels."""
        values = {}
        for column in self.roles.labels:
            if self.roles.one_hot and column == one_hot_name(self.cells):
                cells = one_hot_labels(self.cells, self.roles.one_hot)
            else:
                cells = self.cells.column(column)
            values[column] = [tidy(cell) for cell in cells]
        return values

    @property
    def notes(self) -> list[str]:
        """Sentences on what was guessed and left out when it was read."""
        return [*self.cells.notes, *self.roles.notes, *_tidied(self)]


@dataclass(frozen=True, kw_only=True)
class LabelledImport:
    """A data set made with a table: one sentence on what was read, and what to know about it."""

    dataset: Dataset
    summary: str
    notes: tuple[str, ...]


def read_table(
    source: Path | Any,
    *,
    main: str = "",
    file_column: str = "",
    one_hot: bool = True,
    group_by: str = "",
) -> LabelTable:
    """Read a table and find out what its columns mean.

    Args:
        source: a path of a table, a JSON file or a camera trap package, or an open file.
        main: the column of the classes; `class` for the folders; empty to find it.
        file_column: the column that names the photos; empty to find it.
        one_hot: whether columns of 0 and 1 with one 1 in each row are one label.
        group_by: a value of `--group-by`; where the table has such a column, it names the groups.

    Raises:
        SourceError: the table is not usable; the message says why.
    """
    cells = _read_cells(source)
    folders = main == MAIN and MAIN not in cells.columns
    wanted = named_column(cells, main) if main and not folders else ""
    groups = find_column(cells, group_by) if group_by else ""
    roles = find_roles(
        cells, file_column=file_column, wanted=wanted, groups=groups, one_hot=one_hot
    )
    if RESERVED in roles.labels:
        raise SourceError(
            _(
                "{file} has a column `{name}`, under which the answers of a run keep the place of a "
                "photo. Give the column another name."
            ).format(file=cells.name, name=RESERVED)
        )
    if not roles.labels:
        others = [column for column in cells.columns if column != roles.file]
        raise SourceError(
            _(
                "{file} needs at least one column of labels beside `{column}`, with two different "
                "labels or more. Its other columns: {columns}."
            ).format(
                file=cells.name,
                column=roles.file,
                columns=", ".join(others) or _("none given"),
            )
            + "".join(f" {note}" for note in roles.notes[:3])
        )
    return LabelTable(cells=cells, roles=roles, main=wanted or main, groups=groups)


def _read_cells(source: Path | Any) -> Cells:
    name = Path(str(getattr(source, "name", source))).name
    try:
        if isinstance(source, Path):
            package = find_camera_traps(source)
            if package is not None:
                return read_camera_traps(package)
            data = source.read_bytes()
        else:
            data = source.read()
    except OSError as error:
        raise SourceError(
            _("The table {file} cannot be opened: {cause}.").format(
                file=source if isinstance(source, Path) else name, cause=error.strerror or error
            )
        ) from error
    return read_annotations(data, name) if looks_like_json(data) else read_cells(data, name)


def import_labelled(
    source: Path,
    table: LabelTable,
    *,
    several: bool = False,
    test_source: Path | None = None,
    in_place: bool = True,
    choices: ImportChoices | None = None,
    check: bool = False,
    name: str = "",
    key: str = "",
    progress: ProgressCallback | None = None,
    stop: StopCheck | None = None,
) -> LabelledImport:
    """Make a data set of a folder or an archive of photos and a table.

    Args:
        several: whether all columns of labels are learned, or the classes only.
        test_source: photos that are kept for the test; the table names them, too.
        in_place, choices, check, name: as for `importing.import_source`.
        key: tells two tables of one folder apart (a path).

    Raises:
        SourceError: nothing matched, the column of the classes is not clear, or the source is
            refused.
    """
    labelling = _Labelling(table, several=several, key=key, choices=choices)
    dataset = import_source(
        source,
        test_source=test_source,
        in_place=in_place and source.is_dir(),
        check=check,
        name=name,
        choices=choices,
        labels=labelling,
        progress=progress,
        stop=stop,
    )
    return _finish(dataset, labelling)


def import_labelled_files(
    files: Iterable[tuple[str, Path | BinaryIO]],
    table: LabelTable,
    *,
    name: str,
    several: bool = False,
    progress: ProgressCallback | None = None,
    stop: StopCheck | None = None,
) -> LabelledImport:
    """Make a data set of uploaded files and a table.

    Args:
        files, name: as for `importing.import_files`.
        several: as for `import_labelled`.

    Raises:
        SourceError, StorageError: as `import_labelled`.
    """
    labelling = _Labelling(table, several=several, key="")
    dataset = import_files(files, name=name, labels=labelling, progress=progress, stop=stop)
    return _finish(dataset, labelling)


def attach_labels(dataset: Dataset, table: LabelTable) -> str:
    """Store the table's labels with a data set, replacing earlier ones.

    Returns:
        A sentence on rows that do not fit and on the number of photos without a row; empty when
        there are none.

    Raises:
        SourceError: it names none of the photos.
    """
    photos = dataset.photos
    main = main_task(dataset)
    files, paths = [str(file) for file in photos["file"]], [str(path) for path in photos["path"]]
    index = PhotoIndex(files, [dataset.record.source] * len(files))
    by_path = {path: number for number, path in enumerate(paths)}
    found = _match(
        table, lambda row: Match(by_path[row]) if row in by_path else index.find(row), len(files)
    )
    if not found.rows:
        raise SourceError(
            _(
                "The table names none of the photos of {name}. Its column `{column}` must hold paths "
                "like {example}."
            ).format(
                name=dataset.name,
                column=table.roles.file,
                example=files[0] if files else "a.jpg",
            )
            + "".join(f" {note}" for note in found.notes(table, files))
        )
    tasks = tuple(column for column in table.roles.labels if column != main)
    labels = {
        paths[photo]: {task: found.label(table, photo, task) for task in tasks}
        for photo in found.rows
    }
    kept = {
        path: {task: label for task, label in given.items() if label}
        for path, given in labels.items()
    }
    store_tasks(dataset, main=main, tasks=tasks, labels=kept)
    notes = [*table.notes, *found.notes(table, files), *found.conflict_notes(table, files, tasks)]
    if len(photos) > len(kept):
        notes.append(_silent_about(len(photos) - len(kept), len(photos)))
    return " ".join(notes)


def _silent_about(missing: int, total: int) -> str:
    return _("The table says nothing of {n} of {total} photos.").format(n=missing, total=total)


# --- Rows and photos ----------------------------------------------------------------------------


@dataclass(frozen=True)
class _Found:
    """Rows by photo, and the rows (positions) that fit none or several."""

    rows: dict[int, list[int]]
    missing: list[int]
    ambiguous: list[tuple[int, tuple[int, ...]]]

    def labels(self, table: LabelTable, photo: int, column: str) -> list[str]:
        """The different labels that the rows of a photo give in a column."""
        given = [table.values[column][row] for row in self.rows.get(photo, ())]
        return list(dict.fromkeys(label for label in given if label))

    def label(self, table: LabelTable, photo: int, column: str) -> str:
        """The label of a photo; empty where it has none, or rows contradict each other."""
        given = self.labels(table, photo, column)
        return given[0] if len(given) == 1 else ""

    def notes(self, table: LabelTable, files: Sequence[str]) -> list[str]:
        """Sentences on the rows that fit no photo or several."""
        names = table.cells.column(table.roles.file)
        notes = []
        if self.missing:
            shown = ", ".join(_row(table, row, names[row]) for row in self.missing[:_SHOWN])
            notes.append(
                ngettext(
                    "{n} row of {table} names no photo that is there: {rows}.",
                    "{n} rows of {table} name no photo that is there: {rows}.",
                    len(self.missing),
                ).format(
                    n=len(self.missing),
                    table=table.cells.name,
                    rows=_and_more(shown, len(self.missing)),
                )
            )
        if self.ambiguous:
            shown = "; ".join(
                _row(table, row, names[row]) + " = " + ", ".join(files[n] for n in fits[:2])
                for row, fits in self.ambiguous[:_SHOWN]
            )
            notes.append(
                ngettext(
                    "{n} row of {table} fits several photos and was not used: {rows}. Write the "
                    "folders into the table, too.",
                    "{n} rows of {table} fit several photos each and were not used: {rows}. Write "
                    "the folders into the table, too.",
                    len(self.ambiguous),
                ).format(
                    n=len(self.ambiguous),
                    table=table.cells.name,
                    rows=_and_more(shown, len(self.ambiguous)),
                )
            )
        return notes

    def conflict_notes(
        self, table: LabelTable, files: Sequence[str], columns: Sequence[str]
    ) -> list[str]:
        """A sentence for each column in which rows of one photo contradict each other."""
        notes = []
        for column in columns:
            found = [p for p in self.rows if len(self.labels(table, p, column)) > 1]
            if not found:
                continue
            shown = "; ".join(
                f"{_cut(files[photo])} ({self.conflict(table, photo, column)})"
                for photo in found[:_SHOWN]
            )
            notes.append(
                ngettext(
                    "{n} photo has rows with different labels in {column}, and none of them was "
                    "used: {photos}. Correct the table.",
                    "{n} photos have rows with different labels in {column}, and none of them was "
                    "used: {photos}. Correct the table.",
                    len(found),
                ).format(n=len(found), column=column, photos=_and_more(shown, len(found)))
            )
        return notes

    def conflict(self, table: LabelTable, photo: int, column: str) -> str:
        """The rows of a photo with what they say."""
        return ", ".join(
            _("row {row}: {label}").format(
                row=table.cells.numbers[row], label=_cut(table.values[column][row])
            )
            for row in self.rows[photo]
            if table.values[column][row]
        )


def _match(table: LabelTable, find: Callable[[str], Match], n_photos: int) -> _Found:
    rows: dict[int, list[int]] = defaultdict(list)
    missing: list[int] = []
    ambiguous: list[tuple[int, tuple[int, ...]]] = []
    for row, name in enumerate(table.cells.column(table.roles.file)):
        match = find(name)
        if match.photo is not None:
            rows[match.photo].append(row)
        elif match.candidates:
            ambiguous.append((row, match.candidates))
        else:
            missing.append(row)
    ordered = {photo: rows[photo] for photo in range(n_photos) if photo in rows}
    return _Found(ordered, missing, ambiguous)


def _row(table: LabelTable, row: int, name: str) -> str:
    return _("{name} (row {row})").format(name=_cut(name) or "-", row=table.cells.numbers[row])


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN_LENGTH else text[: _SHOWN_LENGTH - 1] + "…"


def _and_more(shown: str, n: int) -> str:
    return shown if n <= _SHOWN else shown + _(" and {n} more").format(n=n - _SHOWN)


def _tidied(table: LabelTable) -> list[str]:
    """A sentence on labels that differ in white space or Unicode form only."""
    notes = []
    for column, values in table.values.items():
        if column not in table.cells.columns:
            continue
        written: dict[str, set[str]] = defaultdict(set)
        for cell, label in zip(table.cells.column(column), values, strict=True):
            written[label].add(cell)
        merged = [label for label, cells in written.items() if len(cells) > 1]
        if merged:
            notes.append(
                _(
                    "In {column}, labels that differ only in white space or in how accents are stored "
                    "are one: {labels}."
                ).format(column=column, labels=", ".join(map(_cut, merged[:_SHOWN])))
            )
    return notes


# --- The column of the classes ------------------------------------------------------------------


class _Labelling:
    """Gives the photos of an import their classes by a table; see `importing.Labelling`."""

    def __init__(
        self,
        table: LabelTable,
        *,
        several: bool,
        key: str,
        choices: ImportChoices | None = None,
    ) -> None:
        self._table, self._several, self._key = table, several, key
        self._choices = choices
        self.main = ""
        self.from_folders = False
        self.notes: list[str] = []
        self.found = _Found({}, [], [])
        self.files: list[str] = []
        self.n_labelled = 0

    @property
    def key(self) -> str:
        """What tells this data set apart from others of the same folder; empty where the folders
        are its classes."""
        return "" if self.from_folders else f"{self._key}\n{self.main}\n{self._several}"

    def assign(
        self, listed: Sequence[Sequence[str]], roots: Sequence[str]
    ) -> list[list[ClassAssignment]]:
        """Class and split of each photo of each source."""
        table = self._table
        files = [file for part in listed for file in part]
        sources = [root for part, root in zip(listed, roots, strict=True) for _file in part]
        index = PhotoIndex(files, sources)
        found = _match(table, index.find, len(files))
        if not found.rows:
            raise SourceError(
                _(
                    "No file of the table is in {source}. The column `{column}` must hold paths within "
                    "it, or names."
                ).format(source=roots[0], column=table.roles.file)
                + "".join(f" {note}" for note in found.notes(table, files))
            )
        self.found = found
        self.files = [
            file if number == 0 else f"{Path(root).name}/{file}"
            for number, (part, root) in enumerate(zip(listed, roots, strict=True))
            for file in part
        ]
        self._choose_main(listed[0])
        if self.from_folders:
            layouts = [read_layout(part, self._choices) for part in listed]
            self.notes += [notice for layout in layouts for notice in layout.notices]
            assignments = [list(layout.assignments) for layout in layouts]
            if len(found.rows) < len(files):
                self.notes.append(_silent_about(len(files) - len(found.rows), len(files)))
        else:
            flat = iter([self._assignment(photo) for photo in range(len(files))])
            assignments = [[next(flat) for _file in part] for part in listed]
            assignments = _drop_unlearned(assignments)
        self._say(found, files, assignments)
        return assignments

    def labels_of(self, dataset: Dataset, tasks: Sequence[str]) -> dict[str, dict[str, str]]:
        """The labels of the further tasks, by path in the manifest."""
        positions = {file: photo for photo, file in enumerate(self.files)}
        labels = {}
        for path, file in zip(dataset.photos["path"], dataset.photos["file"], strict=True):
            photo = positions.get(str(file))
            if photo in self.found.rows:
                given = {task: self.found.label(self._table, photo, task) for task in tasks}
                labels[str(path)] = {task: label for task, label in given.items() if label}
        return labels

    def groups_of(self, dataset: Dataset) -> dict[str, str]:
        """The group of each photo that has one, by path in the manifest; rows that contradict each
        other give none."""
        cells = [tidy(cell) for cell in self._table.cells.column(self._table.groups)]
        positions = {file: photo for photo, file in enumerate(self.files)}
        groups = {}
        for path, file in zip(dataset.photos["path"], dataset.photos["file"], strict=True):
            rows = self.found.rows.get(positions.get(str(file), -1), [])
            names = {cells[row] for row in rows} - {""}
            if len(names) == 1:
                groups[str(path)] = names.pop()
        return groups

    def _choose_main(self, files: Sequence[str]) -> None:
        table = self._table
        folders = _class_folders(files)
        if table.main:
            self.from_folders = table.main == MAIN and MAIN not in table.cells.columns
            self.main = table.main
            return
        if self._several and folders:
            self._choose_beside(folders)
        elif self._several:
            self.main = min(table.roles.labels, key=lambda task: table.values[task].count(""))
        else:
            self.main = _only_label(table)
            if folders:
                self.notes.append(_folders_unused(folders))

    def _choose_beside(self, folders: Sequence[str]) -> None:
        """The first of several tasks where there are class folders, too."""
        table, found = self._table, self.found
        whole = [
            column
            for column in table.roles.labels
            if len(found.rows) == len(self.files)
            and all(found.labels(table, photo, column) for photo in found.rows)
        ]
        if not whole:
            self.main, self.from_folders = MAIN, True
            self.notes.append(
                _(
                    "The folders are the first task, `class` ({folders}): the table has no label for "
                    "some of the photos. Name another first task with `--main`."
                ).format(folders=_names(folders))
            )
            return
        named = [column for column in whole if column in table.roles.named]
        if len(whole) == 1 or len(named) == 1:
            self.main = (named or whole)[0]
            self.notes.append(_folders_unused(folders))
            return
        raise SourceError(
            _(
                "The photos lie in folders ({folders}), and {file} has the labels {columns}. Say which "
                "are the classes with `--main`: `--main class` for the folders, or the name of a "
                "column."
            ).format(
                folders=_names(folders),
                file=table.cells.name,
                columns=", ".join(table.roles.labels),
            )
        )

    def _assignment(self, photo: int) -> ClassAssignment:
        table, found = self._table, self.found
        if photo not in found.rows:
            return ClassAssignment(reason=_("The table has no row for it."))
        labels = found.labels(table, photo, self.main)
        if len(labels) > 1:
            return ClassAssignment(
                reason=_("Rows of the table give it different labels ({rows}).").format(
                    rows=found.conflict(table, photo, self.main)
                )
            )
        if not labels:
            return ClassAssignment(
                reason=_("The table gives no label for it in {column}.").format(column=self.main)
            )
        if not table.roles.split:
            return ClassAssignment(class_name=labels[0])
        words = table.cells.column(table.roles.split)
        given = {words[row]: split_of(words[row]) for row in found.rows[photo] if words[row]}
        unknown = [word for word, split in given.items() if split is None]
        if unknown:
            return ClassAssignment(
                reason=_("The table puts it into {split}, which is not train, val or test.").format(
                    split=_cut(unknown[0])
                )
            )
        splits = {split for split in given.values() if split}
        if len(splits) > 1:
            return ClassAssignment(
                reason=_("Rows of the table put it into different splits: {splits}.").format(
                    splits=", ".join(sorted(splits))
                )
            )
        return ClassAssignment(class_name=labels[0], split=next(iter(splits), ""))

    def _say(
        self,
        found: _Found,
        files: Sequence[str],
        assignments: Sequence[Sequence[ClassAssignment]],
    ) -> None:
        """Notes on rows and photos that do not fit."""
        table = self._table
        flat = [assignment for part in assignments for assignment in part]
        self.n_labelled = sum(bool(assignment.class_name) for assignment in flat)
        self.notes += found.notes(table, files)
        columns = table.roles.labels if self._several else (self.main,)
        self.notes += found.conflict_notes(
            table, files, [column for column in columns if column in table.values]
        )
        if self.from_folders:
            return
        if not self.n_labelled:
            raise SourceError(
                _("{file} gives no photo of {folder} a label: {reason}").format(
                    file=table.cells.name, folder=_("the source"), reason=flat[0].reason
                )
                + "".join(f" {note}" for note in self.notes)
            )
        without = len(files) - len(found.rows)
        if without:
            self.notes.append(
                ngettext(
                    "{n} photo has no row in the table and was left out.",
                    "{n} photos have no row in the table and were left out.",
                    without,
                ).format(n=without)
            )
        unlabelled = sum(not found.labels(table, photo, self.main) for photo in found.rows)
        if unlabelled:
            self.notes.append(
                ngettext(
                    "{n} photo has no label in {column} and was left out.",
                    "{n} photos have no label in {column} and were left out.",
                    unlabelled,
                ).format(n=unlabelled, column=self.main)
            )
        self._say_splits()

    def _say_splits(self) -> None:
        table = self._table
        if not table.roles.split:
            return
        words = table.cells.column(table.roles.split)
        unknown = sorted({word for word in words if split_of(word) is None})
        self.notes.append(
            _("The split was taken from the column {column}.").format(column=table.roles.split)
        )
        if unknown:
            self.notes.append(
                _(
                    "Photos with other words than train, val and test in {column} were left out: "
                    "{words}."
                ).format(column=table.roles.split, words=", ".join(map(_cut, unknown[:10])))
            )

    def summary(self, dataset: Dataset) -> str:
        """What was read, in one sentence."""
        table = self._table
        if self.from_folders:
            return _(
                "Read {rows} rows: photos from column {file}, classes from the folders."
            ).format(rows=len(table.cells.rows), file=table.roles.file)
        return _(
            "Read {rows} rows: photos from column {file}, classes from {column} ({n})."
        ).format(
            rows=len(table.cells.rows),
            file=table.roles.file,
            column=self.main,
            n=len(dataset.classes),
        )


def _only_label(table: LabelTable) -> str:
    """The one column that holds the classes.

    Raises:
        SourceError: it is not clear which one.
    """
    candidates = table.roles.named or table.roles.labels
    if len(candidates) > 1:
        candidates = _without_numbers_of_others(table, candidates)
    if len(candidates) == 1:
        return candidates[0]
    raise SourceError(
        _(
            "{file} has several columns that may hold the classes: {columns}. Choose one with `--main`, "
            "or train one head for each with `--tasks`."
        ).format(file=table.cells.name, columns=", ".join(candidates))
    )


def _without_numbers_of_others(table: LabelTable, columns: Sequence[str]) -> tuple[str, ...]:
    """Columns but for those that number the labels of another one, as `class_id` does `class`."""
    kept = list(columns)
    for column in columns:
        values = table.values[column]
        if not all(value.isdigit() for value in values if value):
            continue
        for other in kept:
            pairs = set(zip(values, table.values[other], strict=True))
            same = len(pairs) == len(set(values)) == len(set(table.values[other]))
            if other != column and same:
                kept.remove(column)
                break
    return tuple(kept)


def _class_folders(files: Sequence[str]) -> list[str]:
    """The classes that the folders would be; empty where there are fewer than two."""
    try:
        found = {assignment.class_name for assignment in read_layout(list(files)).assignments}
    except SourceError:
        return []
    names = sorted(found - {""})
    return names if len(names) > 1 else []


def _folders_unused(folders: Sequence[str]) -> str:
    return _(
        "The folders of the photos ({folders}) were not used as classes. With `--main class` they "
        "are."
    ).format(folders=_names(folders))


def _names(names: Sequence[str]) -> str:
    return _and_more(", ".join(map(_cut, names[:_SHOWN])), len(names))


def _drop_unlearned(
    assignments: list[list[ClassAssignment]],
) -> list[list[ClassAssignment]]:
    """Leave out photos of a separate test source whose class has no other photo."""
    if len(assignments) == 1:
        return assignments
    known = {assignment.class_name for assignment in assignments[0]}
    reason = _("No photo to learn from has its label, {label}.")
    return [
        assignments[0],
        *(
            [
                one
                if one.class_name in known or one.reason
                else replace(
                    one, class_name="", split="", reason=reason.format(label=_cut(one.class_name))
                )
                for one in part
            ]
            for part in assignments[1:]
        ),
    ]


def _finish(dataset: Dataset, labelling: _Labelling) -> LabelledImport:
    """Store what the table says beside the classes, and what is to be said about it."""
    table = labelling._table
    tasks = tuple(column for column in table.roles.labels if column != labelling.main)
    if labelling._several and tasks:
        labels = labelling.labels_of(dataset, tasks)
        store_tasks(dataset, main=labelling.main, tasks=tasks, labels=labels)
    elif not labelling.from_folders:
        store_tasks(dataset, main=labelling.main, tasks=(), labels={})
    else:
        detach_labels(dataset)
    if table.groups:
        set_groups(dataset, labelling.groups_of(dataset), by=table.groups)
    summary = labelling.summary(dataset)
    notes = tuple([*table.notes, *labelling.notes])
    store_table_notes(dataset, TableNotes(table=table.cells.name, summary=summary, notes=notes))
    return LabelledImport(dataset=dataset, summary=summary, notes=notes)
