"""Connected components: photos that are joined by pairs, or by labels that they share.

Leaves to others: which pairs and which labels join (`duplicates.py`, `copy_groups.py`, `kept_together.py`).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from translearn_core.arrays import Bools, Ints


def connected(n: int, first: Ints, second: Ints) -> Ints:
    """The connected component of each of `n` photos in the graph of pairs.

    Args:
        first, second: of each pair the two rows, `(pairs,)`.

    Returns:
        (n,) int64, numbered from 0 in order of first appearance.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(first), dtype=bool), (first, second)), shape=(n, n))
    _count, labels = connected_components(graph, directed=False)
    numbers, _values = pd.factorize(labels)
    result: Ints = numbers.astype(np.int64)
    return result


def connect(*labels: Ints) -> Ints:
    """Groups of photos that share a label of any kind, directly or through others.

    Args:
        labels: of each kind a number for each photo, `(n,)`; -1 for none.

    Returns:
        (n,) int64, numbered from 0 in order of first appearance.
    """
    firsts, seconds = [], []
    for one in labels:
        order = np.argsort(one, kind="stable")
        same = (one[order][1:] == one[order][:-1]) & (one[order][1:] >= 0)
        firsts.append(order[:-1][same])
        seconds.append(order[1:][same])
    n = len(labels[0])
    return connected(n, np.concatenate(firsts), np.concatenate(seconds))


def joined_to(marked: Bools, labels: Ints) -> Bools:
    """Which photos share a label with a marked one, these among them: `(n,)`."""
    result: Bools = np.isin(labels, labels[marked])
    return result
