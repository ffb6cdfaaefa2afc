"""The tabs of a result.

Leaves to others: what each of them holds (`pages/results.py`).
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from translearn_core.i18n import N_
from translearn_ui.components import named_tabs

TABS: dict[str, str] = {
    "overview": N_("Overview"),
    "mistakes": N_("Mistakes"),
    "trust": N_("Trust"),
    "details": N_("Details"),
}
"""Name in the URL -> title."""


def show() -> list[AbstractContextManager[Any]]:
    """The tabs, to be filled, in the order of the table."""
    return named_tabs.show(TABS, key="results_tab")
