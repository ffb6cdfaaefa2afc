"""The page of one data set: title and menus, adding photos, overview, gallery."""

from __future__ import annotations

import streamlit as st

from translearn_core import datasets
from translearn_core.datasets import Dataset
from translearn_core.errors import SourceError
from translearn_core.i18n import _
from translearn_ui.components import (
    dataset_actions,
    excluded_photos,
    import_task,
    look_ahead_line,
    sort_offer,
    verdict_note,
)
from translearn_ui.photos import (
    add_photos,
    edit_dataset,
    overview,
    photo_gallery,
    reading,
)
from translearn_ui.shell import frame


def show(dataset: Dataset) -> None:
    """The page of one data set."""
    ready = _why_not_ready(dataset)
    _show_title(dataset, ready)
    to_sort = None
    with frame.errors_shown():
        to_sort = sort_offer.show(dataset, key="dataset")
    if not len(dataset.photos) and to_sort is None:
        frame.empty_state(
            title=_("No photos yet"),
            text=_("Name a class and add photos of it. Two classes are enough to begin."),
            icon=":material/add_photo_alternate:",
            key="dataset",
        )
    elif ready and len(dataset.photos) and not (to_sort and to_sort.is_next):
        st.info(frame.sentence(ready), icon=":material/info:")
    with (
        st.expander(
            _("Add photos"),
            icon=":material/add:",
            expanded=add_photos.is_wanted(dataset, can_sort=to_sort is not None),
            key="add",
        ),
        frame.errors_shown(),
    ):
        task = add_photos.show_add(dataset)
        if task is not None:
            import_task.begin(task)
    with frame.errors_shown():
        task = reading.show(dataset)
        if task is not None:
            import_task.begin(task)
    if len(dataset.photos):
        overview.show(dataset)
        photo_gallery.show(dataset)
    elif len(dataset.left_out):  # of unsorted photos
        overview.show_left_out(dataset)
    excluded_photos.show(dataset)
    edit_dataset.show_undo(dataset)
    if not ready:
        look_ahead_line.show(dataset)


def _why_not_ready(dataset: Dataset) -> str:
    try:
        datasets.check_ready(dataset)
    except SourceError as error:
        return error.message
    return ""


def _show_title(dataset: Dataset, ready: str) -> None:
    with st.container(key="dataset_title", horizontal=True, vertical_alignment="bottom"):
        with st.container(width="stretch", gap="xsmall"):
            st.title(frame.plain(dataset.name), anchor=False)
            st.caption(dataset_actions.summary(dataset))
        with st.container(horizontal=True, width="content"):
            edit_dataset.show_menu(dataset)
            if st.button(
                _("Can this work?"),
                key="feasible",
                icon=":material/fact_check:",
                disabled=bool(ready),
            ):
                verdict_note.begin(dataset)
