"""Unlabelled photos: of a target domain, or more of the same classes.

Owns: `open_unlabelled`, which makes of a data set's id, of its folder, or of any folder of photos
a `Dataset`. A folder's photos stay where they are; statistics
and reasons are kept in `<workspace>/cache/unsorted/<digest of the path>/`, which
can be deleted at any time. The name of the folder that directly holds a photo is stored as its
class and is used for measuring only. Leaves to others: listing a folder safely (`folder_listing.py`), the
files of a data set (`dataset.py`).
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pandas as pd

from translearn_core.atomic import disk_errors
from translearn_core.config import home, load_configuration
from translearn_core.datasets.dataset import Dataset, Record
from translearn_core.datasets.file_names import tidy
from translearn_core.datasets.folder_listing import list_photos
from translearn_core.datasets.import_context import ImportContext, ProgressCallback, StopCheck
from translearn_core.datasets.layout import ClassAssignment
from translearn_core.datasets.library import datasets_folder, open_dataset
from translearn_core.datasets.manifest_columns import LEFT_OUT_COLUMNS, with_columns
from translearn_core.datasets.manifest_rows import manifest_rows, reuse_stats
from translearn_core.errors import SourceError
from translearn_core.i18n import _


def open_unlabelled(
    named: str, *, progress: ProgressCallback | None = None, stop: StopCheck | None = None
) -> Dataset:
    """The photos that a setting names.

    Args:
        named: id of a data set in the workspace, folder of a data set, or folder of photos.

    Raises:
        SourceError: there is no such data set or folder, or no photo in it.
    """
    folder = find_unlabelled(named)
    if (folder / "dataset.json").is_file():
        dataset = open_dataset(folder)
        if dataset.photos.empty:
            raise SourceError(_nothing_in(dataset.name))
        return dataset
    return _open_folder(folder, ImportContext(load_configuration().limits, False, progress, stop))


def find_unlabelled(named: str) -> Path:
    """The folder that a setting names: of a data set, or of photos.

    Raises:
        SourceError: there is none.
    """
    inside = datasets_folder() / named
    is_id = Path(named).name == named and not named.startswith(".")
    folder = inside if is_id and (inside / "dataset.json").is_file() else Path(named).expanduser()
    if not named or not folder.is_dir():
        raise SourceError(
            _(
                "There is no folder of photos and no data set {name}. Name a folder, or bring the "
                "photos in as a data set first."
            ).format(name=named)
        )
    return folder.resolve()


def _nothing_in(name: str) -> str:
    return _("There are no photos in {name}. Choose another folder or data set.").format(name=name)


def _open_folder(folder: Path, context: ImportContext) -> Dataset:
    """A folder of photos as a data set in the cache, with the statistics known from before."""
    candidates, left_out = list_photos(folder, context)
    if not candidates:
        raise SourceError(_nothing_in(str(folder)))
    digest = hashlib.sha256(folder.as_posix().encode("utf-8", "surrogatepass")).hexdigest()[:16]
    dataset = Dataset(home() / "cache" / "unsorted" / digest)
    with disk_errors():
        dataset.folder.mkdir(parents=True, exist_ok=True)
    assigned = [
        replace(
            item, assignment=ClassAssignment(class_name=tidy(PurePosixPath(item.file).parent.name))
        )
        for item in candidates
    ]
    photos = manifest_rows(assigned)
    if (dataset.folder / "manifest.parquet").is_file():
        photos = reuse_stats(photos, dataset.photos)
    if not (dataset.folder / "dataset.json").is_file():
        dataset.write_record(
            Record(
                id=digest,
                name=folder.name,
                created=time.time(),
                kind="folder",
                source=str(folder),
            )
        )
    with dataset.locked():
        dataset.write_photos(photos)
        table = pd.DataFrame(left_out, columns=list(LEFT_OUT_COLUMNS))
        dataset.write_left_out(with_columns(table, LEFT_OUT_COLUMNS))
    return dataset
