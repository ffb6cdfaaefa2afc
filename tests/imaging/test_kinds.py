"""Kinds of files that are not read, and the words that name them."""

from __future__ import annotations

import zlib

import pytest

from tests.support.image_files import (
    GREY,
    JPEG,
    PHOTO,
    PNG,
    RGB,
    RGB16,
    make_tiff,
    pixels_of,
    png_chunk,
    png_rows,
    save_image,
)
from translearn_core.errors import PhotoError
from translearn_core.imaging.kinds import kind_of, looks_like_photo

pytestmark = pytest.mark.awkward


def _twelve_bit_jpeg() -> bytes:
    place = JPEG.index(b"\xff\xc0")
    return JPEG[: place + 4] + b"\x0c" + JPEG[place + 5 :]


KINDS: dict[str, tuple[bytes, str]] = {
    "JPEG 2000": (b"\0\0\0\x0cjP  \r\n\x87\n" + b"\0" * 50, "JPEG 2000"),
    "JPEG XL": (b"\xff\x0a" + b"\x99" * 50, "JPEG XL"),
    "JPEG XL in a box": (b"\0\0\0\x0cJXL \r\n\x87\n" + b"\0" * 50, "JPEG XL"),
    "JPEG-LS": (b"\xff\xd8\xff\xf7\0\x0b\x08\0\x10\0\x10\x01\x01\x11\0" + b"\0" * 40, "JPEG-LS"),
    "12-bit JPEG": (_twelve_bit_jpeg(), "12 bits"),
    "raw": (b"II*\0\x10\0\0\0CR\2\0" + b"\0" * 300, "camera raw"),
    "Photoshop": (b"8BPS\0\1" + b"\0" * 300, "Photoshop"),
    "PPM": (b"P6 2 2 255\n" + b"\0" * 12, "PPM"),
    "SVG": (b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
    "SVG with a type": (b"<!DOCTYPE svg PUBLIC 'x'><!--" + b"x" * 600 + b"--><svg/>", "SVG"),
    "PNG of a phone app": (
        PNG[:8]
        + png_chunk(b"CgBI", b"P\0 \2")
        + PNG[8:33]
        + png_chunk(b"IDAT", zlib.compress(png_rows(RGB))[2:-4])
        + PNG[-12:],
        "iPhone",
    ),
    "floating PPM": (b"PF\n1 1\n-1.0\n" + b"\0" * 12, "PPM"),
    "PostScript": (b"%!PS-Adobe-3.0 EPSF-3.0\n", "PostScript"),
    "metafile": (b"\1\0\0\0" + b"\0" * 36 + b" EMF" + b"\0" * 90, "EMF"),
    "HDF5": (b"\x89HDF\r\n\x1a\n" + b"\0" * 90, "HDF5"),
    "tar": (b"a.jpg" + b"\0" * 252 + b"ustar" + b"\0" * 250, "archive"),
    "xz": (b"\xfd7zXZ\0" + b"\0" * 90, "archive"),
    "sound": (b"RIFF\0\0\1\0WAVEfmt " + b"\0" * 90, "sound"),
    "old video": (b"\0\0\x10\0moov" + b"\0" * 90, "video"),
    "CUR": (b"\0\0\2\0\1\0\x20\x20" + b"\0" * 90, "CUR"),
    "TGA": (save_image(PHOTO, "TGA"), "not a photo in a format"),
    "pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n", "git lfs pull"),
    "zeros": (b"\0" * 5000, "nothing but zeros"),
    "zeros, then something": (b"\0" * 900 + b"x", "not a photo"),
    "ones": (b"\xff" * 900, "not a photo"),
    "page in UTF-16": ("<!doctype html><html>".encode("utf-16"), "web page"),
    "TIFF of JPEG 2000": (make_tiff(RGB, photometric=2, compression=34712), "JPEG 2000"),
    "TIFF of 24 bits": (make_tiff(GREY, bits=24, raw=b"\0" * 3 * GREY.size), "24 bits"),
    "TIFF of Lab in 16 bits": (make_tiff(RGB16, photometric=8), "16 bits"),
    "TIFF of WebP": (make_tiff(RGB, photometric=2, compression=50001), "WebP"),
}


@pytest.mark.parametrize("name", KINDS)
def test_kinds_that_are_not_read_are_named(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    data, word = KINDS[name]
    with pytest.raises(PhotoError) as caught:
        pixels_of(data)
    assert word in caught.value.message
    assert "damaged" not in caught.value.message
    assert capfd.readouterr().err == ""


def test_first_bytes_tell_the_kind() -> None:
    for data in (
        PNG,
        JPEG,
        b"\n" + JPEG,
        make_tiff(GREY),
        save_image(PHOTO, "AVIF"),
        save_image(PHOTO, "BMP"),
    ):
        assert looks_like_photo(data[:512])
    assert not looks_like_photo(b"BM is how this letter begins")
    assert not looks_like_photo(b"")
    assert kind_of(b"PK\3\4") == "archive"
