"""Takes out of stored photos where they were taken, in data sets of earlier versions.

Owns: `clear_positions` and `clear_all`; a data set that was gone through says so in its record.
Leaves to others: positions (`imaging/positions.py`), dropping them at import (`importing.py`).
Photos used where they lie are not written to, and a set that was told to keep positions keeps them.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from translearn_core import spaces
from translearn_core.atomic import disk_errors, write_atomically
from translearn_core.datasets.excluded import excluded_file, read_excluded, write_excluded
from translearn_core.datasets.import_choices import ImportChoices
from translearn_core.datasets.kept_upload import kept_upload
from translearn_core.datasets.library import Dataset, list_datasets, stays_in_place
from translearn_core.datasets.unsorted import read_unsorted, write_unsorted
from translearn_core.errors import TransLearnError
from translearn_core.imaging.positions import RULES, without_position

logger = logging.getLogger(__name__)


def clear_all() -> None:
    """Go through the data sets of all spaces; one that cannot be changed now is tried again next time."""
    with spaces.everywhere():
        found = spaces.all_spaces()
    for space in found:
        with spaces.acting_in(space):
            for dataset in list_datasets():
                try:
                    clear_positions(dataset)
                except (TransLearnError, OSError) as error:
                    logger.error("Positions stay in a data set: %s", type(error).__name__)


def clear_positions(dataset: Dataset) -> int:
    """Take positions out of the set's own photos, sorted or not, excluded or kept as they were brought.

    Returns:
        How many photos were changed; 0 where it was done before, or the set is to keep positions.

    Raises:
        SourceError: a list of its photos is damaged.
        StorageError: the disk is full, or another process holds the data set too long.
    """
    record = dataset.record
    if record.bare >= RULES or ImportChoices.from_text(record.choices).keep_positions:
        return 0
    with dataset.locked():
        upload = kept_upload(dataset)
        if upload is not None:
            upload.drop_positions()
        n = _clear(dataset.photos, dataset.photo_path, dataset.write_photos)
        n += _clear(
            read_unsorted(dataset), dataset.photo_path, lambda rows: write_unsorted(dataset, rows)
        )
        n += _clear(
            read_excluded(dataset),
            lambda path: excluded_file(dataset, path),
            lambda rows: write_excluded(dataset, rows),
        )
        dataset.write_record(dataset.record.model_copy(update={"bare": RULES}))
    return n


@dataclass(frozen=True)
class _Change:
    """A photo as it is, and as it will be."""

    before: str
    after: str
    n_bytes: int


def _clear(
    photos: pd.DataFrame,
    file_of: Callable[[str], Path],
    write: Callable[[pd.DataFrame], None],
) -> int:
    """Change the files of a table, whose rows are told first: where it is cut off in between, the next
    time finds the same hashes for the files that are left."""
    changes: dict[str, _Change] = {}
    for path in dict.fromkeys(map(str, photos["path"])):
        if stays_in_place(path):
            continue
        with suppress(OSError):  # a missing photo is told elsewhere
            data = file_of(path).read_bytes()
            bare = without_position(data)
            if bare is not data:
                before, after = (hashlib.sha256(one).hexdigest() for one in (data, bare))
                changes[path] = _Change(before, after, len(bare))
    if not changes:
        return 0
    write(_told(photos, changes))
    for path in changes:
        file = file_of(path)
        with disk_errors():
            write_atomically(file, without_position(file.read_bytes()))
    return len(changes)


def _told(photos: pd.DataFrame, changes: Mapping[str, _Change]) -> pd.DataFrame:
    """The rows with the new hashes; a photo stays known by the one that it had."""
    before = photos["path"].map({path: one.before for path, one in changes.items()}).fillna("")
    after = photos["path"].map({path: one.after for path, one in changes.items()}).fillna("")
    n_bytes = photos["path"].map({path: one.n_bytes for path, one in changes.items()})
    is_known = (before != "") & (photos["sha256"] == before)
    is_new = (before != "") & (photos["brought_sha256"].fillna("") == "")
    return photos.assign(
        sha256=photos["sha256"].mask(is_known, after),
        brought_sha256=photos["brought_sha256"].mask(is_new, before),
        bytes=n_bytes.fillna(photos["bytes"]).astype("int64"),
    )
