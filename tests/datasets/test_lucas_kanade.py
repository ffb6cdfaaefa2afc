"""Alignment of drawn images whose transform is known."""

from __future__ import annotations

import numpy as np
import pytest

from translearn_core.arrays import Array, Floats
from translearn_core.datasets.lucas_kanade import align

SIDE = 24


def drawn(affine: Array | None = None, *, seed: int = 0) -> Floats:
    """A smooth image `(1, 24, 24)`, as seen through a transform of row, column and 1."""
    rows, columns = np.mgrid[0:SIDE, 0:SIDE].astype(float)
    if affine is not None:
        rows, columns = np.einsum("ab,brc->arc", affine, np.stack([rows, columns, rows * 0 + 1]))
    image = np.zeros_like(rows)
    for row, column, height in np.random.default_rng(seed).uniform(0, 1, (9, 3)):
        square = (rows - SIDE * row) ** 2 + (columns - SIDE * column) ** 2
        image += (40 + 160 * height) * np.exp(-square / 18)
    return image[None].astype(np.float32)


def about_middle(angle: float, scale: float = 1.0, shift: float = 0.0) -> Array:
    """A rotation about the middle of the image, by degrees."""
    cos, sin = scale * np.cos(np.radians(angle)), scale * np.sin(np.radians(angle))
    turn = np.array([[cos, sin], [-sin, cos]])
    middle = (SIDE - 1) / 2
    return np.column_stack([turn, middle + shift - turn.sum(axis=1) * middle])


@pytest.mark.parametrize(
    ("angle", "scale", "shift"), [(4, 1.0, 0.0), (0, 0.93, 0.8), (-3, 1.05, -0.6)]
)
def test_a_small_transform_is_found(angle: float, scale: float, shift: float) -> None:
    known = about_middle(angle, scale, shift)
    start = np.eye(2, 3, dtype=np.float32)[None]
    found = align(drawn(), 0.6 * drawn(known) + 20, start, scales=(0.7, 1.4), steps=12)
    assert found.whole[0] > 0.995
    assert found.fine()[0] > 0.96
    corners = np.array([[4, 4, 1], [4, 19, 1], [19, 4, 1], [19, 19, 1]]).T
    assert np.abs(found.affine[0] @ corners - known @ corners).max() < 0.3


def test_only_the_window_is_compared() -> None:
    spoilt = drawn()
    spoilt[:, :5] = 0
    window = np.ones((SIDE, SIDE), bool)
    window[:6] = False
    start = np.eye(2, 3, dtype=np.float32)[None]
    whole = align(drawn(), spoilt, start, scales=(0.7, 1.4), window=window, steps=0)
    assert whole.whole[0] == pytest.approx(1, abs=1e-5)
    assert align(drawn(), spoilt, start, scales=(0.7, 1.4), steps=0).whole[0] < 0.99


def test_a_transform_out_of_bounds_is_none() -> None:
    start = about_middle(0, 0.5)[None].astype(np.float32)
    found = align(drawn(), drawn(about_middle(0, 0.5)), start, scales=(0.7, 1.4))
    assert found.whole[0] == found.fine()[0] == -1
