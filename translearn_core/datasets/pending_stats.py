"""What a pass over photos found of each, until it stands in the manifest.

Owns: in the data set's folder
    pass/<hash>.parquet   a shard's facts: path, bytes and time of each photo, its statistics or the
                          reason why it cannot be read
which are written as the shards of a pass end, and put into the manifest together. A pass that was
killed is thus gone on with: what it found holds for every photo whose file has not changed.
Leaves to others: the pass (`features/extract.py`), the manifest (`dataset.py`).
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from translearn_core.arrays import Bools
from translearn_core.atomic import disk_errors, parse_parquet
from translearn_core.datasets.dataset import Dataset, write_table
from translearn_core.datasets.manifest_columns import STATS_COLUMNS, facts_table
from translearn_core.imaging.stats import PhotoStats

FOLDER = "pass"
_FILE = ["bytes", "mtime_ns"]


def keep_facts(
    dataset: Dataset, stats: Mapping[str, PhotoStats], left_out: Mapping[str, str]
) -> None:
    """Write what was found of a shard of photos, by path in the manifest.

    Raises:
        SourceError: the data set was deleted.
        StorageError: the disk is full.
    """
    if not stats and not left_out:
        return
    _record = dataset.record  # raises: it was deleted
    facts = facts_table(stats, left_out)
    photos = dataset.photos
    of_file = photos.loc[photos["path"].isin(facts["path"]), ["path", *_FILE]]
    facts = facts.merge(of_file.drop_duplicates("path"), on="path")
    name = hashlib.sha256("\n".join(facts["path"]).encode("utf-8", "replace")).hexdigest()[:24]
    with disk_errors():
        (dataset.folder / FOLDER).mkdir(exist_ok=True)
    write_table(dataset.folder / FOLDER / f"{name}.parquet", facts, durable=False)


def take_over_facts(dataset: Dataset) -> list[str]:
    """Put what passes have found into the manifest; unreadable photos move to `left_out`.

    Returns:
        The paths of photos that cannot be read.

    Raises:
        StorageError: the disk is full, or another process holds the data set too long.
    """
    files = sorted((dataset.folder / FOLDER).glob("*.parquet"))
    tables = [table for table in map(_read, files) if table is not None]
    if tables:
        facts = pd.concat(tables, ignore_index=True)
        del tables
        holds = _still_hold(dataset, facts)
        facts = facts if holds.all() else facts[holds]  # of many photos a copy is gigabytes
        dataset.record_facts(facts)
        unreadable = [str(path) for path in facts.loc[facts["reason"] != "", "path"]]
    else:
        unreadable = []
    for file in files:
        with contextlib.suppress(OSError):  # read elsewhere (Windows): it is taken over once more
            file.unlink(missing_ok=True)
    return unreadable


def _still_hold(dataset: Dataset, facts: pd.DataFrame) -> Bools:
    """Which rows are the last ones of a photo that the data set has and whose file is the same."""
    photos = dataset.photos
    if not len(photos):
        return np.zeros(len(facts), np.bool_)
    there = pd.Index(photos["path"])
    unique = ~there.duplicated()
    rows = there[unique].get_indexer(pd.Index(facts["path"]))
    holds: Bools = (rows >= 0) & ~facts["path"].duplicated(keep="last").to_numpy()
    for column in _FILE:
        holds &= photos[column].to_numpy()[unique][rows] == facts[column].to_numpy()
    return holds


def _read(file: Path) -> pd.DataFrame | None:
    """The facts of a shard; None for a damaged file: its photos are looked at again."""
    try:
        return parse_parquet(file.read_bytes(), ["path", "reason", *_FILE, *STATS_COLUMNS])
    except (OSError, ValueError):
        return None
