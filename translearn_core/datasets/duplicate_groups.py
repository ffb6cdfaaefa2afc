"""Groups of near-duplicates of a data set, computed once from features, for every split of it.

Owns: `<dataset>/groups.parquet`, a row per photo: `path`, `group`, and the `fingerprint` of the set
that it was computed for. Leaves to others: what a group is (`duplicates.py`), splitting
(`split.py`).

The first feature extraction (of a run or a check) assigns the groups; later ones reuse them, so
that runs with other backbones are tested on the same photos.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from translearn_core.arrays import Ints
from translearn_core.datasets.duplicates import Pairs, groups_of
from translearn_core.datasets.library import Dataset, write_table

_hash_groups: dict[tuple[str, str, int], Ints] = {}


def groups(dataset: Dataset) -> Ints:
    """A group number for each photo, in the manifest's order: from features where they were
    stored for these photos, else from perceptual hashes only."""
    stored = _read(dataset)
    if stored is not None:
        return stored
    photos = dataset.photos
    key = (str(dataset.folder), dataset.fingerprint, int(photos["checked"].sum()))
    if key not in _hash_groups:
        while len(_hash_groups) >= 4:
            _hash_groups.pop(next(iter(_hash_groups)))
        _hash_groups[key] = groups_of(photos)
    return _hash_groups[key]


def assign_groups(
    dataset: Dataset, features: npt.NDArray[np.floating], *, pairs: Pairs | None = None
) -> Ints:
    """Find the groups from features and store them, unless they are stored already.

    Args:
        features: `(n, d)` of a trained network, in the manifest's order.
        pairs: what `find_pairs` says of these photos and features, where it is known.
    """
    stored = _read(dataset)
    if stored is not None:
        return stored
    photos = dataset.photos
    groups_by_row = groups_of(photos, features, pairs=pairs)
    table = pd.DataFrame({"path": photos["path"].astype(str), "group": groups_by_row})
    write_table(dataset.folder / "groups.parquet", table.assign(fingerprint=dataset.fingerprint))
    return groups_by_row


def _read(dataset: Dataset) -> Ints | None:
    """The stored groups; None where there are none, or for other photos."""
    try:
        table = pd.read_parquet(dataset.folder / "groups.parquet")
        photos = dataset.photos
        if (
            len(table) != len(photos)
            or not (table["fingerprint"] == dataset.fingerprint).all()
            or not (table["path"].to_numpy() == photos["path"].to_numpy()).all()
        ):
            return None
        return table["group"].to_numpy(np.int64)
    except (OSError, ValueError, KeyError):
        return None
