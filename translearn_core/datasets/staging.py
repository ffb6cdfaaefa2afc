"""Checks the photos that come into a data set, and stores those that can be read.

Owns: reading and decoding candidates in threads into a staging folder, the reasons of those that are
refused, the range of values of deep photos, and moving what was staged to `photos/<class>/`.
Leaves to others: listing candidates (`sources.py`, `uploaded_files.py`), the manifest and publishing
(`importing.py`, `adding.py`), photos that stay where they are (`in_place.py`).
"""

from __future__ import annotations

import contextvars
import hashlib
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import pandas as pd

from translearn_core import quotas
from translearn_core.atomic import disk_errors
from translearn_core.datasets.file_names import NameKeeper, safe_name
from translearn_core.datasets.folder_listing import cannot_open
from translearn_core.datasets.import_context import Candidate, ImportContext, LeftOut
from translearn_core.datasets.layout import ClassAssignment
from translearn_core.datasets.manifest_rows import as_rows, listed_as, row_of
from translearn_core.datasets.photos_without_class import MOST as MOST_LOOSE
from translearn_core.datasets.small_classes import small_classes, too_few_reason
from translearn_core.datasets.video_candidates import expand_videos
from translearn_core.errors import PhotoError, SourceError, StorageError
from translearn_core.i18n import _
from translearn_core.imaging.decode import decode_photo
from translearn_core.imaging.measured_ranges import measure_reading
from translearn_core.imaging.positions import without_position
from translearn_core.imaging.processors import processor_count
from translearn_core.imaging.reading import Reading
from translearn_core.imaging.stats import STATS_SIDE, PhotoStats

EIGHT_BITS = (".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".gif", ".bmp")

TEMPORARY = ("staged", "incoming", "frames", "loose", "loose-frames")
UNSORTED_FOLDER = "unsorted"
"""Where the files of photos of no class lie, among the class folders."""


@dataclass(frozen=True)
class StagedPhoto:
    """An accepted photo: its candidate, its numbered file in the staging folder, its statistics, and
    the SHA-256 of its file as it was brought, where a position was dropped."""

    candidate: Candidate
    file: Path
    stats: PhotoStats | None
    brought_sha256: str = ""


def stage(
    candidates: Sequence[Candidate], folder: Path, context: ImportContext
) -> tuple[list[StagedPhoto], LeftOut]:
    """Read and decode the candidates in threads, and store the valid ones in `folder`.

    Raises:
        StorageError: the disk is full.
    """
    with disk_errors():
        folder.mkdir()
    staged: list[StagedPhoto] = []
    left_out: LeftOut = []
    workers = processor_count()
    waiting: deque[Future[StagedPhoto | tuple[str, str]]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="import")

    def collect() -> None:
        result = waiting.popleft().result()
        if isinstance(result, StagedPhoto):
            staged.append(result)
        else:
            left_out.append(result)
        context.report(len(staged) + len(left_out), len(candidates), _("Looking at the photos"))

    try:
        for number, item in enumerate(candidates):
            # each task runs in a copy of the caller's context, which holds the language of messages
            task_context = contextvars.copy_context()
            waiting.append(
                pool.submit(task_context.run, _stage_one, item, folder / str(number), context)
            )
            if len(waiting) > workers * 4:
                collect()
        while waiting:
            collect()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    return staged, left_out


def _stage_one(
    item: Candidate, target: Path, context: ImportContext
) -> StagedPhoto | tuple[str, str]:
    """Read, check and store one photo; its name and the reason where it is rejected."""
    stats = None
    brought = ""
    try:
        data = item.read()
        if not context.choices.keep_positions:
            bare = without_position(data)
            brought = "" if bare is data else hashlib.sha256(data).hexdigest()
            data = bare
        if context.check:
            stats = decode_photo(data, size=STATS_SIDE, limits=context.limits).stats
    except PhotoError as error:
        return item.file, error.message
    except OSError as error:
        return item.file, cannot_open(error)
    with disk_errors():
        target.write_bytes(data)
    return StagedPhoto(replace(item, size_bytes=len(data)), target, stats, brought)


def move_to_class_folders(
    staged: Sequence[StagedPhoto], folder: Path, keeper: NameKeeper
) -> pd.DataFrame:
    """Move staged files to `photos/<class>/` under safe unique names; returns their manifest
    rows."""
    rows = []
    for item in staged:
        candidate = item.candidate
        inside = f"photos/{safe_name(candidate.assignment.class_name or UNSORTED_FOLDER)}"
        file_name = PurePosixPath(candidate.file).name
        if not PurePosixPath(file_name).suffix and item.stats is not None:
            file_name += f".{item.stats.format.lower()}"
        path = f"{inside}/{keeper.claim(inside, file_name)}"
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        item.file.replace(target)
        rows.append(row_of(candidate, path, item.stats) | {"brought_sha256": item.brought_sha256})
    return as_rows(rows)


def room_for(candidates: Sequence[Candidate]) -> AbstractContextManager[None]:
    return quotas.room_for(
        photos=len(candidates), n_bytes=sum(item.size_bytes for item in candidates)
    )


def stage_loose(folder: Path, context: ImportContext) -> list[StagedPhoto]:
    """The photos that are left out for want of a class, as far as they can be read and there is room for
    them; at most `MOST_LOOSE`."""
    if not context.loose:
        return []
    try:
        found, _unread = expand_videos(context.loose[:MOST_LOOSE], folder / "loose-frames", context)
        with room_for(found[:MOST_LOOSE]):
            staged, _refused = stage(found[:MOST_LOOSE], folder / "loose", context)
    except (SourceError, StorageError):  # no room for what was to be left out anyway
        context.check_stop()
        return []
    return staged


def move_loose(staged: Sequence[StagedPhoto], folder: Path, keeper: NameKeeper) -> pd.DataFrame:
    """Rows for `loose.parquet` of photos without a class, whose files are moved into `folder`."""
    bare = [
        replace(item, candidate=replace(item.candidate, assignment=_without_class(item)))
        for item in staged
    ]
    listed = [listed_as(item.candidate) for item in staged]
    return move_to_class_folders(bare, folder, keeper).assign(listed=listed)


def _without_class(item: StagedPhoto) -> ClassAssignment:
    return ClassAssignment(split=item.candidate.assignment.split)


def measured(
    readers: Mapping[str, Callable[[], bytes]], how: Reading, context: ImportContext
) -> Reading:
    """A reading with the ranges of the photos that do not declare theirs.

    Args:
        readers: name of a file -> what reads it. JPEG files, by their names, are passed over.
    """
    kept = [read for name, read in readers.items() if not name.lower().endswith(EIGHT_BITS)]
    return measure_reading(kept, context.limits, how)


def without_single(
    staged: list[StagedPhoto], context: ImportContext
) -> tuple[list[StagedPhoto], list[StagedPhoto]]:
    """Without the photos of classes with fewer than `limits.class_photos`, and these, each with the
    reason."""
    names = [item.candidate.assignment.class_name for item in staged]
    small = small_classes([name for name in names if name], context.limits.class_photos)
    kept = [item for item, name in zip(staged, names, strict=True) if name not in small]
    reason = too_few_reason(context.limits.class_photos)
    single = [
        replace(
            item,
            candidate=replace(
                item.candidate, assignment=replace(item.candidate.assignment, reason=reason)
            ),
        )
        for item, name in zip(staged, names, strict=True)
        if name in small
    ]
    return kept, single
