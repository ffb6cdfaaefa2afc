"""Sorting itself: how far it is, groups to name, proposals to correct and accept, undo."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from translearn_core import datasets
from translearn_core.datasets import Dataset
from translearn_core.i18n import _, ngettext
from translearn_core.sorting.groups import LikenessTree
from translearn_core.sorting.job import PhotoFeatures, folder_of, read_features
from translearn_core.sorting.session import Decision, Sorting
from translearn_ui.components import sort_offer
from translearn_ui.shell import frame, sort_next
from translearn_ui.sorting import bring_in, groups_view, proposals_view

_TAB = "sort_tab"


def show(dataset: Dataset, *, then: Callable[[], None] = lambda: None) -> None:
    """The view of a data set whose photos have features.

    Args:
        then: shows what can be done with the sorted photos, beneath their counts.
    """
    changed = (folder_of(dataset) / "features.npz").stat().st_mtime_ns
    found, tree = _likeness(str(dataset.folder), changed)
    sorting = Sorting(dataset, found, tree)
    _show_progress(sorting)
    groups = sorting.groups()
    then()
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
    _show_more(dataset)


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
    done = ngettext(
        "{done:,} of {total:,} photo sorted", "{done:,} of {total:,} photos sorted", total
    )
    told = ngettext("{n:,} decision", "{n:,} decisions", sorting.decisions)
    parts = [
        frame.plain(dataset.name),
        done.format(done=total - left, total=total),
        told.format(n=sorting.decisions),
    ]
    st.caption(" · ".join(parts))
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


def _what(decision: Decision) -> str:
    """A decision in a word or two."""
    n = len(decision.was) or len(decision.paths)
    if decision.kind in ("name", "move", "answer"):
        text = ngettext("{n:,} photo is {name}", "{n:,} photos are {name}", n)
        return text.format(n=n, name=frame.plain(decision.class_name))
    if decision.kind == "accept":
        return ngettext("{n:,} proposal accepted", "{n:,} proposals accepted", n).format(n=n)
    return {
        "split": _("group split"),
        "later": _("group put off"),
        "regroup": ngettext("{n:,} photo regrouped", "{n:,} photos regrouped", n).format(n=n),
        "aside": ngettext("{n:,} photo put aside", "{n:,} photos put aside", n).format(n=n),
    }[decision.kind]


def _undo(sorting: Sorting) -> None:
    with frame.errors_shown():
        sorting.undo()


def _show_end(sorting: Sorting) -> None:
    waiting = sorting.unsorted_without_features
    n = len(datasets.read_unsorted(sorting.dataset)) - waiting
    more = len(datasets.read_loose(sorting.dataset)) or not n + waiting  # else all were looked at
    if more and sort_next.is_next(sorting.dataset):
        with frame.errors_shown():
            sort_offer.show(sorting.dataset, key="sort", kind="primary")
    elif waiting:
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
    _show_more(sorting.dataset)


def _show_more(dataset: Dataset) -> None:
    """More unsorted photos."""
    with st.expander(_("Add unsorted photos"), icon=":material/add:"), frame.errors_shown():
        bring_in.show_boxes(dataset)
