"""Takes out of the file of a photo where it was taken.

Owns: `without_position`: positions in EXIF (the GPS directory, with the notes of the maker, which may
repeat it) and in XMP, names of places (city, region, country) in XMP and IPTC, in JPEG (also of several
pictures), PNG, WebP, TIFF, HEIC and AVIF, and the position of a short film behind or in a photo.
Leaves to others: when that is wanted (`datasets/staging.py`).

Nothing is encoded anew: a directory loses its entries and what they point to becomes zeros, XMP and names
become spaces. So no byte of the pixels moves or changes, and all else that a file says of itself stays, the
orientation first of all. What two things in a damaged file share is not overwritten.
"""

from __future__ import annotations

import re
import struct
import zlib
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice

from translearn_core.imaging.kinds import HEAD_BYTES, kind_of

Span = tuple[int, int]
"""From the first byte to the one behind the last."""

_GPS, _EXIF, _SUB_IFDS, _MAKER_NOTE = 0x8825, 0x8769, 0x014A, 0x927C
_IPTC, _RESOURCES = 0x83BB, 0x8649
_PLACES = (26, 27, 90, 92, 95, 100, 101)
"""Of the second record of IPTC: codes and names of locations, city, part of it, region, country."""
_IPTC_RESOURCE = b"8BIM\x04\x04"
_OFFSETS, _COUNTS = (273, 324, 513), (279, 325, 514)
"""Tags of the places and lengths of strips, of tiles, and of a small JPEG."""
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
_SIZES |= {13: 4, 16: 8, 17: 8, 18: 8}
_MOST_DIRECTORIES, _MOST_ENTRIES, _MOST_READ = 10_000, 4096, 10**7
_MOST_SWAPPED = 2**14
_MOST_TEXT = 2**24
"""Bytes of all texts of a PNG, unpacked."""

_NAME = (
    rb"[A-Za-z_][\w.-]{0,64}:"
    rb"(?:GPS\w{0,64}|\w{0,64}(?:Latitude|Longitude|Longtitude|Altitude)\w{0,64}"
    rb"|City|State|ProvinceState|Country(?:Name|Code)?|WorldRegion"
    rb"|(?:Sub|Shot)?Location(?:Created|Shown|Name|Id)?)"
)
_XMP = re.compile(
    rb"<(?P<name>" + _NAME + rb")(?:\s[^<>]*)?/?>"
    rb"|(?<=\s)" + _NAME + rb"\s{0,64}=\s{0,64}(?:\"[^\"]*\"|'[^']*')",
    re.IGNORECASE,
)
"""An opening tag, or an attribute. Names are bounded, so that the time is one of the length alone."""
_XMP_CLOSES = re.compile(rb"</(" + _NAME + rb")\s*>", re.IGNORECASE)
_XMP_BEGINS, _XMP_ENDS = re.compile(rb"<rdf:RDF"), re.compile(rb"</rdf:RDF\s*>")
_FILM = re.compile(
    rb"[+-]\d{2,6}(?:\.\d+)?[+-]\d{3,7}(?:\.\d+)?(?:[+-]\d+(?:\.\d+)?)?(?:CRS[\w:]{1,20})?/"
)
"""A position as films hold it (ISO 6709): `+48.8577+002.295/`."""
_SPACE = b"\r\n \t"
_PHOTOSHOP = b"Photoshop 3.0\0"
_ENTROPY_ENDS = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")


def without_position(data: bytes) -> bytes:
    """The file of a photo without the place at which it was taken.

    Returns:
        `data` itself where nothing is to be taken out, or it is no photo that is read here.
    """
    kind = kind_of(data[:HEAD_BYTES])
    change = _KINDS.get(kind)
    if change is None:
        return data
    if data[:1] in _SPACE:  # as `kind_of` passes it over
        n = len(data) - len(data.lstrip(_SPACE))
        bare = without_position(data[n:])
        return data if bare == data[n:] else data[:n] + bare
    buffer = bytearray(data)
    try:
        changed = change(buffer)
    except (struct.error, IndexError, ValueError, zlib.error, OverflowError):
        return _without_xmp(data)  # damaged side data, which no reader follows further
    return bytes(changed) if changed != data else data


