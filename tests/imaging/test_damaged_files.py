"""Files that are odd but whole are read; those whose pixels are missing are called damaged."""

from __future__ import annotations

import io
import struct
import sys
import zlib
from collections.abc import Callable
from types import FrameType

import numpy as np
import pytest
from PIL import Image

from tests.support.image_files import (
    GREY,
    JPEG,
    PHOTO,
    PNG,
    RGB,
    pixels_of,
    png_chunk,
    png_rows,
    save_image,
)
from translearn_core import datasets
from translearn_core.errors import PhotoError
from translearn_core.imaging import jpeg, png

pytestmark = pytest.mark.awkward


def _png_with(*chunks: bytes) -> bytes:
    return PNG[:33] + b"".join(chunks) + PNG[33:]


def _orientation(kind: int, value: bytes) -> bytes:
    entry = struct.pack("<HHI", 0x0112, kind, 1) + value
    return b"Exif\0\0II*\0\x08\0\0\0\x01\0" + entry + b"\0" * 4


ODD_SIDE_DATA: dict[str, bytes] = {
    "large text": _png_with(png_chunk(b"zTXt", b"a\0\0" + zlib.compress(b"x" * 3_000_000))),
    "text behind": PNG[:-12]
    + png_chunk(b"zTXt", b"a\0\0" + zlib.compress(b"x" * 3_000_000))
    + PNG[-12:],
    "large profile": _png_with(png_chunk(b"iCCP", b"a\0\0" + zlib.compress(b"\0" * 3_000_000))),
    "broken profile": _png_with(png_chunk(b"iCCP", b"a\0\0no zlib")),
    "bad sum of a text": _png_with(png_chunk(b"tEXt", b"a\0b")[:-1] + b"!"),
    "broken exif": _png_with(png_chunk(b"eXIf", b"b'Exif'")),
    "no end": PNG[:-12],
    "trailing": PNG + b"\0" * 900,
    "line break before": b"\r\n" + PNG,
}


@pytest.mark.parametrize("name", ODD_SIDE_DATA)
def test_odd_side_data_does_not_damage_a_png(name: str) -> None:
    assert (pixels_of(ODD_SIDE_DATA[name]) == RGB).all()


EXIF = {
    "text": _orientation(2, b"6\0\0\0"),
    "not a number": _orientation(11, struct.pack("<f", float("nan"))),
    "nine": _orientation(3, b"\x09\0\0\0"),
    "no offset": b"Exif\0\0II*\0",
    "beyond": b"Exif\0\0II*\0\xff\xff\0\0",
    "bytes": b"Exif\0\0" + bytes(range(200)),
}


@pytest.mark.parametrize("name", EXIF)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_odd_exif_turns_nothing(name: str, kind: str) -> None:
    options = {"lossless": True} if kind == "WEBP" else {"quality": 95}
    photo = datasets.decode_photo(save_image(PHOTO, kind, exif=EXIF[name], **options), size=None)
    assert np.abs(photo.image.astype(int) - np.asarray(PHOTO)).mean() < 2


def test_jpegs_with_all_pixels_are_read() -> None:
    whole = pixels_of(JPEG)
    for data in (JPEG[:-2], b"\r\n" + JPEG, JPEG + b"\0" * 4096, JPEG + JPEG):
        assert (pixels_of(data) == whole).all()


