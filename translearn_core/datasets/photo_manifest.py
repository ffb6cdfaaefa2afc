"""Makes a data set of a manifest: a table of paths or addresses of photos with their classes.

Owns: `import_manifest`, what a manifest is, where the photo of a row lies, and the rows that are not
used. A row names its own photo: nothing is listed, matched or copied. Leaves to others: cells and
columns (`table_reading.py`), the photos once they are known (`in_place.py`), files at addresses
(`imaging/remote.py`), a table beside a folder of photos (`label_table.py`).

A path is absolute, or relative to the manifest; an address begins with its protocol
(`s3://bucket/cats/1.jpg`). The bounds on files and bytes of an import do not hold: a manifest says
how many photos there are, and nothing of them is unpacked.
"""

from __future__ import annotations

import hashlib
import io
import os
import posixpath
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path, PurePosixPath

import pandas as pd

from translearn_core.config import load_configuration
from translearn_core.datasets.dataset import Dataset
from translearn_core.datasets.file_names import printable, real_path, tidy
from translearn_core.datasets.folder_listing import cannot_open
from translearn_core.datasets.grouping import as_folders, group_by_folders, set_groups
from translearn_core.datasets.import_choices import ImportChoices
from translearn_core.datasets.import_context import (
    ImportContext,
    LeftOut,
    ProgressCallback,
    StopCheck,
)
from translearn_core.datasets.in_place import publish_in_place
from translearn_core.datasets.label_table import LabelledImport
from translearn_core.datasets.manifest_columns import COLUMNS, with_columns
from translearn_core.datasets.manifest_rows import new_record
from translearn_core.datasets.table_classes import only_label
from translearn_core.datasets.table_columns import key_of, named_column, split_of
from translearn_core.datasets.table_file import MOST_BYTES, Cells
from translearn_core.datasets.table_reading import LabelTable, cut, read_table, read_table_cells
from translearn_core.datasets.tasks import (
    MAIN,
    TableNotes,
    UnusedRow,
    store_table_notes,
    store_tasks,
)
from translearn_core.i18n import _, ngettext
from translearn_core.imaging import remote

SUFFIXES = (".parquet", ".pq", ".csv", ".tsv", ".txt", ".xlsx")
GROUP_NAMES = frozenset(["group", "groups", "groupname", "groupid"])
"""Column heads of what photos belong together; `key_of` form."""
MOST_ROWS_TOLD = 2000
"""Most rows that were not used of which the numbers are kept."""


def is_manifest(source: str | Path) -> bool:
    """Whether a source is a manifest rather than a folder or an archive: by its name, and a file."""
    text = str(source)
    if not text.lower().endswith(SUFFIXES):
        return False
    return remote.is_address(text) or Path(text).expanduser().is_file()


def import_manifest(
    source: str | Path,
    *,
    main: str = "",
    file_column: str = "",
    one_hot: bool = True,
    group_by: str = "",
    choices: ImportChoices | None = None,
    check: bool = False,
    progress: ProgressCallback | None = None,
    stop: StopCheck | None = None,
) -> LabelledImport:
    """Make a data set of a manifest; the same one gives the same data set again, read afresh.

    Args:
        source: a CSV, Excel or Parquet file, or its address.
        main, file_column, one_hot: as for `table_reading.read_table`.
        group_by: the column of what photos belong together; default: one called `group`.
        choices: page and channels of photos that have several.
        check: decode every photo now, as `importing.import_source`.

    Raises:
        SourceError: it cannot be read, its columns are not clear, or no row names a photo.
        StorageError: the disk is full.
    """
    cells = _read_cells(source)
    groups = [column for column in cells.columns if key_of(column) in GROUP_NAMES]
    if not group_by and len(groups) == 1:
        group_by = groups[0]
    table = read_table(
        cells, main=main, file_column=file_column, one_hot=one_hot, group_by=group_by
    )
    if main == MAIN and MAIN not in cells.columns:
        named_column(cells, main)  # raises: a manifest has no folders of classes
    column = table.main or only_label(table, ())
    context = ImportContext(load_configuration().limits, check, progress, stop, choices)
    rows = _Rows(table, column, _base(source))
    rows.read()
    photos = rows.look(context)
    identity = hashlib.sha256(f"{_identity(source)}\n{column}".encode("utf-8", "surrogatepass"))
    record = new_record(
        tidy(PurePosixPath(str(source)).stem) or "photos",
        source=printable(str(source)),
        identity=f"manifest-{identity.hexdigest()[:12]}",
    )
    record = record.model_copy(update={"choices": context.choices.as_text()})
    dataset = publish_in_place(record, photos, rows.left_out, context)
    if group_by and not table.groups:
        group_by_folders(dataset, as_folders(group_by))
    return _finish(dataset, table, column, rows)


