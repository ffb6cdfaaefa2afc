"""What in a table of labels looks like a mistake although it can be read.

Owns: `doubts`, sentences on labels that look like missing values, like several labels in one, or like
text of a wrong encoding, and on a column that may give the split and was not taken for one;
`group_doubts`, the same on the names of groups. Leaves to
others: reading the table (`table_reading.py`); labels stay as they are written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from translearn_core.datasets.file_names import group_lookalikes, natural_key
from translearn_core.datasets.table_columns import SPLIT_NAMES, key_of
from translearn_core.i18n import _, ngettext

_SHOWN = 3
_MISSING = frozenset(
    {
        "na",
        "n/a",
        "n.a.",
        "nan",
        "none",
        "null",
        "nil",
        "-",
        "--",
        "–",
        "?",
        "??",
        "missing",
        "undefined",
    }
)
_MAYBE_SPLITS = SPLIT_NAMES | {
    *("istrain", "istraining", "istrainingimage", "istest", "istesting", "isvalid", "isval"),
    *("isvalidation", "fold", "folds", "kfold"),
}
_JOINTS = re.compile(r"\s*[|;,+]\s*")
_MOJIBAKE = re.compile(
    "[\u00c2\u00c3][\u0080-\u00bf\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192\u02c6\u02dc"
    "\u2013-\u203a\u20ac\u2122]|\u00e2[\u0080-\u009f\u20ac\u201a-\u203a\u2122]"
)
"""Bytes of UTF-8 that were read as Windows-1252 or Latin-1."""


def doubts(values: Mapping[str, Sequence[str]], columns: Sequence[str], split: str) -> list[str]:
    """Sentences on what looks like a mistake.

    Args:
        values: the labels of each row, by column of labels.
        columns: the columns of the table.
        split: the column of the split; empty for none.
    """
    notes = []
    for column, labels in values.items():
        different = list(dict.fromkeys(label for label in labels if label))
        notes += _doubts_of(column, different)
    for column in columns:
        if not split and key_of(column) in _MAYBE_SPLITS:
            notes.append(
                _(
                    "The column {column} may say which photos are for the test, but not in the words "
                    "train, val and test: no split was taken from it."
                ).format(column=column)
            )
    return notes


def group_doubts(groups: Iterable[str], n_photos: int, column: str) -> list[str]:
    """Sentences on groups that look like a mistake.

    Args:
        groups: the group of each photo that has one.
        n_photos: photos in all.
        column: the column that names the groups.
    """
    named = list(groups)
    if not named:
        return [
            _("The column {column} names no group of any photo: none are kept together.").format(
                column=column
            )
        ]
    notes = []
    alone = n_photos - len(named)
    if alone:
        notes.append(
            ngettext(
                "{n} photo has no one group in {column}; it counts as a group of its own.",
                "{n} photos have no one group in {column}; each counts as a group of its own.",
                alone,
            ).format(n=alone, column=column)
        )
    different = sorted(set(named), key=natural_key)
    twins = [name for names in group_lookalikes(different) for name in names]
    if twins:
        notes.append(
            _(
                "In {column}, {names} are different groups, although their names are nearly the same. "
                "If they are one, write them alike: else it may be torn apart."
            ).format(column=column, names=_listed(twins))
        )
    return notes


def _doubts_of(column: str, labels: Sequence[str]) -> list[str]:
    notes = []
    missing = [label for label in labels if label.lower() in _MISSING]
    if missing:
        notes.append(
            _(
                "In {column}, {labels} was kept as a class. Where it means that there is no label, "
                "leave the cell empty."
            ).format(column=column, labels=_listed(missing))
        )
    known = set(labels)
    joined = [label for label in labels if _joins(label, known)]
    if joined:
        notes.append(
            _(
                "In {column}, labels like {labels} join several labels, and each such text was kept as "
                "a class of its own. A photo has one class: write one label into each cell."
            ).format(column=column, labels=_listed(joined))
        )
    garbled = [label for label in labels if "\ufffd" in label or _MOJIBAKE.search(label)]
    if garbled:
        notes.append(
            _(
                "In {column}, labels like {labels} look as if the table had been saved in a wrong "
                "encoding. Save it again as CSV (UTF-8)."
            ).format(column=column, labels=_listed(garbled))
        )
    return notes


def _joins(label: str, known: set[str]) -> bool:
    """Whether a label is several labels of the same column in one cell, or a list."""
    if re.fullmatch(r"\[.*\]", label):
        return True
    parts = [part for part in _JOINTS.split(label) if part]
    return len(parts) > 1 and all(part in known for part in parts)


def _listed(labels: Iterable[str]) -> str:
    shown = [label if len(label) <= 40 else f"{label[:39]}…" for label in labels]
    return ", ".join(shown[:_SHOWN]) + (", …" if len(shown) > _SHOWN else "")