def _without_xmp(data: bytes) -> bytes:
    buffer = bytearray(data)
    _clear_texts(buffer)
    return bytes(buffer) if buffer != data else data


# --- texts: XMP, and films ------------------------------------------------------------------


def _clear_texts(buffer: bytearray) -> None:
    """Let positions in XMP, and of films, become spaces."""
    begin, has_end = _XMP_BEGINS.search(buffer), True
    while begin is not None:
        end = _XMP_ENDS.search(buffer, begin.end()) if has_end else None
        has_end = end is not None
        stop = end.end() if end is not None else min(len(buffer), begin.end() + 2**20)
        _blank(buffer, _xmp_spans, begin.start(), stop)
        begin = _XMP_BEGINS.search(buffer, stop)
    at = buffer.find(b"moov")
    if at >= 0:
        _blank(buffer, _film_spans, max(0, buffer.find(b"ftyp")), len(buffer))


def _blank(
    buffer: bytearray, spans_of: Callable[[bytes], Iterable[Span]], begin: int, end: int
) -> None:
    for first, last in spans_of(bytes(buffer[begin:end])):
        buffer[begin + first : begin + last] = b" " * (last - first)


def _xmp_spans(text: bytes) -> Iterator[Span]:
    """Where XMP says something of a position: attributes, and elements from tag to tag. Of an element
    that is not closed, what comes before the next tag."""
    closes: dict[bytes, list[Span]] = {}
    for found in _XMP_CLOSES.finditer(text):
        closes.setdefault(found[1].lower(), []).append(found.span())
    end = 0
    for found in _XMP.finditer(text):
        first, last = found.span()
        if first < end:
            continue
        if found["name"] and not found[0].endswith(b"/>"):
            rows = closes.get(found["name"].lower(), [])
            row = bisect_left(rows, (last, last))
            after = text.find(b"<", last)
            last = rows[row][1] if row < len(rows) else after if after >= 0 else len(text)
        end = last
        yield first, last


def _film_spans(data: bytes) -> Iterator[Span]:
    return (found.span() for found in _FILM.finditer(data))


# --- IPTC -----------------------------------------------------------------------------------


def _read_iptc(data: bytes, at: int, end: int) -> tuple[list[Span], int]:
    """Where IPTC names places, and where it ends, or cannot be read further."""
    found = []
    while at + 5 <= end and data[at] == 0x1C:
        record, number, length = data[at + 1], data[at + 2], int.from_bytes(data[at + 3 : at + 5])
        at += 5
        if length & 0x8000:  # so many bytes say how long it is
            wide = length & 0x7FFF
            length = int.from_bytes(data[at : at + wide]) if wide <= 8 else end
            at += wide
        first, at = min(at, end), min(at + length, end)
        if record == 2 and number in _PLACES:
            found.append((first, at))
    return found, at


def _resource_spans(data: bytes) -> Iterator[Span]:
    """Where the IPTC in resources of Photoshop names places."""
    found = data.find(_IPTC_RESOURCE)
    while found >= 0:
        at = found + len(_IPTC_RESOURCE)
        at += (data[at] + 2) & ~1 if at < len(data) else 0  # the name of the resource
        end = min(len(data), at + 4 + int.from_bytes(data[at : at + 4]))
        spans, at = _read_iptc(data, at + 4, end)
        yield from spans
        found = data.find(_IPTC_RESOURCE, at)


def _place_spans(data: bytes, tag: int) -> Iterator[Span]:
    """Where the value of one of two tags names places."""
    if tag == _RESOURCES:
        yield from _resource_spans(data)
    elif data[:1] != b"\x1c" and data[3:4] == b"\x1c":  # some programs write it as numbers
        whole = data + bytes(-len(data) % 4)
        other = b"".join(whole[at : at + 4][::-1] for at in range(0, len(whole), 4))
        spans = _read_iptc(other, 0, len(other))[0]
        places = (place ^ 3 for span in spans for place in range(*span))
        yield from ((place, place + 1) for place in islice(places, _MOST_SWAPPED))
    else:
        yield from _read_iptc(data, 0, len(data))[0]