def _read_cells(source: str | Path) -> Cells:
    text = str(source)
    if not remote.is_address(text) or remote.is_local(text):
        return read_table_cells(Path(_local(source)))
    file = io.BytesIO(remote.read_address(text, MOST_BYTES))
    file.name = PurePosixPath(text).name
    return read_table_cells(file)


def _local(source: str | Path) -> str:
    text = str(source)
    return remote.local_path(text) if remote.is_address(text) else str(Path(text).expanduser())


def _identity(source: str | Path) -> str:
    text = str(source)
    if remote.is_address(text) and not remote.is_local(text):
        return text
    return Path(_local(source)).resolve().as_posix()


def _base(source: str | Path) -> str:
    """The folder, or the beginning of addresses, that relative paths are of."""
    return _identity(source).rpartition("/")[0]


@dataclass(frozen=True)
class _Row:
    """What a manifest says of one photo."""

    written: str
    class_name: str
    split: str
    group: str
    number: int


class _Rows:
    """The rows of a manifest by the photo that each names."""

    def __init__(self, table: LabelTable, main: str, base: str) -> None:
        self._table, self._main, self._base = table, main, base
        self.left_out: LeftOut = []
        self.unused: list[UnusedRow] = []
        self.repeated = 0
        self.by_path: dict[str, _Row] = {}

    def read(self) -> None:
        """Find the photo of each row; rows that say nothing, or contradict another, are left out."""
        table = self._table
        empty = [""] * len(table.cells.rows)
        splits = table.cells.column(table.roles.split) if table.roles.split else empty
        groups = table.cells.column(table.groups) if table.groups else empty
        names = table.cells.column(table.roles.file)
        same: dict[str, str] = {}  # one text for each class, split and group, not one for each row
        kinds = {word: split_of(word) for word in set(splits)}
        contradicting: set[str] = set()
        for number, name, label, word, group in zip(
            table.cells.numbers, names, table.values[self._main], splits, groups, strict=True
        ):
            split = kinds[word]
            if not name:
                self._leave(number, name, _("The row names no photo."))
            elif not label:
                self._leave(
                    number,
                    name,
                    _("The table gives no label for it in {column}.").format(column=self._main),
                )
            elif split is None:
                self._leave(
                    number,
                    name,
                    _("The table puts it into {split}, which is not train, val or test.").format(
                        split=cut(word)
                    ),
                )
            else:
                path = self._path_of(name)
                row = _Row(
                    name,
                    same.setdefault(label, label),
                    split,
                    same.setdefault(group, tidy(group)),
                    number,
                )
                before = self.by_path.setdefault(path, row)
                if before is row:
                    continue
                if _says(before) == _says(row):
                    self.repeated += 1
                    continue
                contradicting.add(path)
                self._leave(number, name, self._conflict(before, row))
        for path in contradicting:
            row = self.by_path.pop(path)
            self._leave(row.number, row.written, _("Another row says something else of it."))

    def _conflict(self, before: _Row, row: _Row) -> str:
        if before.class_name == row.class_name:
            splits = ", ".join(sorted({before.split or "-", row.split or "-"}))
            text = _("Rows of the table put it into different splits: {splits}.")
            return (
                text.format(splits=splits)
                if before.split != row.split
                else _("Rows of the table put it into different groups.")
            )
        told = ", ".join(
            _("row {row}: {label}").format(row=one.number, label=cut(one.class_name))
            for one in (before, row)
        )
        return _("Rows of the table give it different labels ({rows}).").format(rows=told)

    def _leave(self, number: int, name: str, reason: str) -> None:
        self.left_out.append((name or _("row {row}").format(row=number), reason))
        if len(self.unused) < MOST_ROWS_TOLD:
            self.unused.append(UnusedRow(row=number, name=name, problem=reason))

    def _path_of(self, name: str) -> str:
        """The manifest path of what a row calls `name`: absolute, or an address."""
        if remote.is_address(name):
            if not remote.is_local(name):
                return name
            name = remote.local_path(name)
        if remote.is_address(self._base) and not Path(name).is_absolute():
            protocol, sign, place = self._base.partition("://")
            return f"{protocol}{sign}{posixpath.normpath(f'{place}/{name}')}"
        path = _absolute(self._base, name)
        if "\\" in name and not os.path.lexists(real_path(path)):  # written on Windows
            path = _absolute(self._base, name.replace("\\", "/"))
        return path

    def look(self, context: ImportContext) -> pd.DataFrame:
        """Manifest rows of the photos that are there, unchecked; the others are left out."""
        paths = list(self.by_path)
        files = _shown([row.written for row in self.by_path.values()])
        sizes, stamps, there = [], [], []
        facts = {
            path: found
            for path, found in _remote_facts([p for p in paths if remote.is_address(p)], context)
        }
        for done, path in enumerate(paths, 1):
            found = facts.get(path) or _local_facts(path)
            row = self.by_path[path]
            there.append(not found.problem)
            sizes.append(found.size_bytes)
            stamps.append(found.stamp)
            if found.problem:
                self._leave(row.number, row.written, found.problem)
            context.report(done, len(paths), _("Listing the files"))
        rows = list(self.by_path.values())
        table = pd.DataFrame(
            {
                "path": paths,
                "file": files,
                "class_name": [row.class_name for row in rows],
                "split": [row.split for row in rows],
                "group_name": [row.group for row in rows],
                "bytes": sizes,
                "mtime_ns": stamps,
            }
        )
        return with_columns(table[pd.Series(there, dtype=bool)], COLUMNS)


