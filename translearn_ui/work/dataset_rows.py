"""Every data set with its size, to open or to delete."""

from __future__ import annotations

import streamlit as st

from translearn_core.datasets import Dataset
from translearn_core.i18n import _
from translearn_ui.components import dataset_actions
from translearn_ui.components.paging import page_of
from translearn_ui.shell import frame

PER_PAGE = 10


def show(sets: list[Dataset]) -> None:
    """The list, or what to do where there is none."""
    if not sets:
        frame.empty_state(
            title=_("No photos yet"),
            text=_("What you bring in is listed here, with its size, and can be deleted."),
            icon=":material/photo_library:",
            key="work_sets",
            button=_("Begin with photos"),
        )
        return
    part, rows = page_of(len(sets), PER_PAGE, key="sets_page")
    with rows:
        for dataset in sets[part]:
            with frame.errors_shown():
                _show_dataset(dataset)


def _show_dataset(dataset: Dataset) -> None:
    with st.container(
        border=True, horizontal=True, vertical_alignment="center", key=f"row_{dataset.id}"
    ):
        st.markdown(
            f"**{frame.plain(dataset.name)}**  \n:small[{dataset_actions.summary(dataset)}]",
            width="stretch",
        )
        with st.container(horizontal=True, width="content", vertical_alignment="center"):
            if st.button(_("Open"), key=f"open_{dataset.id}"):
                frame.open_dataset(dataset)
                frame.go("photos")
            if st.button(
                _("Delete"), key=f"delete_{dataset.id}", type="tertiary", icon=":material/delete:"
            ):
                dataset_actions.confirm_delete(dataset)
