"""Putting a data set in order: rename, merge and remove classes, remove photos, delete it all.

Owns: the menus and the one question before something goes.
Leaves to others: the changes themselves (`translearn_core.datasets`).
"""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import streamlit as st

from translearn_core import datasets
from translearn_core.datasets import Dataset
from translearn_core.i18n import _, ngettext
from translearn_ui.components import dataset_actions, dialogs, undo_bar
from translearn_ui.shell import frame, tab_state

_UNDO = "edit_undo"


def sizes(dataset: Dataset) -> pd.DataFrame:
    """How many photos have which size and format; columns size, format, photos."""
    known = dataset.photos[dataset.photos["width"] > 0]
    counted = known.groupby(["width", "height", "format"]).size().reset_index(name="photos")
    counted = counted.sort_values("photos", ascending=False)
    counted.insert(
        0, "size", [f"{w:,} × {h:,}" for w, h in zip(counted.width, counted.height, strict=True)]
    )
    return counted[["size", "format", "photos"]]


def show_menu(dataset: Dataset) -> None:
    """The menu of what can be done with the whole data set."""
    actions = {
        "rename": _(":material/edit: Rename"),
        "other": _(":material/add: Open other photos"),
        "delete": _(":material/delete: Delete"),
    }
    action = st.menu_button(
        _("More"), list(actions), format_func=actions.__getitem__, key="dataset_menu"
    )
    if action == "rename":
        _rename_dataset(dataset)
    elif action == "other":
        frame.open_dataset(None)
        st.rerun()
    elif action == "delete":
        dataset_actions.confirm_delete(dataset)


def show_class_menu(dataset: Dataset, name: str) -> None:
    """The menu of what can be done with one class."""
    actions = {
        "rename": _(":material/edit: Rename this class"),
        "merge": _(":material/merge: Merge into another class"),
        "remove": _(":material/delete: Remove this class"),
    }
    action = st.menu_button(
        _("Change this class"),
        list(actions),
        format_func=actions.__getitem__,
        key=f"class_menu_{name}",
    )
    if action == "rename":
        _rename_class(dataset, name)
    elif action == "merge":
        _merge_class(dataset, name)
    elif action == "remove":
        _remove_class(dataset, name)


def show_undo(dataset: Dataset) -> None:
    """What was changed last in this session, with a way back, unless another window changed more."""
    done = st.session_state.get(_UNDO)
    if done is None or done[::2] != (dataset.id, datasets.last_change_id(dataset)):
        return
    words = f":material/check: {done[1]}"
    undo_bar.show(words, key="undo_bar", button="undo", undo=_undo, args=(dataset,))


def _undo(dataset: Dataset) -> None:
    with frame.errors_shown():
        st.session_state.pop(_UNDO, None)
        st.toast(frame.plain(datasets.undo(dataset)), icon=":material/undo:")
        _forget_class()


def _changed(dataset: Dataset, sentence: str) -> None:
    """A change that can be undone has been made: say so and show the page anew."""
    _remember(dataset, sentence)
    st.rerun()


def _remember(dataset: Dataset, sentence: str) -> None:
    st.session_state[_UNDO] = (dataset.id, sentence, datasets.last_change_id(dataset))
    _forget_class()


def _forget_class() -> None:
    """Show all classes: the one that was shown may have another name now, or be gone."""
    for key in ("class", "class_long"):
        st.session_state.pop(key, None)


def _rename_dataset(dataset: Dataset) -> None:
    @st.dialog(_("Rename"))
    def ask() -> None:
        with st.form("rename_dataset", border=False), frame.errors_shown():
            name = st.text_input(_("Name"), dataset.name, key="rename_dataset_name")
            if st.form_submit_button(_("Rename"), type="primary", key="rename_dataset_go"):
                datasets.rename_dataset(dataset, name.strip())
                st.rerun()

    ask()


def _rename_class(dataset: Dataset, old: str) -> None:
    @st.dialog(_("Rename the class {name}").format(name=frame.plain(old)))
    def ask() -> None:
        with st.form("rename_class", border=False), frame.errors_shown():
            name = st.text_input(_("New name"), old, key=f"rename_class_{old}").strip()
            if st.form_submit_button(_("Rename"), type="primary", key="rename_class_go"):
                datasets.rename_class(dataset, old, name)
                _changed(
                    dataset,
                    _("{old} is now {new}.").format(old=frame.plain(old), new=frame.plain(name)),
                )

    ask()


def _merge_class(dataset: Dataset, name: str) -> None:
    @st.dialog(_("Merge the class {name}").format(name=frame.plain(name)))
    def ask() -> None:
        with frame.errors_shown():
            into = st.selectbox(
                _("Its photos go to"),
                [other for other in dataset.classes if other != name],
                index=None,
                placeholder=_("Choose a class"),
                key=f"merge_{name}",
            )
            if st.button(_("Merge"), type="primary", key="merge_go", disabled=not into) and into:
                datasets.merge_classes(dataset, [name], into)
                _changed(
                    dataset,
                    _("{old} is now part of {new}.").format(
                        old=frame.plain(name), new=frame.plain(into)
                    ),
                )

    ask()


def _remove_class(dataset: Dataset, name: str) -> None:
    n = int(dataset.counts[name])

    def remove() -> None:
        photos = dataset.photos
        datasets.exclude_photos(dataset, photos.loc[photos["class_name"] == name, "path"])
        words = _("The class {name} is removed.")
        _remember(dataset, words.format(name=frame.plain(name)))

    dialogs.ask_once(
        _("Remove the class {name}?").format(name=frame.plain(name)),
        ngettext("{n:,} photo goes with it.", "{n:,} photos go with it.", n).format(n=n)
        + " "
        + _("You can take that back, and find them under “photos removed”."),
        _("Remove"),
        remove,
    )


def show_remove_photos(dataset: Dataset, chosen: list[str], then: Callable[[], None]) -> None:
    """The button that removes the chosen photos; that can be taken back."""
    n = len(chosen)
    if not n:
        st.caption(_("Tick the photos that should go."))
        return
    with st.container(key="remove_bar", width="content"):
        st.button(
            ngettext("Remove {n:,} photo", "Remove {n:,} photos", n).format(n=n),
            key="remove_photos",
            icon=":material/delete:",
            on_click=_remove_photos,
            args=(dataset, chosen, then),
        )


def _remove_photos(dataset: Dataset, chosen: list[str], then: Callable[[], None]) -> None:
    with frame.errors_shown():
        n = datasets.exclude_photos(dataset, chosen)
        if gone := len(chosen) - n:
            words = ngettext(
                "{n:,} of these photos was already removed or moved in another window.",
                "{n:,} of these photos were already removed or moved in another window.",
                gone,
            )
            tab_state.tell(words.format(n=gone))
        if n:
            words = ngettext("{n:,} photo is removed.", "{n:,} photos are removed.", n)
            _remember(dataset, words.format(n=n))
        then()
