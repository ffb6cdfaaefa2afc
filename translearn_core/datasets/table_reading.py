"""Reads a table of labels: its cells, what its columns mean, the labels of each row.

Owns: `read_table`, `read_table_cells`, `LabelTable`. Leaves to others: cells (`table_file.py`, `annotation_file.py`),
columns (`table_columns.py`), which photo a row means (`table_rows.py`).

Labels are kept as they are written, but for white space and Unicode form (`file_names.tidy`).
"""

from __future__ import annotations

import functools
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from translearn_core.datasets.annotation_file import (
    find_camera_traps,
    looks_like_json,
    read_annotations,
    read_camera_traps,
)
from translearn_core.datasets.file_names import tidy
from translearn_core.datasets.questions import Question
from translearn_core.datasets.table_columns import (
    ColumnRoles,
    find_column,
    find_roles,
    named_column,
    one_hot_labels,
    one_hot_name,
)
from translearn_core.datasets.table_file import Cells, read_cells
from translearn_core.datasets.table_mistakes import doubts
from translearn_core.datasets.tasks import MAIN
from translearn_core.errors import SourceError
from translearn_core.i18n import _

RESERVED = "path"
"""A column of tasks.parquet, so no task can have this name."""
SHOWN = 3
_SHOWN_LENGTH = 60


@dataclass(frozen=True, kw_only=True)
class LabelTable:
    """A table that was read: its cells, what the columns mean, and the column of the classes.

    Args:
        main: the column that a person chose; `class` where no column has this name means the
            folders; empty: none was chosen.
        one_hot: whether columns of 0 and 1 with one 1 in each row are one label.
        groups: the column of what photos belong together; empty: none.
    """

    cells: Cells
    roles: ColumnRoles
    main: str = ""
    one_hot: bool = True
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
        doubtful = doubts(self.values, self.cells.columns, self.roles.split)
        return [*self.cells.notes, *self.roles.notes, *_tidied(self), *doubtful]

    @property
    def questions(self) -> tuple[Question, ...]:
        """What may be chosen otherwise about its columns."""
        return self.roles.questions


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
        source: a path of a table, a JSON file or a camera trap package, an open file, or the cells
            of a table that was read.
        main: the column of the classes; `class` for the folders; empty to find it.
        file_column: the column that names the photos; empty to find it.
        one_hot: whether columns of 0 and 1 with one 1 in each row are one label.
        group_by: a value of `--group-by`; where the table has such a column, it names the groups.

    Raises:
        SourceError: the table is not usable; the message says why.
    """
    cells = source if isinstance(source, Cells) else read_table_cells(source)
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
            + "".join(f" {note}" for note in [*cells.notes, *roles.notes][:3])
        )
    return LabelTable(cells=cells, roles=roles, main=wanted or main, one_hot=one_hot, groups=groups)


def read_table_cells(source: Path | Any) -> Cells:
    """The cells of a table, whatever its columns mean.

    Args:
        source: as for `read_table`.

    Raises:
        SourceError: it is no table that is read.
    """
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
                    "In {column}, labels that differ only in white space, in characters that nobody sees, "
                    "or in how accents are stored are one: {labels}."
                ).format(column=column, labels=", ".join(map(cut, merged[:SHOWN])))
            )
    return notes


def cut(text: str) -> str:
    return text if len(text) <= _SHOWN_LENGTH else text[: _SHOWN_LENGTH - 1] + "…"


def and_more(shown: str, n: int) -> str:
    return shown if n <= SHOWN else shown + _(" and {n} more").format(n=n - SHOWN)
