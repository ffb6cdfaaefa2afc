"""Photos that were left out for want of a class: into the unsorted ones with one press, and back.

Owns: the line and its buttons. Leaves to others: which photos these are (`datasets/photos_without_class.py`).
"""

from __future__ import annotations

import streamlit as st

from translearn_core import datasets
from translearn_core.datasets import Dataset
from translearn_core.i18n import _, ngettext
from translearn_ui.shell import frame

_TAKEN = "loose_taken"


def show(dataset: Dataset, *, key: str, can_sort: bool = True) -> None:
    """How many there are, or what was done with them.

    Args:
        key: of the page.
        can_sort: whether the way to the page that sorts is shown.
    """
    of, taken = st.session_state.get(_TAKEN, ("", []))
    n = len(datasets.read_loose(dataset))
    with st.container(key=f"loose_{key}", horizontal=True, vertical_alignment="center"):
        if n:
            text = ngettext(
                "{n:,} photo was left out because it has no class.",
                "{n:,} photos were left out because they have no class.",
                n,
            )
            st.markdown(text.format(n=n), width="content")
            if st.button(
                _("Put them among the unsorted photos"),
                key=f"loose_take_{key}",
                icon=":material/filter_none:",
            ):
                st.session_state[_TAKEN] = (dataset.id, datasets.take_loose(dataset))
                st.rerun()
        elif of == dataset.id and taken:
            text = ngettext(
                "{n:,} photo that was left out is among the unsorted ones.",
                "{n:,} photos that were left out are among the unsorted ones.",
                len(taken),
            )
            st.markdown(f":material/check: {text.format(n=len(taken))}", width="content")
            if st.button(
                _("Undo"), key=f"loose_undo_{key}", type="tertiary", icon=":material/undo:"
            ):
                datasets.leave_loose(dataset, taken)
                del st.session_state[_TAKEN]
                st.rerun()
            if can_sort and st.button(_("Sort them"), key=f"loose_sort_{key}"):
                frame.go("sort")
