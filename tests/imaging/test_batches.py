"""Decoded photos in batches: nothing is lost, errors keep their place, a stop is heeded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.drawing import make_tree
from translearn_core.errors import StopRequestedError
from translearn_core.imaging.batches import in_batches
from translearn_core.imaging.decode import iterate_photos
from translearn_core.monitor import Monitor


class Counting(Monitor):
    """Keeps the progress it is told, and asks to stop after `most` questions."""

    def __init__(self, most: int = 10_000) -> None:
        self.told: list[tuple[int, int]] = []
        self._left = most

    @property
    def stop_requested(self) -> bool:
        self._left -= 1
        return self._left < 0

    def progress(self, done: int, total: int, per_s: float = 0.0, *, what: str = "") -> None:
        self.told.append((done, total))


def photos(folder: Path, n: int, *, broken: tuple[int, ...] = ()) -> list[Path]:
    """Files of `n` photos, some of which cannot be read."""
    paths = [make_tree(folder, {"a": n}) / "a" / f"{number}.jpg" for number in range(n)]
    for number in broken:
        paths[number].write_bytes(b"no photo")
    return paths


def test_full_batches_and_the_rest(tmp_path: Path) -> None:
    paths = photos(tmp_path, 7)
    batches = list(in_batches(iterate_photos(paths, size=16), 3))
    assert [batch.indices for batch in batches] == [[0, 1, 2], [3, 4, 5], [6]]
    assert batches[0].images().shape == (3, 16, 16, 3)
    assert batches[0].images().dtype == np.uint8


def test_unreadable_photos_do_not_count_and_are_named(tmp_path: Path) -> None:
    paths = photos(tmp_path, 6, broken=(1, 5))
    batches = list(in_batches(iterate_photos(paths, size=16), 2))
    assert [batch.indices for batch in batches] == [[0, 2], [3, 4], []]
    assert [sorted(batch.unreadable) for batch in batches] == [[1], [], [5]]
    assert all(e.message for batch in batches for e in batch.unreadable.values())


def test_bytes_and_files_are_decoded_alike(tmp_path: Path) -> None:
    path = photos(tmp_path, 1)[0]
    (batch,) = in_batches(iterate_photos([path, path.read_bytes()], size=16), 4)
    assert np.array_equal(*batch.images())


def test_progress_ends_at_the_number_of_photos(tmp_path: Path) -> None:
    monitor = Counting()
    paths = photos(tmp_path, 5, broken=(2,))
    list(in_batches(iterate_photos(paths, size=16), 2, monitor=monitor, total=5))
    assert monitor.told[-1] == (5, 5)


def test_a_stop_ends_the_pass_within_a_batch(tmp_path: Path) -> None:
    batches = in_batches(iterate_photos(photos(tmp_path, 6), size=16), 2, monitor=Counting(3))
    assert next(batches).indices == [0, 1]
    with pytest.raises(StopRequestedError):
        next(batches)
