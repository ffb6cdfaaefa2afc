"""Takes the positions of photos out of an upload that is kept (`kept_upload.py`).

Owns: `bare_files` and `bare_archive`. An archive that holds positions is packed anew as a zip, whose
names are the same bytes, since their encoding may still be asked for.
Leaves to others: positions (`imaging/positions.py`), reading archives (`archive*.py`).
"""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from translearn_core.atomic import disk_errors, write_atomically
from translearn_core.datasets.archive import archive_stem, kind_of_archive
from translearn_core.datasets.archive_stream import unpack_7z, unpack_tar
from translearn_core.datasets.archive_zip import ZipReader
from translearn_core.datasets.import_context import ImportContext
from translearn_core.datasets.library import check_free_space
from translearn_core.errors import PhotoError
from translearn_core.imaging.positions import without_position
from translearn_core.installation_limits import Limits

Item = tuple[str | bytes, Callable[[int], bytes]]
_UTF8_FLAG = 0x800


class _Named(zipfile.ZipInfo):
    """An entry whose name is written as these bytes."""

    raw: str | bytes = ""

    def _encodeFilenameFlags(self) -> tuple[bytes, int]:  # noqa: N802 - called by zipfile
        if isinstance(self.raw, bytes):
            return self.raw, self.flag_bits & ~_UTF8_FLAG
        return self.raw.encode("utf-8", "surrogatepass"), self.flag_bits | _UTF8_FLAG


def bare_files(folder: Path, context: ImportContext) -> None:
    """Take the positions out of the photos of a folder, in place.

    Raises:
        StorageError: the disk is full.
        SourceError: it was stopped.
    """
    for path in sorted(folder.glob("*")):
        context.check_stop()
        with disk_errors():
            data = path.read_bytes()
            bare = without_position(data)
            if bare is not data:
                check_free_space(len(bare))
                write_atomically(path, bare)


def bare_archive(path: Path, context: ImportContext) -> Path:
    """Take the positions out of the photos of an archive.

    Returns:
        The archive: the same one where it holds none, else a zip in its place.

    Raises:
        SourceError: it cannot be read, or it was stopped.
        StorageError: the disk is full.
    """
    limits = context.limits
    with _opened(path, limits) as items:
        if not any(_change(read, context)[1] for _raw, read in items):
            return path
        made = path.with_name(f".{path.name}.bare")
        try:
            with disk_errors(), zipfile.ZipFile(made, "w") as target:
                for number, (raw, read) in enumerate(items):
                    entry = _Named(str(number))
                    entry.raw = raw
                    data = _change(read, context)[0]
                    check_free_space(len(data))
                    target.writestr(entry, data, zipfile.ZIP_DEFLATED, compresslevel=1)
        except BaseException:
            made.unlink(missing_ok=True)
            raise
    bare = path.with_name(f"{archive_stem(path.name)}.zip")
    with disk_errors():
        made.replace(bare)
        if bare != path:
            path.unlink()
    return bare


def _change(read: Callable[[int], bytes], context: ImportContext) -> tuple[bytes, bool]:
    """The bytes of an entry without a position, and whether it held one; none where it is damaged.

    Raises:
        SourceError: it was stopped.
    """
    context.check_stop()
    try:
        data = read(context.limits.photo_bytes + 1)
    except PhotoError:
        return b"", False
    bare = without_position(data)
    return bare, bare is not data


@contextmanager
def _opened(path: Path, limits: Limits) -> Iterator[list[Item]]:
    """The entries of an archive: their names as they are written, and what reads them."""
    with path.open("rb") as file:
        kind = kind_of_archive(path, file.read(512))
    if kind == "zip":
        with ZipReader(path, limits) as reader:
            yield [
                (entry.raw_name, partial(reader.read, entry))
                for entry in reader.entries
                if not stat.S_ISLNK(entry.unix_mode) and not entry.reason
            ]
        return
    with (unpack_7z if kind == "7z" else unpack_tar)(path, limits) as found:
        yield [
            (_as_folder(one.raw) if one.is_folder else one.raw, one.read)
            for one in found
            if not one.reason
        ]


def _as_folder(raw: str | bytes) -> str | bytes:
    return raw.rstrip(b"/") + b"/" if isinstance(raw, bytes) else raw.rstrip("/") + "/"
