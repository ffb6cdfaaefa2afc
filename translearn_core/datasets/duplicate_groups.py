"""Groups of near-duplicates of a data set, computed once from features, for every split of it.

Owns: `<dataset>/groups.parquet`, a row per photo: `path`, `group`, and the `fingerprint` of the set
that it was told for. Leaves to others: what a group is (`duplicates.py`), splitting (`split.py`).

The first look through a trained network (a run's or a check's) tells the groups; every later one
takes the same, so that runs with other backbones are tested on the same photos.
"""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
import pandas as pd

from translearn_core.datasets.duplicates import Pairs, groups_of
from translearn_core.datasets.library import Dataset, write_file
from translearn_core.datasets.registration import Ints

_hash_groups: dict[tuple[str, str, int], Ints] = {}


def groups(dataset: Dataset) -> Ints:
    """A group number for each photo, in the manifest's order: as told by features where they were
    at hand for these very photos, else by perceptual hashes alone."""
    known = _read(dataset)
    if known is not None:
        return known
    photos = dataset.photos
    key = (str(dataset.folder), dataset.fingerprint, int(photos["checked"].sum()))
    if key not in _hash_groups:
        while len(_hash_groups) >= 4:
            _hash_groups.pop(next(iter(_hash_groups)))
        _hash_groups[key] = groups_of(photos)
    return _hash_groups[key]


def tell_groups(
    dataset: Dataset, features: npt.NDArray[np.floating], *, pairs: Pairs | None = None
) -> Ints:
    """Find the groups by features and keep them, unless they are told already.

    Args:
        features: `(n, d)` of a trained network, in the manifest's order.
        pairs: what `find_pairs` says of these photos and features, where it is known.
    """
    known = _read(dataset)
    if known is not None:
        return known
    photos = dataset.photos
    found = groups_of(photos, features, pairs=pairs)
    table = pd.DataFrame({"path": photos["path"].astype(str), "group": found})
    buffer = io.BytesIO()
    table.assign(fingerprint=dataset.fingerprint).to_parquet(buffer, index=False)
    write_file(dataset.folder / "groups.parquet", buffer.getvalue())
    return found


def _read(dataset: Dataset) -> Ints | None:
    """The groups that were told; None where none were, or for other photos."""
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
