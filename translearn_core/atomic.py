"""Atomic writes and content hashes of files.

Owns: replacing a file in one step, on every system, so that it is whole after a power cut, too; the
hash of its content; tables (parquet) written so, and read back; the sentences for a disk that is full or cannot be written.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import time
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from translearn_core import spaces
from translearn_core.errors import StorageError
from translearn_core.i18n import _

if TYPE_CHECKING:
    import pandas as pd

ATTEMPTS = 10


def write_atomically(path: Path, content: str | bytes, *, durable: bool = True) -> None:
    """Write a file so that a reader sees the old content or the new, never a part.

    Args:
        durable: as in `replace_file`.
    """
    data = content.encode("utf-8") if isinstance(content, str) else content
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    try:
        temporary.write_bytes(data)
        replace_file(temporary, path, durable=durable)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_parquet(path: Path, table: pd.DataFrame, *, durable: bool = True) -> None:
    """Write a table, without its index, as `write_atomically` does."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    try:
        table.to_parquet(temporary, index=False)
        replace_file(temporary, path, durable=durable)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def parse_parquet(data: bytes, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """A table from the bytes of its file.

    Args:
        columns: those that are needed; None: all.

    Raises:
        ValueError: it is damaged, or lacks a column.
    """
    import pandas as pd

    try:
        return pd.read_parquet(BytesIO(data), columns=None if columns is None else list(columns))
    except (OSError, TypeError, KeyError, NotImplementedError) as error:  # what pyarrow raises, too
        raise ValueError(str(error)) from error


def replace_file(source: Path, target: Path, *, durable: bool = True) -> None:
    """Replace `target` by `source`; retries while a reader holds it open (Windows).

    Args:
        durable: whether the new content is on the disk before the old one goes, so that a power cut
            leaves one of both. False for what is written often, or can be made again.
    """
    if durable:
        sync_file(source)
    for attempt in range(ATTEMPTS):
        try:
            source.replace(target)
            break
        except PermissionError:
            if attempt == ATTEMPTS - 1:
                raise
            time.sleep(0.02)

    if durable:
        sync_folder(target.parent)


def sync_file(path: Path) -> None:
    """Wait until the content of a file is on the disk."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk, where the system can do that."""
    with contextlib.suppress(OSError):  # Windows opens no folder; some file systems cannot
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


FULL = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}
"""Error numbers of a disk without room."""


@contextlib.contextmanager
def disk_errors() -> Iterator[None]:
    """Convert an OSError of writing into a StorageError with a message for the user."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise StorageError(
                _("The disk is full. Nothing was changed; make room and try again.")
            ) from error
        raise StorageError(
            _(
                "The workspace {folder} cannot be written: {cause}. Make it writable, or name "
                "another folder in TRANSLEARN_HOME."
            ).format(folder=spaces.root(), cause=error.strerror or error)
        ) from error


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
