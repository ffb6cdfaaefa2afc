"""Varied views of a photo."""

from __future__ import annotations

import numpy as np
import pytest

from translearn_core.imaging.augment import augment, augment_preview, view_generator


@pytest.fixture
def photo() -> np.ndarray:
    rows, columns = np.mgrid[0:60, 0:80]
    return np.stack([rows * 4, columns * 3, (rows + columns)], axis=-1).astype(np.uint8)


@pytest.mark.parametrize("strength", ["light", "strong"])
def test_a_view_keeps_shape_and_type_and_changes_the_photo(
    photo: np.ndarray, strength: str
) -> None:
    view = augment(photo, strength, np.random.default_rng(1))
    assert view.shape == photo.shape
    assert view.dtype == np.uint8
    assert not np.array_equal(view, photo)


def test_none_leaves_the_photo_alone(photo: np.ndarray) -> None:
    assert augment(photo, "none", np.random.default_rng(1)) is photo


def test_strong_changes_more_than_light(photo: np.ndarray) -> None:
    def change(strength: str) -> float:
        views = augment_preview(photo, strength, n=30)
        return float(np.mean([np.abs(v.astype(int) - photo).mean() for v in views]))

    assert change("strong") > change("light")


def test_a_turned_photo_shows_no_black_corners() -> None:
    white = np.full((50, 50, 3), 255, np.uint8)
    rng = np.random.default_rng(0)
    assert min(augment(white, "strong", rng).min() for _view in range(20)) > 120


def test_a_view_is_the_same_in_every_run(photo: np.ndarray) -> None:
    first = augment(photo, "strong", view_generator("ab" * 32, 1))
    again = augment(photo, "strong", view_generator("ab" * 32, 1))
    other = augment(photo, "strong", view_generator("ab" * 32, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
