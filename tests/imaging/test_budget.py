"""Memory: photos that need too much are refused, and others wait until there is some."""

from __future__ import annotations

import struct
import threading

import pytest
from PIL import Image

from tests.support.image_files import JPEG, SIDE, U16, make_tiff, pixels_of, save_image
from translearn_core import datasets
from translearn_core.errors import PhotoError
from translearn_core.imaging import budget
from translearn_core.installation_limits import Limits

pytestmark = pytest.mark.awkward


def _large_webp() -> bytes:
    """A small picture that says that it has 9990 x 9990 pixels."""
    data = bytearray(save_image(Image.new("RGB", (10, 10)), "WEBP", lossless=True))
    place = data.index(b"VP8L") + 9  # after the length of the chunk and a sign: 14 bits a side
    (bits,) = struct.unpack_from("<I", data, place)
    assert bits & 0xFFFFFFF == 9 << 14 | 9
    struct.pack_into("<I", data, place, bits & ~0xFFFFFFF | 9989 << 14 | 9989)
    return bytes(data)


def test_small_files_that_need_much_memory_are_refused() -> None:
    with pytest.raises(PhotoError, match=r"limits\.decode_bytes"):
        pixels_of(_large_webp())
    limits = Limits(decode_bytes=2**20)
    for data in (save_image(Image.new("RGBA", (600, 600)), "PNG"), _tile_of(30_000)):
        with pytest.raises(PhotoError, match=r"limits\.decode_bytes"):
            datasets.decode_photo(data, size=32, limits=limits)
    assert datasets.decode_photo(JPEG, size=32, limits=limits).image.shape == (32, 32, 3)


def _tile_of(side: int) -> bytes:
    """A small picture in one tile of a large side that holds nothing."""
    data = make_tiff(U16, tile=SIDE)
    for tag in (322, 323):
        entry = struct.pack("<HHIH", tag, 3, 1, SIDE)
        data = data.replace(entry, struct.pack("<HHIH", tag, 3, 1, side))
    return data


def test_a_large_jpeg_is_judged_by_what_is_decoded() -> None:
    data = save_image(Image.new("RGB", (1600, 1200), "teal"), "JPEG")
    limits = Limits(photo_pixels=500_000)
    photo = datasets.decode_photo(data, size=128, limits=limits)
    assert (photo.stats.width, photo.stats.height) == (1600, 1200)
    with pytest.raises(PhotoError, match="million pixels"):
        datasets.decode_photo(data, size=None, limits=limits)


def test_photos_wait_until_there_is_memory() -> None:
    limits = Limits(decode_bytes=1000)
    entered, release, done = threading.Event(), threading.Event(), threading.Event()

    def first() -> None:
        with budget.hold(700, limits):
            entered.set()
            release.wait(10)

    def second() -> None:
        with budget.hold(700, limits):
            done.set()

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    threads[0].start()
    assert entered.wait(10)
    threads[1].start()
    assert not done.wait(0.1)
    release.set()
    assert done.wait(10)
    for thread in threads:
        thread.join()
