"""Imports photos into data sets, copied or left in place.

Owns: `import_source`, `import_files`, `create_dataset`, `add_photos`, `add_source`, `build_drawn`.
Everything is gathered in a temporary folder and takes its place by one rename: an import that
fails or is stopped leaves no trace. Leaves to others: listing and reading the sources
(`sources.py`), names and classes (`layout.py`), zips (`archive.py`), files (`library.py`).
"""

from __future__ import annotations

import contextlib
import contextvars
import hashlib
import shutil
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

import pandas as pd

from translearn_core.atomic import sha256_of
from translearn_core.config import load_configuration
from translearn_core.datasets.layout import NameKeeper, Place, safe_name, tidy
from translearn_core.datasets.library import (
    COLUMNS,
    FACT_COLUMNS,
    LEFT_OUT_COLUMNS,
    Dataset,
    Record,
    as_table,
    datasets_folder,
    disk_errors,
    fill_facts,
    finish,
    list_datasets,
    need_room,
    new_folder,
    new_id,
)
from translearn_core.datasets.sources import (
    Found,
    LeftOut,
    Stop,
    Tell,
    Work,
    cannot_open,
    existing_source,
    list_sources,
    nothing_left,
    spool,
    with_places,
)
from translearn_core.errors import PhotoError, SourceError, StorageError
from translearn_core.i18n import _
from translearn_core.imaging.decode import (
    DecodedPhoto,
    decode_photo,
    iterate_photos,
    processor_count,
)
from translearn_core.imaging.stats import FACTS_SIDE, PhotoStats


@dataclass(frozen=True)
class ImportReport:
    """What came of adding photos: how many, and the others as (file, reason)."""

    added: int
    left_out: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class _Staged:
    """A photo that was taken: a numbered file in the staging folder, and its row."""

    found: Found
    file: Path
    facts: PhotoStats | None


def import_source(
    source: Path | str,
    *,
    name: str = "",
    test_source: Path | str | None = None,
    check: bool = True,
    in_place: bool = False,
    progress: Tell | None = None,
    stop: Stop | None = None,
) -> Dataset:
    """Make a data set of a folder or zip whose folders are the classes (`assign_classes`).

    A zip with the same content as an earlier, unedited import gives that data set again. The same
    folder in place gives the same data set again, read afresh: facts of files whose size and time
    are unchanged are kept, and so are photos that were added to the set by hand; names and classes
    come from the folder, so renames, merges and removals made in the set do not outlive it.

    Args:
        source: a folder or a zip.
        name: what the person calls it; default the source's name.
        test_source: a folder or zip of the same classes; all its photos get the split "test".
        check: decode every photo now; else rows stay unchecked and the first decode pass
            (`Dataset.record_facts`) checks them.
        in_place: leave the photos of a folder where they are (a zip is always unpacked).
        progress: told how far it is.
        stop: asked now and then; True ends the import.

    Raises:
        SourceError: the source is refused, or holds no class folder or no readable photo.
        StorageError: the disk is full.
    """
    sources = [existing_source(Path(source))]
    if test_source is not None:
        sources.append(existing_source(Path(test_source)))
    work = Work(load_configuration().limits, check, progress, stop)
    name = tidy(name) or sources[0].stem or "photos"
    if in_place and all(path.is_dir() for path in sources):
        return _import_in_place(sources, name, work)
    record = _new_record(name, source=str(sources[0]))
    if test_source is not None:
        record = record.model_copy(update={"test_source": str(sources[1])})
    elif sources[0].is_file():
        record = record.model_copy(update={"source_sha256": sha256_of(sources[0])})
        again = _imported_before(record, check)
        if again is not None:
            return again
    with contextlib.ExitStack() as stack, new_folder() as folder:
        found, left_out = list_sources(sources, stack, work)
        need_room(sum(item.size_bytes for item in found))
        return _build(folder, found, left_out, record, work)


