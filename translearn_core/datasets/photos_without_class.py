"""Photos that an import left out for want of a class, kept so that they can be sorted later.

Owns: in the data set's folder
    loose.parquet   their rows, with the columns of the manifest, an empty class, and `listed`: the
                    name under which `left_out.parquet` tells of them
while their files lie among the set's own (`photos/unsorted/`) or where they were. The list stays as it
is when photos are taken into the unsorted ones: loose are those that stand in no other table.
Leaves to others: unsorted photos (`unsorted.py`), finding those of no class (`sources.py`).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from translearn_core.atomic import parse_parquet
from translearn_core.datasets import excluded
from translearn_core.datasets.dataset import Dataset, write_table
from translearn_core.datasets.manifest_columns import COLUMNS, with_columns
from translearn_core.datasets.unsorted import all_rows, read_unsorted, write_unsorted
from translearn_core.imaging.remote import PhotoFile

FILE = "loose.parquet"
MOST = 2000
"""Photos that one import keeps so."""
_COLUMNS = {**COLUMNS, "listed": "str"}


def read_kept(dataset: Dataset) -> pd.DataFrame:
    """All rows that imports kept; none where the list is damaged, since nothing else rests on it.
    Do not change them."""
    return dataset.known("loose", lambda: _read_kept(dataset))


def _read_kept(dataset: Dataset) -> pd.DataFrame:
    try:
        return with_columns(parse_parquet((dataset.folder / FILE).read_bytes()), _COLUMNS)
    except (OSError, ValueError, TypeError):
        return with_columns(pd.DataFrame(), _COLUMNS)


def read_loose(dataset: Dataset) -> pd.DataFrame:
    """The photos that were left out for want of a class and can be sorted, one row each, with the
    columns of the manifest.

    Raises:
        SourceError: a list of the data set is damaged.
    """
    kept = read_kept(dataset)
    if not len(kept):
        return with_columns(kept, COLUMNS)
    known = {*all_rows(dataset)["path"], *excluded.read_excluded(dataset)["path"]}
    is_loose = [
        path not in known and _is_there(dataset.photo_file(path)) for path in map(str, kept["path"])
    ]
    return with_columns(kept[is_loose].reset_index(drop=True), COLUMNS)


def _is_there(file: PhotoFile) -> bool:
    """Whether a photo is there, as far as that is known without asking elsewhere."""
    return file.is_file() if isinstance(file, Path) else True


def paths_in_use(dataset: Dataset) -> set[str]:
    """The paths of all photos of a data set but the excluded ones."""
    return {*all_rows(dataset)["path"], *read_loose(dataset)["path"]}


def left_out_for_good(dataset: Dataset) -> pd.DataFrame:
    """The rows of `Dataset.left_out` but for photos that came back: file, reason."""
    left_out, kept = dataset.left_out, read_kept(dataset)
    if not len(kept):
        return left_out
    still = set(kept.loc[kept["path"].isin(read_loose(dataset)["path"]), "listed"])
    came_back = set(kept["listed"]) - still
    return left_out[~left_out["file"].isin(list(came_back))].reset_index(drop=True)


def take_loose(dataset: Dataset) -> list[str]:
    """Put the photos of `read_loose` among the unsorted ones. Returns their paths.

    Raises:
        SourceError, StorageError: nothing was changed.
    """
    with dataset.locked():
        rows = read_loose(dataset)
        if len(rows):
            write_unsorted(dataset, pd.concat([read_unsorted(dataset), rows]))
    return [str(path) for path in rows["path"]]


def leave_loose(dataset: Dataset, paths: Iterable[str]) -> int:
    """Take photos of `take_loose` out of the unsorted ones again; sorted ones stay. Returns how many.

    Raises:
        SourceError, StorageError: nothing was changed.
    """
    with dataset.locked():
        kept = set(read_kept(dataset)["path"])
        unsorted = read_unsorted(dataset)
        chosen = unsorted["path"].isin([path for path in paths if path in kept])
        write_unsorted(dataset, unsorted[~chosen])
    return int(chosen.sum())


def write_loose(dataset: Dataset, rows: pd.DataFrame) -> None:
    """Replace the list; `rows` with the column `listed`. Call it under the lock."""
    if len(rows) or (dataset.folder / FILE).exists():
        write_table(dataset.folder / FILE, with_columns(rows.assign(class_name=""), _COLUMNS))
