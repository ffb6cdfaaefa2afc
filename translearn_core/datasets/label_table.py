"""Makes a data set of photos and a table of their labels, or adds the labels to one.

Owns: `import_labelled`, `import_labelled_files`, `attach_labels`. Leaves to others: the table
(`table_reading.py`), which column is the classes (`table_classes.py`), rows and photos
(`table_rows.py`), the import itself (`importing.py`), what is stored beside the classes
(`tasks.py`).

No file or folder is named after a label.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from translearn_core.datasets.dataset import Dataset
from translearn_core.datasets.grouping import set_groups
from translearn_core.datasets.import_choices import ImportChoices
from translearn_core.datasets.import_context import ProgressCallback, StopCheck
from translearn_core.datasets.importing import import_files, import_source
from translearn_core.datasets.questions import Question
from translearn_core.datasets.table_classes import TableLabelling
from translearn_core.datasets.table_match import Match, PhotoIndex
from translearn_core.datasets.table_mistakes import group_doubts
from translearn_core.datasets.table_reading import LabelTable
from translearn_core.datasets.table_rows import match_rows, silent_about
from translearn_core.datasets.tasks import (
    TableNotes,
    UnusedRow,
    detach_labels,
    main_task,
    store_table_notes,
    store_tasks,
)
from translearn_core.errors import SourceError
from translearn_core.i18n import _


@dataclass(frozen=True, kw_only=True)
class LabelledImport:
    """A data set made with a table: one sentence on what was read, what to know about it, and what
    is asked."""

    dataset: Dataset
    summary: str
    notes: tuple[str, ...]
    questions: tuple[Question, ...] = ()


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
    labelling = TableLabelling(table, several=several, key=key, choices=choices)
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
    choices: ImportChoices | None = None,
    progress: ProgressCallback | None = None,
    stop: StopCheck | None = None,
) -> LabelledImport:
    """Make a data set of uploaded files and a table.

    Args:
        files, name, choices: as for `importing.import_files`.
        several: as for `import_labelled`.

    Raises:
        SourceError, StorageError: as `import_labelled`.
    """
    labelling = TableLabelling(table, several=several, key="", choices=choices)
    dataset = import_files(
        files, name=name, labels=labelling, choices=choices, progress=progress, stop=stop
    )
    return _finish(dataset, labelling)


@dataclass(frozen=True, kw_only=True)
class FurtherLabels:
    """The labels that a table gives the photos of a data set beside their classes.

    Args:
        tasks: the columns of labels.
        labels: path in the manifest -> column -> label, without what is missing.
        same: the columns that say of every photo what its class says.
        notes: sentences on rows and photos that do not fit.
        rows: the rows that were not used.
    """

    tasks: tuple[str, ...]
    labels: dict[str, dict[str, str]]
    same: tuple[str, ...]
    notes: tuple[str, ...]
    rows: tuple[UnusedRow, ...]


def find_further(dataset: Dataset, table: LabelTable) -> FurtherLabels:
    """Find the labels that a table gives the photos of a data set beside their classes.

    Raises:
        SourceError: it names none of the photos.
    """
    photos = dataset.photos
    main = main_task(dataset)
    files, paths = [str(file) for file in photos["file"]], [str(path) for path in photos["path"]]
    index = PhotoIndex(files, [dataset.record.source] * len(files))
    by_path = {path: number for number, path in enumerate(paths)}
    found = match_rows(
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
    labels: dict[str, dict[str, str]] = {}
    same = set(tasks)
    classes = [str(name) for name in photos["class_name"]]
    for photo in found.rows:
        given = {task: found.label(table, photo, task) for task in tasks}
        labels[paths[photo]] = {task: label for task, label in given.items() if label}
        same -= {task for task in same if given[task] not in ("", classes[photo])}
    notes = [*table.notes, *found.notes(table, files), *found.conflict_notes(table, files, tasks)]
    if len(photos) > len(labels):
        notes.append(silent_about(len(photos) - len(labels), len(photos)))
    return FurtherLabels(
        tasks=tasks,
        labels=labels,
        same=tuple(task for task in tasks if task in same),
        notes=tuple(notes),
        rows=tuple(found.unused(table, files, tasks)),
    )


def attach_labels(
    dataset: Dataset, table: LabelTable, *, tasks: Sequence[str] | None = None
) -> FurtherLabels:
    """Store the table's labels with a data set, replacing earlier ones.

    Args:
        tasks: the columns that are to be learned; default: all columns of labels.

    Returns:
        What was stored, with sentences on rows and photos that do not fit.

    Raises:
        SourceError: it names none of the photos, or has no column of a name.
    """
    found = find_further(dataset, table)
    chosen = found.tasks if tasks is None else tuple(tasks)
    unknown = [task for task in chosen if task not in found.tasks]
    if unknown:
        raise SourceError(
            _(
                "{file} has no column of labels {name}. Its columns of labels are: {columns}."
            ).format(file=table.cells.name, name=unknown[0], columns=", ".join(found.tasks))
        )
    attributes = [name for name in found.tasks if name not in (*chosen, *found.same)]
    store_tasks(
        dataset,
        main=main_task(dataset),
        tasks=chosen,
        labels=found.labels,
        attributes=attributes,
    )
    labels = {
        path: {task: label for task, label in given.items() if task in chosen}
        for path, given in found.labels.items()
    }
    return replace(found, tasks=chosen, labels=labels)


def _finish(dataset: Dataset, labelling: TableLabelling) -> LabelledImport:
    """Store what the table says beside the classes, and what is to be said about it."""
    table = labelling.table
    tasks = tuple(column for column in table.roles.labels if column != labelling.main)
    if tasks or not labelling.from_folders:
        store_tasks(
            dataset,
            main=labelling.main,
            tasks=tasks if labelling.several else (),
            labels=labelling.labels_of(dataset, tasks),
            attributes=() if labelling.several else tasks,
        )
    else:
        detach_labels(dataset)
    doubtful: list[str] = []
    if table.groups:
        groups = labelling.groups_of(dataset)
        set_groups(dataset, groups, by=table.groups)
        doubtful = group_doubts(groups.values(), len(dataset.photos), table.groups)
    summary = labelling.summary(dataset)
    notes = tuple([*table.notes, *labelling.notes, *doubtful])
    questions = tuple([*table.questions, *labelling.questions])
    told = TableNotes(
        table=table.cells.name,
        summary=summary,
        notes=notes,
        questions=questions,
        rows=tuple(labelling.unused),
        main=labelling.main,
        file_column=table.roles.file,
        one_hot=table.one_hot,
        several=labelling.several,
    )
    store_table_notes(dataset, told)
    return LabelledImport(dataset=dataset, summary=summary, notes=notes, questions=questions)
