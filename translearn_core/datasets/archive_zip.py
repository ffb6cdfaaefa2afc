"""Reads the table of contents of a zip, and one entry at a time.

Owns: `ZipReader`, which also reads what the standard library refuses as a whole: names that are
flagged as UTF-8 and are not, comments that hold the mark of the end, archives of the macOS Finder
over 4 GB (positions modulo 2**32), more entries than their number says.
Leaves to others: what is taken and under which name (`archive.py`).

The names stay bytes where their encoding is not certain. Reading is bounded by the caller, and the
sum of an entry's bytes is checked.
"""

from __future__ import annotations

import bz2
import lzma
import struct
import threading
import zlib
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from translearn_core.errors import PhotoError, SourceError
from translearn_core.i18n import _
from translearn_core.installation_limits import Limits

_END, _END64, _LOCATOR64 = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
_CENTRAL, _LOCAL = b"PK\x01\x02", b"PK\x03\x04"
_ENCRYPTED_FLAGS = 0x1 | 0x40 | 0x2000
_UTF8_FLAG = 0x800
_WRAP = 2**32
_STORED, _DEFLATED, _DEFLATE64, _BZIP2, _LZMA = 0, 8, 9, 12, 14
_MOST_TABLE_BYTES = 512 * 2**20


@dataclass(frozen=True)
class ZipEntry:
    """One entry: where its data begin (-1: not found), and what the table says of it."""

    raw_name: str | bytes
    size_bytes: int
    packed_bytes: int
    method: int
    crc: int
    unix_mode: int
    encrypted: bool
    start: int
    reason: str = ""


class ZipReader:
    """An opened zip. Reading is safe from several threads.

    Raises:
        SourceError: it is no whole zip.
    """

    def __init__(self, path: Path, limits: Limits) -> None:
        self._file = path.open("rb")
        self._lock = threading.Lock()
        self._size = path.stat().st_size
        try:
            self.entries = self._read_table(path.name, limits)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> ZipReader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    @staticmethod
    def has_contents(path: Path) -> bool:
        """Whether a file that does not begin like a zip ends like one (a program before it)."""
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 2**16 - 22 - 4096))
            return _END in file.read()

    def read(self, entry: ZipEntry, most: int) -> bytes:
        """The bytes of an entry, at most `most`; the check sum is tested where all were read.

        Raises:
            PhotoError: it is damaged, of a false size, or packed in a way that is not read here.
        """
        if entry.start < 0:
            raise PhotoError(_("It is damaged inside the archive."))
        with self._lock:
            self._file.seek(entry.start)
            packed = self._file.read(min(entry.packed_bytes, most + 2**20))
        if len(packed) < entry.packed_bytes and len(packed) < most + 2**20:
            raise PhotoError(_("It is damaged inside the archive."))
        try:
            data = _unpack(packed, entry.method, most)
        except (zlib.error, OSError, ValueError, EOFError, lzma.LZMAError, struct.error) as error:
            raise PhotoError(_("It is damaged inside the archive.")) from error
        if len(data) < most and (len(data) != entry.size_bytes or zlib.crc32(data) != entry.crc):
            raise PhotoError(_("It is damaged inside the archive."))
        return data

    def _at(self, position: int, length: int) -> bytes:
        self._file.seek(position)
        return self._file.read(length)

    def _read_table(self, name: str, limits: Limits) -> list[ZipEntry]:
        found = self._find_table()
        if found is None:
            raise SourceError(
                _(
                    "The archive {name} is damaged or cut off: its table of contents is missing. "
                    "Copy or download it again."
                ).format(name=name)
            )
        position, length, stated, disks = found
        table = self._at(position, length)
        entries: list[ZipEntry] = []
        spans: list[tuple[int, int, int]] = []
        offset = lost = 0
        while table[offset : offset + 4] == _CENTRAL and offset + 46 <= len(table):
            fields = struct.unpack("<HHHHHHIIIHHHHHII", table[offset + 4 : offset + 46])
            name_length, extra_length, comment_length = fields[9:12]
            begin = offset + 46
            raw = table[begin : begin + name_length]
            extra = table[begin + name_length : begin + name_length + extra_length]
            offset = begin + name_length + extra_length + comment_length
            if len(entries) >= limits.files:
                raise SourceError(
                    _("The archive holds {n} files; at most {limit} are taken at once.").format(
                        n=max(_count(table), len(entries) + 1), limit=limits.files
                    )
                )
            entry, header = self._entry(raw, extra, fields, position - stated)
            lost += entry.start < 0
            if entry.start >= 0:
                spans.append((header, entry.start + entry.packed_bytes, len(entries)))
            entries.append(entry)
        if entries and lost and (position < stated % _WRAP or disks):
            raise SourceError(
                _(
                    "{name} is one part of a split archive. Join its parts first (7-Zip, or "
                    "`zip -s 0`), or unpack them and give the folder."
                ).format(name=name)
            )
        _mark_shared(entries, spans)
        return entries

    def _find_table(self) -> tuple[int, int, int, int] | None:
        """Where the table of contents is, its length, where it says it is, and the disks."""
        tail_start = max(0, self._size - 2**16 - 22 - 4096)
        tail = self._at(tail_start, self._size - tail_start)
        place = tail.rfind(_END)
        while place >= 0:
            end = tail[place : place + 22]
            if len(end) == 22:
                found = self._table_before(tail_start + place, end)
                if found is not None:
                    return found
            place = tail.rfind(_END, 0, place)
        return None

    def _table_before(self, position: int, end: bytes) -> tuple[int, int, int, int] | None:
        disk, first_disk, _here, count, length, stated, _comment = struct.unpack(
            "<HHHHIIH", end[4:22]
        )
        table_end = position
        if position >= 20:
            locator = self._at(position - 20, 20)
            if locator[:4] == _LOCATOR64:
                (at,) = struct.unpack("<Q", locator[8:16])
                for place in (position - 20 - 56, at):
                    record = self._at(place, 56) if 0 <= place <= self._size else b""
                    if record[:4] == _END64 and len(record) == 56:
                        count, length, stated = struct.unpack("<QQQ", record[32:56])
                        table_end = place
                        break
        if not count and not length:
            return position, 0, position, 0
        lengths = range(length, table_end + 1, _WRAP) if length < _WRAP else (length,)
        for size in lengths:
            place = table_end - size
            if place >= 0 and size <= _MOST_TABLE_BYTES and self._at(place, 4) == _CENTRAL:
                return place, size, stated, max(disk, first_disk)
        return None

    def _entry(
        self, raw: bytes, extra: bytes, fields: tuple[int, ...], shift: int
    ) -> tuple[ZipEntry, int]:
        _made_by, _needed, flags, method, _time, _date, crc, packed, size = fields[:9]
        attributes, offset = fields[14], fields[15]
        size, packed, offset = _wide(extra, size, packed, offset)
        header, start = self._find_data(raw, offset, shift)
        mode = attributes >> 16
        entry = ZipEntry(
            raw_name=_certain_name(raw, extra, flags),
            size_bytes=size,
            packed_bytes=packed,
            method=method,
            crc=crc,
            unix_mode=mode,
            encrypted=bool(flags & _ENCRYPTED_FLAGS) or method == 99,
            start=start,
        )
        return entry, header

    def _find_data(self, raw: bytes, offset: int, shift: int) -> tuple[int, int]:
        """Position of the local header and of the data: where it says, with the bytes before the
        archive, or full turns of 2**32 further."""
        turns = range(offset, self._size, _WRAP)
        for place in dict.fromkeys((offset + shift, *turns)):
            if not 0 <= place < self._size:
                continue
            head = self._at(place, 30 + len(raw))
            if head[:4] != _LOCAL or len(head) < 30:
                continue
            name_length, extra_length = struct.unpack("<HH", head[26:30])
            if head[30 : 30 + name_length] == raw and name_length == len(raw):
                return place, place + 30 + name_length + extra_length
        return -1, -1


