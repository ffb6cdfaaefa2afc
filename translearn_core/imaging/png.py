"""The structure of a PNG file: whether pixels or colours are missing from a file that ends as it should.

Owns: `lacks_pixels`. Leaves to others: decoding, odd side data (`side_data.py`).

Pillow fills rows that are not in the file with zeros, and takes a palette that is not there for black.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from PIL import Image

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_PALETTE = 3
_PASSES = (
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)
"""Of an interlaced picture: first column and row, and the steps between columns and rows."""
_STEP = 2**20


def lacks_pixels(data: bytes, image: Image.Image) -> bool:
    """Whether rows of a PNG's picture, or its palette, are not in the file.

    Args:
        data: the file.
        image: its first picture, loaded.
    """
    if not data.startswith(_SIGNATURE) or data[12:16] != b"IHDR":
        return False
    kind = data[25]
    if kind == _PALETTE and not any(name == b"PLTE" for name, _begin, _end in _chunks(data)):
        return True
    width, height = image.size
    last = image.crop((0, height - 1, width, height)).getextrema()
    bands = last if isinstance(last[0], tuple) else (last,)
    if any(ends != (0, 0) for ends in bands):
        return False
    expected = _expected_bytes(data)
    return _unpacked_bytes(data, expected) < expected


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name, begin and end of the content of each chunk up to IEND."""
    at = len(_SIGNATURE)
    while at + 8 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        name = data[at + 4 : at + 8]
        yield name, at + 8, min(at + 8 + length, len(data))
        if name == b"IEND":
            return
        at += 12 + length


def _expected_bytes(data: bytes) -> int:
    """Bytes of all rows, each with the byte of its filter."""
    width, height = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    bits = data[24] * _CHANNELS.get(data[25], 1)
    passes = _PASSES if data[28] else ((0, 0, 1, 1),)
    total = 0
    for left, top, across, down in passes:
        columns, rows = -(-(width - left) // across), -(-(height - top) // down)
        if columns > 0 and rows > 0:
            total += rows * (1 + -(-columns * bits // 8))
    return total


def _unpacked_bytes(data: bytes, enough: int) -> int:
    """Bytes that the packed rows unpack to, as far as they can be unpacked; not many more than
    `enough`, however many there are."""
    total, unpacker = 0, zlib.decompressobj()
    try:
        for name, begin, end in _chunks(data):
            packed = data[begin:end] if name == b"IDAT" else b""
            while packed and not unpacker.eof and total < enough:
                total += len(unpacker.decompress(packed, _STEP))
                packed = unpacker.unconsumed_tail
            if total >= enough:
                break
    except zlib.error:
        return total
    return total
