"""The tabs of a result. The one that is open stands in the URL, so that it can be linked and reloaded.

Leaves to others: what each of them holds (`pages/results.py`).
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import streamlit as st

from translearn_core.i18n import N_, _

TABS: dict[str, str] = {
    "overview": N_("Overview"),
    "mistakes": N_("Mistakes"),
    "trust": N_("Trust"),
    "details": N_("Details"),
}
"""Name in the URL (`tab`) -> title."""
QUERY = "tab"
_KEY = "results_tab"


def show() -> list[AbstractContextManager[Any]]:
    """The tabs, to be filled, in the order of the table."""
    titles = {name: _(title) for name, title in TABS.items()}
    given = st.query_params.get(QUERY, "")
    return list(
        st.tabs(list(titles.values()), default=titles.get(given), key=_KEY, on_change=_remember)
    )


def _remember() -> None:
    """Write the tab that was opened into the URL."""
    opened = st.session_state[_KEY]
    st.query_params[QUERY] = next(name for name, title in TABS.items() if _(title) == opened)
