"""Imports photos into data sets, copied or left in place.

Owns: `import_source`, `import_files`, `create_dataset`, `add_photos`, `add_source`, `build_drawn`.
An import is built in a temporary folder and published by one rename, so that one that fails or is
stopped changes nothing. Leaves to others: listing and reading the sources
(`sources.py`, `receiving.py`), classes (`layout.py`), archives (`archive.py`), files (`library.py`).
"""

from __future__ import annotations

import contextlib
import contextvars
import hashlib
import shutil
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

import pandas as pd

from translearn_core import quotas
from translearn_core.atomic import sha256_of
from translearn_core.config import load_configuration
from translearn_core.datasets.archive import archive_stem
from translearn_core.datasets.excluded import read_excluded
from translearn_core.datasets.file_names import NameKeeper, printable, safe_name, tidy
from translearn_core.datasets.folder_listing import cannot_open
from translearn_core.datasets.grouping import group_added, group_again
from translearn_core.datasets.import_choices import ImportChoices
from translearn_core.datasets.import_context import (
    Candidate,
    ImportContext,
    LeftOut,
    ProgressCallback,
    StopCheck,
)
from translearn_core.datasets.layout import ClassAssignment
from translearn_core.datasets.library import (
    COLUMNS,
    LEFT_OUT_COLUMNS,
    STATS_COLUMNS,
    Dataset,
    Record,
    check_free_space,
    datasets_folder,
    disk_errors,
    fill_stats,
    list_datasets,
    new_folder,
    new_id,
    photo_file,
    publish,
    small_classes,
    stays_in_place,
    too_few_reason,
    with_columns,
)
from translearn_core.datasets.loose import MOST as MOST_LOOSE
from translearn_core.datasets.loose import read_kept, write_loose
from translearn_core.datasets.receiving import spool
from translearn_core.datasets.recordings import RECORDINGS, recording_of
from translearn_core.datasets.sources import (
    Labelling,
    existing_source,
    labelled,
    list_sources,
    nothing_left,
    with_assignments,
)
from translearn_core.datasets.tasks import MAIN, store_tasks
from translearn_core.datasets.unsorted import read_unsorted, write_unsorted
from translearn_core.datasets.videos import expand_videos, without_videos
from translearn_core.errors import PhotoError, SourceError, StorageError
from translearn_core.i18n import _
from translearn_core.imaging.decode import (
    DecodedPhoto,
    decode_photo,
    iterate_photos,
    measure_reading,
    processor_count,
)
from translearn_core.imaging.positions import without_position
from translearn_core.imaging.reading import Reading, using
from translearn_core.imaging.stats import STATS_SIDE, PhotoStats

_EIGHT_BITS = (".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".gif", ".bmp")

_TEMPORARY = ("staged", "incoming", "frames", "loose", "loose-frames")
UNSORTED_FOLDER = "unsorted"
"""Where the files of photos of no class lie, among the class folders."""


@dataclass(frozen=True)
class ImportReport:
    """Result of adding photos: their number, the rejected files as (file, reason), what is to be
    said of how folders and names were read, and the manifest paths of the photos."""

    added: int
    left_out: tuple[tuple[str, str], ...]
    notices: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()


@dataclass(frozen=True)
class _StagedPhoto:
    """An accepted photo: its candidate, its numbered file in the staging folder, its statistics, and
    the SHA-256 of its file as it was brought, where a position was dropped."""

    candidate: Candidate
    file: Path
    stats: PhotoStats | None
    brought_sha256: str = ""


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
        return _import_in_place(sources, name, context, labels, again=choices is None)
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


# --- Steps of an import -------------------------------------------------------------------------


def new_record(name: str, *, source: str = "", identity: str = "") -> Record:
    """What describes a new data set; `identity` is the id of one whose photos stay in place."""
    return Record(
        id=identity or new_id(name),
        name=name,
        created=time.time(),
        kind="folder" if identity else "upload",
        source=source,
    )


def _stage(
    candidates: Sequence[Candidate], folder: Path, context: ImportContext
) -> tuple[list[_StagedPhoto], LeftOut]:
    """Read and decode the candidates in threads, and store the valid ones in `folder`.

    Raises:
        StorageError: the disk is full.
    """
    with disk_errors():
        folder.mkdir()
    staged: list[_StagedPhoto] = []
    left_out: LeftOut = []
    workers = processor_count()
    waiting: deque[Future[_StagedPhoto | tuple[str, str]]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="import")

    def collect() -> None:
        result = waiting.popleft().result()
        if isinstance(result, _StagedPhoto):
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
) -> _StagedPhoto | tuple[str, str]:
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
    return _StagedPhoto(replace(item, size_bytes=len(data)), target, stats, brought)


