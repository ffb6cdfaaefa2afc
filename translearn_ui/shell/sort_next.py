"""Going to sort photos that have no class yet, wherever a page offers it.

Owns: putting them among the unsorted ones on the way there, and what was put so, which the page that
sorts shows with its undo; or asking that page for a copy. Leaves to others: which photos these are
(`datasets/to_sort.py`), the line that offers it and the copy (`components/sort_offer.py`). Brings pandas in:
what a page without photos needs of the way there is in `sort_way.py`.
"""

from __future__ import annotations

import streamlit as st

from translearn_core import datasets
from translearn_core.datasets import Dataset, Taken
from translearn_core.errors import SourceError
from translearn_ui.shell import sort_way

_TAKEN = "sort_next_taken"
_TO_COPY = "sort_next_copy"


def take(dataset: Dataset) -> None:
    """Put the photos among the unsorted ones, or have the page that sorts copy them; the camera of that
    page ends.

    Raises:
        SourceError, StorageError: nothing was changed.
    """
    sort_way.end_camera()
    if datasets.is_copied_to_sort(dataset):
        st.session_state[_TO_COPY] = dataset.id
        return
    taken = datasets.take_to_sort(dataset)
    if taken is not None:
        st.session_state[_TAKEN] = taken


def is_copy_wanted(dataset: Dataset) -> bool:
    """Whether photos are to be copied now; said once."""
    return bool(st.session_state.pop(_TO_COPY, "") == dataset.id)


def taken_from(dataset: Dataset) -> Taken | None:
    """What this session put among the unsorted photos last, as long as it can be put back."""
    taken: Taken | None = st.session_state.get(_TAKEN)
    return taken if taken is not None and datasets.can_put_back(dataset, taken) else None


def put_back(dataset: Dataset) -> None:
    """Undo `take`."""
    taken = st.session_state.pop(_TAKEN, None)
    if taken is not None:
        datasets.put_back(dataset, taken)


def is_next(dataset: Dataset) -> bool:
    """Whether sorting comes before training."""
    try:
        found = datasets.find_to_sort(dataset)
    except SourceError:
        return False
    return found is not None and found.is_next
