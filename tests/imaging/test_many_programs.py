"""Whole pictures as many programs write them: each is read with its own pixels."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from tests.support.image_files import png_chunk, save_image
from translearn_core import datasets

pytestmark = pytest.mark.awkward

COLOUR = (200, 30, 40)
SIZE = (48, 32)
PHOTO = Image.new("RGB", SIZE, COLOUR)
PHOTO.paste((20, 120, 60), (0, 0, 16, 16))
GREY = PHOTO.convert("L")
BLUE = Image.new("RGB", SIZE, "blue")
PIXELS = np.asarray(PHOTO)
LEVELS = np.asarray(GREY)
GREYS = np.repeat(LEVELS[..., None], 3, axis=2)


def _ycck() -> bytes:
    """A CMYK JPEG whose first three components are luminance and chrominance."""
    stored = Image.new("RGB", (32, 32), tuple(255 - level for level in COLOUR)).convert("YCbCr")
    parts = [one.point(lambda level: 255 - level) for one in stored.split()]
    data = bytearray(
        save_image(Image.merge("CMYK", [*parts, Image.new("L", (32, 32), 0)]), "JPEG", quality=95)
    )
    data[data.index(b"Adobe") + 11] = 2
    return bytes(data)


def _without_marker(data: bytes) -> bytes:
    place = data.index(b"Adobe")
    return data[: place - 4] + data[place + 12 :]


def _bitmap(
    bits: int, packing: int, pixels: bytes, *, more: bytes = b"", down: bool = False
) -> bytes:
    """A BMP with the common header; `down` with the first row first."""
    width, height = SIZE
    info = struct.pack(
        "<IiiHHIIiiII",
        40,
        width,
        -height if down else height,
        1,
        bits,
        packing,
        len(pixels),
        0,
        0,
        0,
        0,
    )
    start = 14 + len(info) + len(more)
    return b"BM" + struct.pack("<IHHI", start + len(pixels), 0, 0, start) + info + more + pixels


def _old_bitmap() -> bytes:
    width, height = SIZE
    info = struct.pack("<IHHHH", 12, width, height, 1, 24)
    pixels = PIXELS[::-1, :, ::-1].tobytes()
    return b"BM" + struct.pack("<IHHI", 26 + len(pixels), 0, 0, 26) + info + pixels


PALETTE = b"".join(bytes((n, n, n, 0)) for n in range(256))


def _runs() -> bytes:
    """Rows of runs of one byte, packed as RLE8."""
    packed = b""
    for row in LEVELS[::-1]:
        for value in row:
            packed += bytes((1, int(value)))
        packed += b"\0\0"
    return packed + b"\0\1"


def _heif(primary: int) -> bytes:
    """A HEIF of two pictures."""
    import pillow_heif

    file, buffer = pillow_heif.HeifFile(), io.BytesIO()
    for image in (BLUE, PHOTO):
        file.add_frombytes("RGB", SIZE, image.tobytes())
    file.save(buffer, quality=95, primary_index=primary)
    return buffer.getvalue()


def _small_chunks() -> bytes:
    """A PNG whose data come a byte at a time."""
    whole = save_image(PHOTO, "PNG")
    rows = zlib.compress(b"".join(b"\0" + row.tobytes() for row in PIXELS))
    parts = b"".join(png_chunk(b"IDAT", rows[n : n + 1]) for n in range(len(rows)))
    return whole[:33] + parts + whole[-12:]


JPEG = save_image(PHOTO, "JPEG", quality=95, subsampling=0)
BGR = PIXELS[::-1, :, ::-1]
BGRX = np.dstack([BGR, np.zeros(LEVELS.shape, np.uint8)]).tobytes()

PICTURES: dict[str, tuple[Callable[[], bytes], np.ndarray]] = {
    "CMYK": (lambda: save_image(PHOTO.convert("CMYK"), "JPEG", quality=95, subsampling=0), PIXELS),
    "YCCK": (_ycck, np.full((32, 32, 3), COLOUR, np.uint8)),
    "CMYK TIFF": (lambda: save_image(PHOTO.convert("CMYK"), "TIFF"), PIXELS),
    "progressive": (
        lambda: save_image(PHOTO, "JPEG", quality=95, subsampling=0, progressive=True),
        PIXELS,
    ),
    "RGB JPEG": (lambda: save_image(PHOTO, "JPEG", quality=95, keep_rgb=True), PIXELS),
    "grey JPEG": (lambda: save_image(GREY, "JPEG", quality=95), GREYS),
    "restarts": (
        lambda: save_image(PHOTO, "JPEG", quality=95, subsampling=0, restart_marker_rows=1),
        PIXELS,
    ),
    "a video behind": (lambda: JPEG + b"\0\0\0\x18ftypmp42" + b"\0" * 900, PIXELS),
    "zeros behind": (lambda: JPEG + b"\0" * 900, PIXELS),
    "two JPEGs": (lambda: JPEG + save_image(BLUE, "JPEG"), PIXELS),
    "fill bytes": (lambda: JPEG[:2] + b"\xff" * 50 + JPEG[2:], PIXELS),
    "many comments": (
        lambda: JPEG[:2] + (b"\xff\xfe\x03\xea" + b"\xff\xd9" * 500) * 50 + JPEG[2:],
        PIXELS,
    ),
    "half a profile": (
        lambda: JPEG[:2] + b"\xff\xe2\0\x72ICC_PROFILE\0\1\3" + b"a" * 98 + JPEG[2:],
        PIXELS,
    ),
    "small chunks": (_small_chunks, PIXELS),
    "a picture of its own": (
        lambda: save_image(PHOTO, "PNG", save_all=True, append_images=[BLUE], default_image=True),
        PIXELS,
    ),
    "a moving PNG": (lambda: save_image(PHOTO, "PNG", save_all=True, append_images=[BLUE]), PIXELS),
    "a moving WebP": (
        lambda: save_image(PHOTO, "WEBP", save_all=True, append_images=[BLUE], lossless=True),
        PIXELS,
    ),
    "a moving AVIF": (
        lambda: save_image(PHOTO, "AVIF", save_all=True, append_images=[BLUE], quality=95),
        PIXELS,
    ),
    "the second is the main one": (lambda: _heif(1), PIXELS),
    "interlaced GIF": (lambda: save_image(PHOTO.quantize(8), "GIF", interlace=1), PIXELS),
    "GIF without an end": (lambda: save_image(PHOTO.quantize(8), "GIF")[:-1], PIXELS),
    "BMP of 24 bits": (lambda: _bitmap(24, 0, BGR.tobytes()), PIXELS),
    "BMP, first row first": (lambda: _bitmap(24, 0, BGR[::-1].tobytes(), down=True), PIXELS),
    "BMP of 32 bits": (lambda: _bitmap(32, 0, BGRX), PIXELS),
    "BMP of OS/2": (_old_bitmap, PIXELS),
    "BMP of 8 bits": (lambda: _bitmap(8, 0, LEVELS[::-1].tobytes(), more=PALETTE), GREYS),
    "BMP of runs": (lambda: _bitmap(8, 1, _runs(), more=PALETTE), GREYS),
    "a column": (lambda: save_image(PHOTO.crop((0, 0, 1, 32)), "PNG"), PIXELS[:, :1]),
    "one pixel": (lambda: save_image(PHOTO.crop((0, 0, 1, 1)), "GIF"), PIXELS[:1, :1]),
}


@pytest.mark.parametrize("name", PICTURES)
def test_whole_pictures_are_read(name: str) -> None:
    make, expected = PICTURES[name]
    read = datasets.decode_photo(make(), size=None).image
    assert read.shape == expected.shape
    assert np.abs(read.astype(int) - expected).mean() < 3


def test_a_cmyk_picture_without_a_marker_is_read() -> None:
    data = _without_marker(save_image(PHOTO.convert("CMYK"), "JPEG", quality=95, subsampling=0))
    assert datasets.decode_photo(data, size=None).image.shape == PIXELS.shape
