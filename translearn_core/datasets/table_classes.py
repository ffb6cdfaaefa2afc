"""Gives the photos of an import their classes and splits by a table.

Owns: which column is the classes, or the folders beside the table, and the reason of each photo that
has no class. Leaves to others: reading the table (`table_reading.py`), rows (`table_rows.py`), the
import itself (`importing.py`).

Folders beside a table are the classes only where `main` says `class` or the table leaves photos
without a label.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from translearn_core.datasets.dataset import Dataset
from translearn_core.datasets.file_names import tidy
from translearn_core.datasets.import_choices import ImportChoices
from translearn_core.datasets.layout import ClassAssignment, read_layout
from translearn_core.datasets.questions import OpenQuestionError, Question
from translearn_core.datasets.table_columns import split_of
from translearn_core.datasets.table_match import PhotoIndex
from translearn_core.datasets.table_reading import SHOWN, LabelTable, and_more, cut
from translearn_core.datasets.table_rows import MatchedRows, match_rows, silent_about
from translearn_core.datasets.tasks import MAIN, UnusedRow
from translearn_core.errors import SourceError
from translearn_core.i18n import _, ngettext


class TableLabelling:
    """Gives the photos of an import their classes by a table; see `sources.Labelling`."""

    def __init__(
        self,
        table: LabelTable,
        *,
        several: bool,
        key: str,
        choices: ImportChoices | None = None,
    ) -> None:
        self.table, self.several, self._key = table, several, key
        self._choices = choices
        self.main = ""
        self.from_folders = False
        self.notes: list[str] = []
        self.questions: list[Question] = []
        self.unused: list[UnusedRow] = []
        self.found = MatchedRows({}, [], [])
        self.files: list[str] = []
        self.n_labelled = 0

    @property
    def key(self) -> str:
        """What tells this data set apart from others of the same folder; empty where the folders
        are its classes."""
        return "" if self.from_folders else f"{self._key}\n{self.main}\n{self.several}"

    def assign(
        self, listed: Sequence[Sequence[str]], roots: Sequence[str]
    ) -> list[list[ClassAssignment]]:
        """Class and split of each photo of each source."""
        table = self.table
        files = [file for part in listed for file in part]
        sources = [root for part, root in zip(listed, roots, strict=True) for _file in part]
        index = PhotoIndex(files, sources)
        found = match_rows(table, index.find, len(files))
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
            self.questions += [one for layout in layouts for one in layout.questions]
            assignments = [list(layout.assignments) for layout in layouts]
            if len(found.rows) < len(files):
                self.notes.append(silent_about(len(files) - len(found.rows), len(files)))
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
                given = {task: self.found.label(self.table, photo, task) for task in tasks}
                labels[str(path)] = {task: label for task, label in given.items() if label}
        return labels

    def groups_of(self, dataset: Dataset) -> dict[str, str]:
        """The group of each photo that has one, by path in the manifest; rows that contradict each
        other give none."""
        cells = [tidy(cell) for cell in self.table.cells.column(self.table.groups)]
        positions = {file: photo for photo, file in enumerate(self.files)}
        groups = {}
        for path, file in zip(dataset.photos["path"], dataset.photos["file"], strict=True):
            rows = self.found.rows.get(positions.get(str(file), -1), [])
            names = {cells[row] for row in rows} - {""}
            if len(names) == 1:
                groups[str(path)] = names.pop()
        return groups

    def _choose_main(self, files: Sequence[str]) -> None:
        table = self.table
        folders = _class_folders(files)
        if table.main:
            self.from_folders = table.main == MAIN and MAIN not in table.cells.columns
            self.main = table.main
            return
        if self.several and folders:
            self._choose_beside(folders)
        elif self.several:
            self.main = min(table.roles.labels, key=lambda task: table.values[task].count(""))
        else:
            self.main = only_label(table, folders)
            if folders:
                self._ask_main(_folders_unused(folders))

    def _ask_main(self, text: str) -> None:
        """Say what was taken beside class folders, with what may be chosen instead."""
        options = (MAIN, *(one for one in self.table.roles.labels if one != MAIN))
        self.questions.append(Question(text=text, setting="main", options=options, taken=self.main))

    def _choose_beside(self, folders: Sequence[str]) -> None:
        """The first of several tasks where there are class folders, too."""
        table, found = self.table, self.found
        whole = [
            column
            for column in table.roles.labels
            if len(found.rows) == len(self.files)
            and all(found.labels(table, photo, column) for photo in found.rows)
        ]
        if not whole:
            self.main, self.from_folders = MAIN, True
            self._ask_main(
                _(
                    "The folders are the first task, `class` ({folders}): the table has no label for "
                    "some of the photos."
                ).format(folders=_names(folders))
            )
            return
        named = [column for column in whole if column in table.roles.named]
        if len(whole) == 1 or len(named) == 1:
            self.main = (named or whole)[0]
            self._ask_main(_folders_unused(folders))
            return
        raise OpenQuestionError(
            _(
                "The photos lie in folders ({folders}), and {file} has the labels {columns}: which are "
                "the classes?"
            ).format(
                folders=_names(folders),
                file=table.cells.name,
                columns=", ".join(table.roles.labels),
            ),
            "main",
            (MAIN, *table.roles.labels),
        )

    def _assignment(self, photo: int) -> ClassAssignment:
        table, found = self.table, self.found
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
                    split=cut(unknown[0])
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
        found: MatchedRows,
        files: Sequence[str],
        assignments: Sequence[Sequence[ClassAssignment]],
    ) -> None:
        """Notes on rows and photos that do not fit."""
        table = self.table
        flat = [assignment for part in assignments for assignment in part]
        self.n_labelled = sum(bool(assignment.class_name) for assignment in flat)
        self.notes += found.notes(table, files)
        columns = table.roles.labels if self.several else (self.main,)
        given = [column for column in columns if column in table.values]
        self.notes += found.conflict_notes(table, files, given)
        self.unused = found.unused(table, files, given)
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
        table = self.table
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
                ).format(column=table.roles.split, words=", ".join(map(cut, unknown[:10])))
            )

    def summary(self, dataset: Dataset) -> str:
        """What was read, in one sentence."""
        table = self.table
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


def only_label(table: LabelTable, folders: Sequence[str]) -> str:
    """The one column that holds the classes.

    Raises:
        SourceError: it is not clear which one.
    """
    candidates = table.roles.named or table.roles.labels
    if len(candidates) > 1:
        candidates = _without_numbers_of_others(table, candidates)
    if len(candidates) == 1:
        return candidates[0]
    raise OpenQuestionError(
        _("{file} has several columns that may hold the classes: {columns}.").format(
            file=table.cells.name, columns=", ".join(candidates)
        ),
        "main",
        [*([MAIN] if folders else []), *candidates],
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
    return _("The folders of the photos ({folders}) were not used as classes.").format(
        folders=_names(folders)
    )


def _names(names: Sequence[str]) -> str:
    return and_more(", ".join(map(cut, names[:SHOWN])), len(names))


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
                    one, class_name="", split="", reason=reason.format(label=cut(one.class_name))
                )
                for one in part
            ]
            for part in assignments[1:]
        ),
    ]