# --- EXIF, which is a TIFF ------------------------------------------------------------------


@dataclass
class _Entry:
    """One entry of a directory: where its 12 (or 20) bytes begin, and where its value lies."""

    at: int
    tag: int
    kind: int
    count: int
    value: Span
    outside: bool


@dataclass
class _Tiff:
    """The directories of a TIFF that lies in a buffer."""

    buffer: bytearray
    base: int
    end: int
    order: str = "<"
    big: bool = False
    used: list[Span] = field(default_factory=list)
    left: int = field(init=False)
    """So many numbers may still be read. Sound files need fewer; directories that overlap would take
    time without bounds."""

    def __post_init__(self) -> None:
        self.left = min(2 * (self.end - self.base), _MOST_READ)

    def number(self, at: int, size: int) -> int:
        """An unsigned number."""
        self.left -= 1
        if self.left < 0 or not self.base <= at <= self.end - size:
            raise IndexError(at)
        return int.from_bytes(self.buffer[at : at + size], "little" if self.order == "<" else "big")

    @property
    def wide(self) -> int:
        """Bytes of a place."""
        return 8 if self.big else 4

    def entries(self, place: int) -> list[_Entry]:
        """The entries of a directory; empty where it is none."""
        size, begin, n = self._table(place)
        found = []
        for row in range(n):
            at = begin + row * size
            tag, kind = self.number(at, 2), self.number(at + 2, 2)
            count = self.number(at + 4, self.wide)
            length = _SIZES.get(kind, 0) * count
            inside = at + 4 + self.wide
            outside = length > self.wide
            start = self.base + self.number(inside, self.wide) if outside else inside
            found.append(_Entry(at, tag, kind, count, (start, start + length), outside))
        return found

    def _table(self, place: int) -> tuple[int, int, int]:
        """Bytes of an entry, where the first one begins, and their number."""
        wide = 8 if self.big else 2
        n = self.number(place, wide)
        size = 20 if self.big else 12
        if n > _MOST_ENTRIES or place + wide + n * size > self.end:
            raise IndexError(place)
        return size, place + wide, n

    def span(self, place: int) -> Span:
        """Where a directory lies, with the place of the next one."""
        size, begin, n = self._table(place)
        return place, min(self.end, begin + n * size + self.wide)

    def next(self, place: int) -> int:
        """The place of the next directory; the base: there is none."""
        size, begin, n = self._table(place)
        at = begin + n * size
        return self.base + (self.number(at, self.wide) if at + self.wide <= self.end else 0)

    def numbers(self, entry: _Entry) -> list[int]:
        """The values of an entry, where they are whole numbers."""
        size = _SIZES.get(entry.kind, 0)
        if size not in (2, 4, 8) or entry.kind in (5, 10, 11, 12) or entry.value[1] > self.end:
            return []
        return [self.number(at, size) for at in range(*entry.value, size)]

    def remove(self, place: int, entry: _Entry) -> None:
        """Take an entry out of its directory; what follows moves up."""
        size, _begin, n = self._table(place)
        _start, end = self.span(place)
        self.buffer[entry.at : end] = self.buffer[entry.at + size : end] + bytes(size)
        wide = 8 if self.big else 2
        order = "little" if self.order == "<" else "big"
        self.buffer[place : place + wide] = (n - 1).to_bytes(wide, order)  # type: ignore[arg-type]

    def clear(self, spans: Iterable[Span], fill: bytes = b"\0") -> None:
        """Let bytes become zeros, or another byte, in each span that nothing else uses."""
        used, gone = _merged(self.used), []
        for one in spans:
            first, last = max(one[0], self.base), min(one[1], self.end)
            before = bisect_left(used, (last, last)) - 1  # the last one that begins before the end
            if first < last and not (before >= 0 and first < used[before][1]):
                gone.append((first, last))
        for first, last in _merged(gone):
            self.buffer[first:last] = fill * (last - first)


