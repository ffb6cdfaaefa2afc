"""Reads zip archives that may be damaged or malicious.

Owns: what is in an archive under which name (`open_archive`), the bounds on it, and reading
one entry with its bytes counted. Leaves to others: classes, photos, and writing anything:
no name from an archive is ever used as a path on the disk.

What is refused and what is left out:
    refused as a whole   not a zip, truncated, empty, encrypted; an entry with `..`, an absolute
                         path or a drive letter (a sign of a crafted archive); more files, bytes or
                         folder levels than the limits
    left out, listed     links and devices (links are never followed), archives inside, entries that grow more than the allowed
                         ratio or beyond the bytes of one photo, damaged entries or false sizes, the
                         earlier ones of entries of the same name (the last is what unzip leaves)
    ignored              __MACOSX, .DS_Store, Thumbs.db, desktop.ini, hidden files, folders
"""

from __future__ import annotations

import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from translearn_core.config import Limits
from translearn_core.datasets.layout import is_junk, reason_not_photo
from translearn_core.errors import PhotoError, SourceError
from translearn_core.i18n import _

_RATIO_FREE_BYTES = 2**20  # below this size any ratio is allowed, as for a uniform BMP
_UTF8_FLAG = 0x800
_ENCRYPTED_FLAGS = 0x1 | 0x40 | 0x2000


@dataclass(frozen=True)
class Entry:
    """One file of an archive: its name with `/` between the parts, and its stated size."""

    name: str
    size_bytes: int
    info: zipfile.ZipInfo


@dataclass(frozen=True)
class Archive:
    """An opened archive: candidates for photos, and what was left out (name, reason)."""

    entries: tuple[Entry, ...]
    left_out: tuple[tuple[str, str], ...]
    file: zipfile.ZipFile

    def read(self, entry: Entry, limits: Limits) -> bytes:
        """All bytes of one entry, at most the limit, regardless of its header.

        Raises:
            PhotoError: damaged, of a false size, too large, or of an unknown compression.
        """
        try:
            with self.file.open(entry.info) as stream:
                data = stream.read(limits.photo_bytes + 1)
        except NotImplementedError as error:
            raise PhotoError(
                _("It is packed in a way that cannot be read. Make the zip again.")
            ) from error
        except (
            zipfile.BadZipFile,
            zlib.error,
            EOFError,
            OSError,
            ValueError,
            struct.error,
        ) as error:
            raise PhotoError(_("It is damaged inside the archive.")) from error
        except RuntimeError as error:  # raised by zipfile for encrypted entries
            raise PhotoError(_("It is protected by a password.")) from error
        if len(data) > limits.photo_bytes:
            raise PhotoError(_("It is too large unpacked."))
        return data


@contextmanager
def open_archive(path: Path, limits: Limits) -> Iterator[Archive]:
    """Open a zip, check it as a whole and list its files.

    Raises:
        SourceError: the archive is refused; the module's docstring says what for.
    """
    try:
        file = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, struct.error, ValueError, EOFError, NotImplementedError) as error:
        raise SourceError(_why_not_zip(path)) from error
    with file:
        infos = file.infolist()
        if len(infos) > limits.files:
            raise SourceError(
                _("The archive holds {n} files; at most {limit} are taken at once.").format(
                    n=len(infos), limit=limits.files
                )
            )
        names = decode_names(infos)
        entries, left_out = _sort_entries(infos, names, limits)
        if not entries and not left_out:
            raise SourceError(_("The archive is empty: there is no photo in it."))
        total = sum(entry.size_bytes for entry in entries)
        if total > limits.total_bytes:
            raise SourceError(
                _(
                    "The archive would unpack to {size} GB; at most {limit} GB are taken at once."
                ).format(size=f"{total / 2**30:.1f}", limit=f"{limits.total_bytes / 2**30:.1f}")
            )
        yield Archive(tuple(entries), tuple(left_out), file)


