"""Odd pictures in the web page export: a real Chromium prepares them as the app does, or says why not."""

from __future__ import annotations

import base64
import io
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.support.monsters import odd_exif
from tests.support.profiles import linear_profile
from translearn_core.datasets import decode_photo
from translearn_core.export.preprocess import prepare
from translearn_core.export.writers import WEB_FOLDER
from translearn_core.imaging.reading import Reading

SIZE = 32
XMP = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'


def drawn(width: int = 90, height: int = 60) -> Image.Image:
    """Soft colours, another in every corner."""
    cells = np.random.default_rng(7).integers(0, 256, (3, 4, 3), dtype=np.uint8)
    return Image.fromarray(cells).resize((width, height), Image.Resampling.BICUBIC)


def saved(kind: str, image: Image.Image | None = None, **options: Any) -> bytes:
    buffer = io.BytesIO()
    (image or drawn()).save(buffer, kind, **options)
    return buffer.getvalue()


def turned(kind: str, turn: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = turn
    lossless = {"lossless": True} if kind == "WEBP" else {}
    return saved(kind, exif=exif, quality=95, **lossless)


def chunk(kind: bytes, content: bytes) -> bytes:
    body = kind + content
    return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))


def hex_profile() -> bytes:
    """A PNG with EXIF data as ImageMagick writes it."""
    exif = Image.Exif()
    exif[0x0112] = 8
    data = exif.tobytes()
    text = f"\nexif\n{len(data):8}\n{data.hex()}\n".encode()
    packed = chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(text))
    plain = saved("PNG")
    return plain[:33] + packed + plain[33:]


def moving_png() -> bytes:
    """An APNG whose still picture is none of its frames."""
    frames = [Image.new("RGB", (90, 60), "red"), Image.new("RGB", (90, 60), "blue")]
    return saved("PNG", save_all=True, append_images=frames, default_image=True)


