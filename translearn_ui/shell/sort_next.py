"""Going to sort photos that have no class yet, wherever a page offers it.

Owns: putting them among the unsorted ones on the way there, and what was put so, which the page that
sorts shows with its undo. Leaves to others: which photos these are (`datasets/to_sort.py`), the line
that offers it (`components/sort_offer.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from translearn_core.errors import SourceError

if TYPE_CHECKING:
    from translearn_core.datasets import Dataset, Taken

_TAKEN = "sort_next_taken"


def take(dataset: Dataset) -> None:
    """Put the photos among the unsorted ones.

    Raises:
        SourceError, StorageError: nothing was changed.
    """
    from translearn_core import datasets

    taken = datasets.take_to_sort(dataset)
    if taken is not None:
        st.session_state[_TAKEN] = taken


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
