"""Groups of photos that are copies of each other or frames of one burst, and chains that are most of a class.

Owns: which pairs join groups, and when a group is so large that it is a chain. Leaves to others: the pairs
(`duplicates.py`), cutting a chain (`copy_chains.py`), what stays on one side of a split
(`kept_together.py`).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from translearn_core.arrays import Bools, Ints
from translearn_core.datasets.components import connected
from translearn_core.datasets.duplicates import Pairs, find_pairs
from translearn_core.datasets.embedding import Features
from translearn_core.datasets.file_names import natural_order
from translearn_core.datasets.fixed_camera import find_fixed_camera

_MAX_OF_CLASS = 1 / 3
_MAX_OF_CLASS_BY_FEATURES = 0.6  # with features, pairs are more reliable
_IN_SEQUENCE = 0.6
"""Share of the photos of a group that are linked to the next by name, from which on they are a sequence."""


def groups_of(
    photos: pd.DataFrame,
    features: Features | None = None,
    *,
    pairs: Pairs | None = None,
) -> Ints:
    """A group number for each photo; copies of each other and frames of one burst share one.

    Args:
        photos, features, pairs: as in `find_groups`.

    Returns:
        (n,) int64, numbered from 0 in order of first appearance.
    """
    return find_groups(photos, features, pairs=pairs)[0]


def have_copies(photos: pd.DataFrame, others: pd.DataFrame) -> Bools:
    """Which photos are copies of one of the others, or frames of one burst, by their looks: `(n,)`.

    Args:
        photos, others: rows of manifests.
    """
    k = len(others)
    if not len(photos) or not k:
        return np.zeros(len(photos), np.bool_)
    both = pd.concat([others, photos], ignore_index=True)
    pairs = find_pairs(both, for_groups=True)
    strict = connected(len(both), pairs.first[pairs.strict], pairs.second[pairs.strict])
    result = np.zeros(len(photos), np.bool_)
    for labels in (find_groups(both, pairs=pairs)[0], strict):
        result |= np.isin(labels[k:], labels[:k])
    # photos of a chain are groups of their own
    across = (pairs.near | pairs.turned) & (pairs.first < k) & (pairs.second >= k)
    result[pairs.second[across] - k] = True
    return result


def find_groups(
    photos: pd.DataFrame,
    features: Features | None = None,
    *,
    pairs: Pairs | None = None,
) -> tuple[Ints, Ints]:
    """The group of each photo, and its chain where one takes most of a class.

    Groups are connected components of copies and of bursts whose links are supported
    (`_supported`): one chance likeness does not join two bursts. A group that takes more than a share
    of a class is a chain where its photos are linked one after the other by the names of their files, as
    the frames of a video are; else it is rebuilt from strict pairs. One that still takes so much is a
    chain of near-copies, too, and so are the photos of a class that a fixed camera took one after the other
    (`fixed_camera.py`). Groups of a chain are exact copies only.

    Args:
        photos, features: as in `find_pairs`.
        pairs: what `find_pairs` says of them, where it is known.

    Returns:
        Groups `(n,) int64`, numbered from 0 in order of first appearance; chains `(n,) int64`, -1
        for a photo of none.
    """
    n = len(photos)
    pairs = find_pairs(photos, features, for_groups=True) if pairs is None else pairs
    max_share = _MAX_OF_CLASS if features is None else _MAX_OF_CLASS_BY_FEATURES
    all_pairs, pairs = pairs, pairs.where(_supported(n, pairs))
    groups = connected(n, pairs.first, pairs.second)
    chains = np.full(n, -1, np.int64)
    for bound in ("strict", "exact"):
        large = _too_large(groups, photos["class_name"].to_numpy(dtype=object), max_share)
        if not large.any():
            break
        chained = large if bound == "exact" else _in_sequence(photos, all_pairs, groups, large)
        chains = np.where(chained, chains.max() + 1 + groups, chains)
        kept = np.where(chained[pairs.first], pairs.exact, getattr(pairs, bound))
        pairs = pairs.where(~large[pairs.first] | kept)
        groups = connected(n, pairs.first, pairs.second)
    fixed = find_fixed_camera(photos, groups) & (chains < 0)
    if fixed.any():
        classes, _names = pd.factorize(photos["class_name"])
        chains = np.where(fixed, chains.max() + 1 + classes, chains)
        pairs = pairs.where(pairs.exact | ~(fixed[pairs.first] | fixed[pairs.second]))
        groups = connected(n, pairs.first, pairs.second)
    return groups, chains


def _supported(n: int, pairs: Pairs) -> Bools:
    """Which pairs may join groups of `n` photos.

    Copies do. Where two frames of a burst are less alike, the parts that copies have joined already
    need more than one such link: two between them, or each one to a third part; or each is what the
    other is most like. Similar things, of which any two may look alike by chance, form long chains
    of single links.
    """
    from scipy.sparse import csr_array

    sure = pairs.exact | pairs.near | pairs.strict
    part = connected(n, pairs.first[sure], pairs.second[sure])
    one, other = part[pairs.first], part[pairs.second]
    weak = np.flatnonzero(one != other)
    low, high = np.minimum(one, other)[weak], np.maximum(one, other)[weak]
    _keys, edge, counts = np.unique(low * n + high, return_inverse=True, return_counts=True)
    best = np.full(n, -1.0, np.float32)
    for ends in (low, high):
        np.maximum.at(best, ends, pairs.likeness[weak])
    mutual = np.maximum(best[low], best[high]) <= pairs.likeness[weak]
    cells = np.concatenate([low, high]), np.concatenate([high, low])
    near = csr_array((np.ones(2 * len(low), np.bool_), cells), shape=(n, n))
    common = (near[low].multiply(near[high])).sum(axis=1) > 0
    supported = np.ones(len(one), np.bool_)
    supported[weak] = mutual | (counts[edge] >= 2) | common
    return supported


def _in_sequence(photos: pd.DataFrame, pairs: Pairs, groups: Ints, large: Bools) -> Bools:
    """Which photos of `large` groups follow each other by the names of their files, each linked to the next.

    Photos of one kind that look alike by chance are linked anywhere, not in the order of their names.
    """
    n = len(photos)
    linked = set((pairs.first * n + pairs.second).tolist())
    part = connected(n, pairs.first[pairs.strict], pairs.second[pairs.strict])
    rows = np.flatnonzero(large)
    table = photos.iloc[rows][["class_name", "file"]].assign(row=rows, group=groups[rows])
    result = np.zeros(n, np.bool_)
    for _key, members in table.groupby(["group", "class_name"], sort=False):
        order = members["row"].to_numpy()[natural_order(members["file"])]
        low, high = np.minimum(order[:-1], order[1:]), np.maximum(order[:-1], order[1:])
        follows = part[low] == part[high]
        follows |= np.array([key in linked for key in (low * n + high).tolist()], np.bool_)
        if len(order) > 2 and follows.mean() >= _IN_SEQUENCE:
            result[order] = True
    return result


def _too_large(groups: Ints, classes: npt.NDArray[np.object_], max_share: float) -> Bools:
    """Which photos lie in a group that exceeds its share of a class."""
    table = pd.DataFrame({"group": groups, "class": classes})
    together = table.groupby(["group", "class"])["class"].transform("size")
    class_size = table.groupby("class")["class"].transform("size")
    too_large = (together >= 3) & (together > class_size * max_share)
    result: Bools = too_large.groupby(table["group"]).transform("any").to_numpy(bool)
    return result
