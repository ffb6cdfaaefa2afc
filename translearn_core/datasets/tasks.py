"""The labels of a data set beside its classes, and what was said when its table was read.

Owns: the two files below. Leaves to others: reading tables (`label_table.py`), training on the labels
(`training/multitask.py`).

Files: `<dataset>/tasks.json`: `main` (name of the first task), `tasks` (names of the others),
`attributes` (names of further columns, which no head learns: a result is broken down by them) and
`labels`: path in the manifest -> name of a task or attribute -> label.
`<dataset>/label_table.json`: `table` (name of the file), `summary` and `notes` (sentences),
`questions` (`questions.Question`), `rows` (those that were not used: `row`, `name`, `problem`), and what
was chosen: `main`, `file_column`, `one_hot`, `several`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict

from translearn_core.atomic import write_atomically
from translearn_core.datasets.dataset import Dataset
from translearn_core.datasets.questions import Question
from translearn_core.errors import SourceError
from translearn_core.i18n import _

MAIN = "class"
"""Name of the task of the class folders."""
NAME = "tasks.json"
TABLE_NAME = "label_table.json"


@dataclass(frozen=True, kw_only=True)
class DatasetTasks:
    """The tasks of a data set: `main` is that of its classes; `labels` by path and task."""

    main: str
    tasks: tuple[str, ...]
    labels: dict[str, dict[str, str]] = field(default_factory=dict)


class UnusedRow(BaseModel):
    """A row of a table that was not used: its number as a spreadsheet counts, and why."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    row: int
    name: str
    problem: str


class TableChoices(BaseModel):
    """What a person chose about a table.

    Args:
        main: the column of the classes; `class` for the folders; empty to find it.
        file_column: the column that names the photos; empty to find it.
        one_hot: whether columns of 0 and 1 with one 1 in each row are one label.
        several: whether the other columns of labels are learned, too.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    main: str = ""
    file_column: str = ""
    one_hot: bool = True
    several: bool = False


class TableNotes(TableChoices):
    """What reading a table came to: one sentence on what was read, what to know about it and what
    is asked, the rows that were not used, and what was chosen."""

    table: str = ""
    summary: str = ""
    notes: tuple[str, ...] = ()
    questions: tuple[Question, ...] = ()
    rows: tuple[UnusedRow, ...] = ()


class _Stored(BaseModel):
    """What tasks.json holds."""

    model_config = ConfigDict(frozen=True, strict=True)

    main: str = MAIN
    tasks: list[str] = []
    attributes: list[str] = []
    labels: dict[str, dict[str, str]] = {}


def tasks_of(dataset: Dataset) -> DatasetTasks | None:
    """The tasks of a data set beside its classes; None where there are none.

    Raises:
        SourceError: its file is damaged.
    """
    stored = _read(dataset)
    if not stored.tasks:
        return None
    return DatasetTasks(main=stored.main, tasks=tuple(stored.tasks), labels=stored.labels)


def attributes_of(dataset: Dataset) -> dict[str, dict[str, str]]:
    """What is known of the photos beside their classes, to be learned or not.

    Returns:
        name of a task or attribute -> path in the manifest -> label, without what is missing.

    Raises:
        SourceError: its file is damaged.
    """
    stored = _read(dataset)
    return {
        name: {path: given[name] for path, given in stored.labels.items() if given.get(name)}
        for name in (*stored.tasks, *stored.attributes)
    }


def main_task(dataset: Dataset) -> str:
    """The name of the task of a data set's classes.

    Raises:
        SourceError: its file is damaged.
    """
    return _read(dataset).main


def store_tasks(
    dataset: Dataset,
    *,
    main: str,
    tasks: Sequence[str],
    labels: Mapping[str, Mapping[str, str]],
    attributes: Sequence[str] = (),
) -> None:
    """Store the labels beside the classes, replacing earlier ones."""
    content = {
        "main": main,
        "tasks": list(tasks),
        "attributes": list(attributes),
        "labels": labels,
    }
    write_atomically(dataset.folder / NAME, json.dumps(content, ensure_ascii=False))


def detach_labels(dataset: Dataset) -> None:
    """Learn the further tasks of a data set no longer; they stay as attributes, and its classes keep
    their name."""
    stored = _read(dataset)
    attributes = (*stored.tasks, *stored.attributes)
    (dataset.folder / NAME).unlink(missing_ok=True)
    if stored.main != MAIN or attributes:
        store_tasks(
            dataset, main=stored.main, tasks=(), labels=stored.labels, attributes=attributes
        )


def table_notes(dataset: Dataset) -> TableNotes:
    """What was said when the table of a data set was read; empty where it has none."""
    try:
        content = (dataset.folder / TABLE_NAME).read_text(encoding="utf-8")
        return TableNotes.model_validate_json(content)
    except (OSError, ValueError):
        return TableNotes()


def store_table_notes(dataset: Dataset, notes: TableNotes) -> None:
    """Store what was said when the table was read."""
    write_atomically(dataset.folder / TABLE_NAME, notes.model_dump_json())


def _read(dataset: Dataset) -> _Stored:
    try:
        content = (dataset.folder / NAME).read_bytes()
    except FileNotFoundError:
        return _Stored()
    except OSError as error:
        raise _damaged(dataset) from error
    try:
        return _Stored.model_validate_json(content)
    except ValueError as error:
        raise _damaged(dataset) from error


def _damaged(dataset: Dataset) -> SourceError:
    return SourceError(
        _(
            "The labels beside the classes of {name} cannot be read: {file} is damaged. Delete this "
            "file, then give the table of labels again."
        ).format(name=dataset.name, file=dataset.folder / NAME)
    )
