"""Copies that a tool for augmentation named after their photo.

Owns: which names say so. Leaves to others: copies that look alike (`duplicates.py`, `turned_copies.py`).

Roboflow exports each version of `IMG_1.jpg` as `IMG_1_jpg.rf.` and 32 hexadecimal digits. Versions may be sheared,
recoloured or cut out of several photos, so that nothing but the name tells what they come from.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from translearn_core.arrays import Ints

_VERSION = r"(?:^|/)([^/]+)\.rf\.[0-9A-Za-z]{20,}\.\w+$"
MOST_VERSIONS = 24
"""Of one name in a class, from which on it tells nothing: cameras and phones call every photo `image.jpg`."""


def find_named_copies(files: Sequence[str], classes: Sequence[str]) -> tuple[Ints, Ints]:
    """Pairs of rows of one class that are versions of one photo by their names, each with the next.

    Args:
        files: names of the files as they were brought, with folders or without.
        classes: of the same rows.
    """
    stems = pd.Series(list(files), dtype=str).str.extract(_VERSION, expand=False)
    table = pd.DataFrame({"stem": stems, "class": list(classes)}).dropna()
    if not len(table):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    versions = table.groupby(["class", "stem"], sort=False)
    few = versions["stem"].transform("size") <= MOST_VERSIONS
    number = versions.ngroup()[few].sort_values(kind="stable")
    rows, codes = number.index.to_numpy(np.int64), number.to_numpy()
    same = codes[1:] == codes[:-1]
    return rows[:-1][same], rows[1:][same]
