"""More kinds of labels for the photos of a data set (multi-task learning): the table, and its upload.

Owns: the box with the table, the columns to learn and what they lead to. Leaves to others: reading
the table (`translearn_core.datasets.label_table`), training (`translearn_core.training.multitask`).
"""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from translearn_core.datasets import Dataset
from translearn_core.datasets.label_table import FurtherLabels, attach_labels, find_further
from translearn_core.datasets.table_reading import LabelTable
from translearn_core.datasets.tasks import TableChoices, detach_labels, tasks_of
from translearn_core.errors import SourceError
from translearn_core.i18n import _
from translearn_ui.components import table_form, uploads
from translearn_ui.shell import frame

_DONE = "tasks_done"


def show(dataset: Dataset) -> None:
    """More kinds of labels for the photos of a data set: what there is, and a box for a table."""
    kept = tasks_of(dataset)
    n = len(kept.tasks) if kept else 0
    title = _("Several labels for each photo (multi-task)")
    with st.expander(
        f"{title} · {n}" if n else title, key="more_tasks", icon=":material/checklist:"
    ):
        st.markdown(
            _(
                "One model can predict several labels: what is on a photo, and its colour, its state, "
                "its maker. Bring a table (CSV, Excel, COCO) with one row for each photo and one "
                "column for each further label; a cell may be empty."
            )
        )
        if kept is not None:
            st.markdown(
                _("Will be learned, too: **{tasks}** (labels of {n:,} photos).").format(
                    tasks=frame.listed(kept.tasks), n=len(kept.labels)
                )
            )
            st.button(
                _("Leave them out"),
                key="tasks_forget",
                icon=":material/undo:",
                on_click=detach_labels,
                args=(dataset,),
            )
        _show_done(dataset)
        box = uploads.Box("tasks")
        upload = st.file_uploader(
            _("Table of labels"), type=list(table_form.TABLE_TYPES), key=box.key
        )
        if upload is None:
            return
        with frame.errors_shown(), uploads.on_disk(upload, keep=True) as path:
            if _ask(dataset, path, key=f"tasks_{upload.file_id}"):
                box.empty()
                st.rerun()


def _ask(dataset: Dataset, path: Path, *, key: str) -> bool:
    """The columns of a table and what they lead to; returns whether they were taken."""
    table = table_form.choose_file_column(path, TableChoices(), key=key)
    if table is None:
        return False
    try:
        found = find_further(dataset, table)
    except SourceError as error:
        frame.show_error(error)
        return False
    chosen = st.multiselect(
        _("Columns to learn, too"),
        found.tasks,
        default=[task for task in found.tasks if task not in found.same],
        key=f"{key}_columns_{table.roles.file}_{table.one_hot}",
    )
    if found.same:
        st.caption(
            _("{names}: the same as the classes, so there is nothing new in it.").format(
                names=frame.listed(found.same)
            )
        )
    _show_found(found, table, chosen)
    if st.button(_("Learn them, too"), type="primary", key="tasks_take", disabled=not chosen):
        attach_labels(dataset, table, tasks=chosen)
        st.session_state[_DONE] = (dataset.id, table.cells.name, found)
        return True
    return False


def _show_found(found: FurtherLabels, table: LabelTable, chosen: list[str]) -> None:
    for task in chosen:
        labels = [given[task] for given in found.labels.values() if task in given]
        st.markdown(
            _("**{task}**: {n:,} photos, {labels}").format(
                task=frame.plain(task), n=len(labels), labels=frame.listed(sorted(set(labels)))
            )
        )
    _show_notes(found, table.cells.name, key="tasks_found")


def _show_done(dataset: Dataset) -> None:
    """What the last table came to."""
    done = st.session_state.get(_DONE)
    if done is not None and done[0] == dataset.id and tasks_of(dataset) is not None:
        _show_notes(done[2], done[1], key="tasks_done")


def _show_notes(found: FurtherLabels, table: str, *, key: str) -> None:
    for note in found.notes:
        st.caption(frame.sentence(note))
    table_form.show_rows(found.rows, table, key=key)