def import_files(
    files: Iterable[tuple[str, Path | BinaryIO]],
    *,
    name: str,
    progress: Tell | None = None,
    stop: Stop | None = None,
) -> Dataset:
    """Make a data set of uploaded files whose relative names tell the folders.

    Each file is moved to disk as it comes, so that its upload can be let go of.

    Args:
        files: pairs of a relative name (`pets/cats/1.jpg`) and the file.

    Raises:
        SourceError, StorageError: as `import_source`.
    """
    work = Work(load_configuration().limits, True, progress, stop)
    with new_folder() as folder:
        found, left_out = spool(files, folder / "incoming", work)
        found, left_out = with_places(found, left_out)
        dataset = _build(folder, found, left_out, _new_record(tidy(name) or "photos"), work)
    return dataset


def create_dataset(name: str) -> Dataset:
    """Make an empty data set; photos come by `add_photos`."""
    with new_folder() as folder:
        return finish(folder, _new_record(tidy(name) or _("My photos")))


def add_photos(
    dataset: Dataset,
    class_name: str,
    files: Iterable[tuple[str, Path | BinaryIO]],
    *,
    progress: Tell | None = None,
    stop: Stop | None = None,
) -> ImportReport:
    """Add photos to one class, which is made where it is new.

    Args:
        class_name: class the photos belong to.
        files: pairs of a file name and the file.
        stop: asked now and then; True ends it, and nothing is added.

    Raises:
        SourceError: the class has no name, or `stop` said so.
        StorageError: the disk is full; nothing was added.
    """
    class_name = tidy(class_name)
    if not class_name:
        raise SourceError(_("The class has no name. Give it one, then add its photos."))
    work = Work(load_configuration().limits, True, progress, stop)
    with new_folder() as folder:
        found, left_out = spool(files, folder / "incoming", work)
        found = [
            replace(
                item,
                file=f"{class_name}/{PurePosixPath(item.file).name}",
                place=Place(class_name=class_name),
            )
            for item in found
        ]
        return _append(dataset, folder, found, left_out, work)


def add_source(
    dataset: Dataset, source: Path | str, *, progress: Tell | None = None, stop: Stop | None = None
) -> ImportReport:
    """Add the photos of a folder or zip with class folders; classes may be new.

    Raises:
        SourceError, StorageError: as `import_source`; nothing was added.
    """
    work = Work(load_configuration().limits, True, progress, stop)
    with contextlib.ExitStack() as stack, new_folder() as folder:
        found, left_out = list_sources([existing_source(Path(source))], stack, work)
        need_room(sum(item.size_bytes for item in found))
        return _append(dataset, folder, found, left_out, work)


def build_drawn(
    name: str,
    drawings: Sequence[tuple[str, str, Callable[[], bytes]]],
    *,
    progress: Tell | None = None,
) -> Dataset:
    """Make a data set of pictures that are drawn as they are needed.

    Args:
        drawings: file name, class name, and a call that gives the bytes of the picture.

    Raises:
        StorageError: the disk is full.
    """
    work = Work(load_configuration().limits, True, progress, None)
    found = [Found(file, 0, draw, place=Place(class_name=title)) for file, title, draw in drawings]
    record = _new_record(tidy(name)).model_copy(update={"kind": "demo"})
    with new_folder() as folder:
        return _build(folder, found, [], record, work)


# --- The parts of an import ---------------------------------------------------------------------


def _new_record(name: str, *, source: str = "", identity: str = "") -> Record:
    return Record(
        id=identity or new_id(name),
        name=name,
        created=time.time(),
        kind="folder" if identity else "upload",
        source=source,
    )


