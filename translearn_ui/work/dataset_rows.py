"""Every data set with its size, to open or to delete."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import streamlit as st

from translearn_core import datasets
from translearn_core.datasets import Dataset
from translearn_core.errors import SourceError
from translearn_core.i18n import _, ngettext
from translearn_ui.components import dataset_actions, dialogs, format, gallery
from translearn_ui.components.paging import page_of
from translearn_ui.shell import frame

PER_PAGE = 10


def show(sets: list[Dataset]) -> None:
    """The list, or what to do where there is none."""
    _show_unreadable({dataset.folder for dataset in sets})
    if not sets:
        frame.empty_state(
            title=_("No photos yet"),
            text=_("What you bring in is listed here, with its size, and can be deleted."),
            icon=":material/photo_library:",
            key="work_sets",
            button=_("Choose photos"),
        )
        return
    part, rows = page_of(len(sets), PER_PAGE, key="sets_page")
    with rows:
        for dataset in sets[part]:
            with frame.errors_shown():
                _show_dataset(dataset)


def _show_unreadable(shown: set[Path]) -> None:
    """The folders that cannot be read, each with its reason and a way out, but for those `shown`."""
    for folder, reason in datasets.list_unreadable_datasets():
        if folder.resolve() in shown:
            continue
        with st.container(
            border=True, horizontal=True, vertical_alignment="center", key=f"row_{folder.name}"
        ):
            st.markdown(
                f"**{frame.plain(folder.name)}**  \n:small[{frame.plain(reason)}]", width="stretch"
            )
            if st.button(
                _("Delete"),
                key=f"delete_{folder.name}",
                type="tertiary",
                icon=":material/delete:",
            ):
                _confirm_delete(folder)


def _confirm_delete(folder: Path) -> None:
    dialogs.ask_once(
        _("Delete the data set {name}?").format(name=frame.plain(folder.name)),
        _("Everything in its folder is deleted for good. Photos that were left in place stay."),
        _("Delete for good"),
        lambda: datasets.delete_folder(folder),
    )


def _facts(dataset: Dataset) -> list[str]:
    """What stands small below the name of a data set."""
    models = len(frame.runs_of(dataset.id))
    facts = [dataset_actions.summary(dataset), format.when(dataset.created)]
    if models:
        facts.append(ngettext("{n} model", "{n} models", models).format(n=models))
    return facts


def _show_dataset(dataset: Dataset) -> None:
    with st.container(
        border=True, horizontal=True, vertical_alignment="center", key=f"row_{dataset.id}"
    ):
        # the line beside it says what is damaged
        with st.container(key=f"strip_box_{dataset.id}", width=150), suppress(SourceError):
            gallery.preview(dataset, most=3, key=f"work_{dataset.id}", width=44)
        st.markdown(
            f"**{frame.plain(dataset.name)}**  \n:small[{' · '.join(_facts(dataset))}]",
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
