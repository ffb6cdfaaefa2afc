"""How photos get into data sets: folders, zips, uploads, in place or copied.

Owns: `import_source`, `import_files`, `create_dataset`, `add_photos`, `add_source`, `unpacked`,
`allowed_folder`. Everything is gathered in a temporary folder and takes its place by one rename:
an import that fails or is stopped leaves no trace, and the source is never written to.
Leaves to others: names and classes (`layout.py`), zips (`archive.py`), files (`library.py`).
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import hashlib
import os
import shutil
import stat
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

import pandas as pd

from translearn_core.config import Limits, load_configuration
from translearn_core.datasets.archive import open_archive
from translearn_core.datasets.decode import (
    FACTS_SIDE,
    DecodedPhoto,
    PhotoFacts,
    decode_photo,
    iterate_photos,
    processor_count,
)
from translearn_core.datasets.layout import (
    NameKeeper,
    Place,
    assign_classes,
    is_junk,
    reason_not_photo,
    safe_name,
    tidy,
)
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
from translearn_core.errors import PhotoError, SourceError, StorageError
from translearn_core.texts import _


@dataclass(frozen=True)
class Progress:
    """How far an import is: `done` of `total` (0: not known), and at what, in words."""

    done: int
    total: int
    what: str


@dataclass(frozen=True)
class ImportReport:
    """What came of adding photos: how many, and the others as (file, reason)."""

    added: int
    left_out: tuple[tuple[str, str], ...]


Tell = Callable[[Progress], None]
Stop = Callable[[], bool]
LeftOut = list[tuple[str, str]]


_NOWHERE = Place()


@dataclass(frozen=True)
class _Found:
    """A file that may be a photo: the name the person knows, and a way to its bytes."""

    file: str
    size_bytes: int
    read: Callable[[], bytes]
    path: str = ""
    mtime_ns: int = 0
    place: Place = _NOWHERE


@dataclass(frozen=True)
class _Staged:
    """A photo that was taken: a numbered file in the staging folder, and its row."""

    found: _Found
    file: Path
    facts: PhotoFacts | None


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
    sources = [_existing(Path(source))]
    if test_source is not None:
        sources.append(_existing(Path(test_source)))
    work = _Work(load_configuration().limits, check, progress, stop)
    name = tidy(name) or sources[0].stem or "photos"
    if in_place and all(path.is_dir() for path in sources):
        return _import_in_place(sources, name, work)
    record = _new_record(name, source=str(sources[0]))
    if test_source is not None:
        record = record.model_copy(update={"test_source": str(sources[1])})
    elif sources[0].is_file():
        record = record.model_copy(update={"source_sha256": _hash_file(sources[0])})
        again = _imported_before(record, check)
        if again is not None:
            return again
    with contextlib.ExitStack() as stack, new_folder() as folder:
        found, left_out = _list_sources(sources, stack, work)
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
    work = _Work(load_configuration().limits, True, progress, stop)
    with new_folder() as folder:
        found, left_out = _spool(files, folder / "incoming", work)
        found, left_out = _with_places(found, left_out)
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
) -> ImportReport:
    """Add photos to one class, which is made where it is new.

    Args:
        class_name: class the photos belong to.
        files: pairs of a file name and the file.

    Raises:
        SourceError: the class has no name.
        StorageError: the disk is full; nothing was added.
    """
    class_name = tidy(class_name)
    if not class_name:
        raise SourceError(_("The class has no name. Give it one, then add its photos."))
    work = _Work(load_configuration().limits, True, progress, None)
    with new_folder() as folder:
        found, left_out = _spool(files, folder / "incoming", work)
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
    work = _Work(load_configuration().limits, True, progress, stop)
    with contextlib.ExitStack() as stack, new_folder() as folder:
        found, left_out = _list_sources([_existing(Path(source))], stack, work)
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
    work = _Work(load_configuration().limits, True, progress, None)
    found = [_Found(file, 0, draw, place=Place(class_name=title)) for file, title, draw in drawings]
    record = _new_record(tidy(name)).model_copy(update={"kind": "demo"})
    with new_folder() as folder:
        return _build(folder, found, [], record, work)


@contextlib.contextmanager
def unpacked(path: Path) -> Iterator[Path]:
    """A temporary folder with the photos of a zip under safe names, classes or not.

    Only candidates for photos are unpacked; what `archive.py` refuses or leaves out is so here.

    Raises:
        SourceError: the archive is refused.
        StorageError: the disk is full.
    """
    limits = load_configuration().limits
    keeper = NameKeeper()
    with (
        tempfile.TemporaryDirectory(prefix="translearn-") as name,
        open_archive(path, limits) as zipped,
    ):
        folder = Path(name)
        for entry in zipped.entries:
            *folders, last = entry.name.split("/")
            parent = folder.joinpath(*(safe_name(part) for part in folders))
            target = parent / keeper.claim("/".join(map(safe_name, folders)), last)
            with contextlib.suppress(PhotoError):
                data = zipped.read(entry, limits)
                with disk_errors():
                    parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(data)
        yield folder


def allowed_folder(path: Path | str) -> Path:
    """The real folder of `path`, if pages may read it.

    Links are resolved first, so none leads out of the allowed folders.

    Raises:
        SourceError: it lies in none of the configuration's `source_folders`, or is no folder.
    """
    roots = [Path(root).expanduser().resolve() for root in load_configuration().source_folders]
    folder = Path(path).expanduser().resolve()
    if not any(folder.is_relative_to(root) for root in roots):
        raise SourceError(
            _(
                "{folder} may not be read from a page. Allowed are: {roots}. Whoever runs this "
                "server can change `source_folders` in config.toml."
            ).format(folder=folder, roots=", ".join(map(str, roots)) or _("no folders yet"))
        )
    if not folder.is_dir():
        raise SourceError(_("There is no folder {folder}.").format(folder=folder))
    return folder


# --- The parts of an import ---------------------------------------------------------------------


class _Work:
    """What all parts of one import share: bounds, progress, the wish to stop."""

    def __init__(self, limits: Limits, check: bool, progress: Tell | None, stop: Stop | None):
        self.limits = limits
        self.check = check
        self._progress = progress
        self._stop = stop
        self._told = 0.0

    def tell(self, done: int, total: int, what: str) -> None:
        """Report (at most twenty times a second), and end the import if that is wished."""
        if self._stop is not None and self._stop():
            raise SourceError(_("The import was stopped. Nothing was kept."))
        now = time.monotonic()
        if self._progress is not None and (now - self._told > 0.05 or done == total):
            self._told = now
            self._progress(Progress(done, total, what))


def _existing(path: Path) -> Path:
    path = path.expanduser()
    try:
        resolved = path.resolve(strict=True)
        if resolved.is_dir() or resolved.is_file():
            return resolved
    except OSError:
        pass
    raise SourceError(_("There is no folder or zip {path}. Check the name.").format(path=path))


def _new_record(name: str, *, source: str = "", identity: str = "") -> Record:
    return Record(
        id=identity or new_id(name),
        name=name,
        created=time.time(),
        kind="folder" if identity else "upload",
        source=source,
    )


def _list_sources(
    sources: Sequence[Path], stack: contextlib.ExitStack, work: _Work
) -> tuple[list[_Found], LeftOut]:
    """Candidates of the source and, if there is one, of the test source, each with its place."""
    found, left_out = _with_places(*_list_source(sources[0], stack, work))
    if len(sources) == 1:
        return found, left_out
    more, more_left_out = _with_places(*_list_source(sources[1], stack, work))
    classes = {item.place.class_name for item in found}
    unknown = sorted({item.place.class_name for item in more} - classes)
    if unknown:
        raise SourceError(
            _(
                "The photos kept for the test have classes that the others do not have: {names}. "
                "Name their folders as in {source}."
            ).format(names=", ".join(unknown), source=sources[0].name)
        )
    prefix = sources[1].name
    more = [
        replace(item, file=f"{prefix}/{item.file}", place=replace(item.place, split="test"))
        for item in more
    ]
    more_left_out = [(f"{prefix}/{file}", reason) for file, reason in more_left_out]
    return found + more, left_out + more_left_out


def _list_source(
    source: Path, stack: contextlib.ExitStack, work: _Work
) -> tuple[list[_Found], LeftOut]:
    work.tell(0, 0, _("Listing the files"))
    if source.is_dir():
        return _list_folder(source, work)
    zipped = stack.enter_context(open_archive(source, work.limits))
    found = [
        _Found(entry.name, entry.size_bytes, functools.partial(zipped.read, entry, work.limits))
        for entry in zipped.entries
    ]
    return found, list(zipped.left_out)


def _list_folder(root: Path, work: _Work) -> tuple[list[_Found], LeftOut]:
    """Candidates below `root`, by name; links that leave it are left out, links to folders too."""
    found: list[_Found] = []
    left_out: LeftOut = []
    waiting: list[tuple[str, int]] = [("", 0)]
    prefix = root.as_posix().rstrip("/") + "/"
    count = 0
    while waiting:
        inside, depth = waiting.pop()
        try:
            with os.scandir(root / inside) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            left_out.append((inside or root.name, _cannot_open(error)))
            continue
        for entry in entries:
            if is_junk((entry.name,)):
                continue
            name = f"{inside}/{entry.name}" if inside else entry.name
            count += 1
            if count > work.limits.files:
                raise SourceError(
                    _(
                        "The folder holds more than {limit} files; that many are not taken at once."
                    ).format(limit=work.limits.files)
                )
            if entry.is_dir(follow_symlinks=False):
                if depth >= work.limits.nesting:
                    left_out.append((name, _("It lies too deep in folders.")))
                else:
                    waiting.append((name, depth + 1))
                continue
            item, reason = _look_at(root, prefix, entry, name)
            if item is None:
                left_out.append((name, reason))
            else:
                found.append(item)
        work.tell(count, 0, _("Listing the files"))
    found.sort(key=lambda item: item.file)
    total = sum(item.size_bytes for item in found)
    if total > work.limits.total_bytes:
        raise SourceError(
            _("The folder holds {size} GB of photos; at most {limit} GB are taken at once.").format(
                size=f"{total / 2**30:.1f}", limit=f"{work.limits.total_bytes / 2**30:.1f}"
            )
        )
    return found, left_out


def _look_at(
    root: Path, prefix: str, entry: os.DirEntry[str], name: str
) -> tuple[_Found | None, str]:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return None, _("Its name is not valid text. Rename it.")
    try:
        if entry.is_symlink():
            path = Path(entry.path).resolve(strict=True)
            if path.is_dir():
                return None, _("It is a link to a folder; links to folders are not followed.")
            if not path.is_relative_to(root):
                return None, _("It is a link that leads out of the folder.")
        reason = reason_not_photo(entry.name)
        if reason:
            return None, reason
        status = entry.stat()
    except OSError as error:
        return None, _cannot_open(error)
    if not stat.S_ISREG(status.st_mode):
        return None, _("It is not an ordinary file.")
    read = functools.partial(_read_file, entry.path)
    return _Found(name, status.st_size, read, f"{prefix}{name}", status.st_mtime_ns), ""


def _read_file(path: str) -> bytes:
    return Path(path).read_bytes()


def _cannot_open(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return _("The file is no longer there.")
    return _("The file cannot be opened: {cause}.").format(cause=error.strerror or error)


def _with_places(found: list[_Found], left_out: LeftOut) -> tuple[list[_Found], LeftOut]:
    """Give each candidate its class and split; those without go to `left_out`."""
    if not found:
        raise SourceError(_nothing_left(left_out))
    placed = []
    left_out = list(left_out)
    for item, place in zip(found, assign_classes([item.file for item in found]), strict=True):
        if place.reason:
            left_out.append((item.file, place.reason))
        else:
            placed.append(replace(item, place=place))
    return placed, left_out


def _nothing_left(left_out: LeftOut) -> str:
    if not left_out:
        return _(
            "There are no photos in it. Choose a folder or zip with one folder for each class."
        )
    file, reason = left_out[0]
    return _(
        "No photo could be taken from it; {n} files were left out. The first, {file}: {reason}"
    ).format(n=len(left_out), file=file, reason=reason)


def _spool(
    files: Iterable[tuple[str, Path | BinaryIO]], folder: Path, work: _Work
) -> tuple[list[_Found], LeftOut]:
    """Move uploads to disk one by one; names are kept aside and never used as paths."""
    found: list[_Found] = []
    left_out: LeftOut = []
    with disk_errors():
        folder.mkdir()
    total = 0
    for number, (raw_name, file) in enumerate(files):
        parts = [part for part in raw_name.replace("\\", "/").split("/") if part not in ("", ".")]
        name = "/".join(parts)
        work.tell(number, 0, _("Receiving {file}").format(file=name))
        outside = ".." in parts
        if not parts or (is_junk(parts) and not outside):
            continue
        reason = _("Its name points out of its folder.") if outside else reason_not_photo(parts[-1])
        target = folder / str(number)
        size = 0 if reason else _receive(file, target, work.limits)
        if size > work.limits.photo_bytes:
            target.unlink()
            reason = _("The file is too large: at most {limit} MB are read.").format(
                limit=f"{work.limits.photo_bytes / 2**20:.0f}"
            )
        if reason:
            left_out.append((name, reason))
            continue
        total += size
        if number >= work.limits.files or total > work.limits.total_bytes:
            raise SourceError(
                _("These are too many files at once: at most {files} and {size} GB.").format(
                    files=work.limits.files, size=f"{work.limits.total_bytes / 2**30:.1f}"
                )
            )
        found.append(_Found(name, size, _taker(target), mtime_ns=0))
    return found, left_out


def _receive(file: Path | BinaryIO, target: Path, limits: Limits) -> int:
    """Copy at most one photo's bytes (and one more) to `target`; how many there were."""
    with contextlib.ExitStack() as stack:
        try:
            stream = stack.enter_context(file.open("rb")) if isinstance(file, Path) else file
            if stream.seekable():
                stream.seek(0)
            data = stream.read(limits.photo_bytes + 1)
        except OSError:
            data = b""  # comes out as an empty file, with that reason
    need_room(len(data))
    with disk_errors():
        target.write_bytes(data)
    return len(data)