MISSING: dict[str, Callable[[], bytes]] = {
    "cut": lambda: JPEG[: len(JPEG) * 9 // 10],
    "cut, with an end": lambda: JPEG[: len(JPEG) * 6 // 10] + jpeg.EOI,
    "cut at the last bytes, with an end": lambda: JPEG[:-60] + jpeg.EOI,
    "cut, with zeros": lambda: JPEG[: len(JPEG) * 6 // 10] + b"\0" * 900,
    "zeros within": lambda: JPEG[: len(JPEG) // 2] + b"\0" * 200 + JPEG[len(JPEG) // 2 + 200 :],
    "scans missing": lambda: _first_scans(save_image(PHOTO, "JPEG", quality=95, progressive=True)),
}


def _first_scans(data: bytes) -> bytes:
    scans = [place for place in range(len(data)) if data[place : place + 2] == b"\xff\xda"]
    return data[: scans[3]] + jpeg.EOI


@pytest.mark.parametrize("name", MISSING)
@pytest.mark.parametrize("size", [None, 16])
def test_missing_parts_are_noticed(name: str, size: int | None) -> None:
    with pytest.raises(PhotoError, match="damaged"):
        datasets.decode_photo(MISSING[name](), size=size)


def _png(kind: int, rows: bytes, *chunks: bytes, bits: int = 8, interlaced: int = 0) -> bytes:
    """A PNG of unfiltered rows, as large as the test picture."""
    height, width = GREY.shape
    header = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, interlaced)
    parts = (png_chunk(b"IHDR", header), *chunks, png_chunk(b"IDAT", zlib.compress(rows)))
    return b"".join((PNG[:8], *parts, PNG[-12:]))


BLACK_BELOW = np.where(np.arange(RGB.shape[0])[:, None, None] < RGB.shape[0] // 2, RGB, 0).astype(
    np.uint8
)


@pytest.mark.parametrize(
    "data",
    [
        _png(2, png_rows(RGB, RGB.shape[0] // 2)),
        _png(0, png_rows(GREY.astype(">u2"), 5), bits=16),
        _png(2, b"\0" * 700, interlaced=1),
        _png(3, png_rows(GREY)),
    ],
    ids=["rows", "rows of 16 bits", "passes", "palette"],
)
def test_a_png_that_lacks_rows_or_its_palette_is_damaged(data: bytes) -> None:
    with pytest.raises(PhotoError, match="damaged"):
        pixels_of(data)


def test_rows_beyond_the_last_of_a_png_are_not_unpacked() -> None:
    data = _png(0, b"\0" * 2**23)
    image = Image.open(io.BytesIO(data))
    image.load()
    calls = []

    def note(_frame: FrameType, event: str, what: object) -> None:
        calls.append(event == "c_call" and getattr(what, "__name__", "") == "decompress")

    sys.setprofile(note)
    try:
        lacks = png.lacks_pixels(data, image)
    finally:
        sys.setprofile(None)
    assert not lacks
    assert sum(calls) == 1


def test_a_png_that_is_black_below_is_read() -> None:
    assert (pixels_of(_png(2, png_rows(BLACK_BELOW))) == BLACK_BELOW).all()
    interlaced = _png(2, b"\0" * (RGB.size + 2 * RGB.shape[0] + 64), interlaced=1)
    assert not pixels_of(interlaced).any()


def test_a_bitmap_of_a_rare_kind_is_not_called_damaged() -> None:
    whole = save_image(Image.fromarray(GREY), "BMP")
    rare = whole[:30] + struct.pack("<I", 5) + whole[34:]  # holds a PNG
    with pytest.raises(PhotoError, match="a rare kind of BMP"):
        datasets.decode_photo(rare, size=None)
    with pytest.raises(PhotoError, match="damaged"):
        datasets.decode_photo(whole[: len(whole) // 2], size=None)


@pytest.mark.parametrize("restarts", [0, 20])
@pytest.mark.parametrize("size", [None, 64])
def test_large_photos_that_end_early_are_noticed(restarts: int, size: int | None) -> None:
    image = PHOTO.resize((1500, 1100), Image.Resampling.BICUBIC)
    data = save_image(image, "JPEG", quality=90, restart_marker_blocks=restarts)
    datasets.decode_photo(data, size=size)
    for share in (0.1, 0.5, 0.97):
        with pytest.raises(PhotoError, match="damaged"):
            datasets.decode_photo(data[: int(len(data) * share)] + jpeg.EOI, size=size)


def test_flat_parts_are_not_taken_for_missing_ones() -> None:
    for colour in ("white", "black", "teal"):
        image = PHOTO.copy()
        image.paste(colour, (0, 50, 160, 120))
        for options in ({}, {"optimize": True}, {"progressive": True}, {"subsampling": 0}):
            pixels_of(save_image(image, "JPEG", **options))
            pixels_of(save_image(Image.new("RGB", (300, 200), colour), "JPEG", **options))
