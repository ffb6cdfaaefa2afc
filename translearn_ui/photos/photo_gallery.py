"""The photos of a data set, by class, with ticks to remove some."""

from __future__ import annotations

from functools import partial

import streamlit as st

from translearn_core.datasets import Dataset
from translearn_core.i18n import _
from translearn_ui.components import class_marks, gallery
from translearn_ui.photos import edit_dataset
from translearn_ui.shell import frame

ALL = ""


def show(dataset: Dataset) -> None:
    """The gallery of the chosen class, or of all."""
    st.header(_("Your photos"), anchor=False)
    name = _choose_class(dataset)
    rows = dataset.photos
    if name != ALL:
        rows = rows[rows["class_name"] == name]
    else:  # the first of each class, then the second of each
        turns = rows.groupby("class_name").cumcount()
        rows = rows.iloc[turns.argsort(kind="stable")]
    choose = False
    with st.container(horizontal=True, vertical_alignment="center", key="tools_of_gallery"):
        if name != ALL:
            edit_dataset.show_class_menu(dataset, name)
        choose = st.toggle(_("Choose photos to remove"), key="choose")
    key = f"photos_{dataset.id}_{name}"
    chosen = gallery.show(dataset, rows, key=key, choose=choose, named=name == ALL)
    if choose:
        edit_dataset.show_remove_photos(dataset, chosen, partial(gallery.forget_choice, key))


def _choose_class(dataset: Dataset) -> str:
    counts = dataset.counts
    for key in ("class", "class_long"):
        shown = st.session_state.get(key, ALL)
        if shown != ALL and shown not in counts:
            words = _(
                "The class {name} is no longer there: it was renamed, merged or removed in another "
                "window. Here are all photos as they are now."
            )
            frame.tell_now(words.format(name=shown))
            del st.session_state[key]

    def label(name: str) -> str:
        n = len(dataset.photos) if name == ALL else int(counts[name])
        return f"{_('All') if name == ALL else frame.plain(name)} · {n:,}"

    options = [ALL, *dataset.classes]
    if len(options) > 14:
        return st.selectbox(
            _("Class"),
            options,
            format_func=label,
            key="class_long",
            label_visibility="collapsed",
            persist_state="session",
        )
    places = class_marks.of_dataset(dataset)
    class_marks.mark_options("class", [places.get(name) for name in options])
    return st.pills(
        _("Class"),
        options,
        format_func=label,
        default=ALL,
        required=True,
        key="class",
        persist_state="session",
        label_visibility="collapsed",
    )
