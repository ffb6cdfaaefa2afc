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
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa
from pyarrow import parquet as pq

from translearn_core.datasets.photo_names import PHOTO_SUFFIXES
from translearn_core.datasets.table_text import UnknownEncodingError, decode_text
from translearn_core.errors import SourceError
from translearn_core.i18n import N_, _, ngettext

MOST_BYTES = 256 * 2**20
"""A table of a million rows with long paths stays below half of it."""
csv.field_size_limit(MOST_BYTES)  # pictures may stand in cells as text
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
    (b"{\\rtf", N_("a text document (RTF)")),
)
_PROTECTED = "EncryptedPackage".encode("utf-16-le")
"""The name of a stream in workbooks with a password; such files begin like workbooks of the older kind."""
_SPREADSHEET_ERRORS = frozenset(
    {"#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NULL!", "#NUM!", "#SPILL!", "#CALC!"}
    | {"#FIELD!", "#BLOCKED!", "#CONNECT!", "#UNKNOWN!", "#BUSY!", "#GETTING_DATA"}
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
    if _PROTECTED in data:
        raise _protected(name)
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


def _protected(name: str) -> SourceError:
    return SourceError(
        _(
            "{file} is protected by a password. Open it in a spreadsheet program and save it without "
            "one, as .xlsx or as CSV (UTF-8)."
        ).format(file=name)
    )


def _read_text(decoded: TableText, name: str) -> Cells:
    text = decoded.text
    first_line, _end, rest = text.partition("\n")
    first_number, separator = 1, ""
    named = first_line.strip().strip('"')
    if named.lower().startswith("sep=") and len(named) <= 5:
        text, first_number, separator = rest, 2, named[4:] or "\t"
    try:
        rows = _split_rows(text, separator)
        whole_lines = [row[0] for row in rows if len(row) == 1]
        if rows and len(whole_lines) == sum(map(bool, rows)) and _divides(whole_lines[0]):
            separator = separator or _find_separator("\n".join(whole_lines))
            rows = [_split_line(row[0], separator) if row and row[0] else [] for row in rows]
        numbered = list(enumerate(rows, first_number))
    except csv.Error as error:
        raise SourceError(
            _(
                "{file} cannot be split into cells: a quotation mark is not closed or not doubled. "
                "Save the table again as CSV."
            ).format(file=name)
        ) from error
    return make_cells(name, numbered, [decoded.note] if decoded.note else [])


def _split_rows(text: str, separator: str) -> list[list[str]]:
    """The rows of a text; where no separator is given, the one that fits best divides them."""
    return list(
        csv.reader(
            io.StringIO(text, newline=""),
            delimiter=separator or _find_separator(text),
            skipinitialspace=True,
            strict=True,
        )
    )


def _split_line(line: str, separator: str) -> list[str]:
    """The cells of a line that stood in quotation marks as a whole."""
    return next(csv.reader([line], delimiter=separator, skipinitialspace=True, strict=True))


def _divides(line: str) -> bool:
    """Whether a line that stood in quotation marks as a whole holds separators."""
    return any(separator in line for separator in SEPARATORS)


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
    """The first sheet of an Excel workbook that is shown and holds a table."""
    import openpyxl  # type: ignore[import-untyped]

    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            check_size(sum(entry.file_size for entry in archive.infolist()), name)
            if "xl/workbook.bin" in archive.namelist():
                raise _no_table(name, _("a binary Excel workbook (.xlsb)"))
            if not any(entry.startswith("xl/") for entry in archive.namelist()):
                raise _no_table(name, _("a zip archive or a document of another program"))
            book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
            sheets = [
                _Sheet(sheet.title, sheet.sheet_state == "visible", _sheet_rows(sheet, archive))
                for sheet in book.worksheets
            ]
            book.close()
            filled = [sheet for sheet in sheets if sheet.rows]
            if not filled:
                raise SourceError(_("The table {file} is empty.").format(file=name))
            shown = [sheet for sheet in filled if sheet.is_shown] or filled
            chosen = next((sheet for sheet in shown if sheet.is_table), shown[0])
            source = archive.read(_path_of(book[chosen.title]))
    except SourceError:
        raise
    except Exception as error:  # openpyxl raises what the XML inside happens to cause
        raise _broken_workbook(name) from error
    notes = []
    if len(filled) > 1:
        notes.append(
            _("{file} has several sheets; {sheet} was read, and not: {others}.").format(
                file=name,
                sheet=chosen.title,
                others=", ".join(sheet.title for sheet in filled if sheet is not chosen),
            )
        )
    if _merged_cells(source):
        notes.append(
            _(
                "{file} has merged cells: what stands in one counts for each row that it covers."
            ).format(file=name)
        )
    n_open = len(_FORMULA_WITHOUT_RESULT.findall(source))
    if n_open:
        notes.append(
            ngettext(
                "{n} cell of {file} holds a formula whose result is not in the file; it counts as "
                "empty. Open it in a spreadsheet program and save it again.",
                "{n} cells of {file} hold formulas whose results are not in the file; they count as "
                "empty. Open it in a spreadsheet program and save it again.",
                n_open,
            ).format(n=n_open, file=name)
        )
    return make_cells(name, chosen.rows, notes, says_short=False)


@dataclass(frozen=True)
class _Sheet:
    """A sheet of a workbook: its rows that hold anything, by number, each up to its last filled cell."""

    title: str
    is_shown: bool
    rows: list[tuple[int, list[str]]]

    @property
    def is_table(self) -> bool:
        """Whether it has two rows and two columns that hold anything."""
        filled = {place for _n, row in self.rows for place, cell in enumerate(row[:50]) if cell}
        return len(self.rows) > 1 and len(filled) > 1


_FORMULA_WITHOUT_RESULT = re.compile(
    rb"<c(?![^>]*\st=[\"']str[\"'])(?:\s[^>]*)?>\s*"
    rb"<f(?:\s[^>]*)?(?:/>|>[^<]*</f>)\s*(?:<v\s*/>|<v>\s*</v>)?\s*</c>"
)
"""A result that is text (`t="str"`) may be empty."""
_MERGED = re.compile(rb"mergeCell\s[^>]*ref=\"([A-Z]+)(\d+):([A-Z]+)(\d+)\"")


def _path_of(sheet: Any) -> str:
    """Where the XML of a sheet lies in its workbook."""
    return str(sheet._worksheet_path)


def _merged_cells(source: bytes) -> list[tuple[int, int, int]]:
    """The merged cells that cover several rows, as column, first and last row, from 1 on."""
    from openpyxl.utils import column_index_from_string  # type: ignore[import-untyped]

    start = source.find(b"mergeCells")
    found = _MERGED.findall(source, start) if start >= 0 else []
    return [
        (column_index_from_string(column.decode()), int(first), int(last))
        for column, first, _right, last in found
        if int(last) > int(first)
    ]


def _sheet_rows(sheet: Any, archive: zipfile.ZipFile) -> list[tuple[int, list[str]]]:
    """The rows of a sheet that hold anything, by number, each up to its last filled cell.

    The size that a sheet declares is not relied on: many programs write a wrong one. Nor are the rows
    made of one length: one cell far to the right would take gigabytes.
    """
    sheet.reset_dimensions()
    rows = {}
    for number, row in enumerate(sheet.iter_rows(values_only=True), 1):
        width = next((n for n in range(len(row), 0, -1) if row[n - 1] is not None), 0)
        if width:
            rows[number] = [cell_text(value) for value in row[:width]]
    for column, first, last in _merged_cells(archive.read(_path_of(sheet))):
        value = rows[first][column - 1] if first in rows and column <= len(rows[first]) else ""
        for number in range(first + 1, last + 1):
            row = rows.get(number)
            if value and row is not None:
                row.extend([""] * (column - len(row)))
                row[column - 1] = row[column - 1] or value
    return [(n, row) for n, row in rows.items() if any(row)]


def _broken_workbook(name: str) -> SourceError:
    return SourceError(
        _(
            "{file} begins like an Excel workbook, but cannot be opened as one: it is damaged or "
            "protected. Open it in a spreadsheet program and save it as CSV (UTF-8)."
        ).format(file=name)
    )


def _read_parquet(data: bytes, name: str) -> Cells:
    """The columns of a Parquet file that hold one value a row; pictures and lists are passed over."""
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
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return not (
        pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind)
    )


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
    name: str,
    numbered: Sequence[tuple[int, Sequence[str]]],
    notes: Sequence[str] = (),
    *,
    says_short: bool = True,
) -> Cells:
    """Cells of rows of which the first holds the column heads; empty rows are passed over.

    Args:
        says_short: whether a sentence says that rows have fewer cells than the head.

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
    width = max((place for place, cell in enumerate(head, 1) if cell), default=0)
    head = head[:width]
    used = {place for _number, row in filled for place, cell in enumerate(row) if cell}
    kept = [place for place in range(width) if place in used]
    _check_heads(name, head, kept)
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
    short = [number for number, row in body if says_short and len(row) < width]
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
    if not body:
        raise SourceError(_("The table {file} has column heads and no rows.").format(file=name))
    cells = Cells(
        name=name,
        columns=tuple(head[place] for place in kept),
        rows=[tuple(row[place] if place < len(row) else "" for place in kept) for _n, row in body],
        numbers=[number for number, _row in body],
        notes=notes,
    )
    return _without_errors(cells)


def _without_errors(cells: Cells) -> Cells:
    """A table in which the errors of a spreadsheet program count as empty, and that is said."""
    found = [
        (number, cells.columns[place], cell)
        for number, row in zip(cells.numbers, cells.rows, strict=True)
        for place, cell in enumerate(row)
        if cell[:1] == "#" and cell.upper() in _SPREADSHEET_ERRORS
    ]
    if not found:
        return cells
    number, column, error = found[0]
    note = ngettext(
        "{n} cell of {file} holds an error of the spreadsheet program, {error} in row {row} of "
        "{column}; it counts as empty.",
        "{n} cells of {file} hold errors of the spreadsheet program; they count as empty. The first is "
        "{error} in row {row} of {column}.",
        len(found),
    ).format(n=len(found), file=cells.name, error=error, row=number, column=column)
    rows = [
        tuple(
            "" if cell[:1] == "#" and cell.upper() in _SPREADSHEET_ERRORS else cell for cell in row
        )
        for row in cells.rows
    ]
    return replace(cells, rows=rows, notes=[*cells.notes, note])


def _check_heads(name: str, head: list[str], kept: Sequence[int]) -> None:
    """Give columns without a head a name, and refuse two of one name."""
    for place in kept:
        head[place] = " ".join(head[place].split()) or _("column {n}").format(n=place + 1)
    twice = sorted({head[place] for place in kept if head.count(head[place]) > 1})
    if twice and any(PurePosixPath(one).suffix.lower() in PHOTO_SUFFIXES for one in head):
        raise no_heads(name, head)
    if twice:
        raise SourceError(
            _("{file} has several columns named {columns}. Give each its own name.").format(
                file=name, columns=", ".join(twice)
            )
        )


def no_heads(name: str, head: Sequence[str]) -> SourceError:
    """The first row is no row of column heads."""
    return SourceError(
        _(
            "The first row of {file} looks like a photo with its label, not like column heads: "
            "{row}. Add a first row that names the columns, like file,label."
        ).format(file=name, row=", ".join(head)[:120])
    )


def _check_characters(name: str, head: list[str], body: list[tuple[int, list[str]]]) -> None:
    for number, row in [(1, head), *body]:
        for place, cell in enumerate(row[: len(head)]):
            if not cell.isprintable() and any(map(_is_no_text, cell)):
                raise SourceError(
                    _(
                        "Row {row} of {file} holds a character in the column {column} that is no "
                        "text. Remove it."
                    ).format(row=number, file=name, column=_shown(head[place]))
                )


def _is_no_text(character: str) -> bool:
    """Whether a character is a control character or half of one."""
    code = ord(character)
    return (code < 32 and character not in "\t\n\r") or code == 127 or 0xD800 <= code <= 0xDFFF


def _shown(head: str) -> str:
    """A column head with nothing in it that cannot be written."""
    return head.encode("utf-8", "backslashreplace").decode("utf-8")
