"""Drawn photos for teaching: one button for each set.

`datasets` is imported when somebody asks for the sets: the first page is there before it.
"""

from __future__ import annotations

import streamlit as st

from translearn_core.i18n import _
from translearn_ui.components import background_tasks, import_task, uploads
from translearn_ui.shell import frame


def show() -> None:
    """The switch that shows the sets, and a button for each."""
    shown = st.toggle(
        _("Sets for teaching"),
        key="teaching",
        help=_(
            "Sets of drawn photos, each set with one fault to find. `docs/lessons` has a "
            "sheet for each set."
        ),
    )
    if not shown:
        return
    from translearn_core.datasets import TEACHING_SETS

    for row in TEACHING_SETS.values():
        with frame.errors_shown():
            if st.button(_(row.title), key=f"teach_{row.name}", width="stretch"):
                import_task.begin(_start(row.name))
        st.caption(_(row.about))


def _start(name: str) -> background_tasks.Task:
    from translearn_core import datasets

    return background_tasks.start(
        _("Drawing the photos"),
        lambda task: datasets.make_teaching_set(name, progress=uploads.reporter(task)),
    )
