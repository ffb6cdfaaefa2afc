"""How photos that are not square become so: in proportion, in the middle, the same in either order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from translearn_core.imaging.decode import decode_photo, read_size
from translearn_core.imaging.square import BORDER, FITS, Fit, is_other_shape, to_square

pytestmark = pytest.mark.awkward


def circle_on(size: tuple[int, int]) -> Image.Image:
    """A circle of radius 40 in the middle of a plain photo."""
    image = Image.new("RGB", size, (20, 60, 90))
    x, y = size[0] / 2, size[1] / 2
    ImageDraw.Draw(image).ellipse((x - 40, y - 40, x + 40, y + 40), fill=(240, 220, 60))
    return image


def thing_in(square: Image.Image) -> tuple[int, int]:
    """Width and height of the yellow thing."""
    values = np.asarray(square).astype(int)
    yellow = (values[..., 0] > 150) & (values[..., 2] < 90)
    return int(yellow.any(axis=0).sum()), int(yellow.any(axis=1).sum())


@pytest.mark.parametrize("size", [(200, 100), (100, 200), (301, 100)])
def test_a_circle_stays_one_unless_it_is_squeezed(size: tuple[int, int]) -> None:
    widths = {fit: thing_in(to_square(circle_on(size), 96, fit)) for fit in FITS}
    assert abs(widths["stretch"][0] - widths["stretch"][1]) > 20
    for fit in ("crop", "pad"):
        assert abs(widths[fit][0] - widths[fit][1]) <= 2
    assert widths["crop"][0] > 1.8 * widths["pad"][0]


def test_cut_to_the_middle_the_shape_of_the_photo_is_not_seen() -> None:
    wide, square = (to_square(circle_on(size), 96, "crop") for size in ((200, 100), (100, 100)))
    assert np.array_equal(np.asarray(wide), np.asarray(square))


@pytest.mark.parametrize("size", [(200, 100), (100, 203), (1, 900), (900, 2), (64, 64)])
def test_padded_the_whole_photo_is_there_between_equal_borders(size: tuple[int, int]) -> None:
    white = Image.new("RGB", size, "white")
    values = np.asarray(to_square(white, 95, "pad"))
    inside = (values == 255).all(axis=2)
    assert (values[~inside] == BORDER).all()
    across, down = inside.any(axis=0), inside.any(axis=1)
    for line, side in ((across, size[0]), (down, size[1])):
        assert np.array_equal(line, line[::-1])
        assert abs(line.sum() - max(1, 95 * side / max(size))) <= 1


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("turn", [Image.Transpose.ROTATE_90, Image.Transpose.FLIP_LEFT_RIGHT])
def test_turning_and_fitting_go_in_either_order(fit: Fit, turn: Image.Transpose) -> None:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (61, 100, 3), dtype=np.uint8))
    first = np.asarray(to_square(image.transpose(turn), 32, fit), int)
    last = np.asarray(to_square(image, 32, fit).transpose(turn), int)
    assert np.abs(first - last).max() <= 1  # each pass of the filter rounds


def test_a_square_photo_is_the_same_in_every_way() -> None:
    image = circle_on((120, 120))
    assert len({to_square(image, 64, fit).tobytes() for fit in FITS}) == 1


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_the_size_in_the_header_is_that_of_the_decoded_photo(
    kind: str, orientation: int, tmp_path: Path
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "photo"
    circle_on((200, 100)).save(path, kind, exif=exif)
    stats = decode_photo(path, size=None).stats
    assert read_size(path) == (stats.width, stats.height)


def test_a_file_without_a_size_has_none(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("no photo")
    (tmp_path / "empty.jpg").touch()
    for name in ("text.jpg", "empty.jpg", "missing.jpg", "."):
        assert read_size(tmp_path / name) is None


def test_another_shape_is_clearly_another() -> None:
    known = (1.0, 4 / 3)
    assert not any(is_other_shape(w, h, known) for w, h in ((100, 100), (4, 3), (3, 2), (9, 10)))
    assert all(is_other_shape(w, h, known) for w, h in ((16, 9), (3, 4), (1, 5)))
