"""The best crop of a photo, beside every crop made and correlated one by one."""

from __future__ import annotations

import numpy as np
import pytest

from translearn_core.arrays import Floats
from translearn_core.datasets import crop_search, registration
from translearn_core.datasets.crop_search import Crops, find_best_crops, shrink, standardise


def made_crops(crops: Crops, photo: Floats) -> Floats:
    """Every crop of a photo, sampled pixel by pixel, `(crops, 144)`."""
    side = len(photo)
    scale = side / registration.SIDE
    grid = (np.arange(12) + 0.5) * registration.SIDE / 12 - 0.5
    result = []
    for (share, _zero, top), (_none, _share, left) in crops.affines.astype(float):
        lines = []
        for shift in (top, left):
            positions = np.clip((grid * share + shift + 0.5) * scale - 0.5, 0, side - 1.001)
            below = np.floor(positions).astype(int)
            line = np.zeros((12, side))
            line[np.arange(12), below] = 1 - (positions - below)
            line[np.arange(12), below + 1] = positions - below
            lines.append(line)
        result.append((lines[0] @ photo @ lines[1].T).ravel())
    return np.array(result)


@pytest.mark.parametrize("side", [12, 24])
def test_the_best_crop_is_the_best_of_all_that_are_made(side: int) -> None:
    crops = registration._crops() if side == 12 else registration._tight_crops()
    rng = np.random.default_rng(0)
    photos = (rng.random((9, 24, 24)) * 255).astype(np.float32)
    photos[4] = 90.0  # uniform
    photos[5, ::2] = photos[5, 1::2]
    photos[8, :14] = photos[8, :, 6:] = 255.0  # many of its crops are white
    coarse = shrink(photos)
    larger = photos if side == 24 else coarse.reshape(-1, 12, 12)
    first, second = np.array([0, 1, 2, 4, 5, 8, 0]), np.array([1, 3, 2, 6, 7, 0, 7])
    best = find_best_crops(crops, larger, standardise(coarse), first, second)
    for row, (one, other) in enumerate(zip(first, second, strict=True)):
        correlations = [
            standardise(made_crops(crops, larger[source])) @ standardise(coarse[[target]])[0]
            for source, target in ((one, other), (other, one))
        ]
        chosen = correlations[int(best.swapped[row])]
        place = np.flatnonzero((crops.affines == best.affine[row]).all(axis=(1, 2)))
        assert best.correlation[row] == pytest.approx(np.max(correlations), abs=2e-5)
        assert best.correlation[row] <= 1 + 1e-5
        assert chosen[place] == pytest.approx(np.max(correlations), abs=2e-5)


def test_of_two_equal_photos_the_second_is_the_crop() -> None:
    photos = np.random.default_rng(1).random((20, 24, 24)).astype(np.float32)
    both = np.concatenate([photos, photos])
    coarse = shrink(both)
    best = find_best_crops(
        registration._crops(),
        coarse.reshape(-1, 12, 12),
        standardise(coarse),
        np.arange(20),
        np.arange(20, 40),
    )
    assert not best.swapped.any()
    assert best.correlation == pytest.approx(1.0, abs=1e-5)
    assert (best.affine == [[1, 0, 0], [0, 1, 0]]).all()


def test_how_many_are_looked_at_at_a_time_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    photos = np.random.default_rng(2).random((10, 24, 24)).astype(np.float32)
    coarse = shrink(photos)
    pairs = np.arange(9), np.arange(1, 10)
    whole = find_best_crops(registration._tight_crops(), photos, standardise(coarse), *pairs)
    monkeypatch.setattr(crop_search, "_AT_ONCE", 4)
    parts = find_best_crops(registration._tight_crops(), photos, standardise(coarse), *pairs)
    assert parts.correlation == pytest.approx(whole.correlation, abs=1e-5)
    assert np.array_equal(parts.affine, whole.affine)
