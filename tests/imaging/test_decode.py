"""The one decode: every kind of file a person may bring, sound, odd or broken."""

from __future__ import annotations

import gc
import io
import json
import struct
import subprocess
import sys
import threading
import time
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from tests.support.drawing import draw_image, draw_photo
from translearn_core import datasets
from translearn_core.datasets import DecodedPhoto
from translearn_core.errors import PhotoError
from translearn_core.installation_limits import Limits

pytestmark = pytest.mark.awkward

RED = (200, 30, 40)


def _save(image: Image.Image, kind: str, **options: object) -> bytes:
    if kind == "HEIF":
        import pillow_heif

        pillow_heif.register_heif_opener()
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _decode(data: bytes, size: int | None = None) -> np.ndarray:
    return datasets.decode_photo(data, size=size).image


def _red(mode: str = "RGB") -> Image.Image:
    return Image.new("RGB", (64, 40), RED).convert(mode)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIF"])
def test_every_format_keeps_colour_and_size(kind: str) -> None:
    photo = datasets.decode_photo(_save(_red(), kind), size=None)
    assert photo.image.shape == (40, 64, 3)
    assert photo.image.dtype == np.uint8
    assert np.abs(photo.image.astype(int) - RED).max() <= 12
    assert (photo.stats.width, photo.stats.height, photo.stats.format) == (64, 40, kind)


def _sixteen_bit(kind: str) -> bytes:
    ramp = np.linspace(0, 65535, 64, dtype=np.uint16)
    return _save(Image.fromarray(np.tile(ramp, (16, 1))), kind)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_are_scaled_not_clipped(kind: str) -> None:
    image = _decode(_sixteen_bit(kind))
    row = image[8, :, 0].astype(int)
    assert row[0] == 0
    assert row[-1] == 255
    assert abs(row[32] - 129) <= 2
    assert (np.diff(row) >= 0).all()


def test_wide_integers_and_floats_are_scaled() -> None:
    ramp = np.linspace(0, 65535, 32)
    for values in (ramp.astype(np.int32), (ramp / 65535).astype(np.float32)):
        row = _decode(_save(Image.fromarray(np.tile(values, (8, 1))), "TIFF"))[4, :, 1].astype(int)
        assert row[0] == 0
        assert row[-1] == 255
        assert abs(row[16] - 131) <= 3


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparent_pixels_become_white(mode: str) -> None:
    image = Image.new("RGBA", (20, 20), (0, 0, 0, 0)).convert(mode)
    assert (_decode(_save(image, "PNG")) == 255).all()


def test_half_transparent_pixels_mix_with_white() -> None:
    image = Image.new("RGBA", (20, 20), (0, 0, 0, 128))
    assert np.abs(_decode(_save(image, "PNG")).astype(int) - 127).max() <= 1


def test_palette_with_and_without_transparency() -> None:
    plain = _red().quantize(4)
    assert np.abs(_decode(_save(plain, "PNG")).astype(int) - RED).max() <= 4
    index = plain.getpixel((0, 0))
    through = _save(plain, "PNG", transparency=bytes([0 if n == index else 255 for n in range(4)]))
    assert (_decode(through) == 255).all()
    assert (_decode(_save(plain, "GIF", transparency=index)) == 255).all()


def test_one_bit_and_grey() -> None:
    image = Image.new("1", (16, 16), 1)
    image.putpixel((0, 0), 0)
    pixels = _decode(_save(image, "PNG"))
    assert pixels[0, 0].tolist() == [0, 0, 0]
    assert pixels[5, 5].tolist() == [255, 255, 255]
    grey = _decode(_save(Image.new("L", (16, 16), 77), "PNG"))
    assert (grey == 77).all()


def test_colour_key_of_a_plain_png_becomes_white() -> None:
    assert (_decode(_save(_red(), "PNG", transparency=RED)) == 255).all()


