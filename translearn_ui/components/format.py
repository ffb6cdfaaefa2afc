"""Figures on pages, each written one way: percentages, sizes, durations, dates, large numbers.

Owns: sizes, durations and large numbers. Leaves to others: percentages and dates, which sentences
and reports of the core hold too (`translearn_core.formatting`) and which stand here for the pages.
"""

from __future__ import annotations

from datetime import datetime

from translearn_core import formatting
from translearn_core.formatting import certainty, percent, percent_range
from translearn_core.i18n import ENGLISH, _, language, number

__all__ = ["certainty", "count", "duration", "percent", "percent_range", "size", "stamp", "when"]


def size(n_bytes: int) -> str:
    """Bytes: `640 kB`, `11 MB`, `2.3 GB`."""
    value = float(n_bytes)
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return f"{number(value, '.0f')} {unit}"
        value /= 1000
    return f"{number(value, '.1f')} GB"


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
    return formatting.day(moment)


def stamp(unix_s: float) -> str:
    """A moment in full: `2026-11-03 14:05`."""
    return formatting.stamp(datetime.fromtimestamp(unix_s))


def count(n: int) -> str:
    """A large number: `1.2 million`, `35 thousand`, `9,120`."""
    code = language.get()
    if n >= (10_000 if code.startswith("zh") else 1_000_000) and code != ENGLISH:
        from babel.numbers import format_compact_decimal

        return str(format_compact_decimal(n, locale=code, fraction_digits=1))
    if n >= 1_000_000:
        return _("{n:.1f} million").format(n=n / 1e6)
    if n >= 10_000 and code == ENGLISH:
        return _("{n:,.0f} thousand").format(n=n / 1e3)
    return number(n, ",")
