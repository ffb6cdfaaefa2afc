"""Splits photos into training, validation and test set.

Owns: `assign_splits`, what counts of splits that the source gives (`given_splits`), and what cannot be
split well: `split_leaks`, `torn_groups`, `scarce_groups`, `chained_classes`. Leaves to others: what stays
on one side (`kept_together.py`).
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from translearn_core.arrays import Bools, Ints
from translearn_core.datasets.copied_groups import LEAST_GROUPS
from translearn_core.datasets.dataset import Dataset
from translearn_core.datasets.duplicates import bare_hashes
from translearn_core.datasets.kept_together import Together, together

ASIDE = "aside"
"""The split of photos that are used for nothing: between two stretches of time on different sides, and
copies of photos that the source gives for another split, or that are in another named group."""
LEAST_TRAINED = 0.5
"""Share of its given training photos that a class keeps where copies of them are held out; where it
would be less, the copies that are held out are put aside."""


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

    Copies, bursts and named groups stay together (`kept_together.together`). A class that is one
    chain of near-copies is divided in time: its last part is the test, the one before validation, and
    between two parts on different sides some photos are put aside.
    Only a class of one unnamed group of copies is torn apart. Every class keeps a group to learn
    from, then one for the test, then one for validation, as far as it has groups. Splits given by
    the source are kept, but for copies in two of them (`given_splits`): where it has test photos none are
    added, and likewise for validation; photos given for training, and those without a split, are what
    the missing splits are taken from.

    Args:
        validation_share: share of these photos for validation, in [0, 1].
        test_share: share of these photos for the test, in [0, 1].
    Returns:
        Series of "train" | "val" | "test" | "aside", indexed by manifest path, in the manifest's order.
    """
    photos = dataset.photos
    kept = together(dataset)
    names = photos["class_name"].to_numpy(dtype=object)
    given = given_splits(dataset)
    split = np.where(np.isin(given, ["val", "test", ASIDE]), given, "").astype(object)
    fractions = {
        "test": 0.0 if (given == "test").any() else test_share,
        "val": 0.0 if (given == "val").any() else validation_share,
    }
    _follow_given(split, given, kept.groups)
    classes = pd.Index(sorted(set(names)))
    division = _Division(split, classes.get_indexer(pd.Index(names)), kept, fractions)
    groups = pd.Series(kept.groups).groupby(names).nunique()
    counts = photos["class_name"].value_counts()
    for name in sorted(counts.index, key=lambda name: (groups[name], counts[name], name)):
        rng = np.random.default_rng([seed, zlib.crc32(str(name).encode("utf-8"))])
        division.divide(int(classes.get_loc(name)), rng)
    split[split == ""] = "train"
    split[_between_sides(split, names, kept)] = ASIDE
    return pd.Series(split.astype(str), index=pd.Index(photos["path"], name="path"), name="split")


def _between_sides(
    split: npt.NDArray[np.object_], names: npt.NDArray[np.object_], kept: Together
) -> Bools:
    """Edges of parts of a chain whose next part is on another side; no photos of the test."""
    between = np.zeros(len(split), np.bool_)
    for row in np.flatnonzero(kept.edge & (split != "test")):
        after = split[(names == names[row]) & (kept.part == kept.part[row] + 1)]
        between[row] = bool(len(after)) and bool((after != split[row]).any())
    return between


def split_leaks(dataset: Dataset) -> list[Leak]:
    """Copies of training photos among the photos given for validation or test by the source; one of both is
    put aside."""
    photos = dataset.photos
    if not photos["split"].isin(["val", "test"]).any():
        return []
    groups = together(dataset).copies
    table = photos[["path", "split"]].assign(sha256=bare_hashes(photos), group=groups)
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


def torn_groups(dataset: Dataset) -> dict[str, list[str]]:
    """Named groups of which the source gives some photos for the validation or the test, and others
    not: name -> paths of the photos that are held out."""
    photos = dataset.photos
    named = photos[photos["group_name"] != ""]
    held_out = named["split"].isin(["val", "test"])
    inner = set(named.loc[~held_out, "group_name"])
    torn = named[held_out & named["group_name"].isin(inner)]
    return {
        str(name): [str(path) for path in rows["path"]]
        for name, rows in torn.groupby("group_name", sort=True)
    }


def scarce_groups(dataset: Dataset) -> dict[str, int]:
    """Classes with named groups that have fewer than `LEAST_GROUPS` groups, and how many; none where
    the source gives a split."""
    photos = dataset.photos
    if photos["split"].isin(["val", "test"]).any() or not (photos["group_name"] != "").any():
        return {}
    kept = together(dataset)
    table = pd.DataFrame({"class": photos["class_name"], "group": kept.groups, "named": kept.named})
    by_class = table.groupby("class")
    n, named = by_class["group"].nunique(), by_class["named"].any()
    return {str(name): int(n[name]) for name in n.index if named[name] and n[name] < LEAST_GROUPS}


