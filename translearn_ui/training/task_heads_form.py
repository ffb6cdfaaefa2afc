"""More kinds of labels for the photos of a data set (multi-task learning): the table, and its upload.

Leaves to others: the table (`translearn_core.datasets.label_csv`), training (`translearn_core.training.multitask`).
"""

from __future__ import annotations

import streamlit as st

from translearn_core.datasets import Dataset, label_csv
from translearn_core.datasets.tasks import detach_labels, tasks_of
from translearn_core.i18n import _
from translearn_ui.shell import frame


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
                "its maker. Bring a table (CSV) with a column `file` and one column for each further "
                "label; a cell may be empty."
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
        upload = st.file_uploader(_("Table of labels"), type=["csv"], key="tasks_table")
        if upload is not None and st.session_state.get("tasks_taken") != upload.file_id:
            st.session_state["tasks_taken"] = upload.file_id
            with frame.errors_shown():
                note = label_csv.attach_labels(dataset, label_csv.read_table(upload))
                if note:
                    st.toast(frame.plain(note), icon=":material/info:")
                st.rerun()
