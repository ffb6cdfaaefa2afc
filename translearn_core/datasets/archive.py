"""Reads archives (zip, tar, 7z) that may be damaged or malicious.

Owns: what is in an archive under which name (`open_archive`), the bounds on it, and reading one
entry with its bytes counted. Leaves to others: the table of contents of a zip (`archive_zip.py`),
unpacking tar and 7z (`archive_stream.py`), the encoding of names (`archive_names.py`), classes,
photos: no name from an archive is ever used as a path on the disk.

What is refused and what is left out:
    refused as a whole   no archive that is read here, truncated, empty, encrypted, one part of
                         several; an entry with `..`, an absolute path or a drive (a sign of a
                         crafted archive); more files, bytes or folder levels than the limits;
                         more than 1 GiB in all that grows more than the allowed ratio
    left out, listed     links and devices (links are never followed), archives inside, entries of
                         more than 64 MiB that grow more than the allowed ratio, beyond the bytes
                         of one photo, damaged entries or false sizes, entries that share bytes,
                         the earlier ones of entries of the same name (the last is what unzip
                         leaves), hidden folders
    ignored              .DS_Store, Thumbs.db, desktop.ini, hidden files
"""

from __future__ import annotations

import re
import stat
import tarfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from translearn_core.datasets.archive_names import ENCODINGS, Decoded, decode_names
from translearn_core.datasets.archive_stream import unpack_7z, unpack_tar
from translearn_core.datasets.archive_zip import ZipEntry, ZipReader
from translearn_core.datasets.import_choices import ImportChoices, hidden_folder
from translearn_core.datasets.photo_names import (
    has_photo_suffix,
    is_junk,
    may_be_table,
    reason_not_photo,
    reason_suffix,
)
from translearn_core.datasets.questions import Question
from translearn_core.errors import PhotoError, SourceError
from translearn_core.i18n import _, number
from translearn_core.imaging.kinds import HEAD_BYTES, kind_of, looks_like_photo
from translearn_core.imaging.video import is_video
from translearn_core.installation_limits import Limits

ARCHIVE_TYPES = ("zip", "tar", "gz", "tgz", "bz2", "tbz2", "xz", "txz", "7z")
"""Endings of the archives that are read here, for an upload box."""

_RATIO_FREE_BYTES = 64 * 2**20  # below this size any ratio is allowed, as for a drawing in a BMP
_RATIO_FREE_TOTAL = 2**30
_PART = re.compile(r"\.(z\d\d|\d{3}|part\d+\.rar|r\d\d)$", re.IGNORECASE)


@dataclass(frozen=True)
class Entry:
    """One file of an archive: its name with `/` between the parts, its size, its bytes."""

    name: str
    size_bytes: int
    read_bytes: Callable[[int], bytes]


@dataclass(frozen=True)
class Archive:
    """An opened archive: candidates for photos, what was left out (name, reason), its empty
    folders, photos in each hidden folder, what is asked of its names, and files that may be tables
    of labels (they are left out, too)."""

    entries: tuple[Entry, ...]
    left_out: tuple[tuple[str, str], ...]
    folders: tuple[str, ...] = ()
    hidden: dict[str, int] = field(default_factory=dict)
    questions: tuple[Question, ...] = ()
    tables: tuple[Entry, ...] = ()

    def read(self, entry: Entry, limits: Limits) -> bytes:
        """All bytes of one entry, at most the limit, regardless of its header.

        Raises:
            PhotoError: damaged, of a false size, too large, or of an unknown compression.
        """
        data = entry.read_bytes(limits.photo_bytes + 1)
        if len(data) > limits.photo_bytes:
            raise PhotoError(_("It is too large unpacked."))
        return data


@dataclass(frozen=True)
class _Found:
    """One item of an archive before it is judged; `raw` is text where its encoding is certain."""

    raw: str | bytes
    size_bytes: int
    read_bytes: Callable[[int], bytes]
    is_folder: bool = False
    encrypted: bool = False
    reason: str = ""
    packed_bytes: int = -1


