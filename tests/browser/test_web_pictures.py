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
from translearn_core.datasets import decode_photo
from translearn_core.export.preprocess import prepare
from translearn_core.export.writers import WEB_FOLDER

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
}
DIFFERENCE = {"JPEG": 3, "AVIF": 3}
"""Largest difference of a pixel, of 255, where decoders may round otherwise; elsewhere 1."""
SAID: dict[str, tuple[Callable[[], bytes], str]] = {
    "TIFF": (lambda: saved("TIFF"), "a TIFF picture"),
    "cut JPEG": (lambda: saved("JPEG")[:600], "damaged or cut off"),
    "cut PNG": (lambda: saved("PNG")[:600], "damaged or cut off"),
    "cut WebP": (lambda: saved("WEBP", lossless=True)[:600], "damaged or cut off"),
    "cut GIF": (lambda: saved("GIF")[:900], "damaged or cut off"),
    "cut BMP": (lambda: saved("BMP")[:900], "damaged or cut off"),
    "empty": (lambda: b"", "is empty"),
    "PDF": (lambda: b"%PDF-1.7 and so on", "a PDF document"),
    "HEIC": (lambda: b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(40), "a HEIC photo"),
}
CALL = """async ([data, size]) => {
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  try { return { pixels: [...await prepare(new Blob([bytes]), size)] }; }
  catch (error) { return { said: error instanceof Unreadable ? error.message : String(error) }; }
}"""


@pytest.fixture(scope="module")
def page(chromium: Any) -> Iterator[Any]:
    context = chromium.new_context()
    opened = context.new_page()
    opened.add_script_tag(path=str(WEB_FOLDER / "prepare.js"))
    yield opened
    context.close()


def ask(page: Any, data: bytes) -> dict[str, Any]:
    answer: dict[str, Any] = page.evaluate(CALL, [base64.b64encode(data).decode(), SIZE])
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
