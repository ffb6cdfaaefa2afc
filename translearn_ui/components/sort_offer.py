"""The line that says how many photos nobody has sorted, and the button that leads to sorting them.

The same on every page. Owns: it, and on the page that sorts what was put among the unsorted photos, with
its undo, and the task of copying them. Leaves to others: which photos these are (`datasets/to_sort.py`), going there
(`shell/sort_next.py`).
"""

from __future__ import annotations

from typing import Literal

import streamlit as st

from translearn_core import datasets
from translearn_core.datasets import Dataset, ToSort
from translearn_core.i18n import _, ngettext
from translearn_ui.components import background_tasks, uploads
from translearn_ui.shell import frame, sort_next


def show(
    dataset: Dataset, *, key: str, kind: Literal["primary", "secondary"] = "secondary"
) -> ToSort | None:
    """Draw the line where there are such photos; returns them.

    Args:
        key: of the page.
        kind: of the button; `primary` where the bar does not show it.

    Raises:
        SourceError: a list of the data set is damaged.
    """
    found = datasets.find_to_sort(dataset)
    if found is not None and button(found.sentence, key=key, kind=kind):
        sort_next.take(dataset)
        frame.go("sort")
    return found


def button(sentence: str, *, key: str, kind: Literal["primary", "secondary"]) -> bool:
    """The line with this sentence; whether its button was pressed."""
    with st.container(
        key=f"sort_offer_{key}", border=True, horizontal=True, vertical_alignment="center"
    ):
        st.markdown(f":material/filter_none: {frame.sentence(sentence)}", width="stretch")
        return st.button(_("Sort photos"), key=f"go_sort_{key}", type=kind)


def begin_copy(dataset: Dataset) -> background_tasks.Task | None:
    """Start copying the photos to sort where that was asked for on the way to this page."""
    if not sort_next.is_copy_wanted(dataset):
        return None
    return background_tasks.start(
        _("Bringing in {name}").format(name=dataset.name),
        lambda task: datasets.copy_to_sort(
            dataset, progress=uploads.reporter(task), stop=task.stop
        ),
    )


def show_taken(dataset: Dataset) -> None:
    """What was put among the unsorted photos and still is, with its undo; what was left out and was
    not."""
    taken = sort_next.taken_from(dataset)
    if taken is not None:
        n = datasets.count_unsorted(dataset, taken)
        with st.container(key="sort_taken", horizontal=True, vertical_alignment="center"):
            text = ngettext(
                "{n:,} photo is among the unsorted ones now.",
                "{n:,} photos are among the unsorted ones now.",
                n,
            )
            st.markdown(f":material/check: {text.format(n=n)}", width="content")
            st.button(
                _("Undo"),
                key="sort_put_back",
                type="tertiary",
                icon=":material/undo:",
                on_click=_put_back,
                args=(dataset,),
            )
    n = len(datasets.read_loose(dataset))
    if not n:
        return
    with st.container(key="sort_loose", horizontal=True, vertical_alignment="center"):
        text = ngettext(
            "{n:,} photo was left out because it has no class.",
            "{n:,} photos were left out because they have no class.",
            n,
        )
        st.markdown(text.format(n=n), width="content")
        if st.button(
            _("Put them among the unsorted photos"),
            key="sort_take_loose",
            icon=":material/filter_none:",
        ):
            sort_next.take(dataset)
            st.rerun()


def _put_back(dataset: Dataset) -> None:
    with frame.errors_shown():
        sort_next.put_back(dataset)
