"""Opens an untrusted model file within bounds of size and number of files.

Owns: the file type by its first bytes, the errors for other types, and zips with bounded entries.
Leaves to others: the content of the model (`inspect.py`), photos in zips (`datasets/archive.py`).

Sizes in bytes.
"""

from __future__ import annotations

import json
import secrets
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any

from translearn_core.config import home
from translearn_core.errors import InputError
from translearn_core.i18n import N_, _

MOST_BYTES = 2 * 2**30
"""Largest model in bytes, packed or unpacked."""
MOST_CONFIG_BYTES = 32 * 2**20
MOST_RATIO = 200
"""Largest compression ratio of an entry."""
MOST_ENTRIES = 5000

_ADVICE = N_(
    "Where it was made, write `keras.models.load_model({file!r}).save('model.keras')` and bring in "
    "the .keras file."
)


def check_signature(path: Path) -> None:
    """Refuse files whose first bytes are not those of a zip, with advice for each type."""
    size = path.stat().st_size
    if size == 0:
        raise InputError(_("{file} is empty (0 bytes).").format(file=path.name))
    if size > MOST_BYTES:
        raise InputError(
            _("{file} is too large: {size:.1f} GB, at most {most:.0f} GB are taken.").format(
                file=path.name, size=size / 2**30, most=MOST_BYTES / 2**30
            )
        )
    with path.open("rb") as file:
        signature = file.read(16)
    if signature.startswith(b"\x89HDF"):
        raise hdf5_error(path.name)
    if signature[4:8] == b"TFL3":
        raise InputError(
            _(
                "{file} is a LiteRT model: made for phones, it cannot be turned back. Bring in the "
                ".keras file that it was made from."
            ).format(file=path.name)
        )
    if not signature.startswith(b"PK"):
        raise InputError(
            _(
                "{file} is no model that can be brought in. Bring in a .keras file (Keras 3), or a "
                "zip that TransLearn made."
            ).format(file=path.name)
        )


def hdf5_error(name: str) -> InputError:
    """The error for a `.h5`, with advice how to convert it."""
    return InputError(
        _(
            "{file} is an old Keras file (HDF5). Such a file may hold code, so it is not opened."
        ).format(file=name)
        + " "
        + _(_ADVICE).format(file=name)
    )


@contextmanager
def opened(source: Path | IO[bytes], name: str = "") -> Iterator[zipfile.ZipFile]:
    """Open a zip whose entries are within bounds.

    Raises:
        InputError: it is damaged, encrypted, or too large unpacked.
    """
    name = name or (source.name if isinstance(source, Path) else "")
    try:
        archive = zipfile.ZipFile(source)
    except (zipfile.BadZipFile, ValueError, EOFError, NotImplementedError, OSError) as error:
        raise InputError(
            _("{file} is damaged or cut off. Copy or download it again.").format(file=name)
        ) from error
    with archive:
        infos = archive.infolist()
        if len(infos) > MOST_ENTRIES:
            raise InputError(
                _("{file} holds {n} files, which no model does.").format(file=name, n=len(infos))
            )
        for info in infos:
            ratio = info.file_size / max(1, info.compress_size)
            if info.flag_bits & 0x1:
                raise InputError(
                    _("{file} is protected by a password. Make it again without one.").format(
                        file=name
                    )
                )
            if info.file_size > MOST_BYTES or (ratio > MOST_RATIO and info.file_size > 2**20):
                raise InputError(
                    _("{file} would grow without measure when unpacked; it is not opened.").format(
                        file=name
                    )
                )
        yield archive


@contextmanager
def unpacked(archive: zipfile.ZipFile, member: str) -> Iterator[zipfile.ZipFile]:
    """The `.keras` inside a zip, opened; it is a zip itself."""
    folder = home() / "uploads"
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"look-{secrets.token_hex(6)}.keras"
    try:
        copy_entry(archive, member, target)
        with target.open("rb") as file:
            signature = file.read(8)
        if signature.startswith(b"\x89HDF"):
            raise hdf5_error(PurePosixPath(member).name)
        with opened(target, PurePosixPath(member).name) as inner:
            yield inner
    finally:
        target.unlink(missing_ok=True)


def copy_entry(archive: zipfile.ZipFile, member: str, target: Path) -> None:
    """Copy an entry of a zip to `target`, at most `MOST_BYTES`."""
    left = MOST_BYTES
    try:
        with archive.open(member) as source, target.open("wb") as file:
            while block := source.read(2**20):
                left -= len(block)
                if left < 0:
                    raise InputError(
                        _("{file} is too large unpacked.").format(file=PurePosixPath(member).name)
                    )
                file.write(block)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise InputError(
            _("{file} is damaged inside the archive. Copy or download it again.").format(
                file=PurePosixPath(member).name
            )
        ) from error


def read_json(archive: zipfile.ZipFile, name: str, most_bytes: int) -> Any:
    """A JSON entry of a zip, at most so many bytes; None where there is none.

    Raises:
        InputError: it is too large, damaged or no JSON.
    """
    try:
        with archive.open(name) as file:
            data = file.read(most_bytes + 1)
        if len(data) > most_bytes:
            raise ValueError("too large")
        return json.loads(data)
    except KeyError:
        return None
    except (ValueError, RecursionError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise InputError(
            _("{file} inside the model cannot be read. Save the model again.").format(file=name)
        ) from error
