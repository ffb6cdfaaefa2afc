"""Reads the cells of a table: CSV in its dialects, Excel workbooks, and Parquet files.

Owns: `read_cells`, what a file is when it is no table, separators, ragged rows. Leaves to others:
encodings (`table_text.py`), JSON and camera trap packages (`annotation_file.py`), what the columns
mean (`table_columns.py`).

Rows are counted as a spreadsheet shows them: the row of column heads is row 1 (row 2 below a
`sep=` line).
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any

from translearn_core.datasets.table_text import UnknownEncodingError, decode_text
from translearn_core.errors import SourceError
from translearn_core.i18n import N_, _, ngettext

MOST_BYTES = 256 * 2**20
"""A table of a million rows with long paths stays below half of it."""
SEPARATORS = ",;\t|"
_SAMPLE_LINES = 60
_NOT_TABLES = (
    (b"\xd0\xcf\x11\xe0", N_("an Excel workbook of the older kind (.xls)")),
    (b"%PDF", N_("a PDF")),
    (b"\x89PNG", N_("a picture")),
    (b"\xff\xd8\xff", N_("a picture")),
    (b"GIF8", N_("a picture")),
    (b"SQLite format", N_("a database")),
    (b"\x1f\x8b", N_("a packed file (gzip)")),
    (b"7z\xbc\xaf", N_("a packed file (7z)")),
    (b"Rar!", N_("a packed file (rar)")),
)


@dataclass(frozen=True, kw_only=True)
class Cells:
    """A table as it was read: every cell is text without white space around it.

    Args:
        name: of the file, for sentences.
        columns: column heads, unique.
        rows: as many cells as heads in each.
        numbers: the row of the file that each row is.
        notes: sentences on what was guessed or is missing.
    """

    name: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]
    numbers: list[int]
    notes: list[str] = field(default_factory=list)

    def column(self, name: str) -> list[str]:
        """The cells of a column, from the first row on."""
        place = self.columns.index(name)
        return [row[place] for row in self.rows]


def read_cells(data: bytes, name: str) -> Cells:
    """The cells of a CSV file, an Excel workbook or a Parquet file.

    Raises:
        SourceError: it is no table, or not a whole one; the sentence says why.
    """
    check_size(len(data), name)
    if data.startswith(b"PK\x03\x04"):
        return _read_workbook(data, name)
    if data.startswith(b"PAR1"):
        return _read_parquet(data, name)
    return _read_text(table_text(data, name), name)


def check_size(size_bytes: int, name: str) -> None:
    """Make sure that a table is not too large to be read at once.

    Raises:
        SourceError: it is.
    """
    if size_bytes > MOST_BYTES:
        raise SourceError(
            _("{file} has {size} MB; tables of at most {limit} MB are read.").format(
                file=name, size=size_bytes // 2**20, limit=MOST_BYTES // 2**20
            )
        )


@dataclass(frozen=True)
class TableText:
    """The text of a table, and a sentence where its encoding was guessed."""

    text: str
    note: str = ""


def table_text(data: bytes, name: str) -> TableText:
    """The text of a file that should be a table.

    Raises:
        SourceError: it is empty, of another kind, or its encoding cannot be told.
    """
    if not data.strip():
        raise SourceError(_("The table {file} is empty.").format(file=name))
    for start, kind in _NOT_TABLES:
        if data.startswith(start):
            raise _no_table(name, _(kind))
    try:
        decoded = decode_text(data)
    except UnknownEncodingError as error:
        raise SourceError(
            _(
                "{file} is not UTF-8 text, and its encoding cannot be told with certainty. Save it as "
                '"CSV UTF-8" or as an Excel workbook (.xlsx).'
            ).format(file=name)
        ) from error
    if "\0" in decoded.text:
        raise SourceError(
            _(
                "{file} holds NUL characters, which are no text. Save the table again as CSV (UTF-8)."
            ).format(file=name)
        )
    beginning = decoded.text[:500].lstrip().lower()
    if beginning.startswith(("<!doctype html", "<html", "<table", "<head", "<body")):
        raise _no_table(name, _("a web page (HTML)"))
    if beginning.startswith("<?xml"):
        raise _no_table(name, _("an XML file"))
    if not decoded.text.strip():
        raise SourceError(_("The table {file} is empty.").format(file=name))
    if not decoded.guessed:
        return TableText(decoded.text)
    examples = [word for word in decoded.text.replace("\n", ",").split(",") if not word.isascii()]
    note = _("{file} is not UTF-8; it was read as {encoding}.").format(
        file=name, encoding=decoded.guessed
    )
    if examples:
        shown = ", ".join(dict.fromkeys(word.strip()[:40] for word in examples[:200]))
        note += " " + _("Make sure that its words are right: {words}.").format(words=shown[:120])
    return TableText(decoded.text, note)


def _no_table(name: str, kind: str) -> SourceError:
    return SourceError(
        _("{file} is {kind}, no table. Save the table as CSV (UTF-8) or as .xlsx.").format(
            file=name, kind=kind
        )
    )


def _read_text(decoded: TableText, name: str) -> Cells:
    text = decoded.text
    first_line, _end, rest = text.partition("\n")
    first_number, separator = 1, ""
    named = first_line.strip().strip('"')
    if named.lower().startswith("sep=") and len(named) <= 5:
        text, first_number, separator = rest, 2, named[4:] or "\t"
    try:
        found = csv.reader(
            io.StringIO(text, newline=""),
            delimiter=separator or _find_separator(text),
            skipinitialspace=True,
            strict=True,
        )
        numbered = list(enumerate(found, first_number))
    except csv.Error as error:
        raise SourceError(
            _(
                "{file} cannot be split into cells: a quotation mark is not closed or not doubled. "
                "Save the table again as CSV."
            ).format(file=name)
        ) from error
    return make_cells(name, numbered, [decoded.note] if decoded.note else [])


def _find_separator(text: str) -> str:
    """The separator that divides the first rows into the most equal numbers of cells."""
    lines = text[:200_000].splitlines(keepends=True)[:_SAMPLE_LINES]
    best, best_score = SEPARATORS[0], (0.0, 0)
    for separator in SEPARATORS:
        rows = [row for row in csv.reader(lines, delimiter=separator, skipinitialspace=True) if row]
        width = len(rows[0]) if rows else 0
        if width < 2:
            continue
        score = (sum(len(row) == width for row in rows) / len(rows), width)
        if score > best_score:
            best, best_score = separator, score
    return best


def _read_workbook(data: bytes, name: str) -> Cells:
    """The first sheet of an Excel workbook that has cells."""
    import openpyxl  # type: ignore[import-untyped]

    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            check_size(sum(entry.file_size for entry in archive.infolist()), name)
            if not any(entry.startswith("xl/") for entry in archive.namelist()):
                raise _no_table(name, _("a zip archive or a document of another program"))
        book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
    except SourceError:
        raise
    except Exception as error:  # openpyxl raises what the XML inside happens to cause
        raise _broken_workbook(name) from error
    try:
        sheets = [
            (sheet.title, [(n, row) for n, row in enumerate(_sheet_rows(sheet), 1) if any(row)])
            for sheet in book.worksheets
        ]
    except Exception as error:
        raise _broken_workbook(name) from error
    finally:
        book.close()
    filled = [(title, rows) for title, rows in sheets if rows]
    if not filled:
        raise SourceError(_("The table {file} is empty.").format(file=name))
    notes = []
    if len(filled) > 1:
        notes.append(
            _("{file} has several sheets; {sheet} was read, and not: {others}.").format(
                file=name,
                sheet=filled[0][0],
                others=", ".join(title for title, _rows in filled[1:]),
            )
        )
    return make_cells(name, filled[0][1], notes)


def _broken_workbook(name: str) -> SourceError:
    return SourceError(
        _(
            "{file} begins like an Excel workbook, but cannot be opened as one: it is damaged or "
            "protected. Open it in a spreadsheet program and save it as CSV (UTF-8)."
        ).format(file=name)
    )


def _read_parquet(data: bytes, name: str) -> Cells:
    """The columns of a Parquet file that hold one value a row; pictures and lists are passed over."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(io.BytesIO(data))
        heads = [field.name for field in file.schema_arrow if _holds_values(field.type)]
        table = file.read(columns=heads)
        columns = [table.column(head).to_pylist() for head in heads]
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise SourceError(
            _(
                "{file} begins like a Parquet file, but cannot be read as one: it is damaged. Write it "
                "again, or save the table as CSV (UTF-8)."
            ).format(file=name)
        ) from error
    rows = zip(*(map(cell_text, column) for column in columns), strict=True)
    return make_cells(name, [(1, heads), *enumerate(rows, 2)])


