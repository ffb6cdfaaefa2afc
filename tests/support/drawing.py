"""Small photos, folders and zips for the tests of data sets, made on the spot."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from translearn_core import datasets
from translearn_core.datasets import Dataset

Size = tuple[int, int]

POSITION = Image.Exif()
POSITION[0x8825] = {1: "N", 2: (48.0, 51.0, 51.7731), 3: "E", 4: (2.0, 17.0, 51.7731)}
"""EXIF of a photo that says where it was taken: `draw_photo(exif=POSITION)`."""


def draw_image(seed: int = 0, *, size: tuple[int, int] = (48, 40)) -> Image.Image:
    """A smooth colourful picture that is unlike that of any other seed."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (5, 5, 3), dtype=np.uint8))
    return small.resize(size, Image.Resampling.BICUBIC)


def draw_scene(seed: int) -> Image.Image:
    """A picture with structure everywhere, unlike that of any other seed."""
    rng = np.random.default_rng([seed, 2])
    image = draw_image(seed, size=(192, 144))
    draw = ImageDraw.Draw(image)
    for _stroke in range(60):
        x, y = (int(v) for v in rng.integers(0, (192, 144)))
        w, h = (int(v) for v in rng.integers(6, 26, 2))
        shape = draw.ellipse if rng.random() < 0.5 else draw.rectangle
        shape((x, y, x + w, y + h), fill=tuple(int(v) for v in rng.integers(0, 256, 3)))
    return image


def draw_photo(seed: int = 0, kind: str = "JPEG", *, mode: str = "RGB", **options: Any) -> bytes:
    """The bytes of a small photo."""
    buffer = io.BytesIO()
    draw_image(seed).convert(mode).save(buffer, kind, **options)
    return buffer.getvalue()


def make_tree(root: Path, counts: dict[str, int], *, start: int = 0) -> Path:
    """Folders with so many photos each: `{"cats": 3, "train/dogs": 2}`."""
    seed = start
    for folder, n in counts.items():
        (root / folder).mkdir(parents=True, exist_ok=True)
        for number in range(n):
            (root / folder / f"{number}.jpg").write_bytes(draw_photo(seed))
            seed += 1
    return root


def make_zip(path: Path, files: dict[str, bytes]) -> Path:
    """A zip with these files."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in files.items():
            file.writestr(name, data)
    return path


def two_classes(n: int = 2) -> dict[str, bytes]:
    """Files of two classes, `n` photos each."""
    return {
        f"{name}/{number}.jpg": draw_photo(100 * place + number)
        for place, name in enumerate(("cats", "dogs"))
        for number in range(n)
    }


def bring_in(folder: Path, sizes: Mapping[str, Sequence[Size]], *, check: bool = True) -> Dataset:
    """Photos of one colour each, of these sizes by class, as a data set that leaves them where they are."""
    for number, (name, own) in enumerate(sizes.items()):
        (folder / name).mkdir(parents=True)
        for index, size in enumerate(own):
            image = Image.new("RGB", size, (40 * number % 256, 3 * index % 256, 90))
            image.save(folder / name / f"{index:02}.png")
    return datasets.import_source(folder, in_place=True, check=check)