def clear_deep(mode: str) -> bytes:
    """A PNG of 16 bits with a transparent colour in its left half."""
    values = np.full((60, 90, 1 if mode == "grey" else 3), 40000, ">u2")
    values[:, :45] = 1000
    kind = 0 if mode == "grey" else 2
    rows = b"".join(b"\0" + row.tobytes() for row in values)
    head = struct.pack(">IIBBBBB", 90, 60, 16, kind, 0, 0, 0)
    clear = struct.pack(">H", 1000) * (1 if mode == "grey" else 3)
    parts = [(b"IHDR", head), (b"tRNS", clear), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def small_frame() -> bytes:
    """A GIF whose only frame fills a part of its screen."""
    data = saved("GIF", drawn(40, 30).quantize(16))
    return data[:6] + struct.pack("<HH", 90, 60) + data[10:]


def deep_grey(top: int, *, laced: bool = False) -> bytes:
    """A grey PNG of 16 bits with values from 0 to `top`, by all five filters."""
    values = np.rint(np.asarray(drawn().convert("L"), float) * (top / 255)).astype(">u2")
    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2)]
    rows = b""
    for left, up, across, down in [*passes, (0, 1, 1, 2)] if laced else [(0, 0, 1, 1)]:
        rows += filtered(values[up::down, left::across])
    head = struct.pack(">IIBBBBB", 90, 60, 16, 0, 0, 0, int(laced))
    parts = [(b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def filtered(values: np.ndarray) -> bytes:
    """The rows of a part of a PNG, each by the next filter."""
    lines = np.frombuffer(values.tobytes(), np.uint8).reshape(len(values), -1).astype(int)
    result, above = b"", np.zeros(lines.shape[1], int)
    for y, line in enumerate(lines):
        left, corner = np.r_[0, 0, line[:-2]], np.r_[0, 0, above[:-2]]
        guess = left + above - corner
        far = np.abs(np.stack([guess - left, guess - above, guess - corner]))
        nearest = np.choose(far.argmin(axis=0), [left, above, corner])
        guesses = [0, left, above, (left + above) // 2, nearest]
        result += bytes([y % 5]) + (line - guesses[y % 5]).astype(np.uint8).tobytes()
        above = line
    return result


def deep_colour(channels: int) -> bytes:
    """A PNG of 16 bits a channel."""
    image = np.asarray(Image.open(io.BytesIO(with_alpha("PNG"))))[..., :channels]
    values = (image.astype(int) * 257 - image // 3 * 2).astype(">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in values)
    head = struct.pack(">IIBBBBB", 90, 60, 16, 2 if channels == 3 else 6, 0, 0, 0)
    parts = [(b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def profiled(kind: str) -> bytes:
    """Not too dark: of linear light, few levels are left there."""
    image = drawn().point(lambda level: 60 + level * 3 // 4)
    options = {"lossless": True} if kind == "WEBP" else {"quality": 95}
    return saved(kind, image, icc_profile=linear_profile(), **options)


def with_text(content: bytes, *, sound: bool = True) -> bytes:
    """A PNG with packed text, or text with a wrong checksum."""
    plain = saved("PNG")
    packed = chunk(b"zTXt", b"prompt\0\0" + zlib.compress(content))
    return plain[:33] + (packed if sound else packed[:-1] + bytes([packed[-1] ^ 1])) + plain[33:]


def ink(kind: str, colour: str, *, levels: int = 255) -> bytes:
    """A drawing on transparency."""
    image = Image.new("RGBA", (90, 60), (0, 0, 0, 0))
    image.paste(colour, (20, 10, 60, 50))
    image.paste((128,) * 3 + (levels,), (30, 20, 31, 21))
    return saved(kind, image, **({"lossless": True} if kind == "WEBP" else {}))


def fade_in(kind: str) -> bytes:
    """An animation whose first picture is of one colour."""
    black, options = Image.new("RGB", (90, 60)), {"lossless": True} if kind == "WEBP" else {}
    return saved(kind, black, save_all=True, append_images=[drawn(), black], **options)


def screen_copy() -> bytes:
    """A BMP of 32 bits with a mask for opacity that is zero everywhere."""
    pixels = np.dstack([np.asarray(drawn())[::-1, :, ::-1], np.zeros((60, 90), np.uint8)])
    masks = struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    head = struct.pack("<IiiHHIIiiII", 108, 90, 60, 1, 32, 3, pixels.size, 2835, 2835, 0, 0)
    head += masks + b"BGRs" + bytes(48)
    return struct.pack("<2sIHHI", b"BM", 122 + pixels.size, 0, 0, 122) + head + pixels.tobytes()


def jpeg_without(share: float, end: bytes) -> bytes:
    """A JPEG of which a last part is missing."""
    data = saved("JPEG", drawn(200, 160), quality=95)
    return data[: int(len(data) * (1 - share))] + end


def zeroed_jpeg() -> bytes:
    data = saved("JPEG", drawn(200, 160), quality=95)
    return data[: len(data) // 2] + bytes(200) + data[len(data) // 2 + 200 :]


def first_scans() -> bytes:
    data = saved("JPEG", progressive=True, quality=95)
    places = [at for at in range(len(data)) if data[at : at + 2] == b"\xff\xda"]
    return data[: places[3]] + b"\xff\xd9"


def flat_foot() -> bytes:
    image = drawn(200, 160)
    image.paste("teal", (0, 90, 200, 160))
    return saved("JPEG", image, quality=95)


def with_alpha(kind: str) -> bytes:
    image = drawn().convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    return saved(kind, image, **({"lossless": True} if kind == "WEBP" else {}))


PICTURES: dict[str, Callable[[], bytes]] = {
    **{
        f"{kind}, turn {turn}": lambda kind=kind, turn=turn: turned(kind, turn)
        for kind in ("JPEG", "PNG", "WEBP", "AVIF")
        for turn in range(1, 9)
    },
    "JPEG, turn in XMP": lambda: saved("JPEG", xmp=XMP, quality=95),
    "WEBP, turn in XMP": lambda: saved("WEBP", xmp=XMP, lossless=True),
    "PNG, turn as text": hex_profile,
    "JPEG, odd EXIF": odd_exif,
    "APNG with a still picture": moving_png,
    "PNG without its end": lambda: saved("PNG")[:-12],
    "transparent PNG": lambda: with_alpha("PNG"),
    "transparent WebP": lambda: with_alpha("WEBP"),
    "BMP": lambda: saved("BMP"),
    "JPEG, CMYK": lambda: saved("JPEG", drawn().convert("CMYK"), quality=95),
    "JPEG, grey": lambda: saved("JPEG", drawn().convert("L"), quality=95),
    "JPEG, progressive": lambda: saved("JPEG", progressive=True, quality=95),
    "JPEG, with a comment": lambda: saved("JPEG", comment=b"a" * 300, quality=95),
    "JPEG, large": lambda: saved("JPEG", drawn(900, 700), quality=95),
    "PNG, grey and transparent": lambda: saved("PNG", drawn().convert("LA")),
    "PNG, palette": lambda: saved("PNG", drawn().quantize(16), transparency=3),
    "PNG, one bit": lambda: saved("PNG", drawn().convert("1")),
    "PNG, gamma": lambda: (
        saved("PNG")[:33] + chunk(b"gAMA", struct.pack(">I", 100000)) + saved("PNG")[33:]
    ),
    "PNG, 16 bits of grey": lambda: saved(
        "PNG", Image.fromarray(np.asarray(drawn().convert("L"), np.uint16) * 257)
    ),
    "GIF, moving": lambda: saved(
        "GIF",
        drawn().quantize(64),
        save_all=True,
        append_images=[drawn(90, 60).rotate(180).quantize(64)],
    ),
    "WEBP, moving": lambda: saved(
        "WEBP", save_all=True, lossless=True, append_images=[drawn().rotate(180)]
    ),
    **{f"{kind}, profile": lambda kind=kind: profiled(kind) for kind in ("JPEG", "PNG", "WEBP")},
    "PNG, broken profile": lambda: saved("PNG", icc_profile=linear_profile()[:140]),
    "PNG, profile and transparent": lambda: saved(
        "PNG", Image.open(io.BytesIO(with_alpha("PNG"))), icc_profile=linear_profile()
    ),
    "PNG, clear grey of 16 bits": lambda: clear_deep("grey"),
    "PNG, clear colour of 16 bits": lambda: clear_deep("colour"),
    "PNG, 16 bits of colour": lambda: deep_colour(3),
    "PNG, 16 bits of colour, transparent": lambda: deep_colour(4),
    "PNG, 12 bits of grey": lambda: deep_grey(4095),
    "PNG, 12 bits of grey, interlaced": lambda: deep_grey(4000, laced=True),
    "PNG, text with a wrong checksum": lambda: with_text(b"a", sound=False),
    "PNG, 5 MB of text": lambda: with_text(bytes(5_000_000)),
    "GIF with a small frame": small_frame,
    **{
        f"{kind}, drawing in {colour}": lambda kind=kind, colour=colour: ink(kind, colour)
        for kind in ("PNG", "WEBP", "GIF")
        for colour in ("white", "black")
    },
    **{f"{kind}, fades in": lambda kind=kind: fade_in(kind) for kind in ("GIF", "WEBP", "PNG")},
    "BMP, unused opacity": screen_copy,
    "JPEG without its end": lambda: saved("JPEG", quality=95)[:-2],
    "JPEG behind a line break": lambda: b"\r\n" + saved("JPEG", quality=95),
    "JPEG with a flat foot": flat_foot,
    "JPEG of one colour": lambda: saved("JPEG", Image.new("RGB", (200, 160), "teal")),
}
STANDARD = Reading()
DIFFERENCE = {"JPEG": 3, "AVIF": 3}
"""Largest difference of a pixel, of 255, where decoders may round otherwise; elsewhere 1."""
SAID: dict[str, tuple[Callable[[], bytes], str]] = {
    "TIFF": (lambda: saved("TIFF"), "a TIFF picture"),
    "cut JPEG": (lambda: saved("JPEG")[:600], "damaged or cut off"),
    "JPEG, a third missing": (lambda: jpeg_without(0.3, b""), "damaged or cut off"),
    "JPEG, a third missing, with an end": (
        lambda: jpeg_without(0.3, b"\xff\xd9"),
        "a part of it is missing",
    ),
    "JPEG, zeros within": (zeroed_jpeg, "a part of it is missing"),
    "JPEG, scans missing": (first_scans, "a part of it is missing"),
    "cut PNG": (lambda: saved("PNG")[:600], "damaged or cut off"),
    "cut WebP": (lambda: saved("WEBP", lossless=True)[:600], "damaged or cut off"),
    "cut GIF": (lambda: saved("GIF")[:900], "damaged or cut off"),
    "cut BMP": (lambda: saved("BMP")[:900], "damaged or cut off"),
    "empty": (lambda: b"", "is empty"),
    "PDF": (lambda: b"%PDF-1.7 and so on", "a PDF document"),
    "HEIC": (lambda: b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(40), "a HEIC photo"),
}
CALL = """async ([data, size, reading]) => {
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  try { return { pixels: [...await prepare(new Blob([bytes]), size, reading)] }; }
  catch (error) { return { said: error instanceof Unreadable ? error.message : String(error) }; }
}"""


@pytest.fixture(scope="module")
def page(chromium: Any) -> Iterator[Any]:
    context = chromium.new_context()
    context.route("**/*", lambda route: route.fulfill(body="", content_type="text/html"))
    opened = context.new_page()
    opened.goto("http://localhost/")  # animations are decoded on this machine or by https only
    for name in ("files.js", "prepare.js"):
        opened.add_script_tag(path=str(WEB_FOLDER / name))
    yield opened
    context.close()


def ask(page: Any, data: bytes, how: Reading = STANDARD) -> dict[str, Any]:
    question = [base64.b64encode(data).decode(), SIZE, how.as_json()]
    answer: dict[str, Any] = page.evaluate(CALL, question)
    return answer


@pytest.mark.parametrize("name", PICTURES)
def test_an_odd_picture_is_prepared_as_in_the_app(name: str, page: Any, tmp_path: Path) -> None:
    data = PICTURES[name]()
    expected = decode_photo(data, size=SIZE).image.astype(np.float32)
    (tmp_path / "picture").write_bytes(data)
    assert np.array_equal(prepare(tmp_path / "picture", SIZE), expected)
    answer = ask(page, data)
    assert "pixels" in answer, answer
    pixels = np.array(answer["pixels"], np.float32).reshape(SIZE, SIZE, 3)
    assert np.abs(pixels - expected).max() <= DIFFERENCE.get(name[:4], 1)


def test_grey_of_more_than_8_bits_follows_the_range_of_the_run(page: Any) -> None:
    how = Reading({"uint16": (0.0, 16383.0)})
    data = deep_grey(4000)
    expected = decode_photo(data, size=SIZE, how=how).image
    assert expected.max() < 70
    pixels = np.array(ask(page, data, how)["pixels"]).reshape(SIZE, SIZE, 3)
    assert np.abs(pixels - expected).max() <= 1


CLEAR: dict[str, Callable[[], bytes]] = {
    "grey PNG of 16 bits": lambda: clear_deep("grey"),
    "PNG of 16 bits": lambda: clear_deep("colour"),
    "GIF with a small frame": small_frame,
}


@pytest.mark.parametrize("name", CLEAR)
def test_what_is_transparent_or_left_free_is_white(name: str, page: Any) -> None:
    answer = ask(page, CLEAR[name]())
    pixels = np.array(answer["pixels"], np.float32).reshape(SIZE, SIZE, 3)
    free = pixels[SIZE * 2 // 3 :, SIZE * 2 // 3 :] if "GIF" in name else pixels[:, : SIZE // 3]
    assert (free == 255).all()
    assert (pixels < 255).any()


@pytest.mark.parametrize("name", SAID)
def test_what_a_browser_does_not_read_is_named(name: str, page: Any) -> None:
    make, expected = SAID[name]
    assert expected in ask(page, make()).get("said", "")
