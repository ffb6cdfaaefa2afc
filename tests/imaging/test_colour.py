"""Transparency, colour keys, first frames and colour profiles."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageDraw

from tests.support.image_files import GREY, RGB, SIDE, pixels_of, png_chunk, save_image
from tests.support.profiles import linear_profile
from translearn_core import datasets

pytestmark = pytest.mark.awkward


def _png(depth: int, colour: int, rows: bytes, *chunks: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", SIDE, SIDE, depth, colour, 0, 0, 0)
    lines = np.frombuffer(rows, np.uint8).reshape(SIDE, -1)
    packed = zlib.compress(np.hstack([np.zeros((SIDE, 1), np.uint8), lines]).tobytes())
    parts = [
        png_chunk(b"IHDR", header),
        *chunks,
        png_chunk(b"IDAT", packed),
        png_chunk(b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def test_colour_keys_of_16_bits_become_white() -> None:
    grey = np.full((SIDE, SIDE), 30000, ">u2")
    assert (pixels_of(_png(16, 0, grey.tobytes(), png_chunk(b"tRNS", b"\x75\x30"))) == 255).all()
    colour = np.tile(np.array([30000, 200, 200], ">u2"), SIDE * SIDE)
    key = png_chunk(b"tRNS", struct.pack(">HHH", 30000, 200, 200))
    assert (pixels_of(_png(16, 2, colour.tobytes(), key)) == 255).all()


@pytest.mark.parametrize(("ink", "background"), [("black", 255), ("white", 0), ("red", 255)])
@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_drawings_on_transparency_stay_visible(ink: str, background: int, kind: str) -> None:
    image = Image.new("RGBA", (SIDE, SIDE), (0, 0, 0, 0))
    ImageDraw.Draw(image).ellipse((8, 8, 40, 40), outline=ink, width=4)
    options = {"lossless": True} if kind == "WEBP" else {}
    pixels = pixels_of(save_image(image, kind, **options))
    assert (pixels[0, 0] == background).all()
    assert pixels.max() - pixels.min() == 255


def test_an_opacity_mask_that_was_never_filled_hides_nothing() -> None:
    bgr0 = np.dstack([RGB[..., ::-1], np.zeros_like(GREY)])[::-1].tobytes()
    masks = struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000) + b"BGRs" + b"\0" * 48
    info = struct.pack("<IiiHHIIiiII", 108, SIDE, SIDE, 1, 32, 3, len(bgr0), 0, 0, 0, 0) + masks
    place = 14 + len(info)
    head = b"BM" + struct.pack("<IHHI", place + len(bgr0), 0, 0, place)
    assert (pixels_of(head + info + bgr0) == RGB).all()


def test_a_small_first_frame_lies_on_white() -> None:
    data = bytearray(save_image(Image.new("RGB", (20, 10), "blue").quantize(4), "GIF"))
    data[6:10] = struct.pack("<HH", 40, 30)
    pixels = pixels_of(bytes(data))
    assert pixels.shape == (30, 40, 3)
    assert (pixels[:10, :20] == (0, 0, 255)).all()
    assert (pixels[10:] == 255).all()
    assert (pixels[:, 20:] == 255).all()


def test_an_animation_that_fades_in_is_read_from_its_first_picture() -> None:
    black, picture = Image.new("RGB", (SIDE, SIDE)), Image.fromarray(RGB)
    data = save_image(black, "WEBP", save_all=True, append_images=[picture], lossless=True)
    photo = datasets.decode_photo(data, size=None)
    assert np.array_equal(photo.image, RGB)
    assert photo.stats.pages == 2


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_colour_profiles_are_converted_to_srgb(kind: str) -> None:
    linear = np.where(RGB / 255 <= 0.04045, RGB / 3294.6, ((RGB / 255 + 0.055) / 1.055) ** 2.4)
    stored = Image.fromarray(np.rint(linear * 255).astype(np.uint8))
    options = {"lossless": True} if kind == "WEBP" else {}
    pixels = pixels_of(save_image(stored, kind, icc_profile=linear_profile(), **options))
    light = RGB > 60
    assert np.abs(pixels - RGB.astype(int))[light].max() <= 4


def test_profiles_of_srgb_and_broken_ones_change_nothing() -> None:
    own = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for profile in (own, b"no profile", own[:200], linear_profile()[:140]):
        assert (
            pixels_of(save_image(Image.fromarray(RGB), "PNG", icc_profile=profile)) == RGB
        ).all()
