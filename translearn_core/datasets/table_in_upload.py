"""Finds a table of labels that lies among the photos of an upload.

Owns: `adopt_table`. Leaves to others: reading the table (`table_reading.py`), which photos its rows
mean (`table_rows.py`), where it is kept (`kept_upload.py`).

Only a table that names most of the photos is taken. Where the folders are classes, too, they stay the
classes; the page asks.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePosixPath

from translearn_core.datasets.annotation_file import MEDIA, OBSERVATIONS
from translearn_core.datasets.import_choices import ImportChoices
from translearn_core.datasets.kept_upload import KeptUpload
from translearn_core.datasets.previews import preview_folders
from translearn_core.datasets.questions import OpenQuestionError
from translearn_core.datasets.table_match import PhotoIndex
from translearn_core.datasets.table_reading import read_table
from translearn_core.datasets.table_rows import match_rows
from translearn_core.datasets.tasks import MAIN, TableChoices
from translearn_core.errors import PhotoError, SourceError
from translearn_core.i18n import _

_MOST_TABLES = 6
_NAMED_SHARE = 0.5


def adopt_table(upload: KeptUpload, choices: ImportChoices) -> TableChoices:
    """Take the one table among the photos that names most of them, if there is one.

    Returns:
        What is chosen about it: the folders as the classes where they are classes.

    Raises:
        OpenQuestionError: the folders are no classes, and no column says that it holds them.
    """
    try:
        with upload.look_inside(choices) as (files, there):
            found = _find_tables(files, dict(list(there.items())[:_MOST_TABLES]), str(upload.root))
    except (SourceError, OSError):
        return TableChoices()  # importing it says why
    if found:
        upload.add_table(*((PurePosixPath(name).name, io.BytesIO(found[name])) for name in found))
    if upload.table is None:
        return TableChoices()
    folders = len(preview_folders(files, choices).counts) > 1
    table = read_table(upload.table)
    if folders and MAIN in table.cells.columns:
        upload.drop_table()  # its column `class` could not be told from the folders
        return TableChoices()
    if not folders and len(table.roles.named) != 1:
        raise OpenQuestionError(
            _("{file} lies among the photos: which of its columns holds the classes?").format(
                file=upload.content.table
            ),
            "main",
            table.roles.labels,
        )
    return TableChoices(main=MAIN if folders else table.roles.named[0])


def _find_tables(
    files: list[str], tables: Mapping[str, Callable[[], bytes]], root: str
) -> dict[str, bytes]:
    """Name and bytes of the one table that names most of the photos, or of the two of a camera trap
    package; empty where there is none, or more than one."""
    package = _find_package(tables)
    found = {}
    for name in package or tables:
        try:
            data = tables[name]()
        except PhotoError:
            continue  # damaged inside its archive
        if package or _names_most(data, name, files, root):
            found[name] = data
    return found if len(found) == (len(package) or 1) else {}


def _find_package(names: Iterable[str]) -> list[str]:
    """The two tables of a camera trap package that lie in one folder; none where there are none."""
    there = set(names)
    for name in sorted(there):
        path = PurePosixPath(name)
        other = str(path.with_name(OBSERVATIONS))
        if path.name == MEDIA and other in there:
            return [name, other]
    return []


def _names_most(data: bytes, name: str, files: list[str], root: str) -> bool:
    """Whether the rows of a table name most of the photos."""
    try:
        table = read_table(_file(data, name))
    except SourceError:
        return False
    index = PhotoIndex(files, [root] * len(files))
    return len(match_rows(table, index.find, len(files)).rows) >= _NAMED_SHARE * len(files) > 0


def _file(data: bytes, name: str) -> io.BytesIO:
    file = io.BytesIO(data)
    file.name = PurePosixPath(name).name
    return file
