"""TIFF files that Pillow reads wrongly or not at all: more than 8 bits, floats, many channels.

Owns: the tags of every page (`read_pages`), whether a page is for this module (`is_deep`), and its
samples as they are (`read_samples`). Leaves to others: pages of at most 8 bits and at most four
channels (Pillow), how samples become RGB (`tiff_pages.py`), the range (`reading.py`).

Strips and tiles are unpacked by Pillow's libtiff as bytes; what the bytes mean is decided here, by
BitsPerSample, SampleFormat, PlanarConfiguration and Predictor.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, TiffImagePlugin

from translearn_core.i18n import _
from translearn_core.imaging.libtiff import decoding_errors
from translearn_core.imaging.refusals import KindError, damaged, not_read_here

_NAMES = {
    6: "old JPEG",
    7: "JPEG",
    34892: "lossy JPEG",
    34933: "PNG",
    34712: "JPEG 2000",
    33003: "JPEG 2000",
    33004: "JPEG 2000",
    33005: "JPEG 2000",
    34887: "LERC",
    34676: "LogLuv",
    34677: "LogLuv",
    50001: "WebP",
    50002: "JPEG XL",
    52546: "JPEG XL",
    22610: "JPEG XR",
    34934: "JPEG XR",
}
_BYTE_PACKED = {5: 5, 8: 8, 32946: 8, 32773: 32773, 34925: 34925, 50000: 50000}
"""Compressions that pack bytes without a look at what they mean."""
_PILLOW = frozenset({1, 2, 3, 4, 5, 6, 7, 8, 32771, 32773, 32809, 32946, 34925, 50000})
_KINDS = {1: "u", 2: "i", 3: "f"}
MAX_PAGES = 10_000
_TAGS: tuple[int, ...] = (254, 256, 257, 258, 259, 262, 266, 273, 274, 277, 278, 279, 281, 284, 317)
_TAGS += (320, 322, 323, 324, 325, 338, 339, 341)


@dataclass(frozen=True)
class Page:
    """The tags of a page that say what its samples are."""

    tags: dict[int, Any]
    big_endian: bool
    place: int = 0
    """Of its directory in the file."""

    def number(self, tag: int, default: int) -> int:
        """The first value of a tag."""
        value = self.tags.get(tag, default)
        if isinstance(value, tuple):
            value = value[0] if value else default
        return int(value)

    def numbers(self, tag: int) -> tuple[int, ...]:
        """All values of a tag; none where it is absent."""
        value = self.tags.get(tag, ())
        return tuple(int(one) for one in value) if isinstance(value, tuple) else (int(value),)

    @property
    def width(self) -> int:
        """Pixels."""
        return self.number(256, 0)

    @property
    def height(self) -> int:
        """Pixels."""
        return self.number(257, 0)

    @property
    def samples(self) -> int:
        """Channels of a pixel."""
        return self.number(277, 1)

    @property
    def bits(self) -> int:
        """Bits of a sample."""
        return self.number(258, 1)

    @property
    def sample_format(self) -> int:
        """1 unsigned, 2 signed, 3 floating point."""
        value = self.number(339, 1)
        return 1 if value == 4 else value

    @property
    def photometric(self) -> int:
        """0 white is zero, 1 black is zero, 2 RGB, 5 CMYK, ..."""
        return self.number(262, 1)

    @property
    def compression(self) -> int:
        """How strips and tiles are packed."""
        return self.number(259, 1)

    @property
    def is_reduced(self) -> bool:
        """Whether it is a smaller version of another page, or a mask."""
        return bool(self.number(254, 0) & 5)

    @property
    def extra(self) -> tuple[int, ...]:
        """What the channels behind the colours are: 1, 2 alpha, 0 unspecified."""
        return self.numbers(338)

    @property
    def colours(self) -> int:
        """Channels of a colour, or 1 for grey."""
        return {2: 3, 5: 4}.get(self.photometric, 1)

    @property
    def opacity(self) -> int | None:
        """Which channel behind the colours is opacity, from 0 on; None where none is."""
        places = [place for place, meaning in enumerate(self.extra) if meaning in (1, 2)]
        known = [self.colours + place for place in places if self.colours + place < self.samples]
        return known[0] if known else None

    @property
    def is_premultiplied(self) -> bool:
        """Whether the colours are multiplied by the opacity already."""
        return self.opacity is not None and self.extra[self.opacity - self.colours] == 1

    @property
    def spare(self) -> bool:
        """Whether there are channels that are neither a colour nor opacity."""
        return self.samples > self.colours + (self.opacity is not None)

    @property
    def top(self) -> float | None:
        """The largest value that the file declares, where it is not all that the bits hold."""
        declared = self.tags.get(341, self.tags.get(281))
        if isinstance(declared, tuple):
            declared = declared[0] if declared else None
        try:
            top = float(declared) if declared is not None else None
        except (TypeError, ValueError, ZeroDivisionError):
            return None
        if self.sample_format != 1 or top is None or not 0 < top < 2.0**self.bits - 1:
            return None
        return top

    @property
    def segment(self) -> tuple[int, int]:
        """Width and height of a strip or tile, in pixels."""
        if 322 in self.tags:
            return self.number(322, 0), self.number(323, 0)
        return self.width, min(self.number(278, self.height), self.height)

    @property
    def palette_of_bytes(self) -> list[int] | None:
        """The colours of a palette whose values are 8 bits, though the format says 16, as red, green,
        blue of each entry; None where it is as it should be."""
        values = self.numbers(320) if self.photometric == 3 else ()
        n = len(values) // 3
        if not n or max(values) > 255 or not any(values):
            return None
        reds, greens, blues = values[:n], values[n : 2 * n], values[2 * n :]
        return [one for entry in zip(reds, greens, blues, strict=False) for one in entry]

    def segment_bytes(self) -> int:
        """Bytes of an unpacked strip or tile."""
        width, height = self.segment
        channels = 1 if self.number(284, 1) == 2 else self.samples
        return (width * channels * self.bits + 7) // 8 * height

    @property
    def _byte_packed(self) -> bool:
        return self.compression == 1 or self.compression in _BYTE_PACKED

    def is_deep(self) -> bool:
        """Whether this module reads it."""
        bits = set(self.numbers(258)) or {1}
        return (
            max(bits) > 8
            or self.sample_format != 1
            or (self.samples == 2 and self.photometric in (0, 1))
            or self.samples > 4
            or (self.samples > 2 and self.photometric in (0, 1))
            or (self.samples == 4 and self.photometric == 2 and self.spare and self._byte_packed)
        ) and self.photometric in (0, 1, 2, 5)

    def check_readable(self) -> None:
        """Make sure that the compression is one that is read.

        Raises:
            KindError: it is not.
        """
        if not (self._byte_packed if self.is_deep() else self.compression in _PILLOW):
            name = _NAMES.get(self.compression, str(self.compression))
            raise not_read_here(f"TIFF ({name})")
        if not self.is_deep() and (self.bits not in (1, 2, 4, 8) or self.sample_format != 1):
            raise odd_bits(self.bits)
        if self.photometric in (32803, 34892, 32844, 32845):
            raise not_read_here(_("a camera raw TIFF"))


def odd_bits(bits: int) -> KindError:
    """Samples of a kind that is not read."""
    return not_read_here(_("a TIFF with unusual samples of {bits} bits").format(bits=bits))


def is_tiff(data: bytes) -> bool:
    """Whether the bytes begin as a TIFF, classic or big."""
    return data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def read_pages(data: bytes) -> list[Page]:
    """The pages of a TIFF by their tags, in the order of the file, at most `MAX_PAGES`.

    Raises:
        PhotoError: there is no page.
        Exception: what Pillow raises on damaged tags of the first page.
    """
    head = data[:16] if data[2:3] == b"+" or data[3:4] == b"+" else data[:8]
    directory = TiffImagePlugin.ImageFileDirectory_v2(head)
    stream = io.BytesIO(data)
    pages: list[Page] = []
    seen: set[int] = set()
    place = directory.next
    while place and place not in seen and len(pages) < MAX_PAGES and place < len(data):
        seen.add(place)
        stream.seek(place)
        try:
            directory.load(stream)
            tags = {tag: directory[tag] for tag in _TAGS if tag in directory}
        except Exception:
            if not pages:
                raise
            break
        pages.append(Page(tags, data[:1] == b"M", place))
        place = directory.next
    if not pages:
        raise damaged()
    return pages


def alone(data: bytes, page: Page) -> bytes:
    """The file with a page as its first one, so that a reader need not pass pages that it does not
    read."""
    order = ">" if page.big_endian else "<"
    if data[2:4] in (b"+\0", b"\0+"):
        return data[:8] + struct.pack(f"{order}Q", page.place) + data[16:]
    return data[:4] + struct.pack(f"{order}I", page.place) + data[8:]


def read_samples(data: bytes, page: Page) -> np.ndarray:
    """The samples of a deep page, `(h, w, n)`, in their own type and the machine's byte order.

    Raises:
        PhotoError: a strip is missing or damaged, or the page is of a kind that is not read.
    """
    page.check_readable()
    if len(set(page.numbers(258))) > 1 or page.number(266, 1) != 1:
        raise odd_bits(page.bits)
    width, height, n = page.width, page.height, page.samples
    kind = _type_of(page)
    planar = page.number(284, 1) == 2 and n > 1
    across, down = page.segment
    if min(width, height, n, across, down) < 1:
        raise damaged()
    result = np.zeros((height, width, n), kind)
    tiles_x = -(-width // across)
    per_plane = tiles_x * -(-height // down)
    segments = _segments(data, page)
    for index in range(per_plane * (n if planar else 1)):
        raw = next(segments, None)
        if raw is None:
            raise damaged()
        plane, place = divmod(index, per_plane)
        y, x = place // tiles_x * down, place % tiles_x * across
        rows = down if 322 in page.tags else min(down, height - y)
        block = _unpack(raw, page, rows, across, 1 if planar else n)
        part = block[: height - y, : width - x]
        if planar:
            result[y : y + down, x : x + across, plane] = part[..., 0]
        else:
            result[y : y + down, x : x + across] = part
    return result


def _type_of(page: Page) -> np.dtype[Any]:
    letter, bits = _KINDS.get(page.sample_format), page.bits
    size = 1 if bits <= 8 else 2 if bits <= 16 else 4 if bits <= 32 else 8
    if letter is None or (letter == "f" and bits not in (16, 32, 64)) or bits > 64:
        raise odd_bits(page.bits)
    if letter != "f" and bits not in (8, 10, 12, 14, 16, 32, 64):
        raise odd_bits(page.bits)
    return np.dtype(f"{letter}{size}")


def _segments(data: bytes, page: Page) -> Iterator[bytes]:
    """The strips or tiles, packed."""
    offsets = page.numbers(324 if 322 in page.tags else 273)
    counts = page.numbers(325 if 322 in page.tags else 279)
    if len(counts) < len(offsets):
        if len(offsets) != 1:
            raise damaged()
        counts = (len(data) - offsets[0],)
    for offset, count in zip(offsets, counts, strict=False):
        if offset < 0 or count < 0 or offset + count > len(data):
            raise damaged()
        yield data[offset : offset + count]


def _unpack(raw: bytes, page: Page, rows: int, width: int, n: int) -> np.ndarray:
    """A strip or tile as samples `(rows, width, n)`."""
    bits = page.bits
    row_bytes = (width * n * bits + 7) // 8
    need = row_bytes * rows
    content = raw if page.compression == 1 else _decompress(raw, page.compression, row_bytes, rows)
    if len(content) < need:
        raise damaged()
    lines = np.frombuffer(content, np.uint8, need).reshape(rows, row_bytes)
    kind, predictor = _type_of(page), page.number(317, 1)
    if predictor == 3:
        return _undo_float_predictor(lines, kind, width, n)
    if bits in (10, 12, 14):
        values = _unpack_bits(lines, bits, width * n)
    else:
        values = lines.view(kind.newbyteorder(">" if page.big_endian else "<")).astype(kind)
    values = values.reshape(rows, width, n)
    if predictor == 2:
        values = np.cumsum(values, axis=1, dtype=kind)
    elif predictor != 1:
        raise not_read_here(_("a TIFF with an unusual predictor"))
    return values


def _unpack_bits(lines: np.ndarray, bits: int, n: int) -> np.ndarray:
    """Rows of packed values of 10, 12 or 14 bits, `(rows, n)` uint16."""
    ones = np.unpackbits(lines, axis=1)[:, : n * bits].reshape(len(lines), n, bits)
    weights = (1 << np.arange(bits - 1, -1, -1)).astype(np.uint16)
    values: np.ndarray = (ones * weights).sum(axis=2, dtype=np.uint16)
    return values


def _undo_float_predictor(lines: np.ndarray, kind: np.dtype[Any], width: int, n: int) -> np.ndarray:
    """Bytes were put in order of significance and stored as differences."""
    rows, size = len(lines), kind.itemsize
    parts = lines.reshape(rows, -1, n)
    summed = np.cumsum(parts, axis=1, dtype=np.uint8).reshape(rows, size, width * n)
    ordered = np.ascontiguousarray(summed.transpose(0, 2, 1))  # most significant byte first
    values: np.ndarray = ordered.view(kind.newbyteorder(">")).astype(kind)
    return values.reshape(rows, width, n)


def _decompress(raw: bytes, compression: int, row_bytes: int, rows: int) -> bytes:
    """Unpack a strip or tile: deflate here, the others by libtiff, as a grey picture of bytes."""
    if _BYTE_PACKED[compression] == 8:
        try:
            return zlib.decompressobj().decompress(raw, row_bytes * rows)
        except zlib.error as error:
            raise damaged() from error
    entries = [
        (256, 4, row_bytes),
        (257, 4, rows),
        (258, 3, 8),
        (259, 3, compression),
        (262, 3, 1),
        (273, 4, 8 + 2 + 12 * 9 + 4),
        (277, 3, 1),
        (278, 4, rows),
        (279, 4, len(raw)),
    ]
    table = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
    head = b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + table + b"\0\0\0\0"
    with Image.open(io.BytesIO(head + raw), formats=["TIFF"]) as image, decoding_errors() as errors:
        content = image.tobytes()
    if errors.count:
        raise damaged()
    return content
