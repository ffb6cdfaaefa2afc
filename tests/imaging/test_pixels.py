"""Pixels as the file says they are; what is refused, and with which words; memory."""

from __future__ import annotations

import io
import json
import struct
import sys
import threading
import zlib
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageDraw

from tests.support.drawing import draw_image, draw_photo
from tests.support.profiles import linear_profile
from translearn_core import datasets
from translearn_core.config import Limits
from translearn_core.datasets.import_choices import ImportChoices
from translearn_core.errors import PhotoError, SourceError
from translearn_core.imaging import budget, jpeg, png
from translearn_core.imaging.decode import measure_reading
from translearn_core.imaging.kinds import kind_of, looks_like_photo
from translearn_core.imaging.reading import Reading, parse_reading, range_of

pytestmark = pytest.mark.awkward

SIDE = 48
Y, X = np.mgrid[:SIDE, :SIDE]
GREY = (X * 5 + (Y % 2) * 10).astype(np.uint8)  # 0 .. 245
RGB = np.dstack([GREY, 255 - GREY, (Y * 5).astype(np.uint8)])


def _save(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _decode(data: bytes, how: Reading | None = None) -> np.ndarray:
    return datasets.decode_photo(data, size=None, how=how).image.astype(int)


def _tiff(
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


def _twelve_bits() -> bytes:
    values = GREY.astype(np.uint16) * 16
    bits = (values[..., None] >> np.arange(11, -1, -1)) & 1
    raw = np.packbits(bits.reshape(SIDE, -1).astype(np.uint8), axis=1).tobytes()
    return _tiff(values, bits=12, raw=raw)


def _lzw(data: bytes) -> bytes:
    """Packed by libtiff, as rows of bytes."""
    image = Image.frombytes("L", (len(data) // SIDE, SIDE), data)
    packed = _save(image, "TIFF", compression="tiff_lzw")
    with Image.open(io.BytesIO(packed)) as again:
        tags = again.tag_v2  # type: ignore[attr-defined]
        parts = zip(tags[273], tags[279], strict=True)
        (begin, count), *more = parts
    assert not more
    return packed[begin : begin + count]


U16 = GREY.astype(np.uint16) * 257
RGB16 = RGB.astype(np.uint16) * 257
HOT = (GREY / 255).astype(np.float32)
HOT[0, 0] = 1e6

SAMPLES: dict[str, tuple[Callable[[], bytes], np.ndarray]] = {
    "grey 16": (lambda: _tiff(U16), GREY),
    "grey 16 big endian": (lambda: _tiff(U16, order=">"), GREY),
    "white is zero, 16": (lambda: _tiff(65535 - U16, photometric=0), GREY),
    "white is zero, 8": (lambda: _tiff(255 - GREY, photometric=0), GREY),
    "12 in 16, declared": (lambda: _tiff(GREY.astype(np.uint16) * 16, top=4080), GREY),
    "12 in 16": (lambda: _tiff(GREY.astype(np.uint16) * 16), GREY),
    "12 packed": (_twelve_bits, GREY),
    "unsigned 32": (lambda: _tiff(GREY.astype(np.uint32) * 16843009), GREY),
    "unsigned 32, small": (lambda: _tiff(GREY.astype(np.uint32)), GREY),
    "signed 16": (lambda: _tiff((U16.astype(int) - 32768).astype(np.int16)), GREY),
    "half": (lambda: _tiff((GREY / 255).astype(np.float16)), GREY),
    "single": (lambda: _tiff((GREY / 255).astype(np.float32), order=">"), GREY),
    "double": (lambda: _tiff(GREY / 255), GREY),
    "float around zero": (lambda: _tiff((GREY / 127.5 - 1).astype(np.float32)), GREY),
    "float, a hot pixel": (lambda: _tiff(HOT), GREY),
    "RGB float": (lambda: _tiff((RGB / 255).astype(np.float32), photometric=2), RGB),
    "RGB 16": (lambda: _tiff(RGB16, photometric=2), RGB),
    "RGB 16 planes": (lambda: _tiff(RGB16, photometric=2, planar=True), RGB),
    "RGB 16 tiles": (lambda: _tiff(RGB16, photometric=2, tile=32), RGB),
    "RGB 16 deflate, predictor": (
        lambda: _tiff(RGB16, photometric=2, packed=zlib.compress, compression=8, predictor=2),
        RGB,
    ),
    "grey 16 LZW": (lambda: _tiff(U16, packed=_lzw, compression=5), GREY),
    "5 bands": (lambda: _tiff(np.dstack([RGB, GREY, GREY])), RGB),
    "5 bands of 16, planes": (
        lambda: _tiff(np.dstack([RGB16, U16, U16]), planar=True),
        RGB,
    ),
    "2 bands": (lambda: _tiff(np.dstack([GREY, 255 - GREY])), GREY),
    "RGB 16, opaque": (
        lambda: _tiff(np.dstack([RGB16, U16 * 0 + 65535]), photometric=2, extra=(2,)),
        RGB,
    ),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_samples_of_a_tiff_are_read_by_its_tags(name: str) -> None:
    make, wanted = SAMPLES[name]
    image = _decode(make())
    wanted = wanted if wanted.ndim == 3 else np.dstack([wanted] * 3)
    difference = np.abs(image - wanted.astype(int))
    difference[0, 0] = 0  # a hot pixel may be white
    assert difference.max() <= 3


def test_channels_and_pages_are_chosen() -> None:
    bands = np.dstack([RGB, GREY, 255 - GREY])
    chosen = _decode(_tiff(bands), Reading(channels=(5, 4, 1)))
    assert (chosen == np.dstack([255 - GREY, GREY, GREY])).all()
    assert (_decode(_tiff(bands), Reading(channels=(5,)))[..., 1] == 255 - GREY).all()
    pages = [Image.fromarray(GREY // 64), Image.fromarray(GREY), Image.fromarray(GREY // 2)]
    stack = _save(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    photo = datasets.decode_photo(stack, size=None)
    assert (photo.stats.pages, int(photo.image.max())) == (3, int(GREY.max()) // 64)
    assert (_decode(stack, Reading(page=3))[..., 0] == GREY // 2).all()
    assert (_decode(stack, Reading(page=0))[..., 0] == GREY).all()
    grey = [Image.fromarray(one) for one in (GREY, 255 - GREY, GREY // 2)]
    stack = _save(grey[0], "TIFF", save_all=True, append_images=grey[1:])
    merged = _decode(stack, Reading(channels=(3, 1, 2)))
    assert (merged == np.dstack([GREY // 2, GREY, 255 - GREY])).all()


def test_channels_beside_the_colours_are_noticed_and_may_be_chosen() -> None:
    near_red = np.dstack([RGB, 255 - GREY])
    for data in (_tiff(near_red, photometric=2, extra=(0,)), _tiff(near_red, photometric=2)):
        photo = datasets.decode_photo(data, size=None)
        assert (photo.image == RGB).all()
        assert photo.stats.channels == 4
        assert (_decode(data, Reading(channels=(4,)))[..., 0] == 255 - GREY).all()
    opaque = np.dstack([RGB16, U16 * 0 + 65535])
    for data in (_tiff(opaque, photometric=2, extra=(2,)), _tiff(RGB16, photometric=2)):
        assert datasets.decode_photo(data, size=None).stats.channels == 0
    assert datasets.decode_photo(_tiff(np.dstack([U16, U16])), size=None).stats.channels == 2


def test_colours_that_are_multiplied_by_opacity_already() -> None:
    half = np.dstack([U16 // 2, U16 // 2, U16 // 2, U16 * 0 + 32768])
    expected = GREY / 2 + 127
    pixels = _decode(_tiff(half, photometric=2, extra=(1,)))
    assert np.abs(pixels[..., 0] - expected).max() <= 2


def test_one_range_holds_for_all_photos_and_ignores_outliers() -> None:
    assert range_of("uint16", [(0, 90), (3, 4000)]) == (0, 4095)
    assert range_of("uint16", [(0, 5000)]) == (0, 16383)
    assert range_of("int16", [(-5, 80)]) == (-128, 127)
    assert range_of("int16", [(0, 25500)]) == (0, 32767)
    assert range_of("int16", [(-1024, 3000)]) == (-4096, 4095)
    assert range_of("float32", [(0, 1.02)]) == (0, 1)
    assert range_of("float32", [(0, 990)]) == (0, 1023)
    assert range_of("float32", [(2e5, 3e5)]) == (2e5, 3e5)
    how = Reading(ranges={"uint16": (0.0, 4095.0)}, page=2, channels=(3, 2, 1))
    assert parse_reading(json.loads(json.dumps(how.as_json()))) == how
    for odd in (
        None,
        5,
        {"ranges": 3},
        {"ranges": {"a": [2, 1]}},
        {"page": "x"},
        {"channels": [0]},
    ):
        assert parse_reading(odd) == Reading()


def _levels(photos: list[bytes]) -> list[int]:
    """The lightest level of each photo of a data set."""
    readers = [lambda data=data: data for data in photos]
    how = measure_reading(readers, Limits(), Reading())
    return [int(_decode(data, how).max()) for data in photos]


def test_a_declared_full_scale_counts_and_another_value_by_the_whole_set() -> None:
    dim, light = GREY.astype(np.uint16), GREY.astype(np.uint16) * 4  # up to 245 and 980
    full = [_tiff(dim, top=255), _tiff(light, top=1023), _tiff(light, top=4095)]
    assert _levels(full) == [245, round(980 / 1023 * 255), round(980 / 4095 * 255)]
    agreed = [_tiff(dim, top=2000), _tiff(light, top=2000)]
    assert _levels(agreed) == [round(245 / 2000 * 255), round(980 / 2000 * 255)]
    of_each = [_tiff(dim, top=245), _tiff(light, top=980)]
    assert _levels(of_each) == [round(245 / 1023 * 255), round(980 / 1023 * 255)]
    assert _levels([_tiff(light, top=255)]) == [round(980 / 1023 * 255)]  # it is wrong


@pytest.fixture(scope="module")
def microscopy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of 12-bit photos, one of them dark, and stacks of two pages."""
    folder = tmp_path_factory.mktemp("microscopy")
    for name, factor in (("bright", 16), ("dim", 1)):
        (folder / name).mkdir()
        for n in range(3):
            values = np.roll(GREY, n * 5, axis=1).astype(np.uint16) * factor
            first = Image.fromarray(values)
            (folder / name / f"{n}.tif").write_bytes(
                _save(first, "TIFF", save_all=True, append_images=[first])
            )
    return folder


def test_a_data_set_keeps_its_range_and_says_it(workspace: Path, microscopy: Path) -> None:
    for in_place in (True, False):
        dataset = datasets.import_source(microscopy, in_place=in_place)
        assert dataset.reading.ranges == {"uint16": (0.0, 4095.0)}
        light = dataset.photos.groupby("class_name")["light"].max()
        assert light["bright"] > 0.9
        assert light["dim"] < 0.1  # not stretched
        said = " ".join(datasets.warnings(dataset))
        assert "from 0 to 4095" in said
        assert "3 photos are nearly black (dim/0.tif, dim/1.tif, dim/2.tif)" in said
        assert "6 photos have several pages (2); page 1 is used" in said
    chosen = datasets.import_source(
        microscopy, in_place=True, choices=ImportChoices(page=2, channels=(1,))
    )
    assert (chosen.reading.page, chosen.reading.channels) == (2, (1,))
    said = " ".join(datasets.warnings(chosen))
    assert "6 photos have several pages (2); page 2 is used" in said


def test_a_data_set_is_read_anew_by_another_page(workspace: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for n in range(2):
            blank, seen = Image.new("L", (SIDE, SIDE), n), Image.fromarray(np.roll(GREY, n))
            stack = _save(blank, "TIFF", save_all=True, append_images=[seen])
            (tmp_path / name / f"{n}.tif").write_bytes(stack)
    dataset = datasets.import_source(tmp_path)
    path, before = str(dataset.photos["path"][0]), dataset.fingerprint
    thumbnail = dataset.thumbnail(path).read_bytes()
    stacks = datasets.find_stacks(dataset)
    assert stacks is not None
    assert (stacks.pages, stacks.choosable) == (2, 0)
    assert "of one colour" in " ".join(datasets.warnings(dataset))
    changed = datasets.open_dataset(datasets.choose_stacks(dataset, page=2).id)
    assert changed.reading.page == ImportChoices.from_text(changed.record.choices).page == 2
    assert changed.photos["brightness"].min() > 0.2
    assert changed.fingerprint != before
    assert changed.thumbnail(path).read_bytes() != thumbnail
    assert "of one colour" not in " ".join(datasets.warnings(changed))
    with pytest.raises(SourceError):
        datasets.choose_stacks(dataset, page=1, stop=lambda: True)
    assert datasets.open_dataset(dataset.id).reading.page == 2


def test_a_folder_in_place_is_read_again_as_it_was_chosen(workspace: Path, tmp_path: Path) -> None:
    for name in ("a", "b", "holdout"):
        (tmp_path / name).mkdir()
        for n in range(2):
            blank, seen = Image.new("L", (SIDE, SIDE), n), Image.fromarray(np.roll(GREY, n))
            stack = _save(blank, "TIFF", save_all=True, append_images=[seen])
            (tmp_path / name / f"{n}.tif").write_bytes(stack)
    chosen = ImportChoices(page=2, roles=(("holdout", "out"),))
    datasets.import_source(tmp_path, in_place=True, choices=chosen)
    again = datasets.import_source(tmp_path, in_place=True)
    assert again.reading.page == 2
    assert again.classes == ["a", "b"]
    assert "chosen for this folder before: holdout = out; page 2." in " ".join(again.record.notices)
    other = datasets.import_source(tmp_path, in_place=True, choices=ImportChoices(page=1))
    assert other.reading.page == 1
    assert other.classes == ["a", "b", "holdout"]
    assert "before" not in " ".join(other.record.notices)


def test_blank_classes_are_said(workspace: Path, tmp_path: Path) -> None:
    for name in ("things", "blank"):
        (tmp_path / name).mkdir()
        for n in range(3):
            data = (
                draw_photo(n)
                if name == "things"
                else _save(Image.new("RGB", (40, 40), (250 - n, 250, 250)), "PNG")
            )
            (tmp_path / name / f"{n}.png").write_bytes(data)
    said = " ".join(datasets.warnings(datasets.import_source(tmp_path, in_place=True)))
    assert "3 of 3 photos of blank are of one colour" in said
    assert "of things are of one colour" not in said


def test_a_grey_half_is_noticed(workspace: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for n in range(3):
            image = draw_image(n + 3 * (name == "b")).convert("RGB")
            if (name, n) == ("a", 1):
                image.paste((128, 128, 128), (0, image.height // 2, image.width, image.height))
            image.save(tmp_path / name / f"{name}{n}.jpg")
    said = " ".join(datasets.warnings(datasets.import_source(tmp_path)))
    assert "1 photo has a side that is of one grey (a/a1.jpg)" in said


# ------------------------------------------------------------------------- transparency, colour


def _png(depth: int, colour: int, rows: bytes, *chunks: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", SIDE, SIDE, depth, colour, 0, 0, 0)
    lines = np.frombuffer(rows, np.uint8).reshape(SIDE, -1)
    packed = zlib.compress(np.hstack([np.zeros((SIDE, 1), np.uint8), lines]).tobytes())
    parts = [_chunk(b"IHDR", header), *chunks, _chunk(b"IDAT", packed), _chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def test_colour_keys_of_16_bits_become_white() -> None:
    grey = np.full((SIDE, SIDE), 30000, ">u2")
    assert (_decode(_png(16, 0, grey.tobytes(), _chunk(b"tRNS", b"\x75\x30"))) == 255).all()
    colour = np.tile(np.array([30000, 200, 200], ">u2"), SIDE * SIDE)
    key = _chunk(b"tRNS", struct.pack(">HHH", 30000, 200, 200))
    assert (_decode(_png(16, 2, colour.tobytes(), key)) == 255).all()


@pytest.mark.parametrize(("ink", "background"), [("black", 255), ("white", 0), ("red", 255)])
@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_drawings_on_transparency_stay_visible(ink: str, background: int, kind: str) -> None:
    image = Image.new("RGBA", (SIDE, SIDE), (0, 0, 0, 0))
    ImageDraw.Draw(image).ellipse((8, 8, 40, 40), outline=ink, width=4)
    options = {"lossless": True} if kind == "WEBP" else {}
    pixels = _decode(_save(image, kind, **options))
    assert (pixels[0, 0] == background).all()
    assert pixels.max() - pixels.min() == 255


def test_an_opacity_mask_that_was_never_filled_hides_nothing() -> None:
    bgr0 = np.dstack([RGB[..., ::-1], np.zeros_like(GREY)])[::-1].tobytes()
    masks = struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000) + b"BGRs" + b"\0" * 48
    info = struct.pack("<IiiHHIIiiII", 108, SIDE, SIDE, 1, 32, 3, len(bgr0), 0, 0, 0, 0) + masks
    place = 14 + len(info)
    head = b"BM" + struct.pack("<IHHI", place + len(bgr0), 0, 0, place)
    assert (_decode(head + info + bgr0) == RGB).all()


def test_a_small_first_frame_lies_on_white() -> None:
    data = bytearray(_save(Image.new("RGB", (20, 10), "blue").quantize(4), "GIF"))
    data[6:10] = struct.pack("<HH", 40, 30)
    pixels = _decode(bytes(data))
    assert pixels.shape == (30, 40, 3)
    assert (pixels[:10, :20] == (0, 0, 255)).all()
    assert (pixels[10:] == 255).all()
    assert (pixels[:, 20:] == 255).all()


def test_an_animation_that_fades_in_is_read_from_its_first_picture() -> None:
    black, picture = Image.new("RGB", (SIDE, SIDE)), Image.fromarray(RGB)
    data = _save(black, "WEBP", save_all=True, append_images=[picture], lossless=True)
    photo = datasets.decode_photo(data, size=None)
    assert np.array_equal(photo.image, RGB)
    assert photo.stats.pages == 2


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_colour_profiles_are_converted_to_srgb(kind: str) -> None:
    linear = np.where(RGB / 255 <= 0.04045, RGB / 3294.6, ((RGB / 255 + 0.055) / 1.055) ** 2.4)
    stored = Image.fromarray(np.rint(linear * 255).astype(np.uint8))
    options = {"lossless": True} if kind == "WEBP" else {}
    pixels = _decode(_save(stored, kind, icc_profile=linear_profile(), **options))
    light = RGB > 60
    assert np.abs(pixels - RGB.astype(int))[light].max() <= 4


def test_profiles_of_srgb_and_broken_ones_change_nothing() -> None:
    own = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for profile in (own, b"no profile", own[:200], linear_profile()[:140]):
        assert (_decode(_save(Image.fromarray(RGB), "PNG", icc_profile=profile)) == RGB).all()


# ------------------------------------------------------------------------------ three verdicts

PNG = _save(Image.fromarray(RGB), "PNG")
PHOTO = draw_image(1, size=(160, 120))
JPEG = _save(PHOTO, "JPEG", quality=95)


def _with(*chunks: bytes) -> bytes:
    return PNG[:33] + b"".join(chunks) + PNG[33:]


def _orientation(kind: int, value: bytes) -> bytes:
    entry = struct.pack("<HHI", 0x0112, kind, 1) + value
    return b"Exif\0\0II*\0\x08\0\0\0\x01\0" + entry + b"\0" * 4


ODD_SIDE_DATA: dict[str, bytes] = {
    "large text": _with(_chunk(b"zTXt", b"a\0\0" + zlib.compress(b"x" * 3_000_000))),
    "text behind": PNG[:-12]
    + _chunk(b"zTXt", b"a\0\0" + zlib.compress(b"x" * 3_000_000))
    + PNG[-12:],
    "large profile": _with(_chunk(b"iCCP", b"a\0\0" + zlib.compress(b"\0" * 3_000_000))),
    "broken profile": _with(_chunk(b"iCCP", b"a\0\0no zlib")),
    "bad sum of a text": _with(_chunk(b"tEXt", b"a\0b")[:-1] + b"!"),
    "broken exif": _with(_chunk(b"eXIf", b"b'Exif'")),
    "no end": PNG[:-12],
    "trailing": PNG + b"\0" * 900,
    "line break before": b"\r\n" + PNG,
}


@pytest.mark.parametrize("name", ODD_SIDE_DATA)
def test_odd_side_data_does_not_damage_a_png(name: str) -> None:
    assert (_decode(ODD_SIDE_DATA[name]) == RGB).all()


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
    photo = datasets.decode_photo(_save(PHOTO, kind, exif=EXIF[name], **options), size=None)
    assert np.abs(photo.image.astype(int) - np.asarray(PHOTO)).mean() < 2


def test_jpegs_with_all_pixels_are_read() -> None:
    whole = _decode(JPEG)
    for data in (JPEG[:-2], b"\r\n" + JPEG, JPEG + b"\0" * 4096, JPEG + JPEG):
        assert (_decode(data) == whole).all()


MISSING: dict[str, Callable[[], bytes]] = {
    "cut": lambda: JPEG[: len(JPEG) * 9 // 10],
    "cut, with an end": lambda: JPEG[: len(JPEG) * 6 // 10] + jpeg.EOI,
    "cut at the last bytes, with an end": lambda: JPEG[:-60] + jpeg.EOI,
    "cut, with zeros": lambda: JPEG[: len(JPEG) * 6 // 10] + b"\0" * 900,
    "zeros within": lambda: JPEG[: len(JPEG) // 2] + b"\0" * 200 + JPEG[len(JPEG) // 2 + 200 :],
    "scans missing": lambda: _first_scans(_save(PHOTO, "JPEG", quality=95, progressive=True)),
}


def _first_scans(data: bytes) -> bytes:
    scans = [place for place in range(len(data)) if data[place : place + 2] == b"\xff\xda"]
    return data[: scans[3]] + jpeg.EOI


@pytest.mark.parametrize("name", MISSING)
@pytest.mark.parametrize("size", [None, 16])
def test_missing_parts_are_noticed(name: str, size: int | None) -> None:
    with pytest.raises(PhotoError, match="damaged"):
        datasets.decode_photo(MISSING[name](), size=size)


def _png_of(kind: int, rows: bytes, *chunks: bytes, bits: int = 8, interlaced: int = 0) -> bytes:
    """A PNG of unfiltered rows, as large as the test picture."""
    height, width = GREY.shape
    header = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, interlaced)
    parts = (_chunk(b"IHDR", header), *chunks, _chunk(b"IDAT", zlib.compress(rows)))
    return b"".join((PNG[:8], *parts, PNG[-12:]))


def _rows(samples: np.ndarray, n: int | None = None) -> bytes:
    return b"".join(b"\0" + row.tobytes() for row in samples[:n])


BLACK_BELOW = np.where(np.arange(RGB.shape[0])[:, None, None] < RGB.shape[0] // 2, RGB, 0).astype(
    np.uint8
)


@pytest.mark.parametrize(
    "data",
    [
        _png_of(2, _rows(RGB, RGB.shape[0] // 2)),
        _png_of(0, _rows(GREY.astype(">u2"), 5), bits=16),
        _png_of(2, b"\0" * 700, interlaced=1),
        _png_of(3, _rows(GREY)),
    ],
    ids=["rows", "rows of 16 bits", "passes", "palette"],
)
def test_a_png_that_lacks_rows_or_its_palette_is_damaged(data: bytes) -> None:
    with pytest.raises(PhotoError, match="damaged"):
        _decode(data)


def test_rows_beyond_the_last_of_a_png_are_not_unpacked() -> None:
    data = _png_of(0, b"\0" * 2**23)
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
    assert (_decode(_png_of(2, _rows(BLACK_BELOW))) == BLACK_BELOW).all()
    interlaced = _png_of(2, b"\0" * (RGB.size + 2 * RGB.shape[0] + 64), interlaced=1)
    assert not _decode(interlaced).any()


def test_a_palette_of_8_bit_values_is_taken_as_it_is_meant() -> None:
    for scale in (1, 257):
        palette = tuple(scale * value for value in range(256)) * 3
        assert np.array_equal(
            _decode(_tiff(GREY, photometric=3, palette=palette)), np.dstack([GREY] * 3)
        )


def test_a_mask_before_the_picture_is_passed_over() -> None:
    mask, picture = Image.fromarray(GREY > 100), Image.fromarray(GREY)
    data = _save(mask, "TIFF", save_all=True, append_images=[picture], tiffinfo={254: 4})
    is_black_zero, is_mask = (struct.pack("<HHII", 262, 3, 1, value) for value in (1, 4))
    data = data.replace(is_black_zero, is_mask, 1)  # of the first page
    is_extra, is_picture = (struct.pack("<HHII", 254, 4, 1, value) for value in (4, 0))
    data = is_picture.join(data.rsplit(is_extra, 1))  # of the second
    assert data.count(is_mask) == data.count(is_extra) == 1
    photo = datasets.decode_photo(data, size=None)
    assert np.array_equal(photo.image[..., 0], GREY)
    assert photo.stats.pages == 1


def test_a_bitmap_of_a_rare_kind_is_not_called_damaged() -> None:
    whole = _save(Image.fromarray(GREY), "BMP")
    rare = whole[:30] + struct.pack("<I", 5) + whole[34:]  # holds a PNG
    with pytest.raises(PhotoError, match="a rare kind of BMP"):
        datasets.decode_photo(rare, size=None)
    with pytest.raises(PhotoError, match="damaged"):
        datasets.decode_photo(whole[: len(whole) // 2], size=None)


@pytest.mark.skipif(sys.platform == "win32", reason="libtiff lies within Pillow there")
@pytest.mark.parametrize("packing", ["group3", "group4", "jpeg", "tiff_lzw"])
def test_a_damaged_tiff_is_refused_and_nothing_reaches_the_terminal(
    packing: str, capfd: pytest.CaptureFixture[str]
) -> None:
    noise = np.random.default_rng(3).integers(0, 256, (120, 160, 3), dtype=np.uint8)
    image = Image.fromarray(noise).convert("1" if packing.startswith("group") else "RGB")
    data = bytearray(_save(image, "TIFF", compression=packing))
    assert datasets.decode_photo(bytes(data), size=None).image.shape == (120, 160, 3)
    for place in range(400, len(data) - 400, 7):
        data[place] ^= 0x5A
    with pytest.raises(PhotoError, match="damaged"):
        datasets.decode_photo(bytes(data), size=None)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("restarts", [0, 20])
@pytest.mark.parametrize("size", [None, 64])
def test_large_photos_that_end_early_are_noticed(restarts: int, size: int | None) -> None:
    image = PHOTO.resize((1500, 1100), Image.Resampling.BICUBIC)
    data = _save(image, "JPEG", quality=90, restart_marker_blocks=restarts)
    datasets.decode_photo(data, size=size)
    for share in (0.1, 0.5, 0.97):
        with pytest.raises(PhotoError, match="damaged"):
            datasets.decode_photo(data[: int(len(data) * share)] + jpeg.EOI, size=size)


def test_flat_parts_are_not_taken_for_missing_ones() -> None:
    for colour in ("white", "black", "teal"):
        image = PHOTO.copy()
        image.paste(colour, (0, 50, 160, 120))
        for options in ({}, {"optimize": True}, {"progressive": True}, {"subsampling": 0}):
            _decode(_save(image, "JPEG", **options))
            _decode(_save(Image.new("RGB", (300, 200), colour), "JPEG", **options))


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
        + _chunk(b"CgBI", b"P\0 \2")
        + PNG[8:33]
        + _chunk(b"IDAT", zlib.compress(_rows(RGB))[2:-4])
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
    "TGA": (_save(PHOTO, "TGA"), "not a photo in a format"),
    "pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n", "git lfs pull"),
    "zeros": (b"\0" * 5000, "nothing but zeros"),
    "zeros, then something": (b"\0" * 900 + b"x", "not a photo"),
    "ones": (b"\xff" * 900, "not a photo"),
    "page in UTF-16": ("<!doctype html><html>".encode("utf-16"), "web page"),
    "TIFF of JPEG 2000": (_tiff(RGB, photometric=2, compression=34712), "JPEG 2000"),
    "TIFF of 24 bits": (_tiff(GREY, bits=24, raw=b"\0" * 3 * GREY.size), "24 bits"),
    "TIFF of Lab in 16 bits": (_tiff(RGB16, photometric=8), "16 bits"),
    "TIFF of WebP": (_tiff(RGB, photometric=2, compression=50001), "WebP"),
}


@pytest.mark.parametrize("name", KINDS)
def test_kinds_that_are_not_read_are_named(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    data, word = KINDS[name]
    with pytest.raises(PhotoError) as caught:
        _decode(data)
    assert word in caught.value.message
    assert "damaged" not in caught.value.message
    assert capfd.readouterr().err == ""


def test_first_bytes_tell_the_kind() -> None:
    for data in (PNG, JPEG, b"\n" + JPEG, _tiff(GREY), _save(PHOTO, "AVIF"), _save(PHOTO, "BMP")):
        assert looks_like_photo(data[:512])
    assert not looks_like_photo(b"BM is how this letter begins")
    assert not looks_like_photo(b"")
    assert kind_of(b"PK\3\4") == "archive"


# -------------------------------------------------------------------------------------- memory


def _large_webp() -> bytes:
    """A small picture that says that it has 9990 x 9990 pixels."""
    data = bytearray(_save(Image.new("RGB", (10, 10)), "WEBP", lossless=True))
    place = data.index(b"VP8L") + 9  # after the length of the chunk and a sign: 14 bits a side
    (bits,) = struct.unpack_from("<I", data, place)
    assert bits & 0xFFFFFFF == 9 << 14 | 9
    struct.pack_into("<I", data, place, bits & ~0xFFFFFFF | 9989 << 14 | 9989)
    return bytes(data)


def test_small_files_that_need_much_memory_are_refused() -> None:
    with pytest.raises(PhotoError, match=r"limits\.decode_bytes"):
        _decode(_large_webp())
    limits = Limits(decode_bytes=2**20)
    for data in (_save(Image.new("RGBA", (600, 600)), "PNG"), _tile_of(30_000)):
        with pytest.raises(PhotoError, match=r"limits\.decode_bytes"):
            datasets.decode_photo(data, size=32, limits=limits)
    assert datasets.decode_photo(JPEG, size=32, limits=limits).image.shape == (32, 32, 3)


def _tile_of(side: int) -> bytes:
    """A small picture in one tile of a large side that holds nothing."""
    data = _tiff(U16, tile=SIDE)
    for tag in (322, 323):
        entry = struct.pack("<HHIH", tag, 3, 1, SIDE)
        data = data.replace(entry, struct.pack("<HHIH", tag, 3, 1, side))
    return data


def test_a_large_jpeg_is_judged_by_what_is_decoded() -> None:
    data = _save(Image.new("RGB", (1600, 1200), "teal"), "JPEG")
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
