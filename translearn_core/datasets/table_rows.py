"""The rows of a table by the photo that each means, and the rows that fit none or several.

Owns: `match_rows`, `MatchedRows`, and the sentences on rows that do not fit or contradict each other.
Leaves to others: which photo a name means (`table_match.py`), what becomes of the photos
(`table_classes.py`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

from translearn_core.datasets.table_match import Match
from translearn_core.datasets.table_reading import SHOWN, LabelTable, and_more, cut
from translearn_core.datasets.tasks import UnusedRow
from translearn_core.i18n import _, ngettext

MOST_ROWS = 2000
"""Most unused rows that are listed; their number is in the sentences."""


@dataclass(frozen=True)
class MatchedRows:
    """Rows by photo, and the rows (positions) that fit none or several. `left_off` are the folders that all
    paths of the table begin with, where the photos do not lie in them."""

    rows: dict[int, list[int]]
    missing: list[int]
    ambiguous: list[tuple[int, tuple[int, ...]]]
    left_off: str = ""

    def labels(self, table: LabelTable, photo: int, column: str) -> list[str]:
        """The different labels that the rows of a photo give in a column."""
        given = [table.values[column][row] for row in self.rows.get(photo, ())]
        return list(dict.fromkeys(label for label in given if label))

    def label(self, table: LabelTable, photo: int, column: str) -> str:
        """The label of a photo; empty where it has none, or rows contradict each other."""
        given = self.labels(table, photo, column)
        return given[0] if len(given) == 1 else ""

    def notes(self, table: LabelTable, files: Sequence[str]) -> list[str]:
        """Sentences on the rows that fit no photo or several."""
        names = table.cells.column(table.roles.file)
        notes = []
        if self.left_off:
            notes.append(
                _(
                    "The paths of {table} begin with {folders}, where no photo lies; they were read without it."
                ).format(table=table.cells.name, folders=cut(self.left_off))
            )
        if self.missing:
            shown = ", ".join(_row(table, row, names[row]) for row in self.missing[:SHOWN])
            notes.append(
                ngettext(
                    "{n} row of {table} names no photo that is there: {rows}.",
                    "{n} rows of {table} name no photo that is there: {rows}.",
                    len(self.missing),
                ).format(
                    n=len(self.missing),
                    table=table.cells.name,
                    rows=and_more(shown, len(self.missing)),
                )
            )
        if self.ambiguous:
            shown = "; ".join(
                _row(table, row, names[row]) + " = " + ", ".join(files[n] for n in fits[:2])
                for row, fits in self.ambiguous[:SHOWN]
            )
            notes.append(
                ngettext(
                    "{n} row of {table} fits several photos and was not used: {rows}. Write the "
                    "folders into the table, too.",
                    "{n} rows of {table} fit several photos each and were not used: {rows}. Write "
                    "the folders into the table, too.",
                    len(self.ambiguous),
                ).format(
                    n=len(self.ambiguous),
                    table=table.cells.name,
                    rows=and_more(shown, len(self.ambiguous)),
                )
            )
        return notes

    def conflict_notes(
        self, table: LabelTable, files: Sequence[str], columns: Sequence[str]
    ) -> list[str]:
        """A sentence for each column in which rows of one photo contradict each other."""
        notes = []
        for column in columns:
            found = [p for p in self.rows if len(self.labels(table, p, column)) > 1]
            if not found:
                continue
            shown = "; ".join(
                f"{cut(files[photo])} ({self.conflict(table, photo, column)})"
                for photo in found[:SHOWN]
            )
            notes.append(
                ngettext(
                    "{n} photo has rows with different labels in {column}, and none of them was "
                    "used: {photos}. Correct the table.",
                    "{n} photos have rows with different labels in {column}, and none of them was "
                    "used: {photos}. Correct the table.",
                    len(found),
                ).format(n=len(found), column=column, photos=and_more(shown, len(found)))
            )
        return notes

    def unused(
        self, table: LabelTable, files: Sequence[str], columns: Sequence[str]
    ) -> list[UnusedRow]:
        """The rows that fit no photo or several, or contradict another one, in their order."""
        names, numbers = table.cells.column(table.roles.file), table.cells.numbers
        problems = {row: _("There is no photo of this name.") for row in self.missing}
        for row, fits in self.ambiguous:
            problems[row] = _("It fits several photos: {photos}.").format(
                photos=and_more(", ".join(files[n] for n in fits[:SHOWN]), len(fits))
            )
        for column in columns:
            for photo, rows in self.rows.items():
                if len(self.labels(table, photo, column)) > 1:
                    text = _("Rows give {photo} different labels: {labels}.").format(
                        photo=cut(files[photo]), labels=self.conflict(table, photo, column)
                    )
                    problems |= dict.fromkeys(rows, text)
        return [
            UnusedRow(row=numbers[row], name=names[row], problem=text)
            for row, text in sorted(problems.items())[:MOST_ROWS]
        ]

    def conflict(self, table: LabelTable, photo: int, column: str) -> str:
        """The rows of a photo with what they say."""
        return ", ".join(
            _("row {row}: {label}").format(
                row=table.cells.numbers[row], label=cut(table.values[column][row])
            )
            for row in self.rows[photo]
            if table.values[column][row]
        )


def match_rows(table: LabelTable, find: Callable[[str], Match], n_photos: int) -> MatchedRows:
    """The rows by photo.

    Where no path of the table is found, the folders that all of them begin with are left off, as few as may be
    and never all: those of another machine tell no row from another.
    """
    names = table.cells.column(table.roles.file)
    found = _match(names, find, n_photos)
    if found.rows:
        return found
    paths = [name.strip().replace("\\", "/") for name in names]
    shared = _shared_folders(paths)
    for n in range(1, len(shared) + 1):
        below = _match(["/".join(path.split("/")[n:]) for path in paths], find, n_photos)
        if below.rows:
            return replace(below, left_off="/".join(shared[:n]))
    return found


def _shared_folders(paths: Sequence[str]) -> list[str]:
    """The folders that all paths begin with, but for the last one of any path; none of addresses."""
    if any("://" in path for path in paths):
        return []
    levels = zip(*(path.split("/")[:-2] for path in paths), strict=False)
    shared = takewhile(lambda level: len(set(level)) == 1, levels)
    return [level[0] for level in shared]


def _match(names: Sequence[str], find: Callable[[str], Match], n_photos: int) -> MatchedRows:
    rows: dict[int, list[int]] = defaultdict(list)
    missing: list[int] = []
    ambiguous: list[tuple[int, tuple[int, ...]]] = []
    for row, name in enumerate(names):
        match = find(name)
        if match.photo is not None:
            rows[match.photo].append(row)
        elif match.candidates:
            ambiguous.append((row, match.candidates))
        else:
            missing.append(row)
    ordered = {photo: rows[photo] for photo in range(n_photos) if photo in rows}
    return MatchedRows(ordered, missing, ambiguous)


def _row(table: LabelTable, row: int, name: str) -> str:
    return _("{name} (row {row})").format(name=cut(name) or "-", row=table.cells.numbers[row])


def silent_about(missing: int, total: int) -> str:
    return _("The table says nothing of {n} of {total} photos.").format(n=missing, total=total)
