"""Long lists, leafed through in pages.

Owns: which part of a list is shown, and the page numbers below it.
Leaves to others: what is listed and how it looks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator


def page_of(n: int, per_page: int, *, key: str) -> tuple[slice, DeltaGenerator]:
    """The part of `n` things that is shown, and the place for it above the page numbers.

    Args:
        key: of the page numbers, which stand there only where there are several pages.
    """
    pages = max(1, -(-n // per_page))
    if st.session_state.get(key, 1) > pages:
        del st.session_state[key]
    place = st.container()
    number = 1
    if pages > 1:
        with st.container(horizontal=True, horizontal_alignment="center"):
            number = st.pagination(pages, key=key, width="stretch")
    return slice((number - 1) * per_page, number * per_page), place
