"""Makes a data set of photos that stay where they are.

Owns: `import_in_place` (folders) and `publish_in_place` (rows of photos that are known). The same
folder gives the same data set, read afresh: photos to which it gives no class keep the one they got here.
Leaves to others: listing folders (`sources.py`), rows of the manifest (`manifest_rows.py`), tables of
paths and addresses (`photo_manifest.py`).
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from translearn_core.datasets.dataset import Dataset, Record, photo_file, stays_in_place
from translearn_core.datasets.file_names import printable
from translearn_core.datasets.grouping import group_again
from translearn_core.datasets.import_choices import ImportChoices
from translearn_core.datasets.import_context import Candidate, ImportContext, LeftOut
from translearn_core.datasets.library import datasets_folder, new_folder, publish
from translearn_core.datasets.manifest_columns import fill_stats
from translearn_core.datasets.manifest_rows import (
    as_rows,
    left_out_table,
    listed_as,
    manifest_rows,
    new_record,
    reuse_stats,
    said_and_asked,
)
from translearn_core.datasets.photos_without_class import MOST as MOST_LOOSE
from translearn_core.datasets.photos_without_class import read_kept, write_loose
from translearn_core.datasets.small_classes import small_classes, too_few_reason
from translearn_core.datasets.sources import Labelling, list_sources, nothing_left
from translearn_core.datasets.staging import EIGHT_BITS
from translearn_core.datasets.video_candidates import without_videos
from translearn_core.errors import SourceError
from translearn_core.i18n import _
from translearn_core.imaging.decode import DecodedPhoto, iterate_photos
from translearn_core.imaging.measured_ranges import measure_reading
from translearn_core.imaging.reading import Reading, using
from translearn_core.imaging.stats import STATS_SIDE, PhotoStats


def import_in_place(
    sources: list[Path],
    name: str,
    context: ImportContext,
    labels: Labelling | None,
    *,
    again: bool,
) -> Dataset:
    """A data set whose photos stay in their folders.

    Args:
        again: whether the choices of an earlier reading hold.
    """
    key = labels.key if labels is not None else ""
    text = "\n".join([*(source.as_posix() for source in sources), *([key] if key else [])])
    identity = f"folder-{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}"
    existing = Dataset(datasets_folder() / identity)
    known = (existing.folder / "dataset.json").is_file()
    if again and known:
        _choose_as_before(existing, context)
    with contextlib.ExitStack() as stack:
        candidates, left_out = list_sources(sources, stack, context, labels)
    candidates, videos = without_videos(candidates)
    left_out = left_out + videos
    record = new_record(name, source=printable(str(sources[0])), identity=identity)
    record = record.model_copy(update={"choices": context.choices.as_text()})
    if len(sources) > 1:
        record = record.model_copy(update={"test_source": printable(str(sources[1]))})
    return publish_in_place(
        record, manifest_rows(candidates), left_out, context, _loose_in_place(context.loose)
    )


def publish_in_place(
    record: Record,
    photos: pd.DataFrame,
    left_out: LeftOut,
    context: ImportContext,
    loose: pd.DataFrame | None = None,
) -> Dataset:
    """A data set of photos that stay where they are; one of the same id is read afresh.

    Args:
        record: its id decides which data set it is.
        photos: rows of the manifest, unchecked.
        left_out: the files that were left out already.
        loose: rows for `loose.parquet`.

    Raises:
        SourceError, StorageError: as `import_source`.
    """
    existing = Dataset(datasets_folder() / record.id)
    known = (existing.folder / "dataset.json").is_file()
    loose = as_rows([]).assign(listed="") if loose is None else loose
    how = Reading(page=context.choices.page, channels=context.choices.channels)
    deep = [path for path in photos["path"] if not path.lower().endswith(EIGHT_BITS)]
    how = measure_reading([photo_file(path).read_bytes for path in deep], context.limits, how)
    record = record.model_copy(update={"reading": how.as_json()})
    if known and existing.reading == how:
        photos = reuse_stats(photos, existing.photos)
    if context.check:
        with using(how):
            photos, refused = _check_in_place(photos, context)
        left_out = left_out + refused
    if not len(photos):
        raise SourceError(nothing_left(left_out))
    least = context.limits.class_photos
    small = photos["class_name"].isin(small_classes(list(photos["class_name"]), least))
    left_out = left_out + [(file, too_few_reason(least)) for file in photos.loc[small, "file"]]
    loose = pd.concat([loose, photos[small].assign(listed=photos.loc[small, "file"])])
    photos = photos[~small]
    if known:
        with existing.locked():
            changed = {
                **said_and_asked(context),
                "choices": record.choices,
                "reading": record.reading,
            }
            existing.write_record(existing.record.model_copy(update=changed))
            before, kept = existing.photos, read_kept(existing)
            is_sorted_here = before["path"].isin({*kept["path"]} & {*loose["path"]})
            own = before[~before["path"].map(stays_in_place) | is_sorted_here]
            photos = group_again(photos, before, existing.record.grouped_by)
            existing.write_photos(pd.concat([photos, own]) if len(own) else photos)
            existing.write_left_out(left_out_table(left_out))
            write_loose(existing, pd.concat([loose, kept[~kept["path"].map(stays_in_place)]]))
        return existing
    with new_folder() as folder:
        temporary = Dataset(folder)
        temporary.write_photos(photos)
        temporary.write_left_out(left_out_table(left_out))
        write_loose(temporary, loose)
        return publish(folder, record.model_copy(update=said_and_asked(context)))


def _loose_in_place(candidates: Sequence[Candidate]) -> pd.DataFrame:
    """Rows for `loose.parquet` of photos that stay where they are, unchecked."""
    photos, _videos = without_videos(candidates[:MOST_LOOSE])
    return manifest_rows(photos).assign(listed=[listed_as(item) for item in photos])


def _choose_as_before(existing: Dataset, context: ImportContext) -> None:
    """Take over what was chosen when a folder in place was read before."""
    try:
        before = ImportChoices.from_text(existing.record.choices)
    except SourceError:
        return  # what describes the data set is damaged; it is written anew
    if before != ImportChoices():
        context.choices = before
        context.notices.append(
            _("Read with what was chosen for this folder before: {choices}.").format(
                choices=before.in_words()
            )
        )


def _check_in_place(photos: pd.DataFrame, context: ImportContext) -> tuple[pd.DataFrame, LeftOut]:
    """Decode the unchecked photos; returns the valid rows with statistics, and the rejected
    files."""
    paths = list(photos.loc[~photos["checked"], "path"])
    files = dict(zip(photos["path"], photos["file"], strict=True))
    stats: dict[str, PhotoStats] = {}
    reasons: dict[str, str] = {}
    decoded = iterate_photos([photo_file(p) for p in paths], size=STATS_SIDE, limits=context.limits)
    with contextlib.closing(decoded):
        for position, photo in decoded:
            if isinstance(photo, DecodedPhoto):
                stats[paths[position]] = photo.stats
            else:
                reasons[paths[position]] = photo.message
            context.report(position + 1, len(paths), _("Looking at the photos"))
    photos = fill_stats(photos, stats)
    kept = photos[~photos["path"].isin(list(reasons))]
    return kept, [(files[path], reason) for path, reason in reasons.items()]