def _merged(spans: Iterable[Span]) -> list[Span]:
    """The same bytes in spans that do not overlap, in order."""
    found: list[Span] = []
    for first, last in sorted(one for one in spans if one[0] < one[1]):
        if found and first <= found[-1][1]:
            found[-1] = (found[-1][0], max(last, found[-1][1]))
        else:
            found.append((first, last))
    return found


def _clear_tiff(buffer: bytearray, base: int, end: int) -> None:
    """Take the position out of a TIFF, or of the EXIF of another file, in place."""
    opened = _open_tiff(buffer, base, end)
    if opened is None:
        return
    tiff, first = opened
    directories = dict(_walk(tiff, first))
    found = [one for entries in directories.values() for one in entries]
    pointers = [one for one in found if one.tag == _GPS]
    names = [one for one in found if one.tag in (_IPTC, _RESOURCES) and one.outside]
    if not pointers and not names:
        return
    removed = (_GPS, _MAKER_NOTE) if pointers else ()
    cleared = (*removed, _IPTC, _RESOURCES)
    for place, entries in directories.items():
        tiff.used += [one.value for one in entries if one.outside and one.tag not in cleared]
        tiff.used += [tiff.span(place), *_pixels(tiff, entries)]
    tiff.used.append((base, base + (16 if tiff.big else 8)))
    tiff.clear(_names_in(tiff, names), b" ")
    tiff.used += [one.value for one in names]
    if not pointers:
        return
    notes = [one.value for one in found if one.tag == _MAKER_NOTE and one.outside]
    positions = [base + at for one in pointers for at in tiff.numbers(one)[:1]]
    for place in set(positions) - set(directories):
        notes += _directory_spans(tiff, place)
    tiff.clear(notes)
    for place, entries in directories.items():
        gone = [one for one in entries if one.tag in removed]
        for entry in reversed(gone):
            tiff.remove(place, entry)


def _names_in(tiff: _Tiff, entries: Iterable[_Entry]) -> Iterator[Span]:
    """Where the values of entries name places. Each part of a file is read twice at most."""
    left = 2 * (tiff.end - tiff.base)
    for (first, last), tag in dict.fromkeys((one.value, one.tag) for one in entries):
        last = min(last, tiff.end)
        left -= max(0, last - first)
        if left < 0:
            return
        inside = _place_spans(bytes(tiff.buffer[first:last]), tag)
        yield from ((first + begin, first + end) for begin, end in inside)


def _open_tiff(buffer: bytearray, base: int, end: int) -> tuple[_Tiff, int] | None:
    """A TIFF and the place of its first directory; None where it is none."""
    orders = {b"II": "<", b"MM": ">"}
    order = orders.get(bytes(buffer[base : base + 2]))
    if order is None or end - base < 8:
        return None
    tiff = _Tiff(buffer, base, end, order)
    tiff.big = tiff.number(base + 2, 2) == 43
    return tiff, base + tiff.number(base + (8 if tiff.big else 4), tiff.wide)


def _walk(tiff: _Tiff, first: int) -> Iterator[tuple[int, list[_Entry]]]:
    """All directories but those of positions, as far as they can be read: places and entries."""
    waiting, seen = [first], {tiff.base}
    while waiting and len(seen) < _MOST_DIRECTORIES:
        place = waiting.pop()
        if place in seen:
            continue
        seen.add(place)
        try:
            entries = tiff.entries(place)
        except IndexError:
            continue
        yield place, entries
        waiting.append(tiff.next(place))
        for entry in entries:
            if entry.tag in (_EXIF, _SUB_IFDS):
                waiting += [tiff.base + at for at in tiff.numbers(entry)]


def _pixels(tiff: _Tiff, entries: list[_Entry]) -> list[Span]:
    """Where the pixels of a directory lie."""
    values = {one.tag: tiff.numbers(one) for one in entries if one.tag in (*_OFFSETS, *_COUNTS)}
    found = []
    for offsets, counts in zip(_OFFSETS, _COUNTS, strict=True):
        pairs = zip(values.get(offsets, ()), values.get(counts, ()), strict=False)
        found += [(tiff.base + at, tiff.base + at + n) for at, n in pairs]
    return found