def test_cmyk_jpeg_is_not_inverted() -> None:
    bright = Image.new("CMYK", (32, 32), (10, 10, 10, 0))
    assert _decode(_save(bright, "JPEG")).mean() > 220
    assert _decode(_save(bright, "TIFF")).mean() > 220


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_exif_turn(orientation: int, kind: str) -> None:
    image = Image.new("RGB", (60, 40), "black")
    image.paste((255, 255, 255), (0, 0, 30, 20))  # top left as stored
    exif = Image.Exif()
    exif[0x0112] = orientation
    photo = datasets.decode_photo(_save(image, kind, exif=exif), size=None)
    corners = {
        1: (0, 0),
        2: (0, 1),
        3: (1, 1),
        4: (1, 0),
        5: (0, 0),
        6: (0, 1),
        7: (1, 1),
        8: (1, 0),
    }
    height, width = photo.image.shape[:2]
    assert (width, height) == ((40, 60) if orientation >= 5 else (60, 40))
    assert (photo.stats.width, photo.stats.height) == (width, height)
    down, right = corners[orientation]
    quarter = photo.image[
        down * height // 2 : (down + 1) * height // 2, right * width // 2 : (right + 1) * width // 2
    ]
    assert quarter[4:-4, 4:-4].mean() > 240
    small = datasets.decode_photo(_save(image, kind, exif=exif), size=32).image
    assert small[down * 16 : down * 16 + 16, right * 16 : right * 16 + 16][3:-3, 3:-3].mean() > 235


def test_first_frame_of_an_animation() -> None:
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "lime", "blue")]
    for kind in ("GIF", "WEBP", "TIFF"):
        data = _save(frames[0], kind, save_all=True, append_images=frames[1:])
        assert _decode(data)[10, 10, 0] > 240, kind
        assert _decode(data)[10, 10, 1] < 20, kind


def test_multi_picture_phone_jpeg_is_a_jpeg() -> None:
    data = _save(_red(), "MPO", save_all=True, append_images=[_red()])
    assert datasets.decode_photo(data, size=None).stats.format == "JPEG"


def test_sizes_agree_whether_shrunk_while_loading_or_not() -> None:
    image = draw_image(3, size=(1600, 1200))
    jpeg = _decode(_save(image, "JPEG", quality=95), 100).astype(int)
    png = _decode(_save(image, "PNG"), 100).astype(int)
    assert jpeg.shape == png.shape == (100, 100, 3)
    assert np.abs(jpeg - png).mean() < 1.5


def test_odd_metadata_warns_nobody() -> None:
    exif = b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\x12\x01\x03\0\xff\xff\xff\xff" * 3
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        _decode(_save(_red(), "JPEG", exif=exif))
        _decode(_save(_red().quantize(4), "PNG", transparency=b"\0\x80\xff\xff"))
    assert caught == []


def _png_header(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0" * 1000)
    begin = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    return begin + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def _cut(kind: str, share: float = 0.6, **options: object) -> Callable[[], bytes]:
    def make() -> bytes:
        data = _save(draw_image(1, size=(200, 150)), kind, **options)
        return data[: int(len(data) * share)]

    return make


BROKEN: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "empty"),
    "text": (lambda: b"These are my holidays.\n" * 5, "text"),
    "page": (lambda: b"<!doctype html><html>Not found</html>", "text"),
    "pdf": (lambda: b"%PDF-1.7\n%\xe2\xe3", "PDF"),
    "video": (lambda: b"\0\0\0\x18ftypmp42" + b"\0" * 64, "video"),
    "archive": (lambda: b"PK\x03\x04" + b"\0\xff" * 40, "archive"),
    "noise": (lambda: bytes(range(256)) * 4, "not a photo"),
    "only a beginning": (lambda: b"\xff\xd8\xff\xe0\0\x10JFIF", "damaged"),
    "cut jpeg": (_cut("JPEG"), "damaged"),
    "cut progressive jpeg": (_cut("JPEG", progressive=True), "damaged"),
    "nearly whole jpeg": (_cut("JPEG", 0.97), "damaged"),
    "cut png": (_cut("PNG"), "damaged"),
    "cut gif": (_cut("GIF"), "damaged"),
    "cut bmp": (_cut("BMP"), "damaged"),
    "cut tiff": (_cut("TIFF"), "damaged"),
    "cut webp": (_cut("WEBP"), "damaged"),
    "cut avif": (_cut("AVIF"), "damaged"),
    "cut heif": (_cut("HEIF"), "damaged"),
    "bomb": (lambda: _png_header(60_000, 60_000), "too large"),
    "small bomb": (lambda: _png_header(10_500, 10_500), "too large"),
}


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("size", [None, 64])
def test_broken_files_say_why(name: str, size: int | None) -> None:
    make, word = BROKEN[name]
    with pytest.raises(PhotoError) as caught:
        datasets.decode_photo(make(), size=size)
    sentence = caught.value.message
    assert word in sentence
    assert sentence[0].isupper()
    assert sentence.endswith((".", ")"))