@contextmanager
def open_archive(
    path: Path, limits: Limits, choices: ImportChoices | None = None
) -> Iterator[Archive]:
    """Open an archive, check it as a whole and list its files.

    Raises:
        SourceError: the archive is refused; the module's docstring says what for.
    """
    choices = choices or ImportChoices()
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    kind = kind_of_archive(path, head)
    if kind == "zip":
        with ZipReader(path, limits) as reader:
            found = [_found_in_zip(reader, entry) for entry in reader.entries]
            archive = _judge(found, limits, choices, backslash=True)
            _check_growth(archive, path, limits)
            yield archive
        return
    unpack = unpack_7z if kind == "7z" else unpack_tar
    with unpack(path, limits) as items:
        found = [
            _Found(
                one.raw,
                one.size_bytes,
                one.read,
                is_folder=one.is_folder,
                reason=one.reason,
            )
            for one in items
        ]
        yield _judge(found, limits, choices, backslash=kind == "7z")


def archive_stem(name: str) -> str:
    """The name of an archive without its endings: `pets.tar.gz` is pets."""
    stem = Path(name).stem
    return stem[: -len(".tar")] if stem.lower().endswith(".tar") else stem


def kind_of_archive(path: Path, head: bytes) -> str:
    """zip, tar (packed or not) or 7z.

    Raises:
        SourceError: it is something else; the sentence says what, and what to do.
    """
    name = path.name
    if not head:
        raise SourceError(_("The archive {name} is empty (0 bytes).").format(name=name))
    if head.startswith(b"PK\x07\x08") or _PART.search(name):
        raise SourceError(one_part(name))
    if head.startswith(b"7z\xbc\xaf\x27\x1c"):
        return "7z"
    if head.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0")) or head[257:262] == b"ustar":
        return "tar"
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06", b"PK00PK")) or ZipReader.has_contents(path):
        return "zip"
    if _is_old_tar(head):
        return "tar"
    raise SourceError(_why_no_archive(name, head))


def _is_old_tar(head: bytes) -> bool:
    try:
        return bool(tarfile.TarInfo.frombuf(head[:512], "utf-8", "surrogateescape").name)
    except tarfile.HeaderError:
        return False


def one_part(name: str) -> str:
    return _(
        "{name} is one part of a split archive. Join its parts first (7-Zip, or `zip -s 0`), or "
        "unpack them and give the folder."
    ).format(name=name)


def _why_no_archive(name: str, head: bytes) -> str:
    kind = kind_of(head)
    if looks_like_photo(head):
        return _("{name} is a photo, not an archive. Give the folder that it lies in.").format(
            name=name
        )
    if head.startswith(b"Rar!\x1a\x07"):
        return _(
            "{name} is a rar archive, which is not read here. Unpack it and give the folder, or "
            "make a zip of it."
        ).format(name=name)
    if kind == "web page":
        return _(
            "{name} is a web page, not an archive: often one that asks to sign in. Download the "
            "archive again."
        ).format(name=name)
    return _(
        "{name} is not a zip archive, nor a tar or 7z that is read here. Give a folder, or make a "
        "zip of it."
    ).format(name=name)


def _found_in_zip(reader: ZipReader, entry: ZipEntry) -> _Found:
    kind = stat.S_IFMT(entry.unix_mode)
    reason = entry.reason
    if kind == stat.S_IFLNK:
        reason = _("It is a link; links are not followed.")
    elif kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        reason = _("It is not an ordinary file.")
    return _Found(
        entry.raw_name,
        entry.size_bytes,
        lambda most: reader.read(entry, most),
        encrypted=entry.encrypted,
        reason=reason,
        packed_bytes=entry.packed_bytes,
    )


@dataclass
class _Sorted:
    """The items of an archive, as they are sorted one after the other."""

    limits: Limits
    choices: ImportChoices
    entries: dict[str, Entry] = field(default_factory=dict)
    tables: dict[str, Entry] = field(default_factory=dict)
    left_out: list[tuple[str, str]] = field(default_factory=list)
    folders: set[str] = field(default_factory=set)
    hidden: Counter[str] = field(default_factory=Counter)

    def take(self, one: _Found, name: str, *, is_folder: bool) -> None:
        """Sort one item.

        Raises:
            SourceError: it is encrypted.
        """
        parts = name.split("/")
        away = hidden_folder([*parts, ""] if is_folder else parts, self.choices)
        if away:
            self.hidden["/".join(away)] += not is_folder and _counts_as_photo(parts[-1])
        elif is_folder:
            self.folders.add(name)
        elif not is_junk(parts[-1:]):
            self._take_file(one, name)

    def _take_file(self, one: _Found, name: str) -> None:
        if one.encrypted:
            raise SourceError(
                _(
                    "The archive is protected by a password ({file}). Make it again without one."
                ).format(file=name)
            )
        entry = Entry(name, one.size_bytes, one.read_bytes)
        is_small = one.size_bytes <= self.limits.photo_bytes
        if may_be_table(name) and not one.reason and is_small:
            self.tables[name] = entry
        reason = one.reason or _reason_not_taken(one, PurePosixPath(name).name, self.limits)
        if reason:
            self.left_out.append((name, reason))
            return
        if name in self.entries:
            reason = _("The archive holds this name twice; the last one counts.")
            self.left_out.append((name, reason))
        self.entries[name] = entry


