"""Pairs of photos with nearly equal perceptual hashes, found without comparing all pairs.

Owns: `find_close_hashes`. Leaves to others: the hashes (`imaging/stats.py`), what two such photos are
(`duplicates.py`).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from translearn_core.arrays import Floats, Ints

MAX_BITS = 10
"""Bits in which the hashes of a pair differ at most."""
_BANDS = 4
# thousands of blank photos may share a hash, or a band of it: comparisons per photo are bounded
_MAX_TWINS = 24
_MAX_MEMBERS = 4
_MAX_PARTNERS = 200


def find_close_hashes(hashes: npt.NDArray[np.uint64], total: Floats) -> tuple[Ints, Ints]:
    """Pairs of photos whose hashes differ in few bits; bounded for many equal hashes, of which those with
    the next `total` `(n,)` of the thumbnail are taken."""
    order = np.lexsort((total, hashes)).astype(np.int64)
    distinct, starts, counts = np.unique(hashes[order], return_index=True, return_counts=True)
    firsts, seconds = [], []
    for step in range(1, min(_MAX_TWINS, int(counts.max(initial=0)))):  # the same hash
        same = hashes[order][:-step] == hashes[order][step:]
        firsts.append(order[:-step][same])
        seconds.append(order[step:][same])
    low, high = _close_pairs(distinct)
    for i in range(_MAX_MEMBERS):
        for j in range(_MAX_MEMBERS):
            exists = (counts[low] > i) & (counts[high] > j)
            firsts.append(order[starts[low[exists]] + i])
            seconds.append(order[starts[high[exists]] + j])
    return np.concatenate(firsts), np.concatenate(seconds)


def _close_pairs(hashes: npt.NDArray[np.uint64]) -> tuple[Ints, Ints]:
    """Pairs (i < j) of distinct hashes of few differing bits, each once."""
    n = np.int64(max(1, len(hashes)))
    keys = [np.empty(0, np.int64)]
    for band in range(_BANDS):
        band_values = ((hashes >> np.uint64(16 * band)) & np.uint64(0xFFFF)).astype(np.int64)
        order = np.argsort(band_values, kind="stable")
        starts = np.searchsorted(band_values[order], np.arange(2**16 + 1))
        for mask in (0, *(1 << bit for bit in range(16))):
            neighbour_values = band_values ^ mask
            counts = np.minimum(
                starts[neighbour_values + 1] - starts[neighbour_values], _MAX_PARTNERS
            )
            first = np.repeat(np.arange(len(band_values)), counts)
            ends = np.cumsum(counts)
            offset = np.arange(len(first)) - np.repeat(ends - counts, counts)
            second = order[np.repeat(starts[neighbour_values], counts) + offset]
            differing = np.bitwise_count(hashes[first] ^ hashes[second])
            close = (first != second) & (differing <= MAX_BITS)
            low = np.minimum(first[close], second[close])
            keys.append(np.unique(low * n + np.maximum(first[close], second[close])))
    pairs = np.unique(np.concatenate(keys))
    return pairs // n, pairs % n
