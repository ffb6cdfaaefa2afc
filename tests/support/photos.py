"""Photo sets for tests: drawn ones, and the real ones that may stand beside the project."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

SHARED = Path(__file__).resolve().parents[2].parent / "shared"
COLOURS = {"blue": (40, 60, 200), "green": (40, 180, 60), "red": (200, 50, 40)}


def draw_photos(
    folder: Path, *, per_class: int, side: int = 64, seed: int = 0, **options: Any
) -> Path:
    """Write noisy photos of a colour each, `<folder>/<colour>/<n>.jpg`; all differ.

    Args:
        options: of Pillow for saving them.
    """
    rng = np.random.default_rng(seed)
    for name, colour in COLOURS.items():
        place = folder / name
        place.mkdir(parents=True, exist_ok=True)
        for n in range(per_class):
            blocks = rng.normal(0, 45, (8, 8, 3)) + colour
            coarse = Image.fromarray(np.clip(blocks, 0, 255).astype(np.uint8))
            photo = coarse.resize((side, side), Image.Resampling.BILINEAR)
            photo.save(place / f"{n:03}.jpg", quality=90, **options)
    return folder


def shared_photos(*parts: str) -> Path:
    """A real photo set beside the project; skips without it."""
    folder = SHARED.joinpath("datasets", *parts)
    if not folder.is_dir():
        pytest.skip("the shared photo sets are not beside the project")
    return folder