def _taker(path: Path) -> Callable[[], bytes]:
    def take() -> bytes:
        data = path.read_bytes()
        path.unlink()
        return data

    return take


def _stage(found: Sequence[_Found], folder: Path, work: _Work) -> tuple[list[_Staged], LeftOut]:
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


def _take(item: _Found, target: Path, work: _Work) -> _Staged | tuple[str, str]:
    """Read, check and keep one photo; its name and reason where it is not good."""
    facts = None
    try:
        data = item.read()
        if work.check:
            facts = decode_photo(data, size=FACTS_SIDE, limits=work.limits).facts
    except PhotoError as error:
        return item.file, error.message
    except OSError as error:
        return item.file, _cannot_open(error)
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


def _row(found: _Found, path: str, facts: PhotoFacts | None) -> dict[str, Any]:
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


def _rows(rows: list[dict[str, Any]]) -> pd.DataFrame:
    table = pd.DataFrame(rows)
    for name in FACT_COLUMNS:
        if name in table.columns:
            table[name] = table[name].fillna("" if COLUMNS[name] == "str" else 0)
    return as_table(table, COLUMNS)


def _left_out_table(left_out: LeftOut) -> pd.DataFrame:
    return as_table(pd.DataFrame(left_out, columns=list(LEFT_OUT_COLUMNS)), LEFT_OUT_COLUMNS)


