"""Takes out of the file of a photo where it was taken.

Owns: `without_position`, and where JPEG (also of several pictures), PNG, WebP, TIFF, HEIC and AVIF hold
what tells it. Leaves to others: positions in EXIF, the GPS directory with the notes of the maker, which
may repeat it (`position_tags.py`); positions in XMP and of a short film behind or in a photo, names of
places (city, region, country) in XMP and IPTC (`position_texts.py`); when that is wanted
(`datasets/staging.py`).

Nothing is encoded anew: a directory loses its entries and what they point to becomes zeros, XMP and names
become spaces. So no byte of the pixels moves or changes, and all else that a file says of itself stays, the
orientation first of all. What two things in a damaged file share is not overwritten.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from translearn_core.imaging.kinds import HEAD_BYTES, kind_of
from translearn_core.imaging.position_tags import clear_exif, clear_tiff
from translearn_core.imaging.position_texts import (
    Span,
    clear_texts,
    read_iptc,
    resource_spans,
)

_MOST_TEXT = 2**24
"""Bytes of all texts of a PNG, unpacked."""
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
    clear_texts(buffer)
    return bytes(buffer) if buffer != data else data


# --- kinds of files -------------------------------------------------------------------------


def _change_jpeg(buffer: bytearray) -> bytearray:
    at, last = buffer.find(b"\xff\xd8"), buffer.rfind(b"\xff\xd8\xff")
    while at >= 0:
        at = _change_picture(buffer, at + 2, last)
        at = buffer.find(b"\xff\xd8\xff", at) if at >= 0 else -1
    clear_texts(buffer)
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
    for first, last in read_iptc(data, 0, len(data))[0] if is_bare else resource_spans(data):
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
        clear_exif(buffer, begin, end)


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
        clear_texts(block)
        return bytes(block)
    _empty, name, length, digits = text.split(b"\n", 3)
    block = bytearray(bytes.fromhex(digits.decode("ascii")))
    before = bytes(block)
    _tolerant(block, 0, len(block))
    _clear_resources(block)
    clear_texts(block)
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
    clear_texts(buffer)
    return buffer


def _change_tiff(buffer: bytearray) -> bytearray:
    clear_tiff(buffer, 0, len(buffer))
    clear_texts(buffer)
    return buffer


def _change_texts(buffer: bytearray) -> bytearray:
    clear_texts(buffer)
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
    clear_texts(buffer)
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
