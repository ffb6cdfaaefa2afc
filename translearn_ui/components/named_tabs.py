"""Tabs of which the open one stands in the URL, by a name that no language changes: it can be linked and
reloaded.

Leaves to others: what each tab holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

import streamlit as st

from translearn_core.i18n import _

QUERY = "tab"


def show(names: Mapping[str, str], *, key: str) -> list[AbstractContextManager[Any]]:
    """The tabs, to be filled, in the order of the table.

    The one that the URL names is opened as if it had been pressed. As the default it would be a part of what
    Streamlit knows the tabs by: with every press the browser would make them anew, and who came to them by
    the keyboard would lose the place.

    Args:
        names: name in the URL (`tab`) -> title, marked for translation.
    """
    titles = {name: _(title) for name, title in names.items()}
    first = next(iter(titles.values()))

    def remember() -> None:
        opened = st.session_state[key]
        st.query_params[QUERY] = next(name for name, title in titles.items() if title == opened)

    wanted = titles.get(st.query_params.get(QUERY, ""), first)
    if st.session_state.get(key) != wanted:
        st.session_state[key] = wanted
    return list(st.tabs(list(titles.values()), key=key, on_change=remember))
