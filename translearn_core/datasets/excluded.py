"""Excluded photos of a data set, which can be restored.

Owns: in the data set's folder
    excluded.parquet   their rows of the manifest, unchanged
    aside/             the set's own files of them, under their former paths
so that a photo added later never takes the name of one that may be restored. Photos that were left
in place are not moved. Leaves to others: the manifest's other changes, and undo
(`editing.py`). Every function but `read_excluded` is called under the lock of the data set.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from translearn_core.atomic import disk_errors, parse_parquet, replace_file
from translearn_core.datasets.dataset import Dataset, stays_in_place, write_table
from translearn_core.datasets.manifest_columns import COLUMNS, with_columns
from translearn_core.errors import SourceError
from translearn_core.i18n import _


def read_excluded(dataset: Dataset) -> pd.DataFrame:
    """The rows of the excluded photos, with the columns of the manifest. Do not change them.

    Raises:
        SourceError: the list is damaged.
    """
    return dataset.known("excluded", lambda: _read(dataset))


def _read(dataset: Dataset) -> pd.DataFrame:
    path = dataset.folder / "excluded.parquet"
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return with_columns(pd.DataFrame(), COLUMNS)
    try:
        return with_columns(parse_parquet(data), COLUMNS)
    except (ValueError, TypeError) as error:
        raise SourceError(
            _(
                "The list of the photos that were taken out of {name} cannot be read: {file} is "
                "damaged. Delete this file; these photos then stay out, and can be brought in again."
            ).format(name=dataset.name, file=path)
        ) from error


def write_excluded(dataset: Dataset, rows: pd.DataFrame) -> None:
    """Replace the list of excluded photos."""
    path = dataset.folder / "excluded.parquet"
    if not len(rows):
        with disk_errors():
            path.unlink(missing_ok=True)
        return
    write_table(path, with_columns(rows, COLUMNS))


def exclude_rows(dataset: Dataset, rows: pd.DataFrame) -> None:
    """Exclude rows of the manifest; no photo is lost when this is interrupted."""
    photos = dataset.photos
    before = _resolve_path_conflicts(dataset, rows["path"], set(photos["path"]))
    write_excluded(dataset, pd.concat([before, rows]))
    dataset.write_photos(photos[~photos["path"].isin(rows["path"])])
    for path in rows["path"]:
        _move_file(_active_file(dataset, path), _excluded_file(dataset, path))


def restore_rows(dataset: Dataset, rows: pd.DataFrame, in_use: Collection[str]) -> None:
    """Put rows of `read_excluded` back into the manifest.

    Args:
        in_use: the paths of all other photos of the data set.

    Where another photo has the path now, the restored one gets a new path; a photo left in place
    that has been imported again is not changed.
    """
    photos = dataset.photos
    taken = set(in_use)
    is_restored = [_is_own(dataset, path) or path not in taken for path in rows["path"]]
    restored = rows[np.array(is_restored, bool)]
    new_paths = []
    for path in restored["path"]:
        new_path = _free_path(path, taken)
        taken.add(new_path)
        new_paths.append(new_path)
        _move_file(_excluded_file(dataset, path), _active_file(dataset, new_path))
    if len(restored):
        dataset.write_photos(pd.concat([photos, restored.assign(path=new_paths)]))
    _forget(dataset, rows)


def delete_rows(dataset: Dataset, rows: pd.DataFrame, in_use: Collection[str]) -> None:
    """Delete the set's own files of rows of `read_excluded` for good, but for the paths `in_use`."""
    dataset.discard_files(rows[~rows["path"].isin(list(in_use))]["path"])
    for path in rows["path"]:
        file = _excluded_file(dataset, path)
        if file is not None:
            with disk_errors():
                file.unlink(missing_ok=True)
            _drop_empty(file.parent)
    _forget(dataset, rows)


def excluded_file(dataset: Dataset, path: str) -> Path:
    """The file of an excluded photo."""
    file = _excluded_file(dataset, path)
    return file if file is not None and file.is_file() else dataset.photo_path(path)


def _forget(dataset: Dataset, rows: pd.DataFrame) -> None:
    before = read_excluded(dataset)
    write_excluded(dataset, before[~before["path"].isin(rows["path"])])


def _free_path(path: str, taken: set[str]) -> str:
    """`path`, with a number appended where it is taken."""
    candidate, number = PurePosixPath(path), 1
    while str(candidate) in taken:
        number += 1
        candidate = PurePosixPath(path).with_stem(f"{PurePosixPath(path).stem}-{number}")
    return path if number == 1 else str(candidate)


def _resolve_path_conflicts(
    dataset: Dataset, paths: pd.Series[str], taken: set[str]
) -> pd.DataFrame:
    """The excluded rows, without conflicts with `paths`: a row of the same path gets a new one, or
    is dropped when both are the same photo left in place."""
    before = read_excluded(dataset)
    excluded_again = set(paths)
    is_kept = [path not in excluded_again or _is_own(dataset, path) for path in before["path"]]
    before = before[np.array(is_kept, bool)].copy()
    taken |= set(before["path"])
    for row in before.index[before["path"].isin(list(excluded_again))]:
        path = str(before.at[row, "path"])
        new_path = _free_path(path, taken)
        taken.add(new_path)
        before.loc[row, "path"] = new_path
        _move_file(_excluded_file(dataset, path), _excluded_file(dataset, new_path))
    return before


def _is_own(dataset: Dataset, path: str) -> bool:
    """Whether the file belongs to the set, and was not left in place."""
    own = (dataset.folder / "photos").resolve()
    return not stays_in_place(path) and dataset.photo_path(path).resolve().is_relative_to(own)


def _active_file(dataset: Dataset, path: str) -> Path | None:
    """The set's own file; None for a photo that was left in place."""
    return dataset.photo_path(path) if _is_own(dataset, path) else None


def _excluded_file(dataset: Dataset, path: str) -> Path | None:
    """The set's own file while it is excluded; None for a photo that was left in place."""
    return dataset.folder / "aside" / path if _is_own(dataset, path) else None


def _move_file(source: Path | None, target: Path | None) -> None:
    if source is None or target is None or not source.is_file():
        return
    with disk_errors():
        target.parent.mkdir(parents=True, exist_ok=True)
        replace_file(source, target)
    _drop_empty(source.parent)


def _drop_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):  # it still holds photos
        folder.rmdir()
