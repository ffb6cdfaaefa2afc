"""Figures as a person reads them, written one way everywhere.

Owns: percentages, in sentences of the core, on pages, in reports and in the terminal.
Leaves to others: sizes, durations and dates of the pages (`translearn_ui/components/format.py`).
"""

from __future__ import annotations


def percent(share: float, digits: int = 0) -> str:
    """A share in [0, 1] as a percentage: `86 %`, with one digit `86.4 %`."""
    return f"{share * 100:.{digits}f} %"


def percent_range(low: float, high: float, digits: int = 0) -> str:
    """Two shares in [0, 1] as the ends of an interval: `83 – 89 %`."""
    return f"{low * 100:.{digits}f} – {high * 100:.{digits}f} %"
