"""Tables of answers as CSV that spreadsheets open right: columns, cells, the mark of UTF-8.

Owns: names of columns (`probability_column`, `task_columns`, `unique_columns`), what may stand in a
cell (`cell`), text that is valid UTF-8 (`valid_text`), and the whole file (`csv_text`, `BOM`).
Leaves to others: what the columns are, and writing the file.

Used by the page, the command line and every exported program (which gets a copy of this file), so it
needs Python alone.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence

BOM = "\ufeff"
"""Stands at the start of a file, so that Excel takes it for UTF-8."""

_FORMULA = re.compile(r"'*[\s\0]*[-=+@\uff0d\uff1d\uff0b\uff20]")
_TAB_FIRST = ("\t", "\r", "\n", "\0")
_SURROGATE = re.compile("[\ud800-\udfff]")


def valid_text(text: str, *, backslash: str = "\\") -> str:
    """A text that can be written as UTF-8.

    The bytes of a file name that is not UTF-8 become `\\xe9`, other lone surrogates `\\ud800`.

    Args:
        backslash: how a backslash is written where the text goes.
    """

    def escape(found: re.Match[str]) -> str:
        code = ord(found.group())
        return (
            f"{backslash}x{code - 0xDC00:02x}"
            if 0xDC80 <= code <= 0xDCFF
            else (f"{backslash}u{code:04x}")
        )

    return _SURROGATE.sub(escape, text)


def cell(value: object) -> object:
    """A value as it may stand in a cell: a text that a spreadsheet would compute gets a `'` in front.

    Such a text begins with `=`, `+`, `-` or `@`, after blanks and further `'` if there are any, or with a
    tab or a line break. Numbers stay numbers; None and NaN are empty cells.
    """
    if value is None or value != value:
        return ""
    if not isinstance(value, str):
        return value
    text = valid_text(value)
    return f"'{text}" if text.startswith(_TAB_FIRST) or _FORMULA.match(text) else text


def probability_column(name: str, task: str = "") -> str:
    """The name of the column with the probability of a class: `p(cat)`, of a task `p(pose: lying)`."""
    return f"p({task}: {name})" if task else f"p({name})"


def task_column(task: str, taken: Iterable[str]) -> str:
    """The name of the column with the answer to a further task: its own, `task: …` where that is taken."""
    return f"task: {task}" if task in taken else task


def unique_columns(names: Sequence[str]) -> list[str]:
    """Names of columns, each once: a second `a` becomes `a (2)`."""
    result: list[str] = []
    seen: set[str] = set()
    for name in names:
        unique, number = name, 1
        while unique in seen or (number > 1 and unique in names):
            number += 1
            unique = f"{name} ({number})"
        seen.add(unique)
        result.append(unique)
    return result


def csv_row(values: Iterable[object]) -> str:
    """One line of a table, with its line end; every text is made fit for a cell."""
    target = io.StringIO()
    csv.writer(target).writerow([cell(value) for value in values])
    return target.getvalue()


def csv_text(columns: Sequence[str], rows: Iterable[Iterable[object]]) -> str:
    """A whole table, with `BOM` in front."""
    return BOM + csv_row(unique_columns(columns)) + "".join(map(csv_row, rows))
