"""Bars around photos: what is cut off, what is none, and copies that have them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageOps

from tests.support.drawing import draw_scene
from translearn_core import datasets
from translearn_core.arrays import Floats
from translearn_core.datasets.borders import trim_borders
from translearn_core.datasets.copy_groups import groups_of

SIDE = 24
RNG = np.random.default_rng(0)
INSIDE = RNG.uniform(60, 200, (SIDE, SIDE)).astype(np.float32)


def with_bars(top: int, bottom: int, left: int, right: int) -> Floats:
    photo = np.full((SIDE, SIDE), 3.0, np.float32)
    rows, columns = slice(top, SIDE - bottom), slice(left, SIDE - right)
    photo[rows, columns] = INSIDE[rows, columns]
    return photo


@pytest.mark.parametrize("bars", [(3, 3, 0, 0), (0, 0, 4, 2), (2, 0, 0, 0), (3, 2, 4, 5)])
def test_bars_are_cut_off(bars: tuple[int, int, int, int]) -> None:
    photo = with_bars(*bars)
    (trimmed,), (found,) = trim_borders(photo[None])
    top, bottom, left, right = bars
    assert found
    assert trimmed.min() > 50, "nothing of the bars is left"
    inside = photo[top : SIDE - bottom, left : SIDE - right]
    assert trimmed.mean() == pytest.approx(inside.mean(), rel=0.03)


def on_white() -> Floats:
    photo = np.full((SIDE, SIDE), 255.0, np.float32)
    rows, columns = np.mgrid[0:SIDE, 0:SIDE] - (SIDE - 1) / 2
    thing = (rows / 9) ** 2 + (columns / 5) ** 2 <= 1
    return np.where(thing, INSIDE, photo)


@pytest.mark.parametrize(
    "photo",
    [INSIDE, with_bars(1, 0, 0, 0), with_bars(12, 11, 0, 0), on_white(), INSIDE * 0 + 80],
    ids=["none", "too thin", "too thick", "a thing on white", "blank"],
)
def test_what_is_no_bar_stays(photo: Floats) -> None:
    (trimmed,), (found,) = trim_borders(photo[None])
    assert not found
    assert (trimmed == photo).all()


PADDED: dict[str, Callable[[Image.Image], Image.Image]] = {
    "to a square": lambda image: ImageOps.pad(image, (192, 192)),
    "to a wide screen": lambda image: ImageOps.pad(image, (256, 144)),
    "white frame": lambda image: ImageOps.expand(image, 24, "white"),
    "square and mirrored": lambda image: ImageOps.mirror(ImageOps.pad(image, (192, 192))),
}


@pytest.mark.parametrize("pad", PADDED.values(), ids=PADDED)
def test_copies_with_bars_stay_with_their_photo(
    pad: Callable[[Image.Image], Image.Image], workspace: Path, tmp_path: Path
) -> None:
    for number in range(12):
        for name, image in (("whole", draw_scene(number)), ("padded", pad(draw_scene(number)))):
            path = tmp_path / "ab"[number % 2] / f"{number}-{name}.png"
            path.parent.mkdir(exist_ok=True)
            image.save(path)
    table = datasets.import_source(tmp_path).photos
    originals = table["file"].str.extract(r"(\d+)-")[0]
    groups = pd.Series(groups_of(table))
    assert groups.groupby(originals).nunique().eq(1).sum() >= 11
    assert originals.groupby(groups.to_numpy()).nunique().eq(1).all()