def _move_to_class_folders(
    staged: Sequence[_StagedPhoto], folder: Path, keeper: NameKeeper
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
        rows.append(_row(candidate, path, item.stats) | {"brought_sha256": item.brought_sha256})
    return _rows(rows)


def _row(candidate: Candidate, path: str, stats: PhotoStats | None) -> dict[str, Any]:
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
    return _rows([_row(item, item.path, None) for item in candidates])


def _rows(rows: list[dict[str, Any]]) -> pd.DataFrame:
    table = pd.DataFrame(rows)
    for name in STATS_COLUMNS:
        if name in table.columns:
            table[name] = table[name].fillna("" if COLUMNS[name] == "str" else 0)
    return with_columns(table, COLUMNS)


def _left_out_table(left_out: LeftOut) -> pd.DataFrame:
    return with_columns(pd.DataFrame(left_out, columns=list(LEFT_OUT_COLUMNS)), LEFT_OUT_COLUMNS)


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
    with _room_for(candidates):
        return _fill(folder, candidates, left_out + unread, record, context)


def _room_for(candidates: Sequence[Candidate]) -> AbstractContextManager[None]:
    return quotas.room_for(
        photos=len(candidates), n_bytes=sum(item.size_bytes for item in candidates)
    )


def _fill(
    folder: Path,
    candidates: list[Candidate],
    left_out: LeftOut,
    record: Record,
    context: ImportContext,
) -> Dataset:
    how = Reading(page=context.choices.page, channels=context.choices.channels)
    if record.kind != "demo":
        how = _measure({item.file: item.look or item.read for item in candidates}, how, context)
    record = record.model_copy(update={"reading": how.as_json()})
    with using(how):
        staged, refused = _stage(candidates, folder / "staged", context)
        loose = _stage_loose(folder, context) if staged else []
    left_out = left_out + refused
    if not staged:
        raise SourceError(nothing_left(left_out))
    temporary = Dataset(folder)
    if record.kind != "demo":
        staged, single = _without_single(staged, context)
        told = ((listed_as(item.candidate), item.candidate.assignment.reason) for item in single)
        left_out = left_out + list(dict.fromkeys(told))
        loose += single
    with disk_errors():
        keeper = NameKeeper()
        photos = _move_to_class_folders(staged, folder, keeper)
        write_loose(temporary, _move_loose(loose, folder, keeper))
        for name in _TEMPORARY:
            shutil.rmtree(folder / name, ignore_errors=True)
    is_sorted = photos["class_name"] != ""
    temporary.write_photos(photos[is_sorted])
    write_unsorted(temporary, photos[~is_sorted])
    temporary.write_left_out(_left_out_table(left_out))
    changed = _said(context) | _grouped_by(photos, record)
    return publish(folder, record.model_copy(update=changed))


def _stage_loose(folder: Path, context: ImportContext) -> list[_StagedPhoto]:
    """The photos that are left out for want of a class, as far as they can be read and there is room for
    them; at most `MOST_LOOSE`."""
    if not context.loose:
        return []
    try:
        found, _unread = expand_videos(context.loose[:MOST_LOOSE], folder / "loose-frames", context)
        with _room_for(found[:MOST_LOOSE]):
            staged, _refused = _stage(found[:MOST_LOOSE], folder / "loose", context)
    except (SourceError, StorageError):  # no room for what was to be left out anyway
        context.check_stop()
        return []
    return staged


def _move_loose(staged: Sequence[_StagedPhoto], folder: Path, keeper: NameKeeper) -> pd.DataFrame:
    """Rows for `loose.parquet` of photos without a class, whose files are moved into `folder`."""
    bare = [
        replace(item, candidate=replace(item.candidate, assignment=_without_class(item)))
        for item in staged
    ]
    listed = [listed_as(item.candidate) for item in staged]
    return _move_to_class_folders(bare, folder, keeper).assign(listed=listed)


def _without_class(item: _StagedPhoto) -> ClassAssignment:
    return ClassAssignment(split=item.candidate.assignment.split)


def listed_as(candidate: Candidate) -> str:
    """Under which name the list of left-out files tells of a photo that has no class."""
    folder = candidate.assignment.folder
    return f"{folder}/" if folder else recording_of(candidate.file) or candidate.file


def _grouped_by(rows: pd.DataFrame, record: Record) -> dict[str, str]:
    """What groups new rows, as a field of the record, where nothing did so far."""
    is_new = not record.grouped_by and bool((rows["group_name"] != "").any())
    return {"grouped_by": RECORDINGS} if is_new else {}


def _measure(
    readers: Mapping[str, Callable[[], bytes]], how: Reading, context: ImportContext
) -> Reading:
    """A reading with the ranges of the photos that do not declare theirs.

    Args:
        readers: name of a file -> what reads it. JPEG files, by their names, are passed over.
    """
    kept = [read for name, read in readers.items() if not name.lower().endswith(_EIGHT_BITS)]
    return measure_reading(kept, context.limits, how)


def _without_single(
    staged: list[_StagedPhoto], context: ImportContext
) -> tuple[list[_StagedPhoto], list[_StagedPhoto]]:
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


def _name_of(source: Path) -> str:
    return source.name if source.is_dir() else archive_stem(source.name)


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
    with _room_for(candidates):
        return _add_to(dataset, folder, candidates, left_out + unread, context)


def _add_to(
    dataset: Dataset,
    folder: Path,
    candidates: list[Candidate],
    left_out: LeftOut,
    context: ImportContext,
) -> ImportReport:
    how = _measure(
        {item.file: item.look or item.read for item in candidates}, dataset.reading, context
    )
    with using(how):
        staged, refused = _stage(candidates, folder / "staged", context)
        loose = _stage_loose(folder, context)
    left_out = left_out + refused
    with dataset.locked():
        before, unsorted, kept = dataset.photos, read_unsorted(dataset), read_kept(dataset)
        rows = loose_rows = _rows([])
        try:
            with disk_errors():
                gone = read_excluded(dataset)["path"]  # which may be put back
                taken = NameKeeper([*before["path"], *unsorted["path"], *kept["path"], *gone])
                rows = _move_to_class_folders(staged, dataset.folder, taken)
                loose_rows = _move_loose(loose, dataset.folder, taken)
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
            dataset.write_left_out(pd.concat([dataset.left_out, _left_out_table(left_out)]))
        changed = {"source_sha256": "", "reading": how.as_json()}
        changed |= _grouped_by(rows, dataset.record)
        dataset.write_record(dataset.record.model_copy(update=changed))
    notices = (*context.notices, *(one.text for one in context.questions))
    return ImportReport(len(rows), tuple(left_out), notices, tuple(map(str, rows["path"])))


def _import_in_place(
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
    loose = _rows([]).assign(listed="") if loose is None else loose
    how = Reading(page=context.choices.page, channels=context.choices.channels)
    deep = [path for path in photos["path"] if not path.lower().endswith(_EIGHT_BITS)]
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
                **_said(context),
                "choices": record.choices,
                "reading": record.reading,
            }
            existing.write_record(existing.record.model_copy(update=changed))
            own = existing.photos[~existing.photos["path"].map(stays_in_place)]
            photos = group_again(photos, existing.photos, existing.record.grouped_by)
            existing.write_photos(pd.concat([photos, own]) if len(own) else photos)
            existing.write_left_out(_left_out_table(left_out))
            before = read_kept(existing)
            write_loose(existing, pd.concat([loose, before[~before["path"].map(stays_in_place)]]))
        return existing
    with new_folder() as folder:
        temporary = Dataset(folder)
        temporary.write_photos(photos)
        temporary.write_left_out(_left_out_table(left_out))
        write_loose(temporary, loose)
        return publish(folder, record.model_copy(update=_said(context)))


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


def _said(context: ImportContext) -> dict[str, Any]:
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