def _absolute(base: str, name: str) -> str:
    return Path(os.path.normpath(Path(base, name).expanduser())).as_posix()


def _says(row: _Row) -> tuple[str, str, str]:
    return row.class_name, row.split, row.group


def _remote_facts(
    addresses: Sequence[str], context: ImportContext
) -> list[tuple[str, remote.Facts]]:
    found = []
    for address, facts in zip(addresses, remote.look_at(addresses), strict=True):
        found.append((address, facts))
        context.report(len(found), len(addresses), _("Listing the files"))
    return found


def _local_facts(path: str) -> remote.Facts:
    try:
        status = real_path(path).stat()
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return remote.Facts(problem=_("There is no such file."))
    except OSError as error:
        return remote.Facts(problem=cannot_open(error))
    if not stat.S_ISREG(status.st_mode):
        return remote.Facts(problem=_("It is not an ordinary file."))
    return remote.Facts(status.st_size, status.st_mtime_ns)


def _shown(names: Sequence[str]) -> list[str]:
    """How photos are called: as the manifest calls them, without what all of them begin with."""
    if not names:
        return []
    pairs = zip(min(names), max(names), strict=False)
    common = "".join(one for one, _other in takewhile(lambda pair: pair[0] == pair[1], pairs))
    length = common.rfind("/") + 1
    absolute = remote.is_address(common) or common.startswith("/") or common[1:2] == ":"
    return [name[length:] for name in names] if absolute and length else list(names)


def _finish(dataset: Dataset, table: LabelTable, main: str, rows: _Rows) -> LabelledImport:
    """Store what the manifest says beside the classes, and what is to be said about it."""
    others = tuple(column for column in table.roles.labels if column != main)
    store_tasks(
        dataset,
        main=main,
        tasks=(),
        labels=_further(table, rows, dataset, others) if others else {},
        attributes=others,
    )
    if table.groups:
        groups = {str(path): row.group for path, row in rows.by_path.items()}
        set_groups(dataset, groups, by=table.groups)
    notes = [*table.notes, *_said_of(rows, table)]
    summary = _("Read {rows} rows: photos from column {file}, classes from {column} ({n}).").format(
        rows=len(table.cells.rows), file=table.roles.file, column=main, n=len(dataset.classes)
    )
    told = TableNotes(
        table=table.cells.name,
        summary=summary,
        notes=tuple(notes),
        questions=table.questions,
        rows=tuple(sorted(rows.unused, key=lambda one: one.row)),
        main=main,
        file_column=table.roles.file,
        one_hot=table.one_hot,
    )
    store_table_notes(dataset, told)
    return LabelledImport(
        dataset=dataset, summary=summary, notes=tuple(notes), questions=table.questions
    )


def _further(
    table: LabelTable, rows: _Rows, dataset: Dataset, others: Sequence[str]
) -> dict[str, dict[str, str]]:
    """What other columns say of the photos, by path and column."""
    place = {number: row for row, number in enumerate(table.cells.numbers)}
    labels = {}
    for path in map(str, dataset.photos["path"]):
        if path in rows.by_path:
            row = place[rows.by_path[path].number]
            given = {column: table.values[column][row] for column in others}
            labels[path] = {column: label for column, label in given.items() if label}
    return labels


def _said_of(rows: _Rows, table: LabelTable) -> list[str]:
    said = []
    if rows.left_out:
        file, reason = rows.left_out[0]
        said.append(
            ngettext(
                "{n} row of {table} was not used. {file}: {reason}",
                "{n} rows of {table} were not used. The first, {file}: {reason}",
                len(rows.left_out),
            ).format(n=len(rows.left_out), table=table.cells.name, file=cut(file), reason=reason)
        )
    if rows.repeated:
        said.append(
            ngettext(
                "{n} row of {table} names a photo once more, and was passed over.",
                "{n} rows of {table} name a photo once more, and were passed over.",
                rows.repeated,
            ).format(n=rows.repeated, table=table.cells.name)
        )
    return said