def chained_classes(dataset: Dataset) -> list[str]:
    """Classes of which most photos are one chain of near-copies, so that they are split in time;
    none where the source gives the test."""
    if (dataset.photos["split"] == "test").any():
        return []
    in_chain = together(dataset).part >= 0
    share = pd.Series(in_chain).groupby(dataset.photos["class_name"].to_numpy()).mean()
    return [name for name in dataset.classes if share[name] > 0.5]


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
    """Photos without a given split follow their duplicates that are held out."""
    for name in ("test", "val"):
        members = np.isin(groups, groups[given == name])
        split[(split == "") & (given == "") & members] = name


def given_splits(dataset: Dataset) -> npt.NDArray[np.object_]:
    """The splits that the source gives, with copies in two of them, or in two named groups, put aside.

    The test stays as it was given, and what is learned from and selected by holds no copy of it. Where that
    would take too many training photos of a class, its copies in the test and in validation are put
    aside instead.

    Returns:
        "train" | "val" | "test" | "aside", or "" for none, `(n,)` in the manifest's order.
    """
    given = dataset.photos["split"].to_numpy(dtype=object)
    names = dataset.photos["class_name"].to_numpy(dtype=object)
    kept = together(dataset)
    copies = kept.copies
    result = np.where(kept.surplus & np.isin(given, ["", "train"]), ASIDE, given).astype(object)
    for held_out, others in (("test", ("val", "train")), ("val", ("train",))):
        members = np.isin(copies, copies[result == held_out])
        result[members & np.isin(result, others)] = ASIDE
    trained = pd.Series(given == "train").groupby(names).transform("sum").to_numpy()
    left = pd.Series(result == "train").groupby(names).transform("sum").to_numpy()
    is_aside = (given == "train") & (result == ASIDE) & ~kept.surplus
    short = is_aside & (left < LEAST_TRAINED * trained)
    members = np.isin(copies, copies[short])
    result[members & (given == "train")] = "train"
    result[members & np.isin(given, ["val", "test"])] = ASIDE
    return result


class _Division:
    """The division of the photos that have no split yet, class by class.

    Args:
        split: of each photo, "" for none yet; it is filled.
        codes: the class of each photo.
        fractions: share for the test and for validation.
    """

    def __init__(
        self,
        split: npt.NDArray[np.object_],
        codes: Ints,
        kept: Together,
        fractions: dict[str, float],
    ) -> None:
        self._split, self._codes, self._kept = split, codes, kept
        self._index = _GroupIndex(kept.groups)
        self._n = int(codes.max(initial=-1)) + 1
        self._missing = {part: np.zeros(self._n, np.int64) for part in ("test", "val")}
        self._wanted = {part: fractions[part] > 0 for part in ("test", "val")}
        free, train = (self._count(np.flatnonzero(split == part)) for part in ("", "train"))
        for code in range(self._n):
            targets = _targets(int(free[code]), int(train[code]), fractions)
            for part, n in targets.items():
                self._missing[part][code] = n
        self._to_learn = free + train

    def _count(self, rows: Ints) -> Ints:
        counts: Ints = np.bincount(self._codes[rows], minlength=self._n)
        return counts

    def divide(self, code: int, rng: np.random.Generator) -> None:
        """Divide the photos of one class; those of other classes in its groups follow."""
        rows = np.flatnonzero(self._codes == code)
        pool = rows[self._split[rows] == ""]
        if not len(pool) or not any(self._wanted.values()):
            return
        index = self._index
        members = index.divide(pool)
        if len(members) == 1 and len(pool) == len(rows) and not self._kept.named[pool].any():
            members = list(pool.reshape(-1, 1))  # one group only: it has to be divided
            index = _GroupIndex(np.arange(len(self._split)))
        members = [members[place] for place in rng.permutation(len(members))]
        # the latest part of a chain first; before it groups that are no part of it
        members.sort(key=lambda group: -self._place(group))
        for name in ("test", "val"):
            while self._missing[name][code] > 0 and len(members) > 1:
                required = not (self._split[rows] == name).any()
                place = self._next_group(members, index, name, code, required=required)
                if place is None:
                    break
                self._hold_out(index.free(members.pop(place), self._split), name)
        for group in members:
            self._split[index.free(group, self._split)] = "train"

    def _place(self, group: Ints) -> float:
        part = int(self._kept.part[group].max())
        return float("inf") if part < 0 else part

    def _hold_out(self, rows: Ints, name: str) -> None:
        counts = self._count(rows)
        self._split[rows] = name
        self._missing[name] -= counts
        self._to_learn -= counts

    def _next_group(
        self, members: list[Ints], index: _GroupIndex, name: str, code: int, *, required: bool
    ) -> int | None:
        """The first group that fits every class that it has photos of; else the one with the
        fewest photos too many, if they are not far too many or one is required."""
        least, excess = None, 0
        for place, group in enumerate(members):
            counts = self._count(index.free(group, self._split))
            present = counts > 0
            if not present.any() or (self._to_learn[present] <= counts[present]).any():
                continue
            missing = np.maximum(self._missing[name], 0)
            over = int(np.maximum(counts - missing, 0).sum())
            if not over:
                return place
            if least is None or over < excess:
                least, excess = place, over
        return least if required or excess <= self._missing[name][code] + 1 else None


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
