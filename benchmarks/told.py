"""What is measured while a class uses the app, and the words by which a leak is found.

Owns: the figures that everybody in the class adds to, and the word that stands in all that is one
person's. Leaves to others: the persons (`classroom.py`, `tab.py`).
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

MARKS = re.compile(r"mark\d{3}x")


@dataclass
class Told:
    """What was measured and what went wrong."""

    presses: list[tuple[float, float]] = field(default_factory=list)
    """When each ended, by the monotonic clock, and what it took, in seconds."""
    opened: list[float] = field(default_factory=list)
    uploads: list[float] = field(default_factory=list)
    wrong: Counter[str] = field(default_factory=Counter)
    lost: int = 0
    leaks: list[str] = field(default_factory=list)
    results_read: int = 0
    browser_uploads: list[float] = field(default_factory=list)
    browser_presses: list[float] = field(default_factory=list)
    browser_results: list[str] = field(default_factory=list)
    pictures: int = 0


def mark_of(number: int) -> str:
    """A word of one person."""
    return f"mark{number:03}x"
