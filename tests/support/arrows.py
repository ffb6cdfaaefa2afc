"""Drawn arrows: photos whose mirrored view is another class, or is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw


def draw_arrows(root: Path, directions: dict[str, int], *, per_class: int, seed: int = 0) -> Path:
    """A folder for each name with arrows that point so many degrees from the right."""
    rng = np.random.default_rng(seed)
    for name, degrees in directions.items():
        (root / name).mkdir(parents=True)
        for number in range(per_class):
            _draw_arrow(degrees, rng).save(root / name / f"{number:02}.png")
    return root


def _draw_arrow(degrees: int, rng: np.random.Generator) -> Image.Image:
    """A dark arrow on a soft ground, a little moved and turned."""
    mask = Image.new("L", (96, 96), 0)
    draw = ImageDraw.Draw(mask)
    draw.line((18, 48, 66, 48), fill=255, width=12)
    draw.polygon([(86, 48), (52, 22), (52, 74)], fill=255)
    turned = mask.rotate(degrees + float(rng.uniform(-8, 8)), Image.Resampling.BILINEAR)
    moved = Image.new("L", mask.size, 0)
    moved.paste(turned, tuple(int(v) for v in rng.integers(-6, 7, 2)))
    ground = rng.integers(150, 230, (4, 4, 3), dtype=np.uint8)
    image = Image.fromarray(ground).resize(mask.size, Image.Resampling.BICUBIC)
    image.paste(tuple(int(v) for v in rng.integers(0, 70, 3)), mask=moved)
    return image
