"""Near-copies that lie in several named groups.

Owns: which of them are used for nothing, so that no split has a copy on both sides, and which stay because a class would
have too few groups without. Leaves to others: when names decide although copies connect them (`kept_together.py`).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from translearn_core.arrays import Bools, Ints

LEAST_GROUPS = 3
"""Groups of a class that training, validation and test take."""


def part_copies(
    classes: npt.NDArray[np.object_], copies: Ints, groups: Ints
) -> tuple[Bools, Bools]:
    """Copies in other groups than most of their like: those to put aside, and those that stay, `(n,)` each.

    Of photos that are copies of each other those of the group with most of them are kept; which of several equal ones
    varies, so that each group keeps some.

    Args:
        classes: the class of each photo.
        copies: near-copies share a number, `(n,)`.
        groups: what stays on one side of a split, `(n,)`; copies may be in several.
    """
    table = pd.DataFrame({"class": classes, "copies": copies, "group": groups})
    torn = are_torn(copies, groups)
    size = table.groupby(["copies", "group"])["group"].transform("size").to_numpy()
    turn = (groups * 7919 + copies * 104729) % 1009
    first = table.iloc[np.lexsort((turn, -size, copies))].drop_duplicates("copies")
    chosen = table["copies"].map(first.set_index("copies")["group"]).to_numpy()
    surplus = torn & (groups != chosen)
    had = table.groupby("class")["group"].nunique().clip(upper=LEAST_GROUPS)
    left = table[~surplus].groupby("class")["group"].nunique().reindex(had.index, fill_value=0)
    enough = table["class"].map(left >= had).to_numpy(dtype=np.bool_)
    return surplus & enough, torn & ~enough


def are_torn(labels: Ints, groups: Ints) -> Bools:
    """Which photos share a label with photos of another group, `(n,)`; -1 is none."""
    several = pd.Series(groups).groupby(labels).transform("nunique") > 1
    torn: Bools = (several & (labels >= 0)).to_numpy()
    return torn
