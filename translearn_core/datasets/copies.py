"""Groups of photos that are copies of each other, exact or near (bursts, re-saved, re-sized).

Owns: what counts as a near copy, and finding all of them without comparing every pair.
Leaves to others: what follows from it (`split.py`, `checks.py`).

Two photos are near copies when their perceptual hashes (64-bit DCT hash, Zauner 2010) differ in
at most 10 bits and their 10 x 10 grey versions correlate by at least 0.96. Measured on real photos:
re-saving, resizing and lighter exposure pass both; different hands showing the same digit before
the same wall, or line drawings of the same kind, pass the first but not the second.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from translearn_core.datasets.decode import THUMB_SIDE

MOST_BITS = 10
LEAST_CORRELATION = 0.96
_STRICT = (4, 0.99)
_MOST_OF_CLASS = 1 / 3
_BANDS = 4
# thousands of blank photos may share one hash, or part of it: each meets only so many others
_MOST_TWINS = 24
_MOST_MEMBERS = 4
_MOST_PARTNERS = 200
_FLAT = 2.0  # standard deviation in grey levels below which a photo has no pattern

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class _Pairs:
    first: Ints
    second: Ints
    bits: Ints
    correlation: npt.NDArray[np.float32]

    def where(self, chosen: npt.NDArray[np.bool_]) -> _Pairs:
        return _Pairs(
            self.first[chosen], self.second[chosen], self.bits[chosen], self.correlation[chosen]
        )


def group_copies(photos: pd.DataFrame) -> Ints:
    """A group number for each photo; copies of each other share one.

    Near copies chain (frames of a film do), but no chain may take more than a third of a class:
    such a group is built again with stricter bounds, and at last from exact copies only.

    Args:
        photos: rows of a manifest; unchecked rows are groups of their own.

    Returns:
        (n,) int64, numbered from 0 in order of first appearance.
    """
    n = len(photos)
    exact = _exact_pairs(photos)
    near = _near_pairs(photos)
    groups = _components(n, exact, near)
    strict = near.where((near.bits <= _STRICT[0]) & (near.correlation >= _STRICT[1]))
    nothing = near.where(np.zeros(len(near.first), dtype=bool))
    for tighter in (strict, nothing):
        large = _too_large(groups, photos["class_name"].to_numpy(dtype=object))
        if not large.any():
            break
        stays = near.where(~large[near.first])
        inside = tighter.where(large[tighter.first])
        groups = _components(n, exact, stays, inside)
        near = _Pairs(
            *(
                np.concatenate([getattr(stays, name), getattr(inside, name)])
                for name in ("first", "second", "bits", "correlation")
            )
        )
    return groups


def _exact_pairs(photos: pd.DataFrame) -> _Pairs:
    codes, _values = pd.factorize(photos["sha256"])
    codes = np.where(photos["sha256"].to_numpy(dtype=object) == "", -1, codes)
    order = np.argsort(codes, kind="stable")
    same = (codes[order][1:] == codes[order][:-1]) & (codes[order][1:] >= 0)
    first, second = order[:-1][same], order[1:][same]
    return _Pairs(
        first, second, np.zeros(len(first), np.int64), np.ones(len(first), dtype=np.float32)
    )


def _near_pairs(photos: pd.DataFrame) -> _Pairs:
    """All pairs within the bounds that share a 16-bit band of the hash but for one bit."""
    usable = (photos["phash"].str.len() == 16) & (photos["thumb"].str.len() == 2 * THUMB_SIDE**2)
    rows = np.flatnonzero(usable.to_numpy())
    table = photos.iloc[rows]
    hashes = np.frombuffer(bytes.fromhex("".join(table["phash"])), dtype=">u8").astype(np.uint64)
    thumbs = np.frombuffer(bytes.fromhex("".join(table["thumb"])), dtype=np.uint8)
    thumbs = thumbs.reshape(-1, THUMB_SIDE**2)
    first, second = _candidates(hashes, thumbs)
    bits = np.bitwise_count(hashes[first] ^ hashes[second]).astype(np.int64)
    correlation = _correlate(thumbs, first, second)
    found = _Pairs(rows[first], rows[second], bits, correlation)
    return found.where(correlation >= LEAST_CORRELATION)


def _candidates(hashes: npt.NDArray[np.uint64], thumbs: npt.NDArray[np.uint8]) -> tuple[Ints, Ints]:
    """Pairs of photos of few differing bits; of many with the same hash only some meet."""
    order = np.lexsort((thumbs.sum(axis=1), hashes)).astype(np.int64)
    distinct, starts, counts = np.unique(hashes[order], return_index=True, return_counts=True)
    firsts, seconds = [], []
    for step in range(1, min(_MOST_TWINS, int(counts.max(initial=0)))):  # the same hash
        same = hashes[order][:-step] == hashes[order][step:]
        firsts.append(order[:-step][same])
        seconds.append(order[step:][same])
    low, high = _close_hashes(distinct)
    for i in range(_MOST_MEMBERS):
        for j in range(_MOST_MEMBERS):
            there = (counts[low] > i) & (counts[high] > j)
            firsts.append(order[starts[low[there]] + i])
            seconds.append(order[starts[high[there]] + j])
    return np.concatenate(firsts), np.concatenate(seconds)


def _close_hashes(hashes: npt.NDArray[np.uint64]) -> tuple[Ints, Ints]:
    """Pairs (i < j) of distinct hashes of few differing bits, each once."""
    n = np.int64(max(1, len(hashes)))
    keys = [np.empty(0, np.int64)]
    for band in range(_BANDS):
        part = ((hashes >> np.uint64(16 * band)) & np.uint64(0xFFFF)).astype(np.int64)
        order = np.argsort(part, kind="stable")
        starts = np.searchsorted(part[order], np.arange(2**16 + 1))
        for mask in (0, *(1 << bit for bit in range(16))):
            wanted = part ^ mask
            counts = np.minimum(starts[wanted + 1] - starts[wanted], _MOST_PARTNERS)
            first = np.repeat(np.arange(len(part)), counts)
            ends = np.cumsum(counts)
            inside = np.arange(len(first)) - np.repeat(ends - counts, counts)
            second = order[np.repeat(starts[wanted], counts) + inside]
            differing = np.bitwise_count(hashes[first] ^ hashes[second])
            close = (first != second) & (differing <= MOST_BITS)
            low = np.minimum(first[close], second[close])
            keys.append(np.unique(low * n + np.maximum(first[close], second[close])))
    pairs = np.unique(np.concatenate(keys))
    return pairs // n, pairs % n


def _correlate(thumbs: npt.NDArray[np.uint8], first: Ints, second: Ints) -> npt.NDArray[np.float32]:
    """Pearson correlation of the small grey versions, (pairs,) in [-1, 1].

    Two photos without any pattern count as 1 when they are equally bright, else as 0.
    """
    result = np.empty(len(first), dtype=np.float32)
    values = thumbs.astype(np.float32)
    mean = values.mean(axis=1, keepdims=True)
    values -= mean
    spread = values.std(axis=1)
    values /= np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-6)
    for begin in range(0, len(first), 100_000):
        part = slice(begin, begin + 100_000)
        result[part] = np.einsum("ij,ij->i", values[first[part]], values[second[part]])
    flat = spread < _FLAT
    plain = flat[first] | flat[second]
    alike = flat[first] & flat[second] & (np.abs(mean[first] - mean[second])[:, 0] < 4)
    result[plain] = alike[plain]
    return result


def _components(n: int, *pairs: _Pairs) -> Ints:
    from scipy.sparse import coo_array  # type: ignore[import-untyped]
    from scipy.sparse.csgraph import connected_components  # type: ignore[import-untyped]

    first = np.concatenate([part.first for part in pairs])
    second = np.concatenate([part.second for part in pairs])
    graph = coo_array((np.ones(len(first), dtype=bool), (first, second)), shape=(n, n))
    _count, labels = connected_components(graph, directed=False)
    groups, _values = pd.factorize(labels)
    result: Ints = groups.astype(np.int64)
    return result


def _too_large(groups: Ints, classes: npt.NDArray[np.object_]) -> npt.NDArray[np.bool_]:
    """Which photos lie in a group that takes more than its share of a class."""
    table = pd.DataFrame({"group": groups, "class": classes})
    together = table.groupby(["group", "class"])["class"].transform("size")
    whole = table.groupby("class")["class"].transform("size")
    heavy = (together >= 3) & (together > whole * _MOST_OF_CLASS)
    result: npt.NDArray[np.bool_] = heavy.groupby(table["group"]).transform("any").to_numpy(bool)
    return result
