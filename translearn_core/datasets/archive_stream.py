"""Unpacks tar archives (plain, gzip, bzip2, xz) and 7z archives into numbered files.

Owns: `unpack_tar` and `unpack_7z`, which read an archive once from the front, bounded in files and
bytes, into a temporary folder of the workspace. No name of an archive is used as a path.
Leaves to others: what is taken and under which name (`archive.py`).

7z is read by py7zr (LGPL-2.1), a library of its own that is imported only where a 7z is opened.
"""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import lzma
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self, cast

from translearn_core.atomic import disk_errors
from translearn_core.config import home
from translearn_core.datasets.library import check_free_space
from translearn_core.datasets.photo_names import reason_not_photo
from translearn_core.errors import SourceError
from translearn_core.i18n import _, number
from translearn_core.installation_limits import Limits

_MEMORY = 256 * 2**20  # most bytes of the dictionary of an xz stream
_RATIO_FREE_BYTES = 256 * 2**20


@dataclass(frozen=True)
class Unpacked:
    """One item of the archive; `file` is None where it was not unpacked."""

    raw: str | bytes
    size_bytes: int
    is_folder: bool = False
    reason: str = ""
    file: Path | None = None

    def read(self, most: int) -> bytes:
        """At most so many bytes of it."""
        if self.file is None:
            return b""
        with self.file.open("rb") as file:
            return file.read(most)


@contextmanager
def _numbered_folder() -> Iterator[Path]:
    cache = home() / "cache"
    with disk_errors():
        cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="unpacked-", dir=cache) as name:
        yield Path(name)


def _too_many(limits: Limits) -> SourceError:
    return SourceError(
        _("These are too many files at once: at most {files} and {size} GB.").format(
            files=limits.files, size=number(limits.total_bytes / 2**30, ".1f")
        )
    )


# ----------------------------------------------------------------------------------------- tar


class _Counted(io.RawIOBase):
    """A packed stream, read once; refuses to grow beyond the limits."""

    def __init__(self, inner: IO[bytes], packed: IO[bytes], limits: Limits) -> None:
        self._inner, self._packed, self._limits = inner, packed, limits
        self.count = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self._inner.read(size)
        self.count += len(data)
        if self.count > self._limits.total_bytes + 2**26:
            raise SourceError(
                _(
                    "The archive would unpack to more than {limit} GB, the most taken at once."
                ).format(limit=number(self._limits.total_bytes / 2**30, ".1f"))
            )
        grown = self.count / max(1, self._packed.tell())
        if self.count > _RATIO_FREE_BYTES and grown > self._limits.zip_ratio:
            raise SourceError(
                _(
                    "The archive grows {ratio} times when unpacked, as no photos do. Give the "
                    "folder of the photos instead."
                ).format(ratio=number(grown, ".0f"))
            )
        return data


class _Xz(io.RawIOBase):
    """The content of an xz stream, with its memory bounded."""

    def __init__(self, packed: IO[bytes]) -> None:
        self._packed = packed
        self._decoder = lzma.LZMADecompressor(memlimit=_MEMORY)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        while True:
            if self._decoder.eof:
                rest = self._decoder.unused_data.lstrip(b"\0") or self._packed.read(2**16)
                if not rest.strip(b"\0"):
                    return b""
                self._decoder = lzma.LZMADecompressor(memlimit=_MEMORY)
            else:
                rest = self._packed.read(2**16) if self._decoder.needs_input else b""
                if not rest and self._decoder.needs_input:
                    raise EOFError
            data = self._decoder.decompress(rest, size)
            if data:
                return data


@contextmanager
def unpack_tar(path: Path, limits: Limits) -> Iterator[list[Unpacked]]:
    """Unpack a tar; the items stay readable as long as the block lasts.

    Raises:
        SourceError: it is damaged, no tar inside, or larger than the limits.
        StorageError: the disk is full.
    """
    with _numbered_folder() as folder, path.open("rb") as packed:
        head = packed.read(6)
        packed.seek(0)
        inner: Any = packed
        if head.startswith(b"\x1f\x8b"):
            inner = gzip.GzipFile(fileobj=packed)
        elif head.startswith(b"BZh"):
            inner = bz2.BZ2File(packed)
        elif head.startswith(b"\xfd7zXZ\0"):
            inner = _Xz(packed)
        counted = _Counted(inner, packed, limits)
        items: list[Unpacked] = []
        try:
            with tarfile.open(
                fileobj=cast(Any, counted),
                mode="r|",
                encoding="utf-8",
                errors="surrogateescape",
                tarinfo=_Member,
            ) as tar:
                total = 0
                for member in tar:
                    item = _unpack_member(tar, member, folder / str(len(items)), limits)
                    items.append(item)
                    tar.members = []  # type: ignore[attr-defined]  # they would pile up
                    total += item.size_bytes if item.file else 0
                    if len(items) > limits.files or total > limits.total_bytes:
                        raise _too_many(limits)
                if _has_another(tar.fileobj):
                    raise _several(path)
        except (tarfile.TarError, OSError, EOFError, lzma.LZMAError, zlib.error, ValueError) as err:
            raise SourceError(_why_no_tar(path, inner is not packed, bool(items))) from err
        yield items


_ENDS = ("EOFHeaderError", "EmptyHeaderError")
"""Errors of `tarfile` that are the end of an archive, not damage."""


class _Member(tarfile.TarInfo):
    """A header of a tar. Behind the first one a damaged header is an error; `tarfile` would take it
    for the end, and what follows would be lost unsaid."""

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> Self:
        """The next header."""
        try:
            return super().fromtarfile(archive)
        except tarfile.HeaderError as error:
            if archive.offset == 0 or type(error).__name__ in _ENDS:
                raise
            raise tarfile.ReadError(str(error)) from error


