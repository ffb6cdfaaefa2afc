"""The columns of the tables of a data set, and the statistics of photos in them.

Owns: names and types of the columns of manifest.parquet and left_out.parquet, tables that lack some,
what a pass over the photos found as a table (`facts_table`), and filling it in.
Leaves to others: files and locks (`dataset.py`), rows of new photos (`manifest_rows.py`), a manifest
that a person brings (`photo_manifest.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import pandas as pd
from pandas.api.types import pandas_dtype

from translearn_core.imaging.stats import PhotoStats

COLUMNS: dict[str, Any] = {
    "path": "str",
    "file": "str",
    "class_name": "str",
    "split": "str",
    "group_name": "str",
    "bytes": "int64",
    "mtime_ns": "int64",
    "checked": "bool",
    "sha256": "str",
    "width": "int64",
    "height": "int64",
    "format": "str",
    "mode": "str",
    "brightness": "float64",
    "phash": "str",
    "shade": "float64",
    "light": "float64",
    "entropy": "float64",
    "detail": "float64",
    "edge_score": "float64",
    "look": "str",
    "tint": "str",
    "pages": "int64",
    "channels": "int64",
    "brought_sha256": "str",
}
LEFT_OUT_COLUMNS: dict[str, Any] = {"file": "str", "reason": "str"}
STATS_COLUMNS = tuple(field.name for field in fields(PhotoStats))
_EMPTY: dict[Any, Any] = {"str": "", "int64": 0, "bool": False, "float64": 0.0}


def with_columns(table: pd.DataFrame, columns: dict[str, Any]) -> pd.DataFrame:
    """`table` with exactly `columns` and their types; missing columns are empty or 0."""
    index = pd.RangeIndex(len(table))
    kinds = {kind: pandas_dtype(kind) for kind in _EMPTY}
    if list(table.columns) == list(columns) and list(table.dtypes) == [
        kinds[kind] for kind in columns.values()
    ]:
        return table.set_axis(index)
    given = set(table.columns)
    missing = {kind for name, kind in columns.items() if name not in given}
    blank = {kind: pd.array([_EMPTY[kind]] * len(table), dtype=kind) for kind in missing}
    full = {
        name: _column(table[name], kinds[kind]) if name in given else blank[kind]
        for name, kind in columns.items()
    }
    return pd.DataFrame(full, index=index)


def _column(column: pd.Series[Any], kind: Any) -> Any:
    """Its values as `kind`. Without an index, by which a table would be put together slowly."""
    return column.array if column.dtype == kind else column.astype(kind).array


def recheck_older_stats(photos: pd.DataFrame) -> pd.DataFrame:
    """Mark photos as unchecked whose manifest of an earlier version lacks statistics."""
    photos["checked"] &= photos["look"] != ""
    return photos


def facts_table(stats: Mapping[str, PhotoStats], left_out: Mapping[str, str]) -> pd.DataFrame:
    """What a pass found, a row for each photo: `path`, the statistics, and `reason` of those that
    cannot be read.

    Args:
        stats, left_out: as in `Dataset.record_stats`.
    """
    read = pd.DataFrame(
        {name: [getattr(entry, name) for entry in stats.values()] for name in STATS_COLUMNS}
    )
    read.insert(0, "path", list(stats))
    refused = pd.DataFrame({"path": list(left_out), "reason": list(left_out.values())})
    kinds = {name: COLUMNS[name] for name in ("path", *STATS_COLUMNS)} | {"reason": "str"}
    return pd.concat([with_columns(table, kinds) for table in (read, refused)], ignore_index=True)


def fill_stats(photos: pd.DataFrame, stats: Mapping[str, PhotoStats]) -> pd.DataFrame:
    """A copy of `photos` in which the rows of `stats` (by path) are checked and complete."""
    return fill_facts(photos, facts_table(stats, {}))


def fill_facts(photos: pd.DataFrame, facts: pd.DataFrame) -> pd.DataFrame:
    """The same with the photos of a table that have no `reason`."""
    photos = photos.copy(deep=False)  # columns are replaced, never written to
    read = facts[facts["reason"] == ""]
    if not len(read):
        return photos
    rows = pd.Index(read["path"]).get_indexer(pd.Index(photos["path"]))
    known = rows >= 0
    for name in STATS_COLUMNS:
        given = read[name].take(rows).set_axis(photos.index)
        photos[name] = given.where(known, photos[name])
    photos["checked"] = photos["checked"] | known
    return photos
