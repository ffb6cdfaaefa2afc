"""Photos whose class is decided by one coloured patch alone, anywhere on them.

For pointing tests of heat maps, in `calibration_ood_heatmaps.py` and in the tests: what decides is known to the
pixel, so a heat map can be right or wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

DECIDING = {"amber": (235, 160, 20), "teal": (20, 160, 150), "violet": (130, 60, 190)}
IDLE = ((220, 220, 220), (40, 40, 40), (130, 130, 130))
"""Colours of patches that are on every photo and decide nothing."""

Box = tuple[int, int, int, int]
"""top, left, bottom, right, as shares of height and width in thousandths."""


def draw_patches(
    folder: Path,
    *,
    per_class: int,
    side: int,
    patch: int,
    seed: int,
    idle: int = len(IDLE),
    background: Callable[[np.random.Generator], np.ndarray] | None = None,
) -> dict[Path, Box]:
    """Write `<folder>/<class>/<n>.jpg` and return where the deciding patch of each lies.

    Args:
        side: of the square photos, in pixels.
        patch: side of every patch, in pixels.
        idle: how many patches that decide nothing.
        background: makes `(side, side, 3) uint8`; default are soft grey clouds.
    """
    rng = np.random.default_rng(seed)
    boxes: dict[Path, Box] = {}
    for name, colour in DECIDING.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for n in range(per_class):
            photo = background(rng) if background else _clouds(rng, side)
            places = _places_apart(rng, side, patch, 1 + idle)
            for (top, left), fill in zip(places, (colour, *IDLE[:idle]), strict=True):
                grain = rng.normal(0, 12, (patch, patch, 3)) + fill
                photo[top : top + patch, left : left + patch] = np.clip(grain, 0, 255)
            path = folder / name / f"{n:03}.jpg"
            Image.fromarray(photo).save(path, quality=92)
            top, left = places[0]
            edges = (top, left, top + patch, left + patch)
            boxes[path] = tuple(1000 * edge // side for edge in edges)  # type: ignore[assignment]
    return boxes


def _clouds(rng: np.random.Generator, side: int) -> np.ndarray:
    coarse = np.clip(rng.normal(128, 40, (6, 6, 1)) + rng.normal(0, 6, (6, 6, 3)), 0, 255)
    image = Image.fromarray(coarse.astype(np.uint8))
    return np.array(image.resize((side, side), Image.Resampling.BICUBIC))


def _places_apart(rng: np.random.Generator, side: int, patch: int, n: int) -> list[tuple[int, int]]:
    """Corners of `n` patches that do not overlap."""
    places: list[tuple[int, int]] = []
    while len(places) < n:
        top, left = (int(v) for v in rng.integers(0, side - patch + 1, 2))
        if all(abs(top - t) >= patch or abs(left - at) >= patch for t, at in places):
            places.append((top, left))
    return places


def points_into(place: tuple[float, float] | None, box: Box) -> bool:
    """Whether a place, as shares of height and width, lies in a box."""
    if place is None:
        return False
    row, column = (1000 * share for share in place)
    top, left, bottom, right = box
    return top <= row <= bottom and left <= column <= right