def _stage(found: Sequence[Found], folder: Path, work: Work) -> tuple[list[_Staged], LeftOut]:
    """Read each candidate once, decode it by threads, and keep the good ones in `folder`.

    Raises:
        StorageError: the disk is full.
    """
    with disk_errors():
        folder.mkdir()
    staged: list[_Staged] = []
    left_out: LeftOut = []
    workers = processor_count()
    waiting: deque[Future[_Staged | tuple[str, str]]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="import")

    def collect() -> None:
        result = waiting.popleft().result()
        if isinstance(result, _Staged):
            staged.append(result)
        else:
            left_out.append(result)
        work.tell(len(staged) + len(left_out), len(found), _("Looking at the photos"))

    try:
        for number, item in enumerate(found):
            # each task in a copy of the caller's context: its texts speak the caller's language
            context = contextvars.copy_context()
            waiting.append(pool.submit(context.run, _take, item, folder / str(number), work))
            if len(waiting) > workers * 4:
                collect()
        while waiting:
            collect()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    return staged, left_out


def _take(item: Found, target: Path, work: Work) -> _Staged | tuple[str, str]:
    """Read, check and keep one photo; its name and reason where it is not good."""
    facts = None
    try:
        data = item.read()
        if work.check:
            facts = decode_photo(data, size=FACTS_SIDE, limits=work.limits).facts
    except PhotoError as error:
        return item.file, error.message
    except OSError as error:
        return item.file, cannot_open(error)
    with disk_errors():
        target.write_bytes(data)
    return _Staged(replace(item, size_bytes=len(data)), target, facts)


def _settle(staged: Sequence[_Staged], folder: Path, keeper: NameKeeper) -> pd.DataFrame:
    """Move staged files to `photos/<class>/` under safe free names; their manifest rows."""
    rows = []
    for item in staged:
        found = item.found
        inside = f"photos/{safe_name(found.place.class_name)}"
        file_name = PurePosixPath(found.file).name
        if not PurePosixPath(file_name).suffix and item.facts is not None:
            file_name += f".{item.facts.format.lower()}"
        path = f"{inside}/{keeper.claim(inside, file_name)}"
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        item.file.replace(target)
        rows.append(_row(found, path, item.facts))
    return _rows(rows)


def _row(found: Found, path: str, facts: PhotoStats | None) -> dict[str, Any]:
    return {
        "path": path,
        "file": found.file,
        "class_name": found.place.class_name,
        "split": found.place.split,
        "bytes": found.size_bytes,
        "mtime_ns": found.mtime_ns,
        "checked": facts is not None,
        **(asdict(facts) if facts is not None else {}),
    }


def as_rows(found: Sequence[Found]) -> pd.DataFrame:
    """Manifest rows of photos that stay where they are, unchecked."""
    return _rows([_row(item, item.path, None) for item in found])


def _rows(rows: list[dict[str, Any]]) -> pd.DataFrame:
    table = pd.DataFrame(rows)
    for name in FACT_COLUMNS:
        if name in table.columns:
            table[name] = table[name].fillna("" if COLUMNS[name] == "str" else 0)
    return as_table(table, COLUMNS)


def _left_out_table(left_out: LeftOut) -> pd.DataFrame:
    return as_table(pd.DataFrame(left_out, columns=list(LEFT_OUT_COLUMNS)), LEFT_OUT_COLUMNS)


def _build(
    folder: Path, found: list[Found], left_out: LeftOut, record: Record, work: Work
) -> Dataset:
    """Fill a temporary folder with photos and manifest, and give it its place."""
    staged, refused = _stage(found, folder / "staged", work)
    left_out = left_out + refused
    if not staged:
        raise SourceError(nothing_left(left_out))
    temporary = Dataset(folder)
    with disk_errors():
        photos = _settle(staged, folder, NameKeeper())
        for name in ("staged", "incoming"):
            shutil.rmtree(folder / name, ignore_errors=True)
    temporary.write_photos(photos)
    temporary.write_left_out(_left_out_table(left_out))
    return finish(folder, record)