def _count(table: bytes) -> int:
    return table.count(_CENTRAL)


def _wide(extra: bytes, size: int, packed: int, offset: int) -> tuple[int, int, int]:
    """Sizes and position from the field of zip64, where they are too large for theirs."""
    for tag, data in _extra_fields(extra):
        if tag != 1:
            continue
        values = [size, packed, offset]
        place = 0
        for number, value in enumerate(values):
            if value == _WRAP - 1 and len(data) >= place + 8:
                (values[number],) = struct.unpack("<Q", data[place : place + 8])
                place += 8
        size, packed, offset = values
    return size, packed, offset


def _extra_fields(extra: bytes) -> list[tuple[int, bytes]]:
    fields = []
    while len(extra) >= 4:
        tag, length = struct.unpack("<HH", extra[:4])
        fields.append((tag, extra[4 : 4 + length]))
        extra = extra[4 + length :]
    return fields


def _certain_name(raw: bytes, extra: bytes, flags: int) -> str | bytes:
    """The name where it says its encoding and keeps to it (flag bit 11, or Info-ZIP's extra field
    0x7075), else its bytes."""
    if flags & _UTF8_FLAG:
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            return raw
    for tag, data in _extra_fields(extra):
        if tag == 0x7075 and len(data) > 5 and data[0] == 1:
            (crc,) = struct.unpack("<L", data[1:5])
            if crc == zlib.crc32(raw):
                return data[5:].decode("utf-8", errors="replace")
    return raw


def _mark_shared(entries: list[ZipEntry], spans: list[tuple[int, int, int]]) -> None:
    """Give entries whose bytes overlap those of an earlier one a reason to be left out."""
    reached = 0
    for start, end, index in sorted(spans):
        if start < reached:
            one = entries[index]
            reason = _("It shares its bytes with another file of the archive, as no photo does.")
            entries[index] = ZipEntry(**{**one.__dict__, "reason": reason})
        reached = max(reached, end)


def _unpack(packed: bytes, method: int, most: int) -> bytes:
    if method == _STORED:
        return packed[:most]
    if method == _DEFLATED:
        return zlib.decompressobj(-15).decompress(packed, most)
    if method == _BZIP2:
        return bz2.BZ2Decompressor().decompress(packed, most)
    if method == _LZMA:
        return _unpack_lzma(packed, most)
    if method == _DEFLATE64:
        raise PhotoError(
            _(
                "It is packed as Deflate64, as Windows Explorer does in a zip of more than 2 GB, "
                "which cannot be read. Unpack the zip there and give the folder, or make it again "
                "with another program."
            )
        )
    raise PhotoError(
        _(
            "It is packed in a way that cannot be read (method {method}). Unpack the archive and "
            "give the folder, or make the zip again."
        ).format(method=method)
    )


def _unpack_lzma(packed: bytes, most: int) -> bytes:
    """LZMA of a zip has its properties behind a length; the older file format takes them."""
    (length,) = struct.unpack("<H", packed[2:4])
    if length != 5:
        raise ValueError(length)
    decoder: Any = lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=256 * 2**20)
    unpacked: bytes = decoder.decompress(packed[4:9] + b"\xff" * 8 + packed[9:], most)
    return unpacked
