"""Near-duplicate detection: exact copies, near copies (saved again, cropped, other light), bursts.

Owns: what counts as an exact copy, a near copy and a burst, and finding them without comparing all
pairs. Leaves to others: the groups that they form (`copy_groups.py`), what follows from it (`split.py`,
`feasibility/detectors.py`), registering two photos (`registration.py`), mirrored and turned copies
(`turned_copies.py`), and those with a caption (`captioned_copies.py`).

Candidate pairs are those whose perceptual hashes (64-bit DCT hash, Zauner 2010) differ in at
most 10 bits and whose thumbnails correlate by at least 0.96; and nearest neighbours in the feature space of
a network, which finds crops and changes of light that hashes miss, or, without features, those that look most alike.
Then one photo is registered on the other. Between classes, tight crops are looked for, too,
since one photo may not lie in two classes. Thresholds were measured on photos of litter,
flowers, hands and PACS with seeded copies; recall and precision on two of these sets:
`docs/benchmarks.md`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
import pandas as pd

from translearn_core.arrays import Bools, Floats, Ints
from translearn_core.datasets.augmented_names import find_named_copies
from translearn_core.datasets.captioned_copies import find_captioned_copies
from translearn_core.datasets.components import connected
from translearn_core.datasets.crop_search import shrink
from translearn_core.datasets.embedding import Features, normalised_embedding
from translearn_core.datasets.hash_search import find_close_hashes
from translearn_core.datasets.look_alikes import find_look_alikes
from translearn_core.datasets.nearest import nearest_pairs, rows_at_once
from translearn_core.datasets.registration import (
    compare_pairs,
    correlate,
    find_tight_crops,
    multiply,
)
from translearn_core.datasets.turned_copies import MIN_LIKENESS, find_turned_copies
from translearn_core.imaging.stats import GREY_THUMBNAIL_SIDE, GreyThumbnails

MIN_CORRELATION = 0.96
MIN_SIMILARITY = 0.94
"""Mean of the correlations of the whole image, of its fine structure and (where known) of features,
from which two photos are near copies."""
_MIN_COSINE = 0.8
_MIN_BURST_WHOLE = 0.93
_MIN_CROP_COSINE, _CROP_NEIGHBOURS, _MOST_CROPPED = 0.5, 2, 10_000
"""A tight crop is looked for among the two photos of other classes with the most similar features; in
sets of more than 10,000 photos for so many of them."""
_HASH_MARGIN, _MAX_HASH_COSINE = 0.15, 0.65
"""Photos with nearly equal hashes may be frames of one burst with so much less similarity of features,
and from 0.65 on in any case. Things on white have such hashes, too, but unlike features."""
_MOST_COMPARED = 5_000
"""Photos up to which copies are looked for without features by comparing all of them, which features cost
anyway."""
_MIN_FRAME = 0.92
"""Mean of the correlations of the whole image and of its fine structure from which photos that look alike are
frames of one burst."""
_STRICT = (4, 0.99)
_STRICT_SIMILARITY = 0.97
_MAX_NEIGHBOURS = 12
_UNIFORM_DEVIATION = 2.0  # standard deviation in grey levels below which a photo has no pattern
_AT_ONCE = 2**12  # thumbnails that are measured at a time, so that no copy of all is made


@dataclass(frozen=True)
class Pairs:
    """Pairs of rows of a manifest, each once.

    `likeness` in [0, 1], 1 for exact copies; `exact`, `near` (a near copy or an exact one),
    `strict` (so near, or so sure by their names, that chains of such pairs stay near) and `turned` (a
    copy that is mirrored, turned or tilted, or a version by its name) give the kind; a pair of none is
    two frames of a burst.
    """

    first: Ints
    second: Ints
    likeness: Floats
    exact: Bools
    near: Bools
    strict: Bools
    turned: Bools

    @classmethod
    def of(
        cls,
        first: Ints,
        second: Ints,
        likeness: Floats,
        *,
        exact: Bools | bool = False,
        near: Bools | bool = False,
        strict: Bools | bool = False,
        turned: Bools | bool = False,
    ) -> Pairs:
        """Pairs whose kinds are those that are named, each for all of them or by pair."""
        kinds = (np.full(len(first), kind, np.bool_) for kind in (exact, near, strict, turned))
        return cls(first, second, likeness, *kinds)

    def where(self, chosen: Bools) -> Pairs:
        """Some of them."""
        return Pairs(*(getattr(self, field.name)[chosen] for field in fields(self)))


def find_pairs(
    photos: pd.DataFrame,
    features: Features | None = None,
    *,
    for_groups: bool = False,
) -> Pairs:
    """All pairs of copies and of frames of one burst.

    Args:
        photos: rows of a manifest; rows without statistics have no pairs.
        features: `(n, d)` of the same photos, of any network; without them pairs are found by
            perceptual hashes only.
        for_groups: skip what groups do not depend on: pairs within a chain of strict ones, and the
            similarity of strict ones. With many frames of one scene that is nearly all.
    """
    exact, named = _exact_pairs(photos), _named_pairs(photos)
    rows = np.flatnonzero((photos["look"].str.len() > 0).to_numpy())
    if len(rows) < 2:
        return _join(exact, named)
    table = photos.iloc[rows] if len(rows) < len(photos) else photos  # a copy: 100 MB of 100,000
    thumbnails = GreyThumbnails(table["look"].array)
    first, second, strict = _hash_pairs(list(table["phash"]), thumbnails)
    embedding, burst_from, hash_from = None, 1.0, 0.0
    if features is not None:
        embedding = normalised_embedding(features if len(rows) == len(features) else features[rows])
        burst_from = _burst_similarity(embedding, table["class_name"].to_numpy(dtype=object))
        hash_from = min(burst_from - _HASH_MARGIN, _MAX_HASH_COSINE)
        strict &= multiply(embedding, first, second) >= hash_from
    by_hash = np.ones(len(first), np.bool_)
    chains = representatives = np.arange(len(rows))
    if for_groups:
        chains = connected(len(rows), first[strict], second[strict])
        same = pd.DataFrame({"chain": chains, "phash": table["phash"].to_numpy()})
        representatives = np.flatnonzero(~same.duplicated().to_numpy())
    if embedding is not None:
        first_open, second_open = _neighbours(
            embedding[representatives], min(_MIN_COSINE, burst_from)
        )
        first, second, by_hash, strict = _add(
            first, second, strict, representatives[first_open], representatives[second_open]
        )
    elif len(rows) <= _MOST_COMPARED:
        more = find_look_alikes(thumbnails, representatives)
        first, second, by_hash, strict = _add(first, second, strict, *more)
    if for_groups:
        kept = strict | (chains[first] != chains[second])
        first, second, by_hash, strict = (
            values[kept] for values in (first, second, by_hash, strict)
        )
    scores, near = np.ones(len(first), np.float32), np.ones(len(first), np.bool_)
    kept_pairs = np.ones(len(first), np.bool_)
    undecided = np.flatnonzero(~strict) if for_groups else np.arange(len(first))
    first_open, second_open = first[undecided], second[undecided]
    whole, fine = _compare(thumbnails, first_open, second_open)
    if embedding is None:
        scores[undecided] = (whole + fine) / 2
        near[undecided] = scores[undecided] >= MIN_SIMILARITY
        kept_pairs[undecided] = by_hash[undecided] | (scores[undecided] >= _MIN_FRAME)
    else:
        similarity = multiply(embedding, first_open, second_open)
        scores[undecided] = (whole + fine + similarity) / 3
        near[undecided] = (scores[undecided] >= MIN_SIMILARITY) & (similarity >= _MIN_COSINE)
        alike = np.where(
            by_hash[undecided],
            similarity >= hash_from,
            (similarity >= burst_from) & (whole >= _MIN_BURST_WHOLE),
        )
        kept_pairs[undecided] = near[undecided] | alike
    clipped: Floats = np.clip(scores, 0.0, 1.0).astype(np.float32)
    strict |= clipped >= _STRICT_SIMILARITY
    pairs = Pairs.of(rows[first], rows[second], clipped, near=near, strict=strict)
    pairs = _join(_join(exact, pairs.where(kept_pairs)), named)
    if embedding is not None or len(rows) <= _MOST_COMPARED:
        pairs = _join(pairs, _turned_copies(thumbnails, embedding, representatives, rows))
        pairs = _as_near(pairs, _captioned_copies(thumbnails, representatives, rows))
    if embedding is None:
        return pairs
    return _as_near(pairs, _tight_crops(thumbnails, embedding, table, rows))


def _turned_copies(
    thumbnails: GreyThumbnails, embedding: Floats | None, representatives: Ints, rows: Ints
) -> Pairs:
    """Copies that are mirrored, turned or tilted; `rows` are those of `thumbnails`."""
    first, second, likeness = find_turned_copies(thumbnails, embedding, representatives)
    return Pairs.of(rows[first], rows[second], likeness, turned=True)


def _tight_crops(
    thumbnails: GreyThumbnails, embedding: Floats, table: pd.DataFrame, rows: Ints
) -> Pairs:
    """Photos of which a piece, cut tightly, lies in another class; `rows` are those of `table`."""
    codes, _names = pd.factorize(table["class_name"])
    chosen = np.arange(0, len(rows), max(1, -(-len(rows) // _MOST_CROPPED)))
    first, second = nearest_pairs(
        embedding, chosen, _CROP_NEIGHBOURS, least=_MIN_CROP_COSINE, apart=codes
    )
    cropped, fine = find_tight_crops(thumbnails, first, second)
    likeness = MIN_SIMILARITY + (1 - MIN_SIMILARITY) * fine[cropped]
    return Pairs.of(rows[first[cropped]], rows[second[cropped]], likeness, near=True)


def _captioned_copies(thumbnails: GreyThumbnails, representatives: Ints, rows: Ints) -> Pairs:
    """Copies but for a strip at the top or the bottom; `rows` are those of `thumbnails`."""
    first, second, likeness = find_captioned_copies(thumbnails, representatives)
    return Pairs.of(rows[first], rows[second], likeness, near=True)


def _as_near(pairs: Pairs, more: Pairs) -> Pairs:
    """The union; a pair of `more`, which are near, is near whatever it was."""
    n = 1 + max((int(part.second.max(initial=0)) for part in (pairs, more)), default=0)
    known = np.isin(pairs.first * n + pairs.second, more.first * n + more.second)
    return _join(pairs.where(~known | pairs.near), more)


def _add(
    first: Ints, second: Ints, strict: Bools, more_first: Ints, more_second: Ints
) -> tuple[Ints, Ints, Bools, Bools]:
    """The union of two lists of pairs; which are of the first list, and which are strict."""
    firsts, seconds = np.concatenate([first, more_first]), np.concatenate([second, more_second])
    known = np.arange(len(firsts)) < len(first)
    stricts = np.concatenate([strict, np.zeros(len(more_first), np.bool_)])
    n = 1 + int(seconds.max(initial=0))
    _keys, kept = np.unique(firsts * n + seconds, return_index=True)  # the first of two is kept
    return firsts[kept], seconds[kept], known[kept], stricts[kept]


def _join(pairs: Pairs, more: Pairs) -> Pairs:
    """The union; pairs of `more` that are also in `pairs` are dropped."""
    rows = 1 + max((int(part.second.max(initial=0)) for part in (pairs, more)), default=0)
    known = np.isin(more.first * rows + more.second, pairs.first * rows + pairs.second)
    new = more.where(~known)
    return Pairs(
        *(
            np.concatenate([getattr(part, field.name) for part in (pairs, new)])
            for field in fields(Pairs)
        )
    )


def bare_files(photos: pd.DataFrame) -> dict[str, str]:
    """Of photos whose position was dropped: the SHA-256 of the file as it was brought -> of the file
    without it."""
    if "brought_sha256" not in photos.columns:
        return {}
    known = photos[(photos["brought_sha256"].fillna("") != "") & (photos["sha256"] != "")]
    return dict(zip(known["brought_sha256"], known["sha256"], strict=True))


def bare_hashes(photos: pd.DataFrame) -> pd.Series:
    """The SHA-256 of the photos, as `photos`: of a photo in its place that has a copy without its
    position in the table, too, that of the copy."""
    return without_positions(photos["sha256"], bare_files(photos))


def without_positions(hashes: pd.Series, bare: Mapping[str, str]) -> pd.Series:
    """Hashes of files as they were brought become those of the files without a position.

    Args:
        bare: as of `bare_files`.
    """
    return hashes.map(bare).fillna(hashes) if bare else hashes


def _exact_pairs(photos: pd.DataFrame) -> Pairs:
    """Each photo with the next one of the same content."""
    hashes = bare_hashes(photos)
    codes, _values = pd.factorize(hashes)
    codes = np.where(hashes.to_numpy(dtype=object) == "", -1, codes)
    order = np.argsort(codes, kind="stable")
    same = (codes[order][1:] == codes[order][:-1]) & (codes[order][1:] >= 0)
    first, second = order[:-1][same], order[1:][same]
    likeness = np.ones(len(first), np.float32)
    return Pairs.of(first, second, likeness, exact=True, near=True, strict=True)


def _named_pairs(photos: pd.DataFrame) -> Pairs:
    """Versions of one photo by their names."""
    first, second = find_named_copies(list(photos["file"]), list(photos["class_name"]))
    return Pairs.of(
        first, second, np.full(len(first), MIN_LIKENESS, np.float32), strict=True, turned=True
    )


def _hash_pairs(hashes: list[str], thumbnails: GreyThumbnails) -> tuple[Ints, Ints, Bools]:
    """Pairs (first < second) within the thresholds that share a 16-bit band of the hash up to one
    bit, and which of them are strict.
    """
    codes = np.frombuffer(bytes.fromhex("".join(hashes)), dtype=">u8").astype(np.uint64)
    small = np.empty((len(thumbnails), GREY_THUMBNAIL_SIDE**2 // 4), np.float32)
    total = np.empty(len(thumbnails), np.float32)
    for start in range(0, len(thumbnails), _AT_ONCE):
        some = thumbnails[start : start + _AT_ONCE]
        small[start : start + _AT_ONCE] = shrink(some)
        total[start : start + _AT_ONCE] = some.sum(axis=(1, 2))
    a, b = find_close_hashes(codes, total)
    first, second = np.minimum(a, b), np.maximum(a, b)
    del a, b
    bits = np.bitwise_count(codes[first] ^ codes[second])
    correlation = correlate(small, first, second)
    uniform, same_brightness = _uniform_pairs(thumbnails, first, second)
    correlation[uniform] = same_brightness[uniform]
    strict = (bits <= _STRICT[0]) & (correlation >= _STRICT[1])
    kept = correlation >= MIN_CORRELATION
    return first[kept], second[kept], strict[kept]


def _compare(thumbnails: GreyThumbnails, first: Ints, second: Ints) -> tuple[Floats, Floats]:
    """Correlation of the whole image and of its fine structure; uniform photos get 1 or 0."""
    similarity = compare_pairs(thumbnails, first, second)
    uniform, same_brightness = _uniform_pairs(thumbnails, first, second)
    whole, fine = (
        np.where(uniform, same_brightness, part) for part in (similarity.whole, similarity.fine)
    )
    return whole.astype(np.float32), fine.astype(np.float32)


def _uniform_pairs(thumbnails: GreyThumbnails, first: Ints, second: Ints) -> tuple[Bools, Bools]:
    """Pairs with a uniform photo, and those of two uniform photos of the same brightness."""
    uniform, mean = np.empty(len(thumbnails), np.bool_), np.empty(len(thumbnails), np.float32)
    for start in range(0, len(thumbnails), _AT_ONCE):
        some = slice(start, start + _AT_ONCE)
        values = thumbnails[some]
        uniform[some] = values.std(axis=(1, 2)) < _UNIFORM_DEVIATION
        mean[some] = values.mean(axis=(1, 2))
    same_brightness = uniform[first] & uniform[second] & (np.abs(mean[first] - mean[second]) < 4)
    return uniform[first] | uniform[second], same_brightness


def _burst_similarity(embedding: Floats, names: npt.NDArray[np.object_]) -> float:
    """Cosine similarity from which two photos may be frames of one burst.

    Half-way between 1 and the 90th percentile of the similarity to the nearest photo of another
    class, so that it adapts to the features of any network.
    """
    if len(set(names)) < 2:
        return 0.9
    chosen = np.arange(0, len(embedding), max(1, len(embedding) // 2000))
    codes, _names = pd.factorize(names)
    nearest = []
    for start in range(0, len(chosen), rows := rows_at_once(len(embedding))):
        batch = chosen[start : start + rows]
        cosine = embedding[batch] @ embedding.T
        cosine[codes[batch][:, None] == codes[None, :]] = -1.0
        nearest.append(cosine.max(axis=1))
        del cosine  # before the next
    between_classes = float(np.quantile(np.concatenate(nearest), 0.9))
    return (1.0 + max(between_classes, 0.4)) / 2


def _neighbours(embedding: Floats, threshold: float) -> tuple[Ints, Ints]:
    """Pairs (first < second) above the threshold; of each photo at most the nearest twelve."""
    firsts, seconds = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for start in range(0, len(embedding), rows := rows_at_once(len(embedding))):
        cosine = embedding[start : start + rows] @ embedding[start:].T  # (rows, the rest)
        cosine[np.tril_indices(len(cosine), m=cosine.shape[1])] = -1.0
        close = cosine >= threshold
        crowded = np.flatnonzero(close.sum(axis=1) > _MAX_NEIGHBOURS)
        if len(crowded):
            nearest = np.argpartition(cosine[crowded], -_MAX_NEIGHBOURS)[:, -_MAX_NEIGHBOURS:]
            close[crowded] = False
            index = crowded[:, None], nearest
            close[index] = cosine[index] >= threshold
        first, second = np.nonzero(close)
        firsts.append(first + start)
        seconds.append(second + start)
        del cosine, close  # before the next
    return np.concatenate(firsts), np.concatenate(seconds)