def _why_not_zip(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(4)
    if not head:
        return _("The archive {name} is empty (0 bytes).").format(name=path.name)
    if head == b"PK\x03\x04":
        return _(
            "The archive {name} is damaged or cut off: its table of contents is missing. Copy or "
            "download it again."
        ).format(name=path.name)
    return _("{name} is not a zip archive.").format(name=path.name)


def _sort_entries(
    infos: list[zipfile.ZipInfo], names: list[str], limits: Limits
) -> tuple[list[Entry], list[tuple[str, str]]]:
    entries: dict[str, Entry] = {}
    left_out: list[tuple[str, str]] = []
    for info, raw_name in zip(infos, names, strict=True):
        name = _checked_name(raw_name, limits)
        parts = name.split("/")
        if raw_name.replace("\\", "/").endswith("/") or not name or is_junk(parts):
            continue
        if info.flag_bits & _ENCRYPTED_FLAGS:
            raise SourceError(
                _(
                    "The archive is protected by a password ({file}). Make it again without one."
                ).format(file=name)
            )
        reason = _reason_not_taken(info, parts[-1], limits)
        if reason:
            left_out.append((name, reason))
            continue
        if name in entries:
            left_out.append((name, _("The archive holds this name twice; the last one counts.")))
        entries[name] = Entry(name, info.file_size, info)
    return list(entries.values()), left_out


def _checked_name(raw: str, limits: Limits) -> str:
    """The name with plain separators; a name that points out of its folder refuses the archive."""
    name = raw.split("\0")[0].replace("\\", "/")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    drive = len(name) >= 2 and name[1] == ":" and name[0].isascii() and name[0].isalpha()
    if name.startswith("/") or drive or ".." in parts:
        raise SourceError(
            _(
                "The archive is not safe: it names a place outside of itself ({file}). Nothing "
                "was taken from it. Make the zip again from the folder."
            ).format(file=raw[:200])
        )
    if len(parts) - 1 > limits.nesting:
        raise SourceError(
            _(
                "The archive has folders {depth} levels deep; at most {limit} are taken ({file})."
            ).format(depth=len(parts) - 1, limit=limits.nesting, file=name[:200])
        )
    return "/".join(parts)


def _reason_not_taken(info: zipfile.ZipInfo, name: str, limits: Limits) -> str:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind == stat.S_IFLNK:
        return _("It is a link; links are not followed.")
    if kind not in (0, stat.S_IFREG):
        return _("It is not an ordinary file.")
    reason = reason_not_photo(name)
    if reason:
        return reason
    if info.file_size > limits.photo_bytes:
        return _("It is too large unpacked.")
    grown = info.file_size / max(1, info.compress_size)
    if grown > limits.zip_ratio and info.file_size > _RATIO_FREE_BYTES:
        return _("It grows {ratio} times when unpacked, as no photo does.").format(
            ratio=f"{grown:.0f}"
        )
    return ""


def decode_names(infos: list[zipfile.ZipInfo]) -> list[str]:
    """The decoded names of the entries.

    A name says its encoding by flag bit 11 (UTF-8) or by Info-ZIP's extra field 0x7075. For the
    others one encoding is chosen for the whole archive: UTF-8 where all are valid UTF-8, GBK
    where most bytes above 127 form pairs of the common Chinese range, else cp437.
    """
    raw = [_raw_name(info) for info in infos]
    legacy = [name for name in raw if isinstance(name, bytes) and not name.isascii()]
    encoding = _guess_encoding(legacy)
    return [
        name if isinstance(name, str) else name.decode(encoding, errors="replace") for name in raw
    ]


def _raw_name(info: zipfile.ZipInfo) -> str | bytes:
    """The name where it is certain, else its bytes."""
    if info.flag_bits & _UTF8_FLAG:
        return info.orig_filename
    raw = info.orig_filename.encode("cp437", errors="replace")
    extra = info.extra
    while len(extra) >= 4:
        tag, length = struct.unpack("<HH", extra[:4])
        field, extra = extra[4 : 4 + length], extra[4 + length :]
        if tag == 0x7075 and len(field) > 5 and field[0] == 1:
            (crc,) = struct.unpack("<L", field[1:5])
            if crc == zlib.crc32(raw):
                return field[5:].decode("utf-8", errors="replace")
    return raw


def _guess_encoding(names: list[bytes]) -> str:
    if _all_decode(names, "utf-8"):
        return "utf-8"
    if not _all_decode(names, "gbk"):
        return "cp437"
    common = other = 0
    for name in names:
        position = 0
        while position < len(name):
            if name[position] < 0x80:
                position += 1
                continue
            pair = name[position : position + 2]
            # level 1 and 2 hanzi, and the symbols and full-width letters before them
            is_common = (0xB0 <= pair[0] <= 0xF7 or 0xA1 <= pair[0] <= 0xA3) and pair[1] >= 0xA1
            common, other = common + is_common, other + (not is_common)
            position += 2
    return "gbk" if common > other else "cp437"


def _all_decode(names: list[bytes], encoding: str) -> bool:
    try:
        for name in names:
            name.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True
