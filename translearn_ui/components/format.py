"""Figures on pages, each written one way: percentages, sizes, durations, dates, large numbers.

Owns: sizes, durations, dates and numbers. Leaves to others: percentages, which sentences of the core
hold too (`translearn_core.formatting`) and which stand here for the pages.
"""

from __future__ import annotations

from datetime import datetime

from translearn_core.formatting import certainty, percent, percent_range
from translearn_core.i18n import _

__all__ = ["certainty", "count", "duration", "percent", "percent_range", "size", "stamp", "when"]


def size(n_bytes: int) -> str:
    """Bytes: `640 kB`, `11 MB`, `2.3 GB`."""
    value = float(n_bytes)
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"


def duration(seconds: float) -> str:
    """A time span: `8 s`, `3 min`, `1 h 5 min`."""
    if seconds < 90:
        return _("{n} s").format(n=max(1, round(seconds)))
    minutes = round(seconds / 60)
    if minutes < 90:
        return _("{n} min").format(n=minutes)
    return _("{h} h {m} min").format(h=minutes // 60, m=minutes % 60)


def when(unix_s: float) -> str:
    """A moment in a list: `today 14:05`, `03 Nov 2026`."""
    moment = datetime.fromtimestamp(unix_s)
    if moment.date() == datetime.now().date():
        return _("today {time}").format(time=moment.strftime("%H:%M"))
    return moment.strftime("%d %b %Y")


def stamp(unix_s: float) -> str:
    """A moment in full: `2026-11-03 14:05`."""
    return datetime.fromtimestamp(unix_s).strftime("%Y-%m-%d %H:%M")


def count(n: int) -> str:
    """A large number: `1.2 million`, `35 thousand`, `9,120`."""
    if n >= 1_000_000:
        return _("{n:.1f} million").format(n=n / 1e6)
    if n >= 10_000:
        return _("{n:,.0f} thousand").format(n=n / 1e3)
    return f"{n:,}"