def test_a_bomb_is_refused_from_its_header() -> None:
    begin = time.perf_counter()
    with pytest.raises(PhotoError, match="million pixels"):
        _decode(_png_header(10_500, 10_500))
    assert time.perf_counter() - begin < 0.5


def test_limits_of_the_configuration_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = json.dumps({"photo_pixels": 1000, "photo_bytes": 5000})
    monkeypatch.setenv("TRANSLEARN_LIMITS", limits)
    with pytest.raises(PhotoError, match="pixels"):
        _decode(draw_photo())
    with pytest.raises(PhotoError, match="MB"):
        _decode(b"\xff" * 5001)
    assert datasets.decode_photo(draw_photo(), size=8, limits=Limits()).image.shape == (8, 8, 3)


def test_damage_anywhere_never_escapes_as_another_error() -> None:
    rng = np.random.default_rng(0)
    for kind in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIF"):
        data = _save(draw_image(2), kind)
        for _round in range(40):
            broken = bytearray(data)
            for index in rng.integers(0, len(data), 4):
                broken[index] = int(rng.integers(0, 256))
            try:
                _decode(bytes(broken), 32)
            except PhotoError:
                continue


def test_facts(tmp_path: Path) -> None:
    coarse = draw_image(4, size=(30, 30)).resize((10, 10))
    sharp = coarse.resize((300, 300), Image.Resampling.NEAREST)
    dull = sharp.resize((4, 4)).resize((300, 300), Image.Resampling.BICUBIC)
    stats = [datasets.decode_photo(_save(image, "PNG"), size=64).stats for image in (sharp, dull)]
    assert stats[0].detail > 2 * stats[1].detail
    white, black = (
        datasets.decode_photo(_save(Image.new("L", (9, 9), value), "PNG"), size=None).stats
        for value in (255, 0)
    )
    assert (white.brightness, black.brightness) == (1.0, 0.0)
    assert len(stats[0].phash) == 16
    assert len(stats[0].sha256) == 64
    path = tmp_path / "a.png"
    path.write_bytes(_save(sharp, "PNG"))
    assert datasets.decode_photo(path, size=None).stats.sha256 == stats[0].sha256


def _folder(tmp_path: Path, n: int) -> list[Path]:
    paths = []
    for number in range(n):
        path = tmp_path / f"{number}.jpg"
        path.write_bytes(draw_photo(number))
        paths.append(path)
    return paths


def test_iterating_keeps_order_and_goes_on_after_errors(tmp_path: Path) -> None:
    paths = _folder(tmp_path, 60)
    paths[7].write_bytes(b"no photo")
    paths[30].unlink()
    seen = list(datasets.iterate_photos(paths, size=16, workers=3))
    assert [index for index, _photo in seen] == list(range(60))
    errors = {index: photo.message for index, photo in seen if isinstance(photo, PhotoError)}
    assert set(errors) == {7, 30}
    assert "no longer there" in errors[30]
    alone = datasets.decode_photo(paths[45], size=16)
    assert np.array_equal(seen[45][1].image, alone.image)  # type: ignore[union-attr]


