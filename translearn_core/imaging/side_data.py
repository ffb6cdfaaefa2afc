"""Photos whose side data is odd, although their pixels are whole.

Owns: `without_side_data`, a file as it would be without what a reader stumbles over, and the EXIF
orientation. Leaves to others: decoding.
"""

from __future__ import annotations

import zlib

from PIL import Image

from translearn_core.imaging.jpeg import EOI

_ORIENTATION = 0x0112
_NEEDED_CHUNKS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
_MOST_EXIF = 2**20


def skip_white_space(data: bytes) -> bytes:
    """The file from its first byte that is no white space, for a JPEG behind a line break."""
    if data[:1] in (b"\r", b"\n", b" ", b"\t"):
        rest = data[:64].lstrip(b"\r\n \t")
        if rest.startswith((b"\xff\xd8", b"\x89PNG", b"GIF8", b"RIFF")):
            return data[len(data[:64]) - len(rest) :]
    return data


def without_side_data(data: bytes) -> bytes | None:
    """A PNG with the chunks of its pixels only, a JPEG with an end; None: nothing to leave out."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return _bare_png(data)
    if data.startswith(b"\xff\xd8") and data.find(EOI, len(data) - 2) < 0:
        return data + EOI
    return None


def _bare_png(data: bytes) -> bytes:
    """Header, palette, transparency, pixels and a sound orientation."""
    parts, at = [data[:8]], 8
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        kind = data[at + 4 : at + 8]
        chunk = data[at : at + 12 + length]
        keep = kind in _NEEDED_CHUNKS
        if kind == b"eXIf" and length <= _MOST_EXIF and len(chunk) == 12 + length:
            keep = zlib.crc32(chunk[4:-4]) == int.from_bytes(chunk[-4:], "big")
        if keep:
            parts.append(chunk)
        at += 12 + length
        if kind == b"IEND":
            break
    return b"".join(parts)


def orientation_of(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; 1 where there is none or it makes no sense.

    An orientation that is in XMP only is not followed; browsers do not, either.
    """
    content = image.info.get("exif")
    if not isinstance(content, bytes):
        return 1
    exif = Image.Exif()
    try:
        exif.load(content)
        value = exif.get(_ORIENTATION, 1)
    except Exception:  # noqa: BLE001 - side data of any kind never hinders reading
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1
