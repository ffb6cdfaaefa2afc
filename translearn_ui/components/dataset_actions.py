"""A data set in one line, and deleting it, wherever data sets are listed.

Owns: the line and the question. Leaves to others: the deletion (`translearn_core.datasets`).
"""

from __future__ import annotations

import streamlit as st

from translearn_core.datasets import Dataset
from translearn_core.errors import SourceError
from translearn_core.i18n import _, ngettext
from translearn_core.runs.in_use import delete_unused_dataset
from translearn_ui.components import dialogs, format
from translearn_ui.shell import frame


def summary(dataset: Dataset) -> str:
    """`600 photos in 6 classes · 11 MB`."""
    try:
        photos, classes = len(dataset.photos), len(dataset.classes)
    except SourceError as error:
        return frame.plain(error.message)
    text = ngettext("{n:,} photo", "{n:,} photos", photos).format(n=photos)
    text += " " + ngettext("in {n:,} class", "in {n:,} classes", classes).format(n=classes)
    return f"{text} · {format.size(int(dataset.photos['bytes'].sum()))}"


def confirm_delete(dataset: Dataset) -> None:
    """Delete the data set after one question; runs keep their models and figures."""
    runs = len(frame.runs_of(dataset.id))
    text = where_photos_stay(dataset)
    if runs:
        text += " " + ngettext(
            "The {n} run that learned from it stays.",
            "The {n} runs that learned from it stay.",
            runs,
        ).format(n=runs)

    name = frame.plain(dataset.name)

    def delete() -> None:
        delete_unused_dataset(dataset)
        if st.query_params.get("data") == dataset.id:
            frame.open_dataset(None)
        st.toast(_("{name} is deleted.").format(name=name))

    dialogs.ask_once(
        _("Delete the data set {name}?").format(name=name),
        f"**{summary(dataset)}.** {text}",
        _("Delete for good"),
        delete,
    )


def where_photos_stay(dataset: Dataset) -> str:
    """What happens to the photos when something of a data set is deleted."""
    if dataset.kind == "folder":
        return _("Your own files in {folder} are not touched.").format(
            folder=frame.plain(dataset.record.source)
        )
    return _(
        "The copies in the workspace are deleted; what you brought in stays where you have it."
    )