def _append(
    dataset: Dataset, folder: Path, found: list[Found], left_out: LeftOut, work: Work
) -> ImportReport:
    """Check new photos beside the data set, then add them under its lock, all or none."""
    staged, refused = _stage(found, folder / "staged", work)
    left_out = left_out + refused
    with dataset.locked():
        before = dataset.photos
        rows = _rows([])
        try:
            with disk_errors():
                rows = _settle(staged, dataset.folder, NameKeeper(before["path"]))
            dataset.write_photos(pd.concat([before, rows]) if len(rows) else before)
        except StorageError:
            dataset.discard_files(rows["path"])
            raise
        if left_out:
            dataset.write_left_out(pd.concat([dataset.left_out, _left_out_table(left_out)]))
        dataset.write_record(dataset.record.model_copy(update={"source_sha256": ""}))
    return ImportReport(len(rows), tuple(left_out))


def _import_in_place(sources: list[Path], name: str, work: Work) -> Dataset:
    """A data set whose photos stay in the person's folders."""
    text = "\n".join(source.as_posix() for source in sources)
    identity = f"folder-{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}"
    record = _new_record(name, source=str(sources[0]), identity=identity)
    if len(sources) > 1:
        record = record.model_copy(update={"test_source": str(sources[1])})
    with contextlib.ExitStack() as stack:
        found, left_out = list_sources(sources, stack, work)
    existing = Dataset(datasets_folder() / identity)
    known = (existing.folder / "dataset.json").is_file()
    photos = as_rows(found)
    if known:
        photos = reuse_facts(photos, existing.photos)
    if work.check:
        photos, refused = _check_in_place(photos, work)
        left_out = left_out + refused
    if not len(photos):
        raise SourceError(nothing_left(left_out))
    if known:
        with existing.locked():
            own = existing.photos[~existing.photos["path"].map(_is_absolute)]
            existing.write_photos(pd.concat([photos, own]) if len(own) else photos)
            existing.write_left_out(_left_out_table(left_out))
        return existing
    with new_folder() as folder:
        temporary = Dataset(folder)
        temporary.write_photos(photos)
        temporary.write_left_out(_left_out_table(left_out))
        return finish(folder, record)


def _is_absolute(path: str) -> bool:
    return Path(path).is_absolute()


def reuse_facts(photos: pd.DataFrame, before: pd.DataFrame) -> pd.DataFrame:
    """Take over the facts of files whose path, size and time are as before."""
    checked = before[before["checked"]]
    keys = ["path", "bytes", "mtime_ns"]
    facts = checked[[*keys, "checked", *FACT_COLUMNS]]
    bare = photos.drop(columns=["checked", *FACT_COLUMNS])
    merged = bare.merge(facts, on=keys, how="left")
    merged["checked"] = merged["checked"].eq(True)
    for name in FACT_COLUMNS:
        merged[name] = merged[name].fillna("" if COLUMNS[name] == "str" else 0)
    return as_table(merged, COLUMNS)


def _check_in_place(photos: pd.DataFrame, work: Work) -> tuple[pd.DataFrame, LeftOut]:
    """Decode what is not checked yet; the kept rows with facts, and the others."""
    paths = list(photos.loc[~photos["checked"], "path"])
    files = dict(zip(photos["path"], photos["file"], strict=True))
    facts: dict[str, PhotoStats] = {}
    reasons: dict[str, str] = {}
    decoded = iterate_photos([Path(p) for p in paths], size=FACTS_SIDE, limits=work.limits)
    with contextlib.closing(decoded):
        for position, photo in decoded:
            if isinstance(photo, DecodedPhoto):
                facts[paths[position]] = photo.facts
            else:
                reasons[paths[position]] = photo.message
            work.tell(position + 1, len(paths), _("Looking at the photos"))
    photos = fill_facts(photos, facts)
    kept = photos[~photos["path"].isin(list(reasons))]
    return kept, [(files[path], reason) for path, reason in reasons.items()]


def _imported_before(record: Record, check: bool) -> Dataset | None:
    """An unedited data set of the same zip and name, with photos checked if that is asked."""
    for dataset in list_datasets():
        old = dataset.record
        same = old.source_sha256 == record.source_sha256 and old.name == record.name
        if same and (not check or bool(dataset.photos["checked"].all())):
            return dataset
    return None
