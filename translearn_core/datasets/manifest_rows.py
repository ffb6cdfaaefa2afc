"""Rows of the tables of a data set for photos that come in, and what its record says of them.

Owns: rows of manifest.parquet, loose.parquet and left_out.parquet from candidates, statistics that
are taken over from an earlier reading, and the fields of `Record` that an import sets.
Leaves to others: the columns (`manifest_columns.py`), writing the tables (`dataset.py`).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import pandas as pd

from translearn_core.datasets.dataset import Record
from translearn_core.datasets.import_context import Candidate, ImportContext, LeftOut
from translearn_core.datasets.library import new_id
from translearn_core.datasets.manifest_columns import (
    COLUMNS,
    LEFT_OUT_COLUMNS,
    STATS_COLUMNS,
    with_columns,
)
from translearn_core.datasets.recordings import RECORDINGS, recording_of
from translearn_core.imaging.stats import PhotoStats


def new_record(name: str, *, source: str = "", identity: str = "") -> Record:
    """What describes a new data set; `identity` is the id of one whose photos stay in place."""
    return Record(
        id=identity or new_id(name),
        name=name,
        created=time.time(),
        kind="folder" if identity else "upload",
        source=source,
        begun_empty=False,
    )


def row_of(candidate: Candidate, path: str, stats: PhotoStats | None) -> dict[str, Any]:
    return {
        "path": path,
        "file": candidate.file,
        "class_name": candidate.assignment.class_name,
        "split": candidate.assignment.split,
        "group_name": recording_of(candidate.file),
        "bytes": candidate.size_bytes,
        "mtime_ns": candidate.mtime_ns,
        "checked": stats is not None,
        **(asdict(stats) if stats is not None else {}),
    }


def manifest_rows(candidates: Sequence[Candidate]) -> pd.DataFrame:
    """Manifest rows of photos that stay where they are, unchecked."""
    return as_rows([row_of(item, item.path, None) for item in candidates])


def as_rows(rows: list[dict[str, Any]]) -> pd.DataFrame:
    table = pd.DataFrame(rows)
    for name in STATS_COLUMNS:
        if name in table.columns:
            table[name] = table[name].fillna("" if COLUMNS[name] == "str" else 0)
    return with_columns(table, COLUMNS)


def left_out_table(left_out: LeftOut) -> pd.DataFrame:
    return with_columns(pd.DataFrame(left_out, columns=list(LEFT_OUT_COLUMNS)), LEFT_OUT_COLUMNS)


def listed_as(candidate: Candidate) -> str:
    """Under which name the list of left-out files tells of a photo that has no class."""
    folder = candidate.assignment.folder
    return f"{folder}/" if folder else recording_of(candidate.file) or candidate.file


def grouped_by(rows: pd.DataFrame, record: Record) -> dict[str, str]:
    """What groups new rows, as a field of the record, where nothing did so far."""
    is_new = not record.grouped_by and bool((rows["group_name"] != "").any())
    return {"grouped_by": RECORDINGS} if is_new else {}


def said_and_asked(context: ImportContext) -> dict[str, Any]:
    """What an import has to say and to ask, as fields of the record."""
    return {"notices": tuple(context.notices), "questions": tuple(context.questions)}


def reuse_stats(photos: pd.DataFrame, before: pd.DataFrame) -> pd.DataFrame:
    """Take over the stats of files whose path, size and modification time are unchanged."""
    checked = before[before["checked"]]
    keys = ["path", "bytes", "mtime_ns"]
    stats = checked[[*keys, "checked", *STATS_COLUMNS]]
    bare = photos.drop(columns=["checked", *STATS_COLUMNS])
    merged = bare.merge(stats, on=keys, how="left")
    merged["checked"] = merged["checked"].eq(True)
    for name in STATS_COLUMNS:
        merged[name] = merged[name].fillna("" if COLUMNS[name] == "str" else 0)
    return with_columns(merged, COLUMNS)
