"""Photos that show nothing, or a half of one grey, are told before training."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from tests.support.drawing import draw_image, draw_photo
from tests.support.image_files import save_image
from translearn_core import datasets

pytestmark = pytest.mark.awkward


def test_blank_classes_are_said(workspace: Path, tmp_path: Path) -> None:
    for name in ("things", "blank"):
        (tmp_path / name).mkdir()
        for n in range(3):
            data = (
                draw_photo(n)
                if name == "things"
                else save_image(Image.new("RGB", (40, 40), (250 - n, 250, 250)), "PNG")
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


def test_drawings_in_thin_lines_are_not_blank(workspace: Path, tmp_path: Path) -> None:
    """Few pixels of them are dark, so that by their levels they are nearly white."""
    for name, ground, ink in (("circles", "white", "black"), ("stars", "black", "white")):
        (tmp_path / name).mkdir()
        for n in range(3):
            image = Image.new("RGB", (200, 200), ground)
            draw = ImageDraw.Draw(image)
            if name == "circles":
                draw.ellipse((30 + n, 30, 150, 150), outline=ink, width=2)
            else:
                for star in range(30):
                    x, y = (37 * star + 11 * n) % 190, (53 * star + 7 * n) % 190
                    draw.ellipse((x, y, x + 5, y + 5), fill=ink)
            image.save(tmp_path / name / f"{n}.png")
    said = " ".join(datasets.warnings(datasets.import_source(tmp_path, in_place=True)))
    assert "of one colour" not in said
