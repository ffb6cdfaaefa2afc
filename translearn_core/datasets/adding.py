"""Adds photos to a data set that is there, all or none.

Owns: `add_photos`, `add_unsorted`, `add_source` and their report.
Leaves to others: reading the sources (`sources.py`, `uploaded_files.py`), checking and storing the photos
(`staging.py`), new data sets (`importing.py`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import pandas as pd

from translearn_core.atomic import disk_errors
from translearn_core.config import load_configuration
from translearn_core.datasets.dataset import Dataset
from translearn_core.datasets.excluded import read_excluded
from translearn_core.datasets.file_names import NameKeeper, tidy
from translearn_core.datasets.grouping import group_added
from translearn_core.datasets.import_choices import ImportChoices
from translearn_core.datasets.import_context import (
    Candidate,
    ImportContext,
    LeftOut,
    ProgressCallback,
    StopCheck,
)
from translearn_core.datasets.layout import ClassAssignment
from translearn_core.datasets.library import check_free_space, new_folder
from translearn_core.datasets.manifest_rows import as_rows, grouped_by, left_out_table
from translearn_core.datasets.photos_without_class import read_kept, write_loose
from translearn_core.datasets.sources import existing_source, list_sources
from translearn_core.datasets.staging import (
    measured,
    move_loose,
    move_to_class_folders,
    room_for,
    stage,
    stage_loose,
)
from translearn_core.datasets.unsorted import read_unsorted, write_unsorted
from translearn_core.datasets.uploaded_files import spool
from translearn_core.datasets.video_candidates import expand_videos
from translearn_core.errors import SourceError, StorageError
from translearn_core.i18n import _
from translearn_core.imaging.reading import using


@dataclass(frozen=True)
class ImportReport:
    """Result of adding photos: their number, the rejected files as (file, reason), what is to be
    said of how folders and names were read, and the manifest paths of the photos."""

    added: int
    left_out: tuple[tuple[str, str], ...]
    notices: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()


def add_photos(
    dataset: Dataset,
    class_name: str,
    files: Iterable[tuple[str, Path | BinaryIO]],
    *,
    progress: ProgressCallback | None = None,
    stop: StopCheck | None = None,
) -> ImportReport:
    """Add photos to one class, which is made where it is new.

    Args:
        class_name: class the photos belong to.
        files: pairs of a file name and the file.
        stop: polled; True ends it, and nothing is added.

    Raises:
        SourceError: the class has no name, or `stop` returned True.
        StorageError: the disk is full; nothing was added.
    """
    class_name = tidy(class_name)
    if not class_name:
        raise SourceError(_("The class has no name. Give it one, then add its photos."))
    context = ImportContext(load_configuration().limits, True, progress, stop)
    with new_folder() as folder:
        candidates, left_out = spool(files, folder / "incoming", context)
        candidates = [
            replace(
                item,
                file=f"{class_name}/{PurePosixPath(item.file).name}",
                assignment=ClassAssignment(class_name=class_name),
            )
            for item in candidates
        ]
        return _append(dataset, folder, candidates, left_out, context)


def add_unsorted(
    dataset: Dataset,
    files: Iterable[tuple[str, Path | BinaryIO]],
    *,
    progress: ProgressCallback | None = None,
    stop: StopCheck | None = None,
) -> ImportReport:
    """Add photos of no class yet, see `unsorted.py`.

    Raises:
        SourceError, StorageError: as `add_photos`; nothing was added.
    """
    context = ImportContext(load_configuration().limits, True, progress, stop)
    with new_folder() as folder:
        candidates, left_out = spool(files, folder / "incoming", context)
        return _append(dataset, folder, candidates, left_out, context)


def add_source(
    dataset: Dataset,
    source: Path | str,
    *,
    choices: ImportChoices | None = None,
    progress: ProgressCallback | None = None,
    stop: StopCheck | None = None,
) -> ImportReport:
    """Add the photos of a folder or zip with class folders; classes may be new.

    Raises:
        SourceError, StorageError: as `import_source`; nothing was added.
    """
    context = ImportContext(load_configuration().limits, True, progress, stop, choices)
    with contextlib.ExitStack() as stack, new_folder() as folder:
        candidates, left_out = list_sources([existing_source(Path(source))], stack, context)
        check_free_space(sum(item.size_bytes for item in candidates))
        return _append(dataset, folder, candidates, left_out, context)


def _append(
    dataset: Dataset,
    folder: Path,
    candidates: list[Candidate],
    left_out: LeftOut,
    context: ImportContext,
) -> ImportReport:
    """Check new photos beside the data set, then add them under its lock, all or none."""
    if ImportChoices.from_text(dataset.record.choices).keep_positions:
        context.choices = replace(context.choices, keep_positions=True)
    candidates, unread = expand_videos(candidates, folder / "frames", context)
    with room_for(candidates):
        return _add_to(dataset, folder, candidates, left_out + unread, context)


def _add_to(
    dataset: Dataset,
    folder: Path,
    candidates: list[Candidate],
    left_out: LeftOut,
    context: ImportContext,
) -> ImportReport:
    how = measured(
        {item.file: item.look or item.read for item in candidates}, dataset.reading, context
    )
    with using(how):
        staged, refused = stage(candidates, folder / "staged", context)
        loose = stage_loose(folder, context)
    left_out = left_out + refused
    with dataset.locked():
        before, unsorted, kept = dataset.photos, read_unsorted(dataset), read_kept(dataset)
        rows = loose_rows = as_rows([])
        try:
            with disk_errors():
                gone = read_excluded(dataset)["path"]  # which may be put back
                taken = NameKeeper([*before["path"], *unsorted["path"], *kept["path"], *gone])
                rows = move_to_class_folders(staged, dataset.folder, taken)
                loose_rows = move_loose(loose, dataset.folder, taken)
            is_sorted = rows["class_name"] != ""
            added = group_added(before, rows[is_sorted], dataset.record.grouped_by)
            dataset.write_photos(pd.concat([before, added]) if len(added) else before)
            if not is_sorted.all():
                write_unsorted(dataset, pd.concat([unsorted, rows[~is_sorted]]))
            if len(loose_rows):
                write_loose(dataset, pd.concat([kept, loose_rows]))
        except StorageError:
            dataset.discard_files(pd.concat([rows["path"], loose_rows["path"]]))
            raise
        if left_out:
            dataset.write_left_out(pd.concat([dataset.left_out, left_out_table(left_out)]))
        changed = {"source_sha256": "", "reading": how.as_json()}
        changed |= grouped_by(rows, dataset.record)
        dataset.write_record(dataset.record.model_copy(update=changed))
    notices = (*context.notices, *(one.text for one in context.questions))
    return ImportReport(len(rows), tuple(left_out), notices, tuple(map(str, rows["path"])))
