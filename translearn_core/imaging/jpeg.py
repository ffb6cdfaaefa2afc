"""The structure of a JPEG file: frame header, scans, and whether entropy-coded data is missing.

Owns: `frame_of`, `is_part_zeroed`, `lacks_scans`, `may_end_early`, `ends_early`. Leaves to others: decoding.

libjpeg fills what is missing with grey and only warns, which Pillow does not pass on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from PIL import Image

_ZEROS = b"\0" * 32
_FILL = 128
_NO_LENGTH = frozenset({0x01, *range(0xD0, 0xDA)})
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC} | {0xF7}
EOI = b"\xff\xd9"
# Entropy-coded data that decodes to something else than "as before": no run of a byte.
_NOISE = bytes((n * 89 + 37) % 251 for n in range(4096))


@dataclass(frozen=True)
class Frame:
    """The frame header: marker, bits per sample, and the number of components."""

    kind: int
    precision: int
    components: int

    @property
    def progressive(self) -> bool:
        """Whether the coefficients come in several scans."""
        return self.kind in (0xC2, 0xCA)

    @property
    def lossless(self) -> bool:
        """Whether it is the lossless process."""
        return self.kind in (0xC3, 0xCB)


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, begin and end of the content of every segment up to EOI or the end of the file.

    Scans over the entropy-coded data behind an SOS.
    """
    at = 2
    while True:
        at = data.find(b"\xff", at)
        if at < 0 or at + 2 > len(data):
            return
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker == 0 or marker in _NO_LENGTH:
            if marker == 0xD9:
                return
            at += 2
            continue
        if at + 4 > len(data):
            return
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        yield marker, at + 4, min(at + 2 + max(length, 2), len(data))
        at += 2 + max(length, 2)
        if marker == 0xDA:
            at = _end_of_scan(data, at)


def _end_of_scan(data: bytes, at: int) -> int:
    """Where the next marker begins that is neither a stuffed byte nor a restart."""
    eoi = data.find(EOI, at)
    if eoi < 0:
        eoi = len(data)
    for marker in (b"\xff\xc4", b"\xff\xda", b"\xff\xdb", b"\xff\xdd", b"\xff\xfe"):
        found = data.find(marker, at, eoi)
        if found >= 0:
            eoi = found
    return eoi


def frame_of(data: bytes) -> Frame | None:
    """The frame header of a JPEG; None where there is none."""
    for marker, begin, end in _segments(data):
        if marker in _FRAMES and end - begin >= 6:
            return Frame(marker, data[begin], data[begin + 5])
        if marker == 0xDA:
            return None
    return None


def is_part_zeroed(data: bytes) -> bool:
    """Whether a stretch of the entropy-coded data was overwritten with zeros.

    A run of zero bits is the first code of a Huffman table again and again. It is plausible only
    where these are "no change" and "end of block": a flat area with tables made for it.
    """
    first = data.find(b"\xff\xda")
    if first < 0 or data.find(_ZEROS, first) < 0:
        return False
    shortest: dict[int, int] = {}
    for marker, begin, end in _segments(data):
        if marker in (0xC9, 0xCA, 0xCB, 0xC2, 0xC3):
            return False  # other codes
        if marker == 0xC4:
            shortest |= _shortest_codes(data[begin:end])
        if marker == 0xDA:
            stop = _end_of_scan(data, end)
            if data.find(_ZEROS, end, stop) >= 0:
                return any(value != 0 for value in shortest.values())
    return False


def _shortest_codes(tables: bytes) -> dict[int, int]:
    """Identity of each Huffman table -> the value of its first code, that of zeros only."""
    result: dict[int, int] = {}
    at = 0
    while at + 17 <= len(tables):
        n = sum(tables[at + 1 : at + 17])
        if n and at + 17 < len(tables):
            result[tables[at]] = tables[at + 17]
        at += 17 + n
    return result


def lacks_scans(data: bytes) -> bool:
    """Whether a progressive JPEG ends before the scans that complete its luminance."""
    luminance: set[int] = set()
    first_component: int | None = None
    for marker, begin, end in _segments(data):
        if marker in _FRAMES and end - begin >= 9:
            if marker != 0xC2:
                return False
            first_component = data[begin + 6]
        elif marker == 0xDA and first_component is not None and end - begin >= 6:
            n = data[begin]
            components = {data[begin + 1 + 2 * i] for i in range(n) if begin + 1 + 2 * i < end}
            low, high, approximation = data[end - 3], data[end - 2], data[end - 1] & 15
            if first_component in components and approximation == 0:
                luminance.update(range(low, min(high, 63) + 1))
    return first_component is not None and not luminance.issuperset(range(64))


def may_end_early(data: bytes, image: Image.Image) -> bool:
    """A quick look: False where `ends_early` need not be asked.

    Where data ended early, the lower right corner is of the grey that stands for no data. Where it
    is so in truth, the data ends with the codes of equal blocks, which repeat.
    """
    width, height = image.size
    corner = image.getpixel((width - 1, height - 1))
    levels = corner if isinstance(corner, tuple) else (corner,)
    if any(level is None or abs(level - _FILL) > 2 for level in levels):
        return False
    if not _is_flat(image.crop((max(0, width - 24), max(0, height - 4), width, height))):
        return False
    if _is_flat(image.crop((0, height - max(1, height // 4), width, height))):
        return True
    stop = data.rfind(EOI)
    tail = data[max(0, stop - 40) : max(0, stop - 2)]
    return not any(tail[period:] == tail[:-period] for period in range(1, 18))


def _is_flat(part: Image.Image) -> bool:
    extrema = part.getextrema()
    bands = extrema if isinstance(extrema[0], tuple) else (extrema,)
    return all(high - low <= 1 for low, high in bands)  # type: ignore[misc, operator]


def ends_early(data: bytes, decode: Callable[[bytes], Image.Image]) -> bool:
    """Whether the entropy-coded data of a sequential JPEG ends before its last block.

    Noise is put behind it: where all blocks are there, it changes no pixel.

    Args:
        decode: decodes bytes, to small pictures where it can.
    """
    stop = None
    for marker, _begin, end in _segments(data):
        if marker == 0xDA:
            stop = _end_of_scan(data, end)
    if stop is None:
        return True
    whole = decode(data[:stop] + EOI)
    filled = decode(data[:stop] + _NOISE + EOI)
    return whole.tobytes() != filled.tobytes()