def _has_another(stream: Any) -> bool:
    """Whether a tar begins behind the end of the one that was read."""
    while block := stream.read(tarfile.BLOCKSIZE):
        if block[257:262] == b"ustar":
            return True
    return False


def _several(path: Path) -> SourceError:
    return SourceError(
        _(
            "{name} holds several tar archives, one behind the other. Unpack it (`tar -i`) and give "
            "the folder."
        ).format(name=path.name)
    )


def _unpack_member(
    tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path, limits: Limits
) -> Unpacked:
    raw = member.name.encode("utf-8", "surrogateescape")
    if member.isdir():
        return Unpacked(raw, 0, is_folder=True)
    if member.issym() or member.islnk():
        return Unpacked(raw, 0, reason=_("It is a link; links are not followed."))
    if not member.isreg() or member.issparse():
        return Unpacked(raw, 0, reason=_("It is not an ordinary file."))
    reason = reason_not_photo(raw.decode("ascii", "replace").rpartition("/")[2])
    if reason or member.size > limits.photo_bytes:
        return Unpacked(raw, member.size, reason=reason)
    stream = tar.extractfile(member)
    data = stream.read(limits.photo_bytes + 1) if stream is not None else b""
    if len(data) != member.size:
        raise tarfile.ReadError("unexpected end of data")
    check_free_space(len(data))
    with disk_errors():
        target.write_bytes(data)
    return Unpacked(raw, len(data), file=target)


def _why_no_tar(path: Path, packed: bool, some: bool) -> str:
    if packed and not some:
        return _(
            "{name} is packed (gzip, bzip2 or xz), but holds no tar archive, or is damaged. If it "
            "is one packed file, unpack it, and give a folder with a folder for each class."
        ).format(name=path.name)
    return _("The archive {name} is damaged or cut off. Copy or download it again.").format(
        name=path.name
    )


# ------------------------------------------------------------------------------------------ 7z


@contextmanager
def unpack_7z(path: Path, limits: Limits) -> Iterator[list[Unpacked]]:
    """Unpack a 7z; the items stay readable as long as the block lasts.

    Raises:
        SourceError: it is damaged, protected by a password, or larger than the limits.
        StorageError: the disk is full.
    """
    import py7zr
    from py7zr.exceptions import PasswordRequired

    with _numbered_folder() as folder:
        try:
            with py7zr.SevenZipFile(path) as archive:
                if archive.needs_password():
                    raise PasswordRequired(path.name)
                infos = archive.list()
                sizes = [int(info.uncompressed or 0) for info in infos if not info.is_directory]
                if len(infos) > limits.files or sum(sizes) > limits.total_bytes:
                    raise _too_many(limits)
                grown = sum(sizes) / max(1, path.stat().st_size)
                if sum(sizes) > _RATIO_FREE_BYTES and grown > limits.zip_ratio:
                    raise SourceError(
                        _(
                            "The archive grows {ratio} times when unpacked, as no photos do. Give "
                            "the folder of the photos instead."
                        ).format(ratio=number(grown, ".0f"))
                    )
                check_free_space(sum(sizes))
                factory = _factory(folder, limits)
                archive.extractall(factory=factory)
                items = [_item_of_7z(info, factory, limits) for info in infos]
        except SourceError:
            raise
        except PasswordRequired as error:
            raise SourceError(
                _(
                    "The archive is protected by a password ({file}). Make it again without one."
                ).format(file=path.name)
            ) from error
        except Exception as error:  # a library's reader of hostile bytes: anything may come
            raise SourceError(
                _(
                    "The archive {name} is damaged, cut off, or packed in a way that is not read "
                    "here. Unpack it and give the folder."
                ).format(name=path.name)
            ) from error
        yield items


def _item_of_7z(info: Any, factory: Any, limits: Limits) -> Unpacked:
    name = info.filename
    if info.is_directory:
        return Unpacked(name, 0, is_folder=True)
    if info.is_symlink:
        return Unpacked(name, 0, reason=_("It is a link; links are not followed."))
    file = factory.files.get(name)
    if not info.is_file or (file is None and info.uncompressed):
        return Unpacked(name, 0, reason=_("It is not an ordinary file."))
    return Unpacked(name, int(info.uncompressed or 0), file=file)


def _factory(folder: Path, limits: Limits) -> Any:
    """A factory of py7zr that writes each file under a number, at most `photo_bytes + 1` of it."""
    from py7zr.io import Py7zIO, WriterFactory

    class Target(Py7zIO):  # type: ignore[misc]
        def __init__(self, file: Path) -> None:
            self._file, self._kept, self._size = file, 0, 0
            with disk_errors():
                file.touch()

        def write(self, data: bytes | bytearray) -> int:
            part = data[: max(0, limits.photo_bytes + 1 - self._kept)]
            if part:
                with disk_errors(), self._file.open("ab") as target:
                    target.write(part)
            self._kept += len(part)
            self._size += len(data)
            return len(data)

        def read(self, size: int | None = None) -> bytes:
            return b""

        def seek(self, offset: int, whence: int = 0) -> int:
            return 0

        def flush(self) -> None:
            pass

        def size(self) -> int:
            return self._size

    class Factory(WriterFactory):  # type: ignore[misc]
        def __init__(self) -> None:
            self.files: dict[str, Path] = {}

        def create(self, filename: str) -> Py7zIO:
            file = folder / str(len(self.files))
            self.files[filename] = file
            with contextlib.suppress(FileNotFoundError):
                file.unlink()
            return Target(file)

    return Factory()