def _build(
    folder: Path, found: list[_Found], left_out: LeftOut, record: Record, work: _Work
) -> Dataset:
    """Fill a temporary folder with photos and manifest, and give it its place."""
    staged, refused = _stage(found, folder / "staged", work)
    left_out = left_out + refused
    if not staged:
        raise SourceError(_nothing_left(left_out))
    temporary = Dataset(folder)
    with disk_errors():
        photos = _settle(staged, folder, NameKeeper())
        for name in ("staged", "incoming"):
            shutil.rmtree(folder / name, ignore_errors=True)
    temporary.write_photos(photos)
    temporary.write_left_out(_left_out_table(left_out))
    return finish(folder, record)


def _append(
    dataset: Dataset, folder: Path, found: list[_Found], left_out: LeftOut, work: _Work
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


def _import_in_place(sources: list[Path], name: str, work: _Work) -> Dataset:
    """A data set whose photos stay in the person's folders."""
    text = "\n".join(source.as_posix() for source in sources)
    identity = f"folder-{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}"
    record = _new_record(name, source=str(sources[0]), identity=identity)
    if len(sources) > 1:
        record = record.model_copy(update={"test_source": str(sources[1])})
    with contextlib.ExitStack() as stack:
        found, left_out = _list_sources(sources, stack, work)
    existing = Dataset(datasets_folder() / identity)
    known = (existing.folder / "dataset.json").is_file()
    photos = _rows([_row(item, item.path, None) for item in found])
    if known:
        photos = _reuse(photos, existing.photos)
    if work.check:
        photos, refused = _check_in_place(photos, work)
        left_out = left_out + refused
    if not len(photos):
        raise SourceError(_nothing_left(left_out))
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


def _reuse(photos: pd.DataFrame, before: pd.DataFrame) -> pd.DataFrame:
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


def _check_in_place(photos: pd.DataFrame, work: _Work) -> tuple[pd.DataFrame, LeftOut]:
    """Decode what is not checked yet; the kept rows with facts, and the others."""
    paths = list(photos.loc[~photos["checked"], "path"])
    files = dict(zip(photos["path"], photos["file"], strict=True))
    facts: dict[str, PhotoFacts] = {}
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


def _hash_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _imported_before(record: Record, check: bool) -> Dataset | None:
    """An unedited data set of the same zip and name, with photos checked if that is asked."""
    for dataset in list_datasets():
        old = dataset.record
        same = old.source_sha256 == record.source_sha256 and old.name == record.name
        if same and (not check or bool(dataset.photos["checked"].all())):
            return dataset
    return None
