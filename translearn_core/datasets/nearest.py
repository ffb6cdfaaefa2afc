"""Pairs of nearest points, without the products of all with all in memory at once.

Owns: how many points are compared at a time, the pairs, and those of them that are copies (`find_copies`). Leaves to
others: what points stand for and what a copy is (`duplicates.py`, `turned_copies.py`, `captioned_copies.py`).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from translearn_core.arrays import Floats, Ints

_MAX_CELLS = 2**24


def rows_at_once(n: int) -> int:
    """Points compared with all `n` at a time; bounds the memory."""
    return min(1024, max(16, _MAX_CELLS // max(1, n)))


def nearest_pairs(
    points: Floats, rows: Ints, k: int, *, least: float, apart: Ints | None = None
) -> tuple[Ints, Ints]:
    """Pairs (first < second) of some points with the nearest of all by scalar product, each once, ascending.

    Args:
        points: `(n, d)`, of unit length.
        rows: the points whose nearest are taken.
        k: how many of each.
        least: scalar product of a pair at least.
        apart: labels `(n,)`: points of one label make no pair.
    """
    n = len(points)
    keys = [np.empty(0, np.int64)]
    for start in range(0, len(rows), step := rows_at_once(n)):
        batch = rows[start : start + step]
        products = points[batch] @ points.T
        at = np.arange(len(batch))
        products[at, batch] = -2.0
        if apart is not None:
            products[apart[batch][:, None] == apart[None, :]] = -2.0
        # one after the other: the numbers of all at once would take twice the memory of the products
        for _neighbour in range(min(k, n - 1)):
            nearest = products.argmax(axis=1)
            close = products[at, nearest] >= least
            low, high = np.minimum(batch, nearest)[close], np.maximum(batch, nearest)[close]
            keys.append(low * n + high)
            products[at, nearest] = -2.0
        del products  # before the next
    pairs = np.unique(np.concatenate(keys))
    return pairs // max(1, n), pairs % max(1, n)


def find_copies(
    points: Floats,
    compare: Callable[[Ints, Ints], Floats],
    *,
    enough: float,
    most: int,
    least: float = -1.0,
) -> tuple[Ints, Ints, Floats]:
    """Pairs of near points whose likeness is high enough: of each photo with its nearest, and of those that had a
    copy with some more, since sets hold several copies of one photo.

    Args:
        points: `(n, d)`, of unit length.
        compare: numbers of points `(pairs,)` each -> the likeness of the pairs `(pairs,)`.
        enough: likeness of a copy at least.
        most: neighbours of a photo that had a copy.
        least: scalar product of a pair at least.

    Returns:
        Numbers of points (first < second), and their likeness.
    """
    first, second = nearest_pairs(points, np.arange(len(points)), 1, least=least)
    found = compare(first, second) >= enough
    of_copies = np.union1d(first[found], second[found])
    first, second = nearest_pairs(points, of_copies, most, least=least)
    likeness = compare(first, second)
    found = likeness >= enough
    return first[found], second[found], likeness[found]
