"""Near-duplicate detection: exact copies, near copies (saved again, cropped, other light), bursts.

Owns: what counts as a near copy and as a burst, finding all of them without comparing every pair,
and the groups that they form. Leaves to others: what follows from it (`split.py`, `feasibility/checks.py`),
how alike two photos look (`registration.py`).

Pairs worth a look are those whose perceptual hashes (64-bit DCT hash, Zauner 2010) differ in at
most 10 bits and whose small pictures correlate by at least 0.96; and, where a network's features
are at hand, near neighbours among them: that finds what hashes miss, crops and other light.
Then one photo is registered on the other. Bounds were measured on photos of litter, flowers, hands
and PACS with seeded copies; recall and precision on two of these sets: `docs/benchmarks.md`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
import pandas as pd

from translearn_core.datasets.registration import (
    Bools,
    Floats,
    Ints,
    compare,
    correlate,
    multiply,
    shrink,
)
from translearn_core.imaging.stats import unpack_looks

MOST_BITS = 10
LEAST_CORRELATION = 0.96
LEAST_LIKENESS = 0.94
"""Mean of what two photos share in whole, in fine structure and (where known) in features, from
which one is a near copy of the other."""
_LEAST_SIMILARITY = 0.8
_LEAST_BURST_WHOLE = 0.93
_STRICT = (4, 0.99)
_STRICT_LIKENESS = 0.97
_MOST_OF_CLASS = 1 / 3
_MOST_OF_CLASS_SEEN = 0.6  # pairs that features speak for may be trusted further
_BANDS = 4
# thousands of blank photos may share one hash, or part of it: each meets only so many others
_MOST_TWINS = 24
_MOST_MEMBERS = 4
_MOST_PARTNERS = 200
_MOST_NEIGHBOURS = 12
_FLAT = 2.0  # standard deviation in grey levels below which a photo has no pattern
_DIMENSIONS = 128
_AT_ONCE = 2**24


@dataclass(frozen=True)
class Pairs:
    """Pairs of rows of a manifest, each once.

    `likeness` in [0, 1], 1 for exact copies; `exact`, `near` (a near copy or an exact one) and
    `strict` (so near that no chain of such pairs goes astray) tell the kind; a pair that is
    neither exact nor near is two frames of a burst.
    """

    first: Ints
    second: Ints
    likeness: Floats
    exact: Bools
    near: Bools
    strict: Bools

    def where(self, chosen: Bools) -> Pairs:
        """Some of them."""
        return Pairs(*(getattr(self, field.name)[chosen] for field in fields(self)))


def find_pairs(
    photos: pd.DataFrame,
    features: npt.NDArray[np.floating] | None = None,
    *,
    for_groups: bool = False,
) -> Pairs:
    """All pairs of copies and of frames of one burst.

    Args:
        photos: rows of a manifest; rows without facts have no partner.
        features: `(n, d)` of the same photos, of any network; without them only what perceptual
            hashes tell apart is found.
        for_groups: leave out what groups do not depend on: pairs within a chain of strict ones,
            and how alike strict ones are. Of many frames of one scene that is nearly all.
    """
    exact = _exact_pairs(photos)
    rows = np.flatnonzero((photos["look"].str.len() > 0).to_numpy())
    if len(rows) < 2:
        return exact
    table = photos.iloc[rows]
    looks = unpack_looks(list(table["look"]))
    first, second, strict = _hash_pairs(list(table["phash"]), looks)
    found = np.ones(len(first), np.bool_)
    chains = seen = np.arange(len(rows))
    if for_groups:
        chains = _chains(len(rows), first[strict], second[strict])
        same = pd.DataFrame({"chain": chains, "phash": table["phash"].to_numpy()})
        seen = np.flatnonzero(~same.duplicated().to_numpy())
    points, burst_from = None, 1.0
    if features is not None:
        features = np.asarray(features)
        points = spread_out(features if len(rows) == len(features) else features[rows])
        burst_from = _burst_similarity(points, table["class_name"].to_numpy(dtype=object))
        one, other = _neighbours(points[seen], min(_LEAST_SIMILARITY, burst_from))
        first, second, found, strict = _add(first, second, strict, seen[one], seen[other])
    if for_groups:
        kept = strict | (chains[first] != chains[second])
        first, second, found, strict = (part[kept] for part in (first, second, found, strict))
    likeness, near = np.ones(len(first), np.float32), np.ones(len(first), np.bool_)
    open_ = np.flatnonzero(~strict) if for_groups else np.arange(len(first))
    one, other = first[open_], second[open_]
    whole, fine = _compare(looks, one, other)
    if points is None:
        likeness[open_] = (whole + fine) / 2
        near[open_] = likeness[open_] >= LEAST_LIKENESS
    else:
        similarity = multiply(points, one, other)
        likeness[open_] = (whole + fine + similarity) / 3
        near[open_] = (likeness[open_] >= LEAST_LIKENESS) & (similarity >= _LEAST_SIMILARITY)
        found[open_] |= (similarity >= burst_from) & (whole >= _LEAST_BURST_WHOLE)
        found |= near
    sure: Floats = np.clip(likeness, 0.0, 1.0).astype(np.float32)
    strict |= sure >= _STRICT_LIKENESS
    none = np.zeros(len(first), np.bool_)
    return _join(exact, Pairs(rows[first], rows[second], sure, none, near, strict).where(found))


def groups_of(
    photos: pd.DataFrame,
    features: npt.NDArray[np.floating] | None = None,
    *,
    pairs: Pairs | None = None,
) -> Ints:
    """A group number for each photo; copies of each other and frames of one burst share one.

    Such pairs chain (frames of a film do), but no chain may take more than a share of a class:
    such a group is built again with stricter bounds, and at last from exact copies only.

    Args:
        photos, features: as in `find_pairs`.
        pairs: what `find_pairs` says of them, where it is known.

    Returns:
        (n,) int64, numbered from 0 in order of first appearance.
    """
    n = len(photos)
    pairs = find_pairs(photos, features, for_groups=True) if pairs is None else pairs
    most = _MOST_OF_CLASS if features is None else _MOST_OF_CLASS_SEEN
    groups = _components(n, pairs)
    for bound in ("strict", "exact"):
        large = _too_large(groups, photos["class_name"].to_numpy(dtype=object), most)
        if not large.any():
            break
        pairs = pairs.where(~large[pairs.first] | getattr(pairs, bound))
        groups = _components(n, pairs)
    return groups


def _add(
    first: Ints, second: Ints, strict: Bools, also_first: Ints, also_second: Ints
) -> tuple[Ints, Ints, Bools, Bools]:
    """Pairs of the one kind and of the other, each once; which are of the one, which are strict."""
    firsts, seconds = np.concatenate([first, also_first]), np.concatenate([second, also_second])
    known = np.arange(len(firsts)) < len(first)
    stricts = np.concatenate([strict, np.zeros(len(also_first), np.bool_)])
    n = 1 + int(seconds.max(initial=0))
    _keys, kept = np.unique(firsts * n + seconds, return_index=True)  # the first of two is kept
    return firsts[kept], seconds[kept], known[kept], stricts[kept]


def _join(one: Pairs, other: Pairs) -> Pairs:
    """Both, without what `other` repeats."""
    rows = 1 + max((int(part.second.max(initial=0)) for part in (one, other)), default=0)
    known = np.isin(other.first * rows + other.second, one.first * rows + one.second)
    rest = other.where(~known)
    return Pairs(
        *(
            np.concatenate([getattr(part, field.name) for part in (one, rest)])
            for field in fields(Pairs)
        )
    )


def _exact_pairs(photos: pd.DataFrame) -> Pairs:
    """Each photo with the next one of the same content."""
    codes, _values = pd.factorize(photos["sha256"])
    codes = np.where(photos["sha256"].to_numpy(dtype=object) == "", -1, codes)
    order = np.argsort(codes, kind="stable")
    same = (codes[order][1:] == codes[order][:-1]) & (codes[order][1:] >= 0)
    first, second = order[:-1][same], order[1:][same]
    yes = np.ones(len(first), np.bool_)
    return Pairs(first, second, np.ones(len(first), np.float32), yes, yes, yes)


def _hash_pairs(hashes: list[str], looks: Floats) -> tuple[Ints, Ints, Bools]:
    """Pairs (first < second) within the bounds that share a 16-bit band of the hash but for one bit.

    And which of them are strict.
    """
    codes = np.frombuffer(bytes.fromhex("".join(hashes)), dtype=">u8").astype(np.uint64)
    one, other = _candidates(codes, looks)
    first, second = np.minimum(one, other), np.maximum(one, other)
    bits = np.bitwise_count(codes[first] ^ codes[second]).astype(np.int64)
    correlation = correlate(shrink(looks), first, second)
    plain, alike = _without_pattern(looks, first, second)
    correlation[plain] = alike[plain]
    strict = (bits <= _STRICT[0]) & (correlation >= _STRICT[1])
    kept = correlation >= LEAST_CORRELATION
    return first[kept], second[kept], strict[kept]


def _compare(looks: Floats, first: Ints, second: Ints) -> tuple[Floats, Floats]:
    """Likeness in whole and in fine structure; photos without any pattern are alike or not."""
    found = compare(looks, first, second)
    plain, alike = _without_pattern(looks, first, second)
    whole, fine = (np.where(plain, alike, part) for part in (found.whole, found.fine))
    return whole.astype(np.float32), fine.astype(np.float32)


def _without_pattern(looks: Floats, first: Ints, second: Ints) -> tuple[Bools, Bools]:
    """Pairs in which a photo has no pattern, and those in which both have none and are as bright."""
    flat = looks.std(axis=(1, 2)) < _FLAT
    mean = looks.mean(axis=(1, 2))
    alike = flat[first] & flat[second] & (np.abs(mean[first] - mean[second]) < 4)
    return flat[first] | flat[second], alike


def spread_out(features: npt.NDArray[np.floating]) -> Floats:
    """Features centred, in their main directions, of length 1: `(n, at most 128)` float32.

    What all photos share is taken away, so that 0 means no more alike than any two photos.
    """
    n, width = features.shape
    mean = features.mean(axis=0, dtype=np.float64).astype(np.float32)
    if width > _DIMENSIONS < n:
        turn = _main_directions(features[:: max(1, n // 5000)].astype(np.float32) - mean)
    else:
        turn = np.eye(width, dtype=np.float32)
    points = np.empty((n, turn.shape[1]), np.float32)
    for begin in range(0, n, 4096):  # a copy of all would be as large as the features again
        part = features[begin : begin + 4096].astype(np.float32) - mean
        points[begin : begin + 4096] = part @ turn
    points /= np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-6)
    return points


def _main_directions(values: Floats) -> Floats:
    """The 128 directions of most variance, `(d, 128)`, by randomised subspace iteration.

    Halko, Martinsson and Tropp 2011, with one power and a fixed start: a tenth of the time of all
    directions.
    """
    from scipy.linalg import qr

    start = np.random.default_rng(0).standard_normal((values.shape[1], _DIMENSIONS + 32))
    space = start.astype(np.float32)
    for _power in range(2):
        space, _rest = qr(values.T @ (values @ space), mode="economic")
    inside = values @ space  # (n, 160)
    _sizes, turn = np.linalg.eigh(inside.T @ inside)
    directions: Floats = (space @ turn[:, -_DIMENSIONS:]).astype(np.float32)
    return directions


def _burst_similarity(points: Floats, names: npt.NDArray[np.object_]) -> float:
    """Similarity from which two photos may be frames of one burst.

    Half-way from what unlike photos reach (the nearest of another class, of nine in ten photos)
    to 1; so it holds for the features of any network.
    """
    if len(set(names)) < 2:
        return 0.9
    chosen = np.arange(0, len(points), max(1, len(points) // 2000))
    codes, _names = pd.factorize(names)
    nearest = []
    for begin in range(0, len(chosen), rows := _rows_at_once(len(points))):
        part = chosen[begin : begin + rows]
        similar = points[part] @ points.T
        similar[codes[part][:, None] == codes[None, :]] = -1.0
        nearest.append(similar.max(axis=1))
    unlike = float(np.quantile(np.concatenate(nearest), 0.9))
    return (1.0 + max(unlike, 0.4)) / 2


def _neighbours(points: Floats, least: float) -> tuple[Ints, Ints]:
    """Pairs (first < second) at least so similar; of each photo at most the nearest twelve."""
    firsts, seconds = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for begin in range(0, len(points), rows := _rows_at_once(len(points))):
        similar = points[begin : begin + rows] @ points[begin:].T  # (rows, the rest)
        similar[np.tril_indices(len(similar), m=similar.shape[1])] = -1.0
        close = similar >= least
        crowded = np.flatnonzero(close.sum(axis=1) > _MOST_NEIGHBOURS)
        if len(crowded):
            near = np.argpartition(similar[crowded], -_MOST_NEIGHBOURS)[:, -_MOST_NEIGHBOURS:]
            close[crowded] = False
            place = crowded[:, None], near
            close[place] = similar[place] >= least
        first, second = np.nonzero(close)
        firsts.append(first + begin)
        seconds.append(second + begin)
    return np.concatenate(firsts), np.concatenate(seconds)


def _rows_at_once(n: int) -> int:
    """How many photos are compared with all `n` at a time, so that memory does not grow with `n`."""
    return min(1024, max(16, _AT_ONCE // max(1, n)))


def _candidates(hashes: npt.NDArray[np.uint64], looks: Floats) -> tuple[Ints, Ints]:
    """Pairs of photos of few differing bits; of many with the same hash only some meet."""
    order = np.lexsort((looks.sum(axis=(1, 2)), hashes)).astype(np.int64)
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


def _chains(n: int, first: Ints, second: Ints) -> Ints:
    """A number for each of `n` photos; those that a chain of pairs joins share one."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(first), dtype=bool), (first, second)), shape=(n, n))
    _count, labels = connected_components(graph, directed=False)
    numbers: Ints = labels.astype(np.int64)
    return numbers


def _components(n: int, pairs: Pairs) -> Ints:
    groups, _values = pd.factorize(_chains(n, pairs.first, pairs.second))
    result: Ints = groups.astype(np.int64)
    return result


def _too_large(groups: Ints, classes: npt.NDArray[np.object_], most: float) -> Bools:
    """Which photos lie in a group that takes more than its share of a class."""
    table = pd.DataFrame({"group": groups, "class": classes})
    together = table.groupby(["group", "class"])["class"].transform("size")
    whole = table.groupby("class")["class"].transform("size")
    heavy = (together >= 3) & (together > whole * most)
    result: Bools = heavy.groupby(table["group"]).transform("any").to_numpy(bool)
    return result
