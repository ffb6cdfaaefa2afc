"""Odd items of a folder of photos: each must end as one line about itself, and stop nothing else.

Owns: `MONSTERS`, makers by name, and `add_monsters`. What this system or this user cannot make
(a FIFO on Windows, a file that root may not read, a name that the file system refuses) is left out.
"""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

FORMULA = '=HYPERLINK("evil","x").jpg'
"""The name of a good photo that a spreadsheet takes for a formula."""


def picture(seed: int = 0, kind: str = "JPEG", **options: object) -> bytes:
    """A small picture of soft colours, as a file."""
    cells = np.random.default_rng(seed).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(cells).resize((80, 64)).save(buffer, kind, **options)
    return buffer.getvalue()


def _not_utf8(folder: Path) -> Path:
    path = folder / os.fsdecode(b"caf\xe9.jpg")
    path.write_bytes(picture(1))
    return path


def _fifo(folder: Path) -> Path:
    os.mkfifo(folder / "pipe.jpg")
    return folder / "pipe.jpg"


def _link(name: str, target: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / name).symlink_to(target)
        return folder / name

    return make


def _folder(folder: Path) -> Path:
    (folder / "folder.jpg").mkdir()
    return folder / "folder.jpg"


def _file(name: str, content: Callable[[], bytes]) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(content())
        return folder / name

    return make


def odd_exif() -> bytes:
    """A whole JPEG whose EXIF data end in the middle of their header."""
    data, exif = picture(2), b"Exif\0\0MM\0"
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + data[2:]


def tiny_webp(side: int) -> bytes:
    """A lossless WebP of 28 bytes with so many pixels a side, all black."""
    bits, at = 0, 0
    for value, width in ((side - 1, 14), (side - 1, 14), (0, 1), (0, 3), (0, 1), (0, 1), (0, 1)):
        bits |= value << at
        at += width
    for symbol in (0, 0, 0, 0, 0):  # five prefix codes of one symbol each
        for value, width in ((1, 1), (0, 1), (0, 1), (symbol, 1)):
            bits |= value << at
            at += width
    body = b"\x2f" + bits.to_bytes((at + 7) // 8, "little")
    body += bytes(-len(body) % 2)
    chunk = b"VP8L" + struct.pack("<I", len(body)) + body
    return b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk


def _unreadable(folder: Path) -> Path:
    if not hasattr(os, "geteuid") or os.geteuid() == 0:
        raise OSError("this user may read every file")
    path = folder / "locked.jpg"
    path.write_bytes(picture(3))
    path.chmod(0)
    return path


MONSTERS: dict[str, Callable[[Path], Path]] = {
    "a name that is not UTF-8": _not_utf8,
    "a FIFO": _fifo,
    "a dangling link": _link("dangling.jpg", "nowhere.jpg"),
    "a link to itself": _link("itself.jpg", "itself.jpg"),
    "a link to its folder": _link("around.jpg", "."),
    "a folder named like a photo": _folder,
    "an empty file": _file("empty.jpg", lambda: b""),
    "a cut JPEG": _file("cut.jpg", lambda: picture(4)[:700]),
    "odd EXIF": _file("exif.jpg", odd_exif),
    "a vast WebP of 28 bytes": _file("vast.webp", lambda: tiny_webp(9990)),
    "text": _file("text.jpg", lambda: b"no photo at all"),
    "a name with a newline": _file("new\nline.jpg", lambda: picture(5)),
    "a name of 250 bytes": _file("n" * 246 + ".jpg", lambda: picture(6)),
    "a formula": _file(FORMULA, lambda: picture(7)),
    "a file that may not be read": _unreadable,
}
"""What it is -> a function that makes it in a folder."""


def add_monsters(folder: Path) -> dict[str, Path]:
    """Make all of them in a folder; what they are -> the path of each that could be made."""
    made = {}
    for name, make in MONSTERS.items():
        try:
            made[name] = make(folder)
        except (OSError, AttributeError, NotImplementedError):
            continue
    return made