def _holds_values(kind: Any) -> bool:
    """Whether a column of Arrow's type `kind` holds one value a row that is text, a number or a time."""
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return not (
        pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind)
    )


def _sheet_rows(sheet: Any) -> Iterable[list[str]]:
    for row in sheet.iter_rows(values_only=True):
        yield [cell_text(value) for value in row]


def cell_text(value: Any) -> str:
    """A value of a workbook, of JSON or of Parquet as text: 3.0 is `3`, nothing and NaN are empty."""
    if value is None or value != value:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, datetime) and value.time() == time():
        return value.date().isoformat()
    if isinstance(value, (date, datetime, time)):
        return value.isoformat()
    return str(value)


def make_cells(
    name: str, numbered: Sequence[tuple[int, Sequence[str]]], notes: Sequence[str] = ()
) -> Cells:
    """Cells of rows of which the first holds the column heads; empty rows are passed over.

    Raises:
        SourceError: heads are missing or there twice, or a row has more cells than the head.
    """
    filled = [
        (number, [cell.strip() for cell in row])
        for number, row in numbered
        if any(cell.strip() for cell in row)
    ]
    if not filled:
        raise SourceError(_("The table {file} is empty.").format(file=name))
    (_first, head), body = filled[0], filled[1:]
    while head and not head[-1]:
        head.pop()
    _check_heads(name, head)
    width = len(head)
    long = [(number, row) for number, row in body if any(row[width:])]
    if long:
        number, row = long[0]
        raise SourceError(
            _(
                "Row {row} of {file} has {n} cells, the row of column heads has {heads}. Put text "
                "that holds a separator into quotation marks, or add the missing head."
            ).format(row=number, file=name, n=len(row), heads=width)
        )
    _check_characters(name, head, body)
    notes = list(notes)
    short = [number for number, row in body if len(row) < width]
    if short:
        notes.append(
            ngettext(
                "{n} row of {file} has fewer cells than the head (row {row}); the missing ones count "
                "as empty.",
                "{n} rows of {file} have fewer cells than the head (the first is row {row}); the "
                "missing ones count as empty.",
                len(short),
            ).format(n=len(short), file=name, row=short[0])
        )
    rows = [tuple(row[:width]) + ("",) * (width - len(row)) for _number, row in body]
    if not rows:
        raise SourceError(_("The table {file} has column heads and no rows.").format(file=name))
    return Cells(
        name=name,
        columns=tuple(head),
        rows=rows,
        numbers=[number for number, _row in body],
        notes=notes,
    )


def _check_heads(name: str, head: list[str]) -> None:
    """Give columns without a head a name, and refuse two of one name."""
    for place, column in enumerate(head):
        head[place] = " ".join(column.split()) or _("column {n}").format(n=place + 1)
    twice = sorted({column for column in head if head.count(column) > 1})
    if twice:
        raise SourceError(
            _("{file} has several columns named {columns}. Give each its own name.").format(
                file=name, columns=", ".join(twice)
            )
        )


def _check_characters(name: str, head: list[str], body: list[tuple[int, list[str]]]) -> None:
    for number, row in [(1, head), *body]:
        for place, cell in enumerate(row[: len(head)]):
            if not cell.isprintable() and any(
                ord(character) < 32 or ord(character) == 127
                for character in cell
                if character not in "\t\n\r"
            ):
                raise SourceError(
                    _(
                        "Row {row} of {file} holds a control character in the column {column}, which "
                        "is no text. Remove it."
                    ).format(row=number, file=name, column=head[place])
                )
