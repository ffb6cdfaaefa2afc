"""Photos that are others but for a caption, a date or a banner, and those that only share one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image, ImageDraw

from tests.support.drawing import draw_scene
from translearn_core import datasets
from translearn_core.datasets.copy_groups import groups_of
from translearn_core.datasets.duplicates import find_pairs

pytestmark = pytest.mark.awkward

Edit = Callable[[Image.Image, int], Image.Image]


def _strip(image: Image.Image, top: float, bottom: float, words: str) -> Image.Image:
    """A dark strip with words over this share of the height, from the one to the other."""
    image = image.copy()
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, top * image.height, image.width, bottom * image.height), fill="black")
    draw.text((4, top * image.height), words, fill="white", font_size=max(6, int(20 * bottom) // 2))
    return image


def _date(image: Image.Image, number: int) -> Image.Image:
    return _strip(image, 0.93, 1.0, f"2026-03-{number:02}")


def _caption(image: Image.Image, number: int) -> Image.Image:
    return _strip(image, 0.8, 1.0, f"Only today {number}")


def _banner_and_date(image: Image.Image, number: int) -> Image.Image:
    return _strip(_date(image, number), 0.0, 0.12, f"Shop {number}")


def bring_in(folder: Path, photos: dict[str, Image.Image]) -> pd.DataFrame:
    """The manifest of these pictures, by class and name."""
    for name, image in photos.items():
        path = folder / f"{name}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save(path, quality=88)
    return datasets.import_source(folder).photos


@pytest.mark.parametrize("edit", [_date, _caption, _banner_and_date])
def test_a_copy_with_a_strip_stays_with_its_photo(
    workspace: Path, tmp_path: Path, edit: Edit
) -> None:
    made = {f"{'ab'[n % 2]}/{n}": draw_scene(n) for n in range(16)}
    made |= {f"{'ab'[n % 2]}/{n}-again": edit(draw_scene(n), n) for n in range(16)}
    table = bring_in(tmp_path / "photos", made)
    number = table["file"].str.extract(r"(\d+)(?:-again)?\.jpg")[0]
    groups = pd.Series(groups_of(table))
    assert groups.groupby(number).nunique().eq(1).all()
    assert groups.nunique() == 16
    pairs = find_pairs(table)
    assert (pairs.near & (number.to_numpy()[pairs.first] == number.to_numpy()[pairs.second])).all()


def test_two_copies_with_strips_of_their_own_are_one_photo(workspace: Path, tmp_path: Path) -> None:
    made = {f"a/{n}-date": _date(draw_scene(n), n) for n in range(10)}
    made |= {f"a/{n}-caption": _caption(draw_scene(n), n) for n in range(10)}
    table = bring_in(tmp_path / "photos", made)
    number = table["file"].str.extract(r"(\d+)-")[0]
    assert pd.Series(groups_of(table)).groupby(number).nunique().eq(1).all()


def test_photos_that_share_a_strip_are_no_copies(workspace: Path, tmp_path: Path) -> None:
    """The same banner and caption around other things, and a thing before a plain wall."""
    made = {f"a/{n}": _banner_and_date(_caption(draw_scene(n), 1), 1) for n in range(16)}
    for n in range(12):
        wall = Image.new("RGB", (192, 144), (200, 200, 195))
        wall.paste(draw_scene(50 + n).resize((70, 60)), (60, 40))
        made[f"b/{n}"] = wall
    table = bring_in(tmp_path / "photos", made)
    assert not len(find_pairs(table).first)
