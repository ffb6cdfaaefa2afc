"""What it means for the test that photos are frames of recordings.

Owns: the sentences. Leaves to others: which recordings there are (`translearn_core.datasets`), what a split
does with them (`datasets/split.py`).
"""

from __future__ import annotations

import streamlit as st

from translearn_core import datasets
from translearn_core.datasets import Dataset
from translearn_core.i18n import _
from translearn_ui.shell import frame


def show(dataset: Dataset) -> None:
    """One line about the recordings, where there are any."""
    single = list(datasets.single_recordings(dataset.photos))
    if single:
        st.caption(
            _(
                ":material/info: Only one recording each: {classes}. It is tested on the end of that "
                "recording, and the frames just before are left out. That says little about another "
                "place or another light: record each class a second and a third time, elsewhere."
            ).format(classes=frame.listed(single))
        )
    elif dataset.record.grouped_by == datasets.RECORDINGS:
        st.caption(
            _(
                ":material/check: The frames of one recording are never learned from and tested at "
                "once."
            )
        )
