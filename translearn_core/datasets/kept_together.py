"""Photos that stay on one side of every split: near-duplicates and named groups, joined.

Owns: `Together`, and `<dataset>/groups.parquet`, a row per photo: `path`, `group` (near-duplicates),
`part` and `edge` (`copy_chains.cut_chains`), `turned`, `scene`, the `fingerprint` of the set that it was computed for, and the
`method`. Leaves to others: what a near-duplicate is (`duplicates.py`, `copy_groups.py`), named groups (`grouping.py`), splitting
(`split.py`).

The first feature extraction (of a run or a check) assigns near-duplicates; later ones reuse them, so
that runs with other backbones are tested on the same photos.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from translearn_core.arrays import Bools, Ints
from translearn_core.atomic import disk_errors, parse_parquet
from translearn_core.datasets.components import connect
from translearn_core.datasets.copied_groups import LEAST_GROUPS, are_torn, part_copies
from translearn_core.datasets.copy_chains import cut_chains
from translearn_core.datasets.copy_groups import find_groups
from translearn_core.datasets.dataset import Dataset, write_table
from translearn_core.datasets.duplicates import Pairs, bare_hashes, find_pairs
from translearn_core.datasets.embedding import Features
from translearn_core.datasets.recordings import in_single_recordings

METHOD = 4
"""Of finding near-duplicates. What an earlier one stored is found anew when there are features: 1 knew no
mirrored and turned copies, 2 no fixed cameras, 3 no captions."""


@dataclass(frozen=True)
class _Stored:
    """`copies`: near-duplicates; `scene`: the chain of each photo that is cut by names instead, -1 for none; see
    `Together` for the others."""

    copies: Ints
    part: Ints
    edge: Bools
    turned: Bools
    scene: Ints


_hash_groups: dict[tuple[str, str, int], _Stored] = {}


@dataclass(frozen=True, kw_only=True)
class Together:
    """What belongs together; all arrays are `(n,)`, in the manifest's order.

    Args:
        groups: photos of one number stay on one side: the connected components of near-duplicates,
            parts of chains and named groups.
        copies: near-duplicates and parts of chains alone.
        part: place in time of the part of a chain that is most of a class, -1 for other photos.
        edge: which photos are the last of such a part.
        named: which photos lie in a group with a name.
        turned: which photos have a mirrored, turned or tilted copy by their looks.
        surplus: which photos are used for nothing, because copies of them are in other groups.
        shared: which photos have copies in other groups all the same, because their class has too few groups.
    """

    groups: Ints
    copies: Ints
    part: Ints
    edge: Bools
    named: Bools
    turned: Bools
    surplus: Bools
    shared: Bools


def groups(dataset: Dataset) -> Ints:
    """The number that photos share which stay on one side, `(n,)` in the manifest's order."""
    return together(dataset).groups


def together(dataset: Dataset) -> Together:
    """What belongs together: near-duplicates by features where they were stored for these photos,
    else by perceptual hashes only; and named groups. Do not change it."""
    return dataset.known("together", lambda: _find_together(dataset))


def _find_together(dataset: Dataset) -> Together:
    stored = _read(dataset)
    if stored is None:
        photos = dataset.photos
        key = (str(dataset.folder), dataset.fingerprint, int(photos["checked"].sum()))
        if key not in _hash_groups:
            while len(_hash_groups) >= 4:
                _hash_groups.pop(next(iter(_hash_groups)))
            _hash_groups[key] = _find(dataset, None, None)
        stored = _hash_groups[key]
    found = _joined(dataset, stored)
    for one in vars(found).values():
        one.flags.writeable = False  # they are shared
    return found


def assign_groups(dataset: Dataset, features: Features, *, pairs: Pairs | None = None) -> Together:
    """Find near-duplicates from features and store them, unless they are stored already.

    Args:
        features: `(n, d)` of a trained network, in the manifest's order.
        pairs: what `find_pairs` says of these photos and features, where it is known.
    """
    stored = _read(dataset, method=METHOD)
    if stored is None:
        stored = _find(dataset, features, pairs)
        table = pd.DataFrame(
            {
                "path": dataset.photos["path"].astype(str),
                "group": stored.copies,
                "part": stored.part,
                "edge": stored.edge,
                "turned": stored.turned,
                "scene": stored.scene,
                "method": METHOD,
            }
        )
        write_table(
            dataset.folder / "groups.parquet", table.assign(fingerprint=dataset.fingerprint)
        )
    return _joined(dataset, stored)


def forget_groups(dataset: Dataset) -> None:
    """Have them found anew: what is stored may be of features in another order."""
    with disk_errors():
        (dataset.folder / "groups.parquet").unlink(missing_ok=True)


