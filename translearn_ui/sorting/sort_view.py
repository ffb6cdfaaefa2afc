"""Sorting itself: how far it is, groups to name, proposals to correct and accept, undo."""

from __future__ import annotations

import streamlit as st

from translearn_core import datasets
from translearn_core.datasets import Dataset
from translearn_core.i18n import _, ngettext
from translearn_core.sorting.groups import LikenessTree
from translearn_core.sorting.job import PhotoFeatures, folder_of, read_features
from translearn_core.sorting.session import Decision, Sorting
from translearn_ui.shell import frame
from translearn_ui.sorting import bring_in, groups_view, proposals_view

_TAB = "sort_tab"


def show(dataset: Dataset) -> None:
    """The view of a data set whose photos have features."""
    changed = (folder_of(dataset) / "features.npz").stat().st_mtime_ns
    found, tree = _likeness(str(dataset.folder), changed)
    sorting = Sorting(dataset, found, tree)
    _show_progress(sorting)
    groups = sorting.groups()
    if not sorting.is_unsorted.any():
        _show_end(sorting)
        return
    tabs = {
        "groups": _("Groups ({n})").format(n=len(groups)),
        "proposals": _("Proposals"),
    }
    tab = st.segmented_control(
        _("What to do"),
        list(tabs),
        format_func=tabs.__getitem__,
        default="groups" if groups else "proposals",
        required=True,
        key=_TAB,
        label_visibility="collapsed",
    )
    if tab == "groups":
        groups_view.show(sorting, groups)
    else:
        proposals_view.show(sorting)
    with st.expander(_("Add unsorted photos"), icon=":material/add:"), frame.errors_shown():
        bring_in.show_boxes(dataset)


@st.cache_resource(max_entries=4, show_spinner=False)
def _likeness(folder: str, changed: int) -> tuple[PhotoFeatures, LikenessTree]:
    """The features and their tree, made once for all sessions. `changed`: of the file."""
    found = read_features(Dataset(folder))
    assert found is not None  # the page has looked
    return found, LikenessTree(found.features)


def _show_progress(sorting: Sorting) -> None:
    dataset = sorting.dataset
    counts = dataset.counts
    left = int(sorting.is_unsorted.sum()) + sorting.unsorted_without_features
    total = left + int(counts.sum())
    st.caption(
        ngettext(
            "{name} · {done:,} of {total:,} photo sorted · {decisions:,} decisions",
            "{name} · {done:,} of {total:,} photos sorted · {decisions:,} decisions",
            total,
        ).format(
            name=frame.plain(dataset.name),
            done=total - left,
            total=total,
            decisions=sorting.decisions,
        )
    )
    st.progress((total - left) / total if total else 0.0)
    with st.container(horizontal=True, vertical_alignment="center", key="sort_bar"):
        for name, n in counts.items():
            st.badge(f"{frame.plain(str(name))} {n:,}")
        if sorting.journal:
            st.button(
                _("Undo: {what}").format(what=_what(sorting.journal[-1])),
                key="sort_undo",
                type="tertiary",
                icon=":material/undo:",
                shortcut="Ctrl+Z",
                on_click=_undo,
                args=(sorting,),
            )
        if len(counts) > 1 and st.button(
            _("Train"),
            key="sort_train",
            type="primary",
            icon=":material/arrow_forward:",
            icon_position="right",
        ):
            frame.go("train")


def _what(decision: Decision) -> str:
    """A decision in a word or two."""
    n = len(decision.was)
    if decision.kind in ("name", "move", "answer"):
        text = ngettext("{n:,} photo is {name}", "{n:,} photos are {name}", n)
        return text.format(n=n, name=frame.plain(decision.class_name))
    if decision.kind == "accept":
        return ngettext("{n:,} proposal accepted", "{n:,} proposals accepted", n).format(n=n)
    return {
        "split": _("group split"),
        "later": _("group put off"),
        "aside": _("photo put aside"),
    }[decision.kind]


def _undo(sorting: Sorting) -> None:
    with frame.errors_shown():
        sorting.undo()


def _show_end(sorting: Sorting) -> None:
    waiting = sorting.unsorted_without_features
    n = len(datasets.read_unsorted(sorting.dataset)) - waiting
    if waiting:
        st.caption(_("The others can be sorted once they have been looked at."))
    else:
        st.success(
            _("All photos are sorted.")
            if not n
            else ngettext(
                "All photos are sorted but {n:,} that you put aside.",
                "All photos are sorted but {n:,} that you put aside.",
                n,
            ).format(n=n),
            icon=":material/check_circle:",
        )
    with st.expander(_("Add unsorted photos"), icon=":material/add:"), frame.errors_shown():
        bring_in.show_boxes(sorting.dataset)