def _judge(
    found: Sequence[_Found], limits: Limits, choices: ImportChoices, *, backslash: bool
) -> Archive:
    """Sort the items of an archive into candidates and what is left out."""
    if len(found) > limits.files:
        raise SourceError(
            _("The archive holds {n} files; at most {limit} are taken at once.").format(
                n=len(found), limit=limits.files
            )
        )
    decoded = decode_names([one.raw for one in found], choices.names)
    content = _Sorted(limits, choices)
    for one, raw_name in zip(found, decoded.names, strict=True):
        raw_name = raw_name.split("\0")[0]
        raw_name = raw_name.replace("\\", "/") if backslash else raw_name
        if name := _checked_name(raw_name, limits):
            content.take(one, name, is_folder=one.is_folder or raw_name.endswith("/"))
    if not content.entries and not content.left_out:
        raise SourceError(_("The archive is empty: there is no photo in it."))
    _check_total(content.entries.values(), limits)
    return Archive(
        tuple(content.entries.values()),
        tuple(content.left_out),
        tuple(sorted(content.folders)),
        dict(content.hidden),
        _ask_encoding(decoded),
        tuple(content.tables.values()),
    )


def _check_total(entries: Iterable[Entry], limits: Limits) -> None:
    total = sum(entry.size_bytes for entry in entries)
    if total > limits.total_bytes:
        raise SourceError(
            _(
                "The archive would unpack to {size} GB; at most {limit} GB are taken at once."
            ).format(
                size=number(total / 2**30, ".1f"), limit=number(limits.total_bytes / 2**30, ".1f")
            )
        )


def _ask_encoding(decoded: Decoded) -> tuple[Question, ...]:
    """Which encoding was taken for the names, where that is not sure."""
    if not decoded.unsure:
        return ()
    odd = [name for name in decoded.names if not name.isascii()]
    text = _(
        "The archive does not say how its names are written; they were read as {encoding}, like "
        "{example}."
    ).format(encoding=decoded.encoding, example=odd[0].split("/")[0] if odd else "")
    return (Question(text=text, setting="names", options=ENCODINGS, taken=decoded.encoding),)


def _counts_as_photo(name: str) -> bool:
    return not is_junk([name]) and has_photo_suffix(name)


def _check_growth(archive: Archive, path: Path, limits: Limits) -> None:
    """Refuse an archive that as a whole grows as no photos do."""
    total = sum(entry.size_bytes for entry in archive.entries)
    grown = total / max(1, path.stat().st_size)
    if total > _RATIO_FREE_TOTAL and grown > limits.zip_ratio:
        raise SourceError(
            _(
                "The archive grows {ratio} times when unpacked, to {size} GB, as no photos do. "
                "Give the folder of the photos instead."
            ).format(ratio=number(grown, ".0f"), size=number(total / 2**30, ".1f"))
        )


def _checked_name(raw: str, limits: Limits) -> str:
    """The name with plain separators; a name that points out of its folder refuses the archive."""
    parts = [part for part in raw.split("/") if part not in ("", ".")]
    drive = re.match(r"[A-Za-z]:[/\\]", raw)
    if raw.startswith("/") or drive or ".." in parts:
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
            ).format(depth=len(parts) - 1, limit=limits.nesting, file=raw[:200])
        )
    return "/".join(parts)


def _reason_not_taken(one: _Found, name: str, limits: Limits) -> str:
    reason = reason_not_photo(name)
    if reason:
        return reason
    if one.size_bytes > limits.photo_bytes:
        return _("It is too large unpacked.")
    grown = one.size_bytes / max(1, one.packed_bytes)
    if one.packed_bytes >= 0 and grown > limits.zip_ratio and one.size_bytes > _RATIO_FREE_BYTES:
        return _("It grows {ratio} times when unpacked, as no photo does.").format(
            ratio=number(grown, ".0f")
        )
    if not has_photo_suffix(name) and not is_video(name):
        try:
            is_photo = looks_like_photo(one.read_bytes(HEAD_BYTES))
        except PhotoError:
            is_photo = False
        return "" if is_photo else reason_suffix(name)
    return ""
