"""TIFFs: samples of every type, channels, pages, masks, packings."""

from __future__ import annotations

import io
import struct
import sys
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from tests.support.image_files import GREY, RGB, RGB16, SIDE, U16, make_tiff, pixels_of, save_image
from translearn_core import datasets
from translearn_core.errors import PhotoError
from translearn_core.imaging.reading import Reading

pytestmark = pytest.mark.awkward


def _twelve_bits() -> bytes:
    values = GREY.astype(np.uint16) * 16
    bits = (values[..., None] >> np.arange(11, -1, -1)) & 1
    raw = np.packbits(bits.reshape(SIDE, -1).astype(np.uint8), axis=1).tobytes()
    return make_tiff(values, bits=12, raw=raw)


def _lzw(data: bytes) -> bytes:
    """Packed by libtiff, as rows of bytes."""
    image = Image.frombytes("L", (len(data) // SIDE, SIDE), data)
    packed = save_image(image, "TIFF", compression="tiff_lzw")
    with Image.open(io.BytesIO(packed)) as again:
        tags = again.tag_v2  # type: ignore[attr-defined]
        parts = zip(tags[273], tags[279], strict=True)
        (begin, count), *more = parts
    assert not more
    return packed[begin : begin + count]


HOT = (GREY / 255).astype(np.float32)
HOT[0, 0] = 1e6

SAMPLES: dict[str, tuple[Callable[[], bytes], np.ndarray]] = {
    "grey 16": (lambda: make_tiff(U16), GREY),
    "grey 16 big endian": (lambda: make_tiff(U16, order=">"), GREY),
    "white is zero, 16": (lambda: make_tiff(65535 - U16, photometric=0), GREY),
    "white is zero, 8": (lambda: make_tiff(255 - GREY, photometric=0), GREY),
    "12 in 16, declared": (lambda: make_tiff(GREY.astype(np.uint16) * 16, top=4080), GREY),
    "12 in 16": (lambda: make_tiff(GREY.astype(np.uint16) * 16), GREY),
    "12 packed": (_twelve_bits, GREY),
    "unsigned 32": (lambda: make_tiff(GREY.astype(np.uint32) * 16843009), GREY),
    "unsigned 32, small": (lambda: make_tiff(GREY.astype(np.uint32)), GREY),
    "signed 16": (lambda: make_tiff((U16.astype(int) - 32768).astype(np.int16)), GREY),
    "half": (lambda: make_tiff((GREY / 255).astype(np.float16)), GREY),
    "single": (lambda: make_tiff((GREY / 255).astype(np.float32), order=">"), GREY),
    "double": (lambda: make_tiff(GREY / 255), GREY),
    "float around zero": (lambda: make_tiff((GREY / 127.5 - 1).astype(np.float32)), GREY),
    "float, a hot pixel": (lambda: make_tiff(HOT), GREY),
    "RGB float": (lambda: make_tiff((RGB / 255).astype(np.float32), photometric=2), RGB),
    "RGB 16": (lambda: make_tiff(RGB16, photometric=2), RGB),
    "RGB 16 planes": (lambda: make_tiff(RGB16, photometric=2, planar=True), RGB),
    "RGB 16 tiles": (lambda: make_tiff(RGB16, photometric=2, tile=32), RGB),
    "RGB 16 deflate, predictor": (
        lambda: make_tiff(RGB16, photometric=2, packed=zlib.compress, compression=8, predictor=2),
        RGB,
    ),
    "grey 16 LZW": (lambda: make_tiff(U16, packed=_lzw, compression=5), GREY),
    "5 bands": (lambda: make_tiff(np.dstack([RGB, GREY, GREY])), RGB),
    "5 bands of 16, planes": (
        lambda: make_tiff(np.dstack([RGB16, U16, U16]), planar=True),
        RGB,
    ),
    "2 bands": (lambda: make_tiff(np.dstack([GREY, 255 - GREY])), GREY),
    "RGB 16, opaque": (
        lambda: make_tiff(np.dstack([RGB16, U16 * 0 + 65535]), photometric=2, extra=(2,)),
        RGB,
    ),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_samples_of_a_tiff_are_read_by_its_tags(name: str) -> None:
    make, wanted = SAMPLES[name]
    image = pixels_of(make())
    wanted = wanted if wanted.ndim == 3 else np.dstack([wanted] * 3)
    difference = np.abs(image - wanted.astype(int))
    difference[0, 0] = 0  # a hot pixel may be white
    assert difference.max() <= 3


def test_channels_and_pages_are_chosen() -> None:
    bands = np.dstack([RGB, GREY, 255 - GREY])
    chosen = pixels_of(make_tiff(bands), Reading(channels=(5, 4, 1)))
    assert (chosen == np.dstack([255 - GREY, GREY, GREY])).all()
    assert (pixels_of(make_tiff(bands), Reading(channels=(5,)))[..., 1] == 255 - GREY).all()
    pages = [Image.fromarray(GREY // 64), Image.fromarray(GREY), Image.fromarray(GREY // 2)]
    stack = save_image(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    photo = datasets.decode_photo(stack, size=None)
    assert (photo.stats.pages, int(photo.image.max())) == (3, int(GREY.max()) // 64)
    assert (pixels_of(stack, Reading(page=3))[..., 0] == GREY // 2).all()
    assert (pixels_of(stack, Reading(page=0))[..., 0] == GREY).all()
    grey = [Image.fromarray(one) for one in (GREY, 255 - GREY, GREY // 2)]
    stack = save_image(grey[0], "TIFF", save_all=True, append_images=grey[1:])
    merged = pixels_of(stack, Reading(channels=(3, 1, 2)))
    assert (merged == np.dstack([GREY // 2, GREY, 255 - GREY])).all()


def test_channels_beside_the_colours_are_noticed_and_may_be_chosen() -> None:
    near_red = np.dstack([RGB, 255 - GREY])
    for data in (
        make_tiff(near_red, photometric=2, extra=(0,)),
        make_tiff(near_red, photometric=2),
    ):
        photo = datasets.decode_photo(data, size=None)
        assert (photo.image == RGB).all()
        assert photo.stats.channels == 4
        assert (pixels_of(data, Reading(channels=(4,)))[..., 0] == 255 - GREY).all()
    opaque = np.dstack([RGB16, U16 * 0 + 65535])
    for data in (make_tiff(opaque, photometric=2, extra=(2,)), make_tiff(RGB16, photometric=2)):
        assert datasets.decode_photo(data, size=None).stats.channels == 0
    assert datasets.decode_photo(make_tiff(np.dstack([U16, U16])), size=None).stats.channels == 2


def test_colours_that_are_multiplied_by_opacity_already() -> None:
    half = np.dstack([U16 // 2, U16 // 2, U16 // 2, U16 * 0 + 32768])
    expected = GREY / 2 + 127
    pixels = pixels_of(make_tiff(half, photometric=2, extra=(1,)))
    assert np.abs(pixels[..., 0] - expected).max() <= 2


def test_a_palette_of_8_bit_values_is_taken_as_it_is_meant() -> None:
    for scale in (1, 257):
        palette = tuple(scale * value for value in range(256)) * 3
        assert np.array_equal(
            pixels_of(make_tiff(GREY, photometric=3, palette=palette)), np.dstack([GREY] * 3)
        )


def test_a_mask_before_the_picture_is_passed_over() -> None:
    mask, picture = Image.fromarray(GREY > 100), Image.fromarray(GREY)
    data = save_image(mask, "TIFF", save_all=True, append_images=[picture], tiffinfo={254: 4})
    is_black_zero, is_mask = (struct.pack("<HHII", 262, 3, 1, value) for value in (1, 4))
    data = data.replace(is_black_zero, is_mask, 1)  # of the first page
    is_extra, is_picture = (struct.pack("<HHII", 254, 4, 1, value) for value in (4, 0))
    data = is_picture.join(data.rsplit(is_extra, 1))  # of the second
    assert data.count(is_mask) == data.count(is_extra) == 1
    photo = datasets.decode_photo(data, size=None)
    assert np.array_equal(photo.image[..., 0], GREY)
    assert photo.stats.pages == 1


@pytest.mark.skipif(sys.platform == "win32", reason="libtiff lies within Pillow there")
@pytest.mark.parametrize("packing", ["group3", "group4", "jpeg", "tiff_lzw"])
def test_a_damaged_tiff_is_refused_and_nothing_reaches_the_terminal(
    packing: str, capfd: pytest.CaptureFixture[str]
) -> None:
    noise = np.random.default_rng(3).integers(0, 256, (120, 160, 3), dtype=np.uint8)
    image = Image.fromarray(noise).convert("1" if packing.startswith("group") else "RGB")
    data = bytearray(save_image(image, "TIFF", compression=packing))
    assert datasets.decode_photo(bytes(data), size=None).image.shape == (120, 160, 3)
    for place in range(400, len(data) - 400, 7):
        data[place] ^= 0x5A
    with pytest.raises(PhotoError, match="damaged"):
        datasets.decode_photo(bytes(data), size=None)
    assert capfd.readouterr().err == ""