def _directory_spans(tiff: _Tiff, place: int) -> list[Span]:
    """Where a directory lies, and all that it points to; nothing where it cannot be read."""
    try:
        entries, span = tiff.entries(place), tiff.span(place)
    except IndexError:
        return []
    return [*(one.value for one in entries if one.outside), (span[0], span[1] - tiff.wide)]


def _clear_exif(buffer: bytearray, begin: int, end: int) -> None:
    """Take the position out of EXIF, which may begin with its name."""
    if buffer[begin : begin + 4] == b"Exif":
        begin += 6
    _clear_tiff(buffer, begin, end)


# --- kinds of files -------------------------------------------------------------------------


def _change_jpeg(buffer: bytearray) -> bytearray:
    at, last = buffer.find(b"\xff\xd8"), buffer.rfind(b"\xff\xd8\xff")
    while at >= 0:
        at = _change_picture(buffer, at + 2, last)
        at = buffer.find(b"\xff\xd8\xff", at) if at >= 0 else -1
    _clear_texts(buffer)
    return buffer


def _change_picture(buffer: bytearray, at: int, last: int) -> int:
    """Change the segments of one picture of a JPEG; returns where it ends, -1 with the file.

    Args:
        last: where the last picture begins.
    """
    resources: list[Span] = []
    while at + 4 <= len(buffer):
        if buffer[at] != 0xFF:
            at = buffer.find(b"\xff", at)
            if at < 0:
                return -1
            continue
        marker = buffer[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker == 0xD9:
            return at + 2
        if marker in (0x00, 0x01) or 0xD0 <= marker <= 0xD8:
            at += 2
            continue
        end = at + 2 + int.from_bytes(buffer[at + 2 : at + 4], "big")
        if marker == 0xE1 and buffer[at + 4 : at + 8] == b"Exif":
            _tolerant(buffer, at + 4, min(end, len(buffer)))
        if marker == 0xED and buffer[at + 4 : at + 4 + len(_PHOTOSHOP)] == _PHOTOSHOP:
            resources.append((at + 4 + len(_PHOTOSHOP), min(end, len(buffer))))
        at = end
        if marker == 0xDA:
            _change_joined(buffer, resources, _clear_resources)
            resources = []
            if last < at:
                return -1
            found = _ENTROPY_ENDS.search(buffer, at)
            if found is None:
                return -1
            at = found.start()
    return -1


def _clear_resources(block: bytearray) -> None:
    """Let the names of places in resources of Photoshop, or in bare IPTC, become spaces."""
    data = bytes(block)
    is_bare = data[:1] == b"\x1c"
    for first, last in _read_iptc(data, 0, len(data))[0] if is_bare else _resource_spans(data):
        block[first:last] = b" " * (last - first)


def _change_joined(
    buffer: bytearray, spans: Iterable[Span], change: Callable[[bytearray], None]
) -> None:
    """Change what lies in several spans as if it were in one."""
    spans = [(first, last) for first, last in spans if first < last]
    block = bytearray(b"".join(bytes(buffer[first:last]) for first, last in spans))
    change(block)
    at = 0
    for first, last in spans:
        buffer[first:last] = block[at : at + last - first]
        at += last - first


def _tolerant(buffer: bytearray, begin: int, end: int) -> None:
    """Change EXIF where it can be followed; damaged EXIF stays."""
    with suppress(struct.error, IndexError, ValueError):
        _clear_exif(buffer, begin, end)


@dataclass
class _Room:
    """So much of a file is still looked at."""

    left: int


def _change_png(buffer: bytearray) -> bytearray:
    parts, at, room = [bytes(buffer[:8])], 8, _Room(_MOST_TEXT)
    while at + 12 <= len(buffer):
        length = int.from_bytes(buffer[at : at + 4], "big")
        chunk = bytes(buffer[at : at + 12 + length])
        parts.append(_changed_chunk(chunk, room) if len(chunk) == 12 + length else chunk)
        at += 12 + length
    parts.append(bytes(buffer[at:]))
    return bytearray(b"".join(parts))


def _changed_chunk(chunk: bytes, room: _Room) -> bytes:
    kind, content = chunk[4:8], chunk[8:-4]
    change = {b"eXIf": _exif_bytes, b"iTXt": _changed_itxt, b"zTXt": _changed_ztxt}
    change |= {b"tEXt": _changed_text}
    if kind not in change:
        return chunk
    try:
        changed = change[kind](content, room)
    except (ValueError, zlib.error, IndexError):
        return chunk
    if changed == content:
        return chunk
    sum_of = zlib.crc32(kind + changed)
    if zlib.crc32(kind + content) != int.from_bytes(chunk[-4:], "big"):
        sum_of ^= 1  # it was not valid, and is not now
    return len(changed).to_bytes(4, "big") + kind + changed + sum_of.to_bytes(4, "big")


def _exif_bytes(content: bytes, _room: _Room) -> bytes:
    block = bytearray(content)
    _tolerant(block, 0, len(block))
    return bytes(block)


def _changed_itxt(content: bytes, room: _Room) -> bytes:
    """International text: keyword, whether it is packed, language, keyword again, text."""
    keyword, rest = content.split(b"\0", 1)
    packed, rest = rest[:2], rest[2:]
    language, again, text = rest.split(b"\0", 2)
    unpacked = _unpack(text, room) if packed[0] else text
    changed = _text_bytes(keyword, unpacked)
    if changed == unpacked:
        return content
    text = zlib.compress(changed) if packed[0] else changed
    return b"\0".join([keyword, packed + language, again, text])


def _changed_ztxt(content: bytes, room: _Room) -> bytes:
    keyword, rest = content.split(b"\0", 1)
    unpacked = _unpack(rest[1:], room)
    changed = _text_bytes(keyword, unpacked)
    return content if changed == unpacked else keyword + b"\0\0" + zlib.compress(changed)


def _changed_text(content: bytes, _room: _Room) -> bytes:
    keyword, text = content.split(b"\0", 1)
    return keyword + b"\0" + _text_bytes(keyword, text)


def _unpack(data: bytes, room: _Room) -> bytes:
    if room.left <= 0:
        raise ValueError("texts this long are none of a camera")
    packer = zlib.decompressobj()
    text = packer.decompress(data, room.left)
    room.left -= len(text)
    if packer.unconsumed_tail:
        raise ValueError("a text this long is none of a camera")
    return text


def _text_bytes(keyword: bytes, text: bytes) -> bytes:
    """A text of a PNG without positions: XMP, or EXIF, XMP and IPTC in hexadecimal digits."""
    if not keyword.startswith(b"Raw profile type"):
        block = bytearray(text)
        _clear_texts(block)
        return bytes(block)
    _empty, name, length, digits = text.split(b"\n", 3)
    block = bytearray(bytes.fromhex(digits.decode("ascii")))
    before = bytes(block)
    _tolerant(block, 0, len(block))
    _clear_resources(block)
    _clear_texts(block)
    if block == before:
        return text
    lines = [block.hex()[at : at + 72] for at in range(0, 2 * len(block), 72)]
    return b"\n".join([b"", name, length, *(line.encode() for line in lines), b""])


def _change_webp(buffer: bytearray) -> bytearray:
    at = 12
    while at + 8 <= len(buffer):
        length = int.from_bytes(buffer[at + 4 : at + 8], "little")
        if buffer[at : at + 4] == b"EXIF":
            _tolerant(buffer, at + 8, min(len(buffer), at + 8 + length))
        at += 8 + length + length % 2
    _clear_texts(buffer)
    return buffer


def _change_tiff(buffer: bytearray) -> bytearray:
    _clear_tiff(buffer, 0, len(buffer))
    _clear_texts(buffer)
    return buffer


def _change_texts(buffer: bytearray) -> bytearray:
    _clear_texts(buffer)
    return buffer


# --- HEIC and AVIF: boxes -------------------------------------------------------------------


def _change_boxes(buffer: bytearray) -> bytearray:
    room = _Room(len(buffer))
    for kind, begin, end in _boxes(buffer, 0, len(buffer)):
        if kind == b"meta":
            for spans in _exif_items(buffer, begin + 4, end):
                room.left -= sum(last - first for first, last in spans)
                if room.left < 0:
                    raise IndexError("items share their bytes")
                _change_item(buffer, spans)
    _clear_texts(buffer)
    return buffer


def _boxes(buffer: bytearray, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """The boxes in a span: kind, where the content begins, and ends."""
    while at + 8 <= end:
        size, head = int.from_bytes(buffer[at : at + 4], "big"), 8
        if size == 1:
            size, head = int.from_bytes(buffer[at + 8 : at + 16], "big"), 16
        elif size == 0:
            size = end - at
        if size < head or at + size > end:
            return
        yield bytes(buffer[at + 4 : at + 8]), at + head, at + size
        at += size


def _exif_items(buffer: bytearray, begin: int, end: int) -> Iterator[list[Span]]:
    """The spans of each item of EXIF that a `meta` box names."""
    inside = {kind: (first, last) for kind, first, last in _boxes(buffer, begin, end)}
    if b"iinf" not in inside or b"iloc" not in inside:
        return
    wanted = set(_items_of_exif(buffer, *inside[b"iinf"]))
    data_at = inside.get(b"idat", (0, 0))[0]
    for item, spans in _places(buffer, *inside[b"iloc"], data_at):
        if item in wanted:
            yield [(a, b) for a, b in spans if 0 <= a < b <= len(buffer)]


def _items_of_exif(buffer: bytearray, begin: int, end: int) -> Iterator[int]:
    first = begin + (6 if buffer[begin] == 0 else 8)
    for kind, at, _last in _boxes(buffer, first, end):
        version = buffer[at]
        if kind != b"infe" or version < 2:
            continue
        size = 2 if version == 2 else 4
        number = int.from_bytes(buffer[at + 4 : at + 4 + size], "big")
        if buffer[at + 6 + size : at + 10 + size] == b"Exif":
            yield number


def _places(buffer: bytearray, at: int, end: int, data_at: int) -> Iterator[tuple[int, list[Span]]]:
    """The spans of every item of an `iloc` box."""
    version = buffer[at]
    sizes = (buffer[at + 4] >> 4, buffer[at + 4] & 15, buffer[at + 5] >> 4)
    index_size = buffer[at + 5] & 15 if version in (1, 2) else 0
    at += 6

    def take(size: int) -> int:
        nonlocal at
        if at + size > end:
            raise IndexError(at)
        value = int.from_bytes(buffer[at : at + size], "big")
        at += size
        return value

    wide = 4 if version == 2 else 2
    for _row in range(take(wide)):
        item = take(wide)
        method = take(2) & 15 if version in (1, 2) else 0
        take(2)
        base = take(sizes[2])
        spans = []
        extents = take(2)
        if extents > 1 and not index_size + sizes[0] + sizes[1]:
            raise IndexError("the same place many times")
        for _extent in range(extents):
            take(index_size)
            start, length = base + take(sizes[0]), take(sizes[1])
            start += data_at if method == 1 else 0
            spans.append((start, start + length))
        yield item, spans if method < 2 else []


def _change_item(buffer: bytearray, spans: list[Span]) -> None:
    def change(block: bytearray) -> None:
        if len(block) >= 4:
            begin = 4 + int.from_bytes(block[:4], "big")
            _tolerant(block, begin if begin < len(block) else 4, len(block))

    _change_joined(buffer, spans, change)


_KINDS: dict[str, Callable[[bytearray], bytearray]] = {
    "JPEG": _change_jpeg,
    "PNG": _change_png,
    "WEBP": _change_webp,
    "TIFF": _change_tiff,
    "HEIF": _change_boxes,
    "AVIF": _change_boxes,
    "GIF": _change_texts,
}