def _find(dataset: Dataset, features: Features | None, pairs: Pairs | None) -> _Stored:
    photos = dataset.photos
    pairs = find_pairs(photos, features, for_groups=True) if pairs is None else pairs
    copies, chain = find_groups(photos, features, pairs=pairs)
    scene = np.where(_are_named(photos), chain, -1)
    copies, part, edge = _with_parts(dataset, copies, chain)
    turned = np.zeros(len(photos), np.bool_)
    by_looks = pairs.where(pairs.turned & ~pairs.strict)
    turned[by_looks.first] = turned[by_looks.second] = True
    return _Stored(copies, part, edge, turned & (part < 0), scene)  # a thing turns in a video, too


def _are_named(photos: pd.DataFrame) -> Bools:
    """Which photos have a name that others share; one of a single photo keeps nothing together."""
    names = photos["group_name"]
    named: Bools = ((names != "") & names.duplicated(keep=False)).to_numpy()
    return named


def _with_parts(dataset: Dataset, copies: Ints, chain: Ints) -> tuple[Ints, Ints, Bools]:
    """Near-duplicates with the parts of chains among them, the place of each part, and edges. The
    only recording of a class is a chain, however much it moved. A name says more than the looks."""
    single = in_single_recordings(dataset.photos)
    codes, _names = pd.factorize(dataset.photos["group_name"])
    chain = np.where(_are_named(dataset.photos), -1, chain)
    chain = np.where(single, chain.max(initial=-1) + 1 + codes, chain)
    copies = np.where(single, copies.max(initial=-1) + 1 + np.arange(len(copies)), copies)
    part, edge = cut_chains(dataset, chain)
    if not (part >= 0).any():
        return copies, part, edge
    parts, _values = pd.factorize(
        pd.MultiIndex.from_arrays([chain, dataset.photos["class_name"], part])
    )
    return connect(copies, np.where(part >= 0, parts, -1)), part, edge


def _joined(dataset: Dataset, stored: _Stored) -> Together:
    """Near-duplicates joined with named groups.

    Where that leaves a class fewer groups than a split takes, although it has enough names, the
    names alone decide in it, but for exact copies; near-copies in other groups are then put aside.
    """
    photos = dataset.photos
    copies, part, edge, turned = stored.copies, stored.part, stored.edge, stored.turned
    groups_by_name = photos["group_name"].where((photos["group_name"] != "") & (part < 0))
    names, values = pd.factorize(groups_by_name)
    none = np.zeros(len(photos), np.bool_)
    unnamed = Together(
        groups=copies,
        copies=copies,
        part=part,
        edge=edge,
        named=none,
        turned=turned,
        surplus=none,
        shared=none,
    )
    if not len(values):
        return unnamed
    groups = connect(copies, names)
    table = pd.DataFrame({"class": photos["class_name"].to_numpy(dtype=object), "group": groups})
    table["name"] = np.where(names >= 0, names, len(values) + copies)
    counts = table.groupby("class")[["group", "name"]].transform("nunique")
    melted = (counts["group"] < counts["name"].clip(upper=LEAST_GROUPS)).to_numpy()
    surplus = shared = none
    if melted.any():
        hashes = bare_hashes(photos)
        same_file, _hashes = pd.factorize(hashes.where(hashes != ""))
        groups = connect(np.where(melted & (names >= 0), -1, copies), names, same_file)
        surplus, shared = part_copies(table["class"].to_numpy(), copies, groups)
    shared = shared | are_torn(stored.scene, groups)
    named = np.isin(groups, groups[names >= 0])
    return replace(
        unnamed,
        groups=groups,
        part=np.where(named, -1, part),
        edge=edge & ~named,
        named=named,
        surplus=surplus,
        shared=shared,
    )


def _read(dataset: Dataset, *, method: int = 1) -> _Stored | None:
    """The stored near-duplicates, parts and edges; None where there are none, for other photos, or by
    another method before `method`."""
    try:
        table = parse_parquet((dataset.folder / "groups.parquet").read_bytes())
        photos = dataset.photos
        if (
            len(table) != len(photos)
            or not (table["fingerprint"] == dataset.fingerprint).all()
            or not (table["path"].to_numpy() == photos["path"].to_numpy()).all()
            or table.isna().to_numpy().any()
            or (method > 1 and ("method" not in table or (table["method"] < method).any()))
        ):
            return None
        none = np.full(len(table), -1, np.int64)  # written before chains were cut
        part = table["part"].to_numpy(np.int64) if "part" in table else none
        no_edge = np.zeros(len(table), np.bool_)  # written before there were edges
        edge = table["edge"].to_numpy(np.bool_) if "edge" in table else no_edge
        turned = table["turned"].to_numpy(np.bool_) if "turned" in table else no_edge
        scene = table["scene"].to_numpy(np.int64) if "scene" in table else none
        return _Stored(table["group"].to_numpy(np.int64), part, edge, turned, scene)
    except (OSError, ValueError, TypeError, KeyError):
        return None
