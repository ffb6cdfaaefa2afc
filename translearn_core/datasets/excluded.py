"""Photos that a person has excluded from a data set and can restore.

Owns: in the data set's folder
    excluded.parquet   their rows of the manifest, as they were
    aside/             the set's own files of them, under the paths that they had
so that a photo added later never takes the name of one that may come back. Photos that were left
in place stay where they are. Leaves to others: the manifest's other changes, and undo
(`editing.py`). Every function is for the holder of the data set's lock, but `read_excluded`.
"""

from __future__ import annotations

import contextlib
import io
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from translearn_core.atomic import replace_file
from translearn_core.datasets.library import COLUMNS, Dataset, as_table, disk_errors, write_file


def read_excluded(dataset: Dataset) -> pd.DataFrame:
    """The rows of the photos that were taken out, with the manifest's columns."""
    try:
        data = (dataset.folder / "excluded.parquet").read_bytes()
    except FileNotFoundError:
        return as_table(pd.DataFrame(), COLUMNS)
    return as_table(pd.read_parquet(io.BytesIO(data)), COLUMNS)


def write_excluded(dataset: Dataset, rows: pd.DataFrame) -> None:
    """Replace the list of what was taken out."""
    path = dataset.folder / "excluded.parquet"
    if not len(rows):
        with disk_errors():
            path.unlink(missing_ok=True)
        return
    buffer = io.BytesIO()
    as_table(rows, COLUMNS).to_parquet(buffer, index=False)
    write_file(path, buffer.getvalue())


def set_aside(dataset: Dataset, rows: pd.DataFrame) -> None:
    """Take these rows of the manifest out; whatever happens midway, no photo is lost."""
    photos = dataset.photos
    before = _out_of_the_way(dataset, rows["path"], set(photos["path"]))
    write_excluded(dataset, pd.concat([before, rows]))
    dataset.write_photos(photos[~photos["path"].isin(rows["path"])])
    for path in rows["path"]:
        _move_file(_place_in_set(dataset, path), _place_aside(dataset, path))


def put_in(dataset: Dataset, rows: pd.DataFrame) -> None:
    """Put rows of `read_excluded` back into the manifest.

    Where another photo has the path meanwhile, the one that comes back gets a new one; a photo
    left in place that has been brought in again stays as it is.
    """
    photos = dataset.photos
    taken = set(photos["path"])
    comes = [_is_own(dataset, path) or path not in taken for path in rows["path"]]
    back = rows[np.array(comes, bool)]
    places = []
    for path in back["path"]:
        place = _free_path(path, taken)
        taken.add(place)
        places.append(place)
        _move_file(_place_aside(dataset, path), _place_in_set(dataset, place))
    if len(back):
        dataset.write_photos(pd.concat([photos, back.assign(path=places)]))
    _forget(dataset, rows)


def delete_aside(dataset: Dataset, rows: pd.DataFrame) -> None:
    """Delete the set's own files of rows of `read_excluded` for good."""
    dataset.discard_files(rows[~rows["path"].isin(dataset.photos["path"])]["path"])
    for path in rows["path"]:
        file = _place_aside(dataset, path)
        if file is not None:
            with disk_errors():
                file.unlink(missing_ok=True)
            _drop_empty(file.parent)
    _forget(dataset, rows)


def file_of_excluded(dataset: Dataset, path: str) -> Path:
    """Where the file of an excluded photo lies."""
    file = _place_aside(dataset, path)
    return file if file is not None and file.is_file() else dataset.photo_path(path)


def _forget(dataset: Dataset, rows: pd.DataFrame) -> None:
    before = read_excluded(dataset)
    write_excluded(dataset, before[~before["path"].isin(rows["path"])])


def _free_path(path: str, taken: set[str]) -> str:
    """`path`, or with a number added where it is taken."""
    place, number = PurePosixPath(path), 1
    while str(place) in taken:
        number += 1
        place = PurePosixPath(path).with_stem(f"{PurePosixPath(path).stem}-{number}")
    return path if number == 1 else str(place)


def _out_of_the_way(dataset: Dataset, paths: pd.Series[str], taken: set[str]) -> pd.DataFrame:
    """The excluded rows; where one has a path that is about to be excluded again, it gets a new
    one, or goes when both are the same photo, left in place."""
    before = read_excluded(dataset)
    again = set(paths)
    stays = [path not in again or _is_own(dataset, path) for path in before["path"]]
    before = before[np.array(stays, bool)].copy()
    taken |= set(before["path"])
    for row in before.index[before["path"].isin(list(again))]:
        path = str(before.at[row, "path"])
        place = _free_path(path, taken)
        taken.add(place)
        before.loc[row, "path"] = place
        _move_file(_place_aside(dataset, path), _place_aside(dataset, place))
    return before


def _is_own(dataset: Dataset, path: str) -> bool:
    """Whether the file belongs to the set, and was not left in place."""
    own = (dataset.folder / "photos").resolve()
    return not Path(path).is_absolute() and dataset.photo_path(path).resolve().is_relative_to(own)


def _place_in_set(dataset: Dataset, path: str) -> Path | None:
    """Where the set's own file lies; None for a photo that was left in place."""
    return dataset.photo_path(path) if _is_own(dataset, path) else None


def _place_aside(dataset: Dataset, path: str) -> Path | None:
    """Where the set's own file lies while it is excluded; None likewise."""
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
