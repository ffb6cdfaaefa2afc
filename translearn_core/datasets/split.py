"""Splits photos into training, validation and test set.

Owns: `assign_splits` and `split_leaks`. Leaves to others: what counts as a copy (`duplicates.py`).
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from translearn_core.arrays import Ints
from translearn_core.datasets.duplicate_groups import groups as groups_of_dataset
from translearn_core.datasets.library import Dataset


@dataclass(frozen=True)
class Leak:
    """A training photo, and a duplicate of it in the given validation or test split (paths)."""

    train: str
    held_out: str
    split: str
    exact: bool


def assign_splits(
    dataset: Dataset,
    *,
    validation_share: float,
    test_share: float,
    seed: int,
) -> pd.Series:
    """Give every photo its split; the same seed and photos give the same splits.

    Copies and bursts stay together (`duplicate_groups.groups`), unless a class consists of one
    group of copies only. Each class is split separately: at least one photo for training, then one
    for the test, then one for validation, as far as it has photos. Splits given by the source are
    kept: where it has test photos none are added, and likewise for validation; photos given for
    training, and those without a split, are what the missing splits are taken from.

    Args:
        validation_share: share of these photos for validation, in [0, 1].
        test_share: share of these photos for the test, in [0, 1].
    Returns:
        Series of "train" | "val" | "test", indexed by manifest path, in the manifest's order.
    """
    photos = dataset.photos
    given = photos["split"].to_numpy(dtype=object)
    groups = groups_of_dataset(dataset)
    split = np.where(np.isin(given, ["val", "test"]), given, "").astype(object)
    fractions = {
        "test": 0.0 if (given == "test").any() else test_share,
        "val": 0.0 if (given == "val").any() else validation_share,
    }
    _follow_given(split, given, groups)
    group_index = _GroupIndex(groups)
    names = photos["class_name"].to_numpy(dtype=object)
    counts = photos["class_name"].value_counts()
    for name in sorted(counts.index, key=lambda name: (counts[name], name)):
        rng = np.random.default_rng([seed, zlib.crc32(str(name).encode("utf-8"))])
        _divide_class(split, np.flatnonzero(names == name), group_index, fractions, rng)
    split[split == ""] = "train"
    return pd.Series(split.astype(str), index=pd.Index(photos["path"], name="path"), name="split")


def split_leaks(dataset: Dataset) -> list[Leak]:
    """Copies of training photos among the photos given for validation or test by the source.

    The given splits are kept; held-out metrics are then optimistic.
    """
    photos = dataset.photos
    if not photos["split"].isin(["val", "test"]).any():
        return []
    groups = groups_of_dataset(dataset)
    table = photos[["path", "split", "sha256"]].assign(group=groups)
    train = table[table["split"] == "train"].drop_duplicates("group")
    if not len(train):  # without given training photos, those without a split are
        return []
    held_out_rows = table[table["split"].isin(["val", "test"])]
    joined = held_out_rows.merge(train, on="group", suffixes=("", "_train"))
    exact_matches = joined.merge(
        table.loc[table["split"] == "train", ["sha256"]].drop_duplicates(), on="sha256"
    )
    exact = set(exact_matches["path"])
    return [
        Leak(str(train), str(held_out), str(split), held_out in exact)
        for train, held_out, split in zip(
            joined["path_train"], joined["path"], joined["split"], strict=True
        )
    ]


class _GroupIndex:
    """Rows by group of duplicates."""

    def __init__(self, groups: Ints) -> None:
        self._groups = groups
        self._order = np.argsort(groups, kind="stable")
        self._starts = np.searchsorted(groups[self._order], np.arange(len(groups) + 1))

    def divide(self, rows: Ints) -> list[Ints]:
        """`rows` by groups."""
        ordered = rows[np.argsort(self._groups[rows], kind="stable")]
        groups: list[Ints] = np.split(ordered, np.flatnonzero(np.diff(self._groups[ordered])) + 1)
        return groups

    def free(self, rows: Ints, split: npt.NDArray[np.object_]) -> Ints:
        """All rows of the group of `rows`, in any class, that have no split yet."""
        group = self._groups[rows[0]]
        members: Ints = self._order[self._starts[group] : self._starts[group + 1]]
        free: Ints = members[split[members] == ""]
        return free


def _follow_given(
    split: npt.NDArray[np.object_], given: npt.NDArray[np.object_], groups: Ints
) -> None:
    """Photos without a given split follow their duplicates."""
    free = given == ""
    for name in ("test", "val", "train"):  # the last one wins: a copy of a training photo trains
        members = np.isin(groups, groups[given == name])
        split[free & members] = name


def _divide_class(
    split: npt.NDArray[np.object_],
    rows: Ints,
    group_index: _GroupIndex,
    fractions: dict[str, float],
    rng: np.random.Generator,
) -> None:
    """Divide the photos of one class that have no split yet; copies in other classes follow."""
    pool = rows[split[rows] == ""]
    targets = _targets(len(pool), int((split[rows] == "train").sum()), fractions)
    if not len(pool) or not sum(targets.values()):
        return
    members = group_index.divide(pool)
    if len(members) == 1 and len(pool) == len(rows):
        members = list(pool.reshape(-1, 1))  # one group only: it has to be divided
        group_index = _GroupIndex(np.arange(len(split)))
    members = [members[index] for index in rng.permutation(len(members))]
    for name in ("test", "val"):
        missing = targets[name]
        while missing > 0 and len(members) > 1:
            index = _next_group(members, missing, required=missing == targets[name])
            if index is None:
                break
            group = members.pop(index)
            missing -= len(group)
            split[group_index.free(group, split)] = name
    for group in members:
        split[group_index.free(group, split)] = "train"


def _targets(n: int, n_train: int, fractions: dict[str, float]) -> dict[str, int]:
    """Photos wanted for test and validation out of `n`, so that one is left to train."""
    reserved = 0 if n_train else 1
    targets = {}
    for name in ("test", "val"):
        minimum = 1 if fractions[name] > 0 else 0
        targets[name] = min(max(round(n * fractions[name]), minimum), max(0, n - reserved))
        n_left = n - reserved - targets["test"]
        if name == "val":
            targets[name] = min(targets[name], max(0, n_left))
    return targets


def _next_group(members: list[Ints], missing: int, *, required: bool) -> int | None:
    """The first group that fits; else the smallest, if it is not far too large or one is
    required."""
    smallest, size = None, 0
    for index, group in enumerate(members):
        if len(group) <= missing:
            return index
        if smallest is None or len(group) < size:
            smallest, size = index, len(group)
    return smallest if required or size <= 2 * missing + 1 else None
