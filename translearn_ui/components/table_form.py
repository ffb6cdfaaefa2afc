"""The columns of a table of labels, asked where the table is shown.

Owns: the controls for the column of the photos, of the classes and for one-hot columns, and the list
of rows that were not used. Leaves to others: reading the table (`translearn_core.datasets`), what
is made of the answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from translearn_core.datasets.table_reading import LabelTable, read_table, read_table_cells
from translearn_core.datasets.tasks import MAIN, TableChoices, UnusedRow
from translearn_core.errors import SourceError
from translearn_core.i18n import _, ngettext
from translearn_ui.components import tables
from translearn_ui.shell import frame

TABLE_TYPES = ("csv", "tsv", "txt", "xlsx", "json", "jsonl")


def choose_file_column(path: Path, chosen: TableChoices, *, key: str) -> LabelTable | None:
    """Ask which column names the photos and whether one-hot columns are one label.

    Args:
        chosen: what holds now; its `main` is not looked at.

    Returns:
        The table read so; None where it cannot be, which is said.
    """
    try:
        columns = read_table_cells(path).columns
    except SourceError as error:
        frame.show_error(error)
        return None
    file_column = st.selectbox(
        _("The photos are named in the column"),
        columns,
        index=_place(columns, chosen.file_column or _found_column(path)),
        placeholder=_("Choose a column"),
        key=f"{key}_file_column",
        persist_state="session",
    )
    if not file_column:
        st.caption(_("First say which column names the photos."))
        return None
    try:
        table = read_table(path, file_column=file_column)
        if table.roles.one_hot:
            one_hot = st.checkbox(
                _("The columns {names} hold 0 and 1: take them as one label").format(
                    names=frame.listed(table.roles.one_hot, 4)
                ),
                value=chosen.one_hot,
                key=f"{key}_one_hot",
                persist_state="session",
            )
            if not one_hot:
                table = read_table(path, file_column=file_column, one_hot=False)
    except SourceError as error:
        frame.show_error(error)
        return None
    return table


def choose_classes(
    table: LabelTable, chosen: TableChoices, *, folders: bool, key: str
) -> TableChoices | None:
    """Ask which column holds the classes, and whether the other columns are learned, too.

    Args:
        folders: whether the photos lie in folders that may be the classes.

    Returns:
        The choices; None where none was made yet.
    """
    options = list(table.roles.labels)
    if folders and MAIN not in table.cells.columns:
        options.append(MAIN)
    found = chosen.main
    if not found and len(table.roles.labels) == 1:
        found = table.roles.labels[0]
    main = st.selectbox(
        _("The classes are in the column"),
        options,
        index=_place(options, found),
        format_func=lambda name: (
            _("The folders of the photos")
            if name == MAIN and MAIN not in table.cells.columns
            else _show_column(table, name)
        ),
        placeholder=_("Choose a column"),
        key=f"{key}_main",
        persist_state="session",
    )
    others = [name for name in table.roles.labels if name != main]
    several = chosen.several
    if main and others:
        several = st.checkbox(
            _("Learn the other columns, too ({names})").format(names=", ".join(others[:4])),
            value=chosen.several,
            key=f"{key}_several",
            persist_state="session",
            help=_("One model then predicts several labels for each photo (multi-task)."),
        )
    if not main:
        st.caption(_("First say which column holds the classes."))
        return None
    return TableChoices(
        main=main, file_column=table.roles.file, one_hot=table.one_hot, several=several
    )


def show_rows(rows: Sequence[UnusedRow], table: str, *, key: str) -> None:
    """The rows that were not used, each with its number and the reason; nothing where all were."""
    if not rows:
        return
    title = ngettext(
        "{n:,} row of {table} not used", "{n:,} rows of {table} not used", len(rows)
    ).format(n=len(rows), table=frame.plain(table))
    with st.expander(title, icon=":material/table_rows:", key=f"{key}_rows"):
        st.dataframe(
            tables.fit(
                [{"row": one.row, "name": one.name, "problem": one.problem} for one in rows]
            ),
            hide_index=True,
            height=min(320, 38 + 35 * len(rows)),
            column_config={
                "row": st.column_config.NumberColumn(_("Row"), width="small"),
                "name": _("Photo named in it"),
                "problem": st.column_config.TextColumn(_("Why it was not used"), width="large"),
            },
            key=f"{key}_rows_table",
            alt=_("Rows of the table that were not used, each with its reason"),
        )


def _show_column(table: LabelTable, name: str) -> str:
    labels = list(dict.fromkeys(label for label in table.values[name] if label))
    shown = ", ".join(labels[:3]) + (", …" if len(labels) > 3 else "")
    return f"{name} ({shown})"


def _found_column(path: Path) -> str:
    try:
        return read_table(path).roles.file
    except SourceError:
        return ""


def _place(options: Sequence[str], value: str) -> int | None:
    return list(options).index(value) if value in options else None
