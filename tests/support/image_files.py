"""Files of pictures made byte by byte: TIFFs of any samples, chunks of PNGs, and known pixels."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
from PIL import Image

from tests.support.drawing import draw_image
from translearn_core import datasets
from translearn_core.imaging.reading import Reading

SIDE = 48
Y, X = np.mgrid[:SIDE, :SIDE]
GREY = (X * 5 + (Y % 2) * 10).astype(np.uint8)  # 0 .. 245
RGB = np.dstack([GREY, 255 - GREY, (Y * 5).astype(np.uint8)])


def save_image(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def pixels_of(data: bytes, how: Reading | None = None) -> np.ndarray:
    return datasets.decode_photo(data, size=None, how=how).image.astype(int)


def make_tiff(
    values: np.ndarray,
    *,
    bits: int = 0,
    photometric: int = 1,
    order: str = "<",
    planar: bool = False,
    tile: int = 0,
    packed: Callable[[bytes], bytes] | None = None,
    compression: int = 1,
    predictor: int = 1,
    top: int | None = None,
    extra: tuple[int, ...] = (),
    palette: tuple[int, ...] = (),
    raw: bytes | None = None,
) -> bytes:
    """A TIFF of samples `(h, w, n)` of any type, in one strip, in planes or in tiles."""
    if values.ndim == 2:
        values = values[..., None]
    height, width, n = values.shape
    bits = bits or values.dtype.itemsize * 8
    stored = values.astype(values.dtype.newbyteorder(order))
    if predictor == 2:
        stored = np.diff(values, axis=1, prepend=values[:, :1] * 0).astype(stored.dtype)
    if planar:
        blocks = [stored[..., one].tobytes() for one in range(n)]
    elif tile:
        padded = np.zeros((-(-height // tile) * tile, -(-width // tile) * tile, n), stored.dtype)
        padded[:height, :width] = stored
        blocks = [
            padded[y : y + tile, x : x + tile].tobytes()
            for y in range(0, height, tile)
            for x in range(0, width, tile)
        ]
    else:
        blocks = [stored.tobytes() if raw is None else raw]
    if packed is not None:
        blocks = [packed(block) for block in blocks]
    kind = {"u": 1, "i": 2, "f": 3}[values.dtype.kind]
    places, counts, at = [], [], 8
    for block in blocks:
        places.append(at)
        counts.append(len(block))
        at += len(block) + len(block) % 2
    tags: dict[int, tuple[int, tuple[int, ...]]] = {
        256: (4, (width,)),
        257: (4, (height,)),
        258: (3, (bits,) * n),
        259: (3, (compression,)),
        262: (3, (photometric,)),
        277: (3, (n,)),
        284: (3, (2 if planar else 1,)),
        317: (3, (predictor,)),
        339: (3, (kind,) * n),
    }
    if tile:
        tags |= {
            322: (3, (tile,)),
            323: (3, (tile,)),
            324: (4, tuple(places)),
            325: (4, tuple(counts)),
        }
    else:
        tags |= {273: (4, tuple(places)), 278: (4, (height,)), 279: (4, tuple(counts))}
    if top is not None:
        tags[281] = (3, (top,) * n)
    if extra:
        tags[338] = (3, extra)
    if palette:
        tags[320] = (3, palette)
    body = b"".join(block + b"\0" * (len(block) % 2) for block in blocks)
    entries, behind = b"", b""
    place = 8 + len(body) + 2 + 12 * len(tags) + 4
    for tag, (type_, items) in sorted(tags.items()):
        content = struct.pack(f"{order}{len(items)}{'H' if type_ == 3 else 'I'}", *items)
        if len(content) > 4:
            value = struct.pack(f"{order}I", place + len(behind))
            behind += content + b"\0" * (len(content) % 2)
        else:
            value = content.ljust(4, b"\0")
        entries += struct.pack(f"{order}HHI", tag, type_, len(items)) + value
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, 8 + len(body))
    return head + body + struct.pack(f"{order}H", len(tags)) + entries + b"\0" * 4 + behind


U16 = GREY.astype(np.uint16) * 257
RGB16 = RGB.astype(np.uint16) * 257


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


PNG = save_image(Image.fromarray(RGB), "PNG")
PHOTO = draw_image(1, size=(160, 120))
JPEG = save_image(PHOTO, "JPEG", quality=95)


def png_rows(samples: np.ndarray, n: int | None = None) -> bytes:
    return b"".join(b"\0" + row.tobytes() for row in samples[:n])
