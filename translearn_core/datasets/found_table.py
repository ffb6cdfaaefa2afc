"""Finds a table of labels that lies among the photos of an upload.

Owns: `adopt_table`. Leaves to others: reading the table (`table_reading.py`), which photos its rows
mean (`table_rows.py`), where it is kept (`kept_upload.py`).

Only a table that names most of the photos is taken. Where the folders are classes, too, they stay the
classes; the page asks.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path, PurePosixPath

from translearn_core.datasets.import_choices import ImportChoices
from translearn_core.datasets.kept_upload import KeptUpload
from translearn_core.datasets.photo_names import is_junk
from translearn_core.datasets.previews import preview_folders
from translearn_core.datasets.table_file import MOST_BYTES
from translearn_core.datasets.table_match import PhotoIndex
from translearn_core.datasets.table_reading import read_table
from translearn_core.datasets.table_rows import match_rows
from translearn_core.datasets.tasks import MAIN, TableChoices
from translearn_core.errors import SourceError

TABLE_SUFFIXES = frozenset({".csv", ".tsv", ".xlsx", ".json", ".jsonl"})
_MOST_TABLES = 6
_NAMED_SHARE = 0.5


def adopt_table(upload: KeptUpload, choices: ImportChoices) -> TableChoices:
    """Take the one table among the photos that names most of them, if there is one.

    Returns:
        What is chosen about it: the folders as the classes where they are classes.
    """
    try:
        files = upload.list_files(choices)
    except SourceError:
        return TableChoices()  # importing it says why
    found = []
    for name, read in list(_tables(upload))[:_MOST_TABLES]:
        with suppress(OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError):
            data = read()
            if _names_most(data, name, files, str(upload.root)):
                found.append((name, data))
    if len(found) != 1:
        return TableChoices()
    name, data = found[0]
    folders = len(preview_folders(files, choices).counts) > 1
    if folders and MAIN in _columns(data, name):
        return TableChoices()  # its column `class` could not be told from the folders
    upload.add_table(PurePosixPath(name).name, io.BytesIO(data))
    return TableChoices(main=MAIN if folders else "")


def _tables(upload: KeptUpload) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Names of files that may be tables, with what reads each."""
    for number, name in enumerate(upload.content.files):
        if _may_be_table(name):
            yield name, (upload.folder / "files" / str(number)).read_bytes
    if upload.content.source:
        root = Path(upload.content.source)
        for path in sorted([*root.glob("*"), *root.glob("*/*")]):
            if path.is_file() and _may_be_table(path.relative_to(root).as_posix()):
                yield path.relative_to(root).as_posix(), path.read_bytes
    if upload.content.archive and zipfile.is_zipfile(upload.root):
        with zipfile.ZipFile(upload.root) as archive:
            for entry in archive.infolist():
                if _may_be_table(entry.filename) and entry.file_size <= MOST_BYTES:
                    yield entry.filename, partial(_read_entry, upload.root, entry)


def _read_entry(path: Path, entry: zipfile.ZipInfo) -> bytes:
    with zipfile.ZipFile(path) as archive, archive.open(entry) as file:
        return file.read(MOST_BYTES + 1)[:MOST_BYTES]


def _may_be_table(name: str) -> bool:
    path = PurePosixPath(name.replace("\\", "/"))
    return path.suffix.lower() in TABLE_SUFFIXES and not is_junk(path.parts)


def _names_most(data: bytes, name: str, files: list[str], root: str) -> bool:
    """Whether the rows of a table name most of the photos."""
    try:
        table = read_table(_file(data, name))
    except SourceError:
        return False
    index = PhotoIndex(files, [root] * len(files))
    return len(match_rows(table, index.find, len(files)).rows) >= _NAMED_SHARE * len(files) > 0


def _columns(data: bytes, name: str) -> tuple[str, ...]:
    with suppress(SourceError):
        return read_table(_file(data, name)).cells.columns
    return ()


def _file(data: bytes, name: str) -> io.BytesIO:
    file = io.BytesIO(data)
    file.name = PurePosixPath(name).name
    return file
