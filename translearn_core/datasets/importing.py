"""Makes a data set of the photos of a folder, an archive or uploaded files.

Owns: `import_source`, `import_files`, `create_dataset`, `build_drawn`.
An import is built in a temporary folder and published by one rename, so that one that fails or is
stopped changes nothing. Leaves to others: listing and reading the sources
(`sources.py`, `uploaded_files.py`), classes (`layout.py`), archives (`archive.py`), checking and storing
the photos (`staging.py`), photos that stay where they are (`in_place.py`), photos that are added
later (`adding.py`).
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from translearn_core.atomic import disk_errors, sha256_of
from translearn_core.config import load_configuration
from translearn_core.datasets.archive import archive_stem
from translearn_core.datasets.dataset import Dataset, Record, stays_in_place
from translearn_core.datasets.file_names import NameKeeper, printable, tidy
from translearn_core.datasets.import_choices import ImportChoices
from translearn_core.datasets.import_context import (
    Candidate,
    ImportContext,
    LeftOut,
    ProgressCallback,
    StopCheck,
)
from translearn_core.datasets.in_place import import_in_place
from translearn_core.datasets.layout import ClassAssignment
from translearn_core.datasets.library import check_free_space, list_datasets, new_folder, publish
from translearn_core.datasets.manifest_rows import (
    grouped_by,
    left_out_table,
    listed_as,
    new_record,
    said_and_asked,
)
from translearn_core.datasets.photos_without_class import write_loose
from translearn_core.datasets.sources import (
    Labelling,
    existing_source,
    labelled,
    list_sources,
    nothing_left,
    with_assignments,
)
from translearn_core.datasets.staging import (
    TEMPORARY,
    measured,
    move_loose,
    move_to_class_folders,
    room_for,
    stage,
    stage_loose,
    without_single,
)
from translearn_core.datasets.tasks import MAIN, store_tasks
from translearn_core.datasets.unsorted import write_unsorted
from translearn_core.datasets.uploaded_files import spool
from translearn_core.datasets.video_candidates import expand_videos
from translearn_core.errors import SourceError
from translearn_core.i18n import _
from translearn_core.imaging.positions import without_position
from translearn_core.imaging.reading import Reading, using


def import_source(
    source: Path | str,
    *,
    name: str = "",
    test_source: Path | str | None = None,
    check: bool = True,
    in_place: bool = False,
    labels: Labelling | None = None,
    choices: ImportChoices | None = None,
    progress: ProgressCallback | None = None,
    stop: StopCheck | None = None,
) -> Dataset:
    """Make a data set of a folder or archive whose folders are the classes (`read_layout`).

    A zip with the same content as an earlier, unedited import gives that data set again. The same
    folder in place gives the same data set again, read afresh: stats of files whose size and time
    are unchanged are kept, and so are photos that were added to the set by hand; names and classes
    come from the folder, so renames, merges and removals made in the set are lost.

    Args:
        source: a folder or a zip.
        name: display name; default the source's name.
        test_source: a folder or zip of the same classes; all its photos get the split "test".
        check: decode every photo now; else rows stay unchecked and the first decode pass
            (`Dataset.record_stats`) checks them.
        in_place: leave the photos of a folder where they are (an archive is always unpacked).
        labels: gives the photos their classes instead of the folders.
        choices: what the names alone do not decide; None: nothing was chosen, so that a folder in
            place is read with what was chosen when it was read before, and that is said.
        progress: called with the progress.
        stop: polled; True ends the import.

    Raises:
        SourceError: the source is refused, or holds no class folder or no readable photo.
        StorageError: the disk is full.
    """
    sources = [existing_source(Path(source))]
    if test_source is not None:
        sources.append(existing_source(Path(test_source)))
    context = ImportContext(load_configuration().limits, check, progress, stop, choices)
    name = tidy(name) or printable(_name_of(sources[0])) or "photos"
    if in_place and all(path.is_dir() for path in sources):
        return import_in_place(sources, name, context, labels, again=choices is None)
    record = new_record(name, source=printable(str(sources[0])))
    record = record.model_copy(update={"choices": context.choices.as_text()})
    if test_source is not None:
        record = record.model_copy(update={"test_source": printable(str(sources[1]))})
    elif sources[0].is_file() and labels is None:
        record = record.model_copy(update={"source_sha256": sha256_of(sources[0])})
        again = _imported_before(record, check)
        if again is not None:
            return again
    with contextlib.ExitStack() as stack, new_folder() as folder:
        candidates, left_out = list_sources(sources, stack, context, labels)
        check_free_space(sum(item.size_bytes for item in candidates))
        return _build(folder, candidates, left_out, record, context)


def import_files(
    files: Iterable[tuple[str, Path | BinaryIO]],
    *,
    name: str,
    labels: Labelling | None = None,
    choices: ImportChoices | None = None,
    progress: ProgressCallback | None = None,
    stop: StopCheck | None = None,
) -> Dataset:
    """Make a data set of uploaded files whose relative names contain the folders.

    Each file is moved to disk as it comes, so that its upload can be released.

    Args:
        files: pairs of a relative name (`pets/cats/1.jpg`) and the file.

    Raises:
        SourceError, StorageError: as `import_source`.
    """
    context = ImportContext(load_configuration().limits, True, progress, stop, choices)
    with new_folder() as folder:
        candidates, left_out = spool(files, folder / "incoming", context)
        if labels is None:
            candidates, left_out = with_assignments(candidates, left_out, context)
        else:
            candidates, left_out = labelled([(candidates, left_out)], [name], labels, context)
        record = new_record(tidy(name) or "photos")
        record = record.model_copy(update={"choices": context.choices.as_text()})
        return _build(folder, candidates, left_out, record, context)


def create_dataset(name: str) -> Dataset:
    """Make an empty data set; photos come by `add_photos`."""
    record = new_record(tidy(name) or _("My photos")).model_copy(update={"begun_empty": True})
    with new_folder() as folder:
        return publish(folder, record)


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """An image that is drawn on demand: file and class name, a function that returns its bytes, the
    split it is kept for (empty: any), and what is known of it beside its class."""

    file: str
    class_name: str
    draw: Callable[[], bytes]
    split: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)


def build_drawn(
    name: str,
    drawings: Sequence[Drawing],
    *,
    source: str = "",
    progress: ProgressCallback | None = None,
) -> Dataset:
    """Make a data set of drawn images.

    Args:
        source: what they are, for those who know a data set by it.

    Raises:
        StorageError: the disk is full.
    """
    context = ImportContext(load_configuration().limits, True, progress, None)
    candidates = [
        Candidate(
            one.file,
            0,
            one.draw,
            assignment=ClassAssignment(class_name=one.class_name, split=one.split),
        )
        for one in drawings
    ]
    record = new_record(tidy(name), source=source).model_copy(update={"kind": "demo"})
    with new_folder() as folder:
        dataset = _build(folder, candidates, [], record, context)
    known = {one.file: one.attributes for one in drawings if one.attributes}
    if known:
        rows = zip(dataset.photos["path"], dataset.photos["file"], strict=True)
        labels = {str(path): known[file] for path, file in rows if file in known}
        attributes = dict.fromkeys(name for given in labels.values() for name in given)
        store_tasks(dataset, main=MAIN, tasks=(), labels=labels, attributes=list(attributes))
    return dataset


def _build(
    folder: Path,
    candidates: list[Candidate],
    left_out: LeftOut,
    record: Record,
    context: ImportContext,
) -> Dataset:
    """Fill a temporary folder with photos and manifest, and publish it.

    Raises:
        SourceError: a pupil's space has no room for them.
    """
    candidates, unread = expand_videos(candidates, folder / "frames", context)
    with room_for(candidates):
        return _fill(folder, candidates, left_out + unread, record, context)


def _fill(
    folder: Path,
    candidates: list[Candidate],
    left_out: LeftOut,
    record: Record,
    context: ImportContext,
) -> Dataset:
    how = Reading(page=context.choices.page, channels=context.choices.channels)
    if record.kind != "demo":
        how = measured({item.file: item.look or item.read for item in candidates}, how, context)
    record = record.model_copy(update={"reading": how.as_json()})
    with using(how):
        staged, refused = stage(candidates, folder / "staged", context)
        loose = stage_loose(folder, context) if staged else []
    left_out = left_out + refused
    if not staged:
        raise SourceError(nothing_left(left_out))
    temporary = Dataset(folder)
    if record.kind != "demo":
        staged, single = without_single(staged, context)
        told = ((listed_as(item.candidate), item.candidate.assignment.reason) for item in single)
        left_out = left_out + list(dict.fromkeys(told))
        loose += single
    with disk_errors():
        keeper = NameKeeper()
        photos = move_to_class_folders(staged, folder, keeper)
        write_loose(temporary, move_loose(loose, folder, keeper))
        for name in TEMPORARY:
            shutil.rmtree(folder / name, ignore_errors=True)
    is_sorted = photos["class_name"] != ""
    temporary.write_photos(photos[is_sorted])
    write_unsorted(temporary, photos[~is_sorted])
    temporary.write_left_out(left_out_table(left_out))
    changed = said_and_asked(context) | grouped_by(photos, record)
    begun_empty = not is_sorted.any()
    return publish(folder, record.model_copy(update={**changed, "begun_empty": begun_empty}))


def _name_of(source: Path) -> str:
    return source.name if source.is_dir() else archive_stem(source.name)


def has_positions(dataset: Dataset) -> bool:
    """Whether a photo of its own says where it was taken: kept on demand, or by an earlier version."""
    for path in map(str, dataset.photos["path"]):
        if not stays_in_place(path):
            with contextlib.suppress(OSError):  # a missing photo is told elsewhere
                data = dataset.photo_path(path).read_bytes()
                if without_position(data) is not data:
                    return True
    return False


def _imported_before(record: Record, check: bool) -> Dataset | None:
    """An unedited data set of the same zip and name, with photos checked if that is asked."""
    for dataset in list_datasets():
        old = dataset.record
        same = old.source_sha256 == record.source_sha256 and old.name == record.name
        if (
            same
            and ImportChoices.from_text(old.choices) == ImportChoices.from_text(record.choices)
            and (not check or bool(dataset.photos["checked"].all()))
            and (
                ImportChoices.from_text(record.choices).keep_positions or not has_positions(dataset)
            )
        ):
            return dataset
    return None
