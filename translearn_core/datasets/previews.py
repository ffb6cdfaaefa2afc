"""What a reading of folders or of a table leads to, from the names of the photos alone.

Owns: `preview_folders`, `preview_table`, for a person who chooses between readings. Nothing is opened
or written; a file that turns out to be no photo is counted. Leaves to others: the rules
(`layout.py`, `table_classes.py`), the import itself (`importing.py`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from translearn_core.datasets.file_names import natural_key
from translearn_core.datasets.import_choices import ImportChoices
from translearn_core.datasets.layout import ClassAssignment, read_layout
from translearn_core.datasets.table_classes import TableLabelling
from translearn_core.datasets.table_reading import LabelTable
from translearn_core.datasets.tasks import UnusedRow
from translearn_core.errors import SourceError


@dataclass(frozen=True, kw_only=True)
class Preview:
    """One reading.

    Args:
        n_photos: files that may be photos.
        counts: those of each class, in natural order of the names.
        splits: those of each split that is given.
        notes: sentences on what does not fit.
        rows: the rows of the table that would not be used.
        problem: why it cannot be read so; empty where it can.
    """

    n_photos: int
    counts: dict[str, int] = field(default_factory=dict)
    splits: dict[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    rows: tuple[UnusedRow, ...] = ()
    problem: str = ""


def preview_folders(files: Sequence[str], choices: ImportChoices) -> Preview:
    """What the folders of these paths (within their source) lead to."""
    try:
        layout = read_layout(files, choices)
    except SourceError as error:
        return Preview(n_photos=len(files), problem=error.message)
    counts, splits = _count(layout.assignments)
    notes = tuple(layout.notices)
    return Preview(n_photos=len(files), counts=counts, splits=splits, notes=notes)


def preview_table(
    files: Sequence[str], root: str, table: LabelTable, choices: ImportChoices
) -> Preview:
    """What a table leads to for photos of these paths within the source `root`."""
    labelling = TableLabelling(table, several=False, key="", choices=choices)
    try:
        (assignments,) = labelling.assign([files], [root])
    except SourceError as error:
        return Preview(n_photos=len(files), problem=error.message, rows=tuple(labelling.unused))
    counts, splits = _count(assignments)
    return Preview(
        n_photos=len(files),
        counts=counts,
        splits=splits,
        notes=(*table.notes, *labelling.notes),
        rows=tuple(labelling.unused),
    )


def _count(assignments: Iterable[ClassAssignment]) -> tuple[dict[str, int], dict[str, int]]:
    kept = [one for one in assignments if one.class_name]
    counts = Counter(one.class_name for one in kept)
    splits = Counter(one.split for one in kept if one.split)
    return {name: counts[name] for name in sorted(counts, key=natural_key)}, dict(splits)