def test_closing_early_stops_the_threads(tmp_path: Path) -> None:
    paths = _folder(tmp_path, 40) * 50
    photos = datasets.iterate_photos(paths, size=16, workers=2)
    next(photos)
    photos.close()
    gc.collect()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("decode")]


def test_processes_give_what_threads_give(tmp_path: Path) -> None:
    paths = _folder(tmp_path, 20) * 15
    paths[133] = tmp_path / "gone.jpg"
    with_bad = tmp_path / "bad.jpg"
    with_bad.write_bytes(b"no photo")
    paths[299] = with_bad
    ahead = list(datasets.decode_ahead(paths, size=16))
    assert [index for index, _photo in ahead] == list(range(300))
    for (_, one), (_, other) in zip(ahead, datasets.iterate_photos(paths, size=16), strict=True):
        if isinstance(one, PhotoError):
            assert isinstance(other, PhotoError)
            assert one.message == other.message
        else:
            assert isinstance(other, DecodedPhoto)
            assert one.stats == other.stats
            assert np.array_equal(one.image, other.image)


def _decoding_processes() -> list[psutil.Process]:
    return [
        child
        for child in psutil.Process().children()
        if "translearn_core.imaging.decode_pool" in _command_of(child)
    ]


def _command_of(process: psutil.Process) -> list[str]:
    """The words of its command; none for one that has ended, asked for by its parent or not."""
    try:
        return process.cmdline()
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return []


def test_photos_arrive_when_the_processes_are_killed(tmp_path: Path) -> None:
    paths = _folder(tmp_path, 20) * 50
    photos = datasets.decode_ahead(paths, size=16)
    seen = [next(photos)]
    killed = _decoding_processes()
    assert killed
    for process in killed:
        process.kill()
    seen += photos
    assert [index for index, _photo in seen] == list(range(1000))
    assert all(isinstance(photo, DecodedPhoto) for _place, photo in seen)


def test_photos_arrive_where_no_process_can_be_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = _folder(tmp_path, 20) * 15
    monkeypatch.setattr(sys, "executable", str(tmp_path / "gone"))
    seen = list(datasets.decode_ahead(paths, size=16))
    assert [index for index, _photo in seen] == list(range(300))
    assert all(isinstance(photo, DecodedPhoto) for _place, photo in seen)


def test_closing_early_ends_the_processes(tmp_path: Path) -> None:
    paths = _folder(tmp_path, 20) * 50
    photos = datasets.decode_ahead(paths, size=16)
    next(photos)
    assert _decoding_processes()
    photos.close()
    assert not _decoding_processes()


def test_decoding_processes_end_with_their_parent(tmp_path: Path) -> None:
    paths = [str(path) for path in _folder(tmp_path, 20) * 50]
    code = (
        "import os, signal, sys; from pathlib import Path; from translearn_core import datasets\n"
        "photos = datasets.decode_ahead([Path(p) for p in sys.argv[1:]], size=16)\n"
        "next(photos); import psutil\n"
        "print(*[child.pid for child in psutil.Process().children()], flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *paths], capture_output=True, text=True, check=False
    )
    pids = [int(pid) for pid in done.stdout.split()]
    assert pids
    until = time.monotonic() + 10
    while any(map(_works, pids)):  # a zombie has ended, too: where nobody asks for it, it stays
        assert time.monotonic() < until, "they live on"
        time.sleep(0.02)


def _works(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_thumbnail_is_upright_and_small() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = _save(draw_image(0, size=(400, 200)), "JPEG", exif=exif)
    with Image.open(io.BytesIO(datasets.make_thumbnail(data, side=100))) as image:
        assert image.size == (50, 100)
