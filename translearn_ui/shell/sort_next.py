"""Going to sort photos that have no class yet, wherever a page offers it.

Owns: putting them among the unsorted ones on the way there, and what was put so, which the page that
sorts shows with its undo; or asking that page for a copy. Leaves to others: which photos these are
(`datasets/to_sort.py`), the line that offers it and the copy (`components/sort_offer.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from translearn_core.errors import SourceError

if TYPE_CHECKING:
    from translearn_core.datasets import Dataset, Taken

_TAKEN = "sort_next_taken"
_TO_COPY = "sort_next_copy"
WAY = "sort_way"
"""Of the session: from where photos come in on the page that sorts (`sorting/bring_in.py`)."""


def take(dataset: Dataset) -> None:
    """Put the photos among the unsorted ones, or have the page that sorts copy them; the camera of that
    page ends.

    Raises:
        SourceError, StorageError: nothing was changed.
    """
    from translearn_core import datasets

    end_camera()
    if datasets.is_copied_to_sort(dataset):
        st.session_state[_TO_COPY] = dataset.id
        return
    taken = datasets.take_to_sort(dataset)
    if taken is not None:
        st.session_state[_TAKEN] = taken


def end_camera() -> None:
    """Show photos to sort on the page that sorts, not its camera."""
    st.session_state[WAY] = "files"


def is_copy_wanted(dataset: Dataset) -> bool:
    """Whether photos are to be copied now; said once."""
    return bool(st.session_state.pop(_TO_COPY, "") == dataset.id)


def taken_from(dataset: Dataset) -> Taken | None:
    """What this session put among the unsorted photos last, as long as it can be put back."""
    from translearn_core import datasets

    taken: Taken | None = st.session_state.get(_TAKEN)
    return taken if taken is not None and datasets.can_put_back(dataset, taken) else None


def put_back(dataset: Dataset) -> None:
    """Undo `take`."""
    from translearn_core import datasets

    taken = st.session_state.pop(_TAKEN, None)
    if taken is not None:
        datasets.put_back(dataset, taken)


def is_next(dataset: Dataset) -> bool:
    """Whether sorting comes before training."""
    from translearn_core import datasets

    try:
        found = datasets.find_to_sort(dataset)
    except SourceError:
        return False
    return found is not None and found.is_next
