"""The row below a strip that gives its ticked photos a class.

Owns: the choice of the class, and doing it. Leaves to others: the strip and its ticks (`strip.py`).
"""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from translearn_core.i18n import _, ngettext
from translearn_core.sorting.session import Sorting
from translearn_ui.sorting import strip


def show(sorting: Sorting, ticked: Sequence[str], *, key: str, stay: bool) -> None:
    """A class for the ticked photos.

    Args:
        ticked: their paths, one or more.
        key: of the strip.
        stay: whether they stay unsorted without a class; else they can be put aside.
    """
    n = len(ticked)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.selectbox(
            ngettext("What is the ticked one?", "What are the {n:,} ticked ones?", n).format(n=n),
            sorting.dataset.classes,
            index=None,
            accept_new_options=True,
            placeholder=_("Leave unsorted, or choose a class")
            if stay
            else _("Choose a class, or type a new name"),
            key=f"{key}_really",
            width=280,
        )
        if st.button(_("Sort the ticked"), key=f"{key}_take", disabled=not name):
            sorting.move(ticked, str(name))
            strip.forget_ticks(key)
            st.rerun()
        if not stay and st.button(
            _("None of them: put aside"),
            key=f"{key}_aside",
            type="tertiary",
            icon=":material/block:",
        ):
            sorting.put_aside(ticked)
            strip.forget_ticks(key)
            st.rerun()
