"""Which pairs join groups, and which groups are chains: pairs of known likeness."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from translearn_core.datasets.copy_groups import find_groups, groups_of
from translearn_core.datasets.duplicates import Pairs


def _links(*ends: tuple[int, int, float]) -> Pairs:
    """Pairs of frames that are less alike than copies, by rows and likeness."""
    first, second, likeness = zip(*ends, strict=True)
    return Pairs.of(np.array(first), np.array(second), np.array(likeness, np.float32))


def _group(pairs: Pairs, n: int) -> list[int]:
    files = [f"{number * 37 % 100}.jpg" for number in range(100)]
    table = pd.DataFrame({"class_name": "a", "file": files, "look": ""})
    return list(groups_of(table, np.zeros((100, 1)), pairs=pairs)[:n])


def test_a_single_chance_link_joins_no_two_bursts() -> None:
    burst = [(i + a, i + b, 0.9) for i in (0, 3) for a, b in ((0, 1), (1, 2), (0, 2))]
    assert _group(_links(*burst, (2, 3, 0.88)), 6) == [0, 0, 0, 1, 1, 1]
    assert _group(_links(*burst, (2, 3, 0.88), (2, 4, 0.88)), 6) == [0] * 6


def test_of_a_chain_without_support_the_likest_pairs_remain() -> None:
    chain = _links((0, 1, 0.92), (1, 2, 0.9), (2, 3, 0.93))
    assert _group(chain, 4) == [0, 0, 1, 1]


@pytest.mark.parametrize("named", ["in order", "at random"])
def test_photos_that_are_linked_in_the_order_of_their_names_are_a_chain(named: str) -> None:
    """A camera that moves: each frame is like the next two, the first and the last are unlike."""
    n = 30
    frames = _links(*((i, i + step, 0.92) for step in (1, 2) for i in range(n - step)))
    order = np.arange(n) if named == "in order" else np.random.default_rng(0).permutation(n)
    table = pd.DataFrame(
        {"class_name": "a", "file": [f"a/clip {number}.jpg" for number in order], "look": ""}
    )
    groups, chains = find_groups(table, np.zeros((n, 1)), pairs=frames)
    assert len(set(groups)) == n, "so much of a class cannot stay together"
    assert set(chains) == ({0} if named == "in order" else {-1})
