"""One data set: its folder, what describes it, its photos and their thumbnails.

Owns: `<workspace>/datasets/<id>/` and its files
    dataset.json       `Record`: schema version, id, name, kind, source
    photos/            the set's own photos, in class folders, under names safe on every system
    manifest.parquet   the photos, one row each (`COLUMNS`), with their classes
    left_out.parquet   rejected files: file, reason
    undo.json          the last renames and merges (`editing.py`)
    thumbs/            thumbnails, made on first use
    fetched/           photos at addresses that something needs as a file, a folder for each address
    .lock              held while the manifest is changed, in any process
and atomic writes of them.
Leaves to others: the columns of the tables (`manifest_columns.py`), which data sets there are
(`library.py`), how photos get in (`importing.py`), what a person changes (`editing.py`).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal, TypeVar

import pandas as pd
from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict

from translearn_core import spaces
from translearn_core.atomic import disk_errors, parse_parquet, write_atomically, write_parquet
from translearn_core.config import load_configuration
from translearn_core.datasets import class_places
from translearn_core.datasets.file_names import natural_key, real_path
from translearn_core.datasets.manifest_columns import (
    COLUMNS,
    LEFT_OUT_COLUMNS,
    facts_table,
    fill_facts,
    recheck_older_stats,
    with_columns,
)
from translearn_core.datasets.questions import Question
from translearn_core.datasets.small_classes import small_classes, too_few_reason
from translearn_core.errors import SourceError, StorageError
from translearn_core.i18n import _, language
from translearn_core.imaging import remote
from translearn_core.imaging.decode import make_thumbnail
from translearn_core.imaging.reading import Reading, parse_reading
from translearn_core.imaging.remote import PhotoFile
from translearn_core.imaging.stats import PhotoStats
from translearn_core.remembered import Memory, Stamp, stamp_of

T = TypeVar("T")
SCHEMA = 1
Kind = Literal["upload", "folder", "demo"]
_LOCK_TIMEOUT_S = 120.0
_contents = Memory(16 * 2**20)
"""What files of data sets hold, by their paths, up to so many bytes of files."""
_known = Memory(256 * 2**20)
"""What follows from the files of data sets, up to so many bytes of memory, about."""
_KEY_BYTES = 1024
"""What a key and the state of its files take, about."""


class Record(BaseModel):
    """dataset.json: the metadata of a data set."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    schema_version: int = SCHEMA
    id: str
    name: str
    created: float
    kind: Kind = "upload"
    source: str = ""
    test_source: str = ""
    source_sha256: str = ""
    """Content of the zip it came from; empty for other sources and once it was edited."""
    grouped_by: str = ""
    """What the named groups of the photos are: a column or a folder level; empty: none."""
    choices: str = ""
    """`ImportChoices` of the import as JSON; empty where nothing was chosen."""
    notices: tuple[str, ...] = ()
    """What was said of how its folders and names were read."""
    reading: dict[str, Any] = {}
    """Range, page and channels of photos that do not declare them (`Reading.as_json`)."""
    questions: tuple[Question, ...] = ()
    """What they alone did not decide, and what was taken."""
    class_places: dict[str, int] = {}
    """Of each class, also of former ones, the place of its colour (`class_places.py`)."""
    begun_empty: bool | None = None
    """Whether it was begun without classes, so that a person named each of them; None in a data set
    of an earlier version."""


class Dataset(spaces.Folder):
    """One data set. Reading never writes; every read sees the files as they are now.

    Raises:
        AccessError: the folder lies in the space of somebody else.
        SourceError: from the properties, when the folder is no data set.
    """

    def __init__(self, folder: Path | str) -> None:
        super().__init__(folder)
        self._cache: dict[str, tuple[tuple[int, int, int], Any]] = {}

    def known(self, what: str, make: Callable[[], T]) -> T:
        """What follows from the files of its folder and the configuration alone, made anew once one
        of them was replaced. It must not be changed.

        Args:
            what: a name for it; its sentences are kept by language.
        """
        key = (self.folder, type(self), what, language.get())
        value: T = _known.get(key, (self.stamp, load_configuration()), make, size=_bytes_of)
        return value

    @property
    def stamp(self) -> tuple[Stamp, ...]:
        """The state of the files of its folder, without photos and thumbnails."""
        return tuple(stamp_of(self.folder / name) for name in ("", "feasible", "sorting"))

    @property
    def record(self) -> Record:
        """dataset.json."""
        try:
            record: Record = self._cached(
                "dataset.json", lambda data: Record.model_validate_json(data)
            )
        except FileNotFoundError as error:
            raise SourceError(
                _("There is no data set in {folder}. It may have been deleted.").format(
                    folder=self.folder
                )
            ) from error
        except (OSError, ValueError) as error:
            raise self._damaged("dataset.json") from error
        if not 1 <= record.schema_version <= SCHEMA:
            raise self._damaged("dataset.json")
        return record

    @property
    def name(self) -> str:
        """The display name."""
        return self.record.name

    @property
    def reading(self) -> Reading:
        """How its photos of more than 8 bits, or of several pages or channels, are read."""
        return parse_reading(self.record.reading)

    @property
    def kind(self) -> str:
        """upload | folder (photos stay where they are) | demo."""
        return self.record.kind

    @property
    def created(self) -> float:
        """Creation time, unix seconds."""
        return self.record.created

    @property
    def photos(self) -> pd.DataFrame:
        """The kept photos, one row each, with `COLUMNS`, sorted by class and file. Do not change
        it."""
        return self._table("manifest.parquet", COLUMNS)

    @property
    def left_out(self) -> pd.DataFrame:
        """Rejected files: file, reason."""
        return self._table("left_out.parquet", LEFT_OUT_COLUMNS)

    @property
    def counts(self) -> pd.Series[int]:
        """Photos per class, by class name in natural order (2 before 10). Do not change it."""
        return self.known("counts", self._count)

    def _count(self) -> pd.Series[int]:
        counts: pd.Series[int] = self.photos.groupby("class_name", sort=True).size()
        return counts.reindex(sorted(counts.index, key=natural_key))

    @property
    def classes(self) -> list[str]:
        """Class names in natural order (2 before 10)."""
        return list(self.known("classes", self._find_classes))

    def _find_classes(self) -> list[str]:
        return sorted(set(self.photos["class_name"]), key=natural_key)

    @property
    def class_places(self) -> dict[str, int]:
        """Of each class, also of former ones, the place of its colour in the palette."""
        return self.record.class_places or class_places.first_places(self.classes)

    @property
    def fingerprint(self) -> str:
        """16 hex digits that change when photos are added, removed, or change class, split, named
        group or content.

        Content is compared by size, and for photos left in place also by modification time; the
        fingerprint does not change when statistics are recorded. How photos of several pages or
        more than 8 bits are read is part of it.
        """
        return self.known("fingerprint", self._make_fingerprint)

    def _make_fingerprint(self) -> str:
        photos = self.photos
        columns = ["class_name", "split", "file", "bytes"]
        if self.kind == "folder":
            columns.append("mtime_ns")
        if (photos["group_name"] != "").any():
            columns.append("group_name")
        rows = photos[columns].sort_values(columns)
        hashes = pd.util.hash_pandas_object(rows, index=False).to_numpy(dtype="uint64")
        how = self.reading.as_json()
        text = json.dumps(how, sort_keys=True).encode() if how else b""
        return hashlib.sha256(hashes.tobytes() + text).hexdigest()[:16]

    def photo_path(self, path: str) -> Path:
        """The file of a photo, from its `path` in the manifest.

        A photo at an address is copied into the data set's folder first; where that cannot be done,
        the file is missing. What reads many photos takes `photo_file` instead.
        """
        file = self.photo_file(path)
        return file if isinstance(file, Path) else self._fetched(file.address)

    def photo_file(self, path: str) -> PhotoFile:
        """Where a photo is, from its `path` in the manifest."""
        return photo_file(path, self.folder)

    def _fetched(self, address: str) -> Path:
        suffix = PurePosixPath(address).suffix[:10]
        files = self.known("files", self._list_files)
        version = [f"{n:x}" for n in files.loc[address]] if address in files.index else ["0"]
        folder = self.folder / "fetched" / _thumb_key(address)
        target = folder / f"{'-'.join(version)}{suffix}"
        if not target.is_file():
            most = load_configuration().limits.photo_bytes
            with contextlib.suppress(SourceError):
                content = remote.read_address(address, most)
                with disk_errors():
                    folder.mkdir(parents=True, exist_ok=True)
                    write_atomically(target, content, durable=False)
                    for former in folder.glob("[!.]*"):
                        if former != target:
                            former.unlink(missing_ok=True)
        return target

    def _list_files(self) -> pd.DataFrame:
        """Modification time and bytes of each photo, by path."""
        return self.photos.drop_duplicates("path").set_index("path")[["mtime_ns", "bytes"]]

    def thumbnail(self, path: str, side: int = 256) -> Path:
        """A JPEG of the photo, upright, no side longer than `side` pixels; made on first use.

        Raises:
            PhotoError: the photo cannot be read (any more).
        """
        source = self.photo_path(path)
        try:
            changed = source.stat().st_mtime_ns
        except OSError:
            changed = 0
        how = f"-{hashlib.sha256(repr(self.reading).encode()).hexdigest()[:8]}"
        name = f"{_thumb_key(path)}-{changed:x}-{side}{'' if self.reading.is_default else how}.jpg"
        target = self.folder / "thumbs" / name
        if not target.is_file():
            content = make_thumbnail(source, side=side, how=self.reading)
            target.parent.mkdir(exist_ok=True)
            with disk_errors():
                write_atomically(target, content, durable=False)
        return target

    def record_stats(
        self, stats: Mapping[str, PhotoStats], left_out: Mapping[str, str] | None = None
    ) -> None:
        """Store the result of a decode pass; unreadable photos move to `left_out`.

        Args:
            stats: manifest path -> image statistics.
            left_out: manifest path -> reason.

        Raises:
            StorageError: the disk is full, or another process holds the data set too long.
        """
        self.record_facts(facts_table(stats, left_out or {}))

    def record_facts(self, facts: pd.DataFrame) -> None:
        """Like `record_stats`, of a table that `facts_table` made."""
        refused = facts[facts["reason"] != ""]
        reasons_by_path = dict(zip(refused["path"], refused["reason"], strict=True))
        with self.locked():
            photos = fill_facts(self.photos, facts)
            unreadable = photos["path"].isin(list(reasons_by_path))
            rows = photos[unreadable]
            if len(rows):
                reasons = pd.DataFrame(
                    {"file": rows["file"], "reason": rows["path"].map(reasons_by_path)}
                )
                least = load_configuration().limits.class_photos
                kept = photos[~unreadable]
                small = small_classes(list(kept["class_name"]), least)
                fewer = unreadable | photos["class_name"].isin(small & set(rows["class_name"]))
                single = photos[fewer & ~unreadable]
                few = pd.DataFrame({"file": single["file"], "reason": too_few_reason(least)})
                self.write_left_out(pd.concat([self.left_out, reasons, few]))
                rows, unreadable = photos[fewer], fewer
            self.write_photos(photos[~unreadable] if unreadable.any() else photos)
            self.discard_files(rows["path"])

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the data set for a change: read, change and write under one lock.

        Raises:
            StorageError: another process holds it too long.
        """
        if not self.folder.is_dir():
            _record = self.record  # raises: it was deleted
        try:
            with FileLock(self.folder / ".lock", timeout=_LOCK_TIMEOUT_S):
                yield
        except Timeout as error:
            raise StorageError(
                _("The data set {name} is being changed elsewhere. Try again in a moment.").format(
                    name=self.name
                )
            ) from error

    def write_photos(self, photos: pd.DataFrame) -> None:
        """Replace the manifest; new classes get their colours. Call it under the lock."""
        self._place_classes(photos)
        ordered = photos.sort_values(["class_name", "file", "path"], ignore_index=True)
        write_table(self.folder / "manifest.parquet", with_columns(ordered, COLUMNS))

    def write_places(self, places: Mapping[str, int]) -> None:
        """Remember the places of the classes' colours. Call it under the lock."""
        if places != self.record.class_places:
            self.write_record(self.record.model_copy(update={"class_places": dict(places)}))

    def _place_classes(self, photos: pd.DataFrame) -> None:
        """Give the classes of a new manifest their places; those of one that is not published yet
        get them then (`publish`)."""
        if not (self.folder / "dataset.json").is_file():
            return
        now = sorted(set(photos["class_name"]), key=natural_key)
        self.write_places(class_places.places_after(self.class_places, self.classes, now))

    def write_left_out(self, left_out: pd.DataFrame) -> None:
        """Replace the list of rejected files. Call it under the lock."""
        write_table(self.folder / "left_out.parquet", with_columns(left_out, LEFT_OUT_COLUMNS))

    def write_record(self, record: Record) -> None:
        """Replace dataset.json. Call it under the lock."""
        write_file(self.folder / "dataset.json", record.model_dump_json(indent=1).encode("utf-8"))

    def discard_files(self, paths: pd.Series[str]) -> None:
        """Delete the set's own files among `paths`, and all their thumbnails and copies.

        Photos left in place are never touched.
        """
        own = (self.folder / "photos").resolve()
        for path in paths:
            for thumbnail in (self.folder / "thumbs").glob(f"{_thumb_key(path)}-*.jpg"):
                thumbnail.unlink(missing_ok=True)
            if stays_in_place(path):
                shutil.rmtree(self.folder / "fetched" / _thumb_key(path), ignore_errors=True)
                continue
            file = self.photo_path(path)
            if file.resolve().is_relative_to(own):
                file.unlink(missing_ok=True)
                with contextlib.suppress(OSError):  # the class folder still holds photos
                    file.parent.rmdir()

    def size_bytes(self) -> int:
        """Bytes of its folder on disk."""
        return sum(file.stat().st_size for file in self.folder.rglob("*") if file.is_file())

    def _table(self, name: str, columns: dict[str, Any]) -> pd.DataFrame:
        def parse(data: bytes) -> pd.DataFrame:
            table = with_columns(parse_parquet(data), columns)
            needed = [one for one in ("path", "file", "class_name") if one in columns]
            if table[needed].isna().to_numpy().any():
                raise ValueError(name)
            return recheck_older_stats(table) if "look" in columns else table

        try:
            table: pd.DataFrame = self._cached(name, parse)
        except FileNotFoundError:
            _record = self.record  # raises where there is no data set at all
            return with_columns(pd.DataFrame(), columns)
        except (OSError, ValueError, TypeError, KeyError) as error:
            damaged = self._damaged(name)
            if name != "left_out.parquet":
                raise damaged from error
            # what was left out is told, not used: the photos are whole
            told = pd.DataFrame({"file": [name], "reason": [damaged.message]})
            return with_columns(told, columns)
        return table

    def _damaged(self, name: str) -> SourceError:
        return SourceError(
            _(
                "The data set {folder} cannot be read: its file {name} is damaged, or comes from a "
                "newer version. Delete it and bring the photos in again."
            ).format(folder=self.folder, name=name)
        )

    def _cached(self, name: str, parse: Any) -> Any:
        """The parsed content of a file, read again when the file was replaced."""
        path = self.folder / name
        for attempt in range(10):
            try:
                status = path.stat()
                state = (status.st_mtime_ns, status.st_size, status.st_ino)
                kept = self._cache.get(name)
                if kept is None or kept[0] != state:
                    content = _contents.get(
                        path, state, lambda: parse(path.read_bytes()), size=status.st_size
                    )
                    kept = (state, content)
                    self._cache[name] = kept
                return kept[1]
            except PermissionError:  # Windows: being replaced just now
                if attempt == 9:
                    raise
                time.sleep(0.02)
        raise AssertionError("unreachable")


def write_file(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees the old content or the new, never a part.

    Raises:
        StorageError: the disk is full or cannot be written.
    """
    with disk_errors():
        write_atomically(path, content)


def write_table(path: Path, table: pd.DataFrame, *, durable: bool = True) -> None:
    """Write a table as parquet, like `write_file`.

    Args:
        durable: as in `atomic.replace_file`.

    Raises:
        StorageError: the disk is full or cannot be written.
    """
    with disk_errors():
        write_parquet(path, table, durable=durable)


def photo_file(path: str, folder: Path = Path()) -> PhotoFile:
    """Where a photo is, from its manifest path, in the folder of its data set."""
    if remote.is_address(path):
        return remote.RemotePhoto(path)
    return real_path(folder / path)  # an absolute path stays as it is


def stays_in_place(path: str) -> bool:
    """Whether the photo of a manifest path is not the set's own: it lies elsewhere, or at an
    address."""
    return remote.is_address(path) or Path(path).is_absolute()


def _bytes_of(value: Any) -> int:
    """About how many bytes of memory a value that is kept takes."""
    if isinstance(value, pd.DataFrame):
        return _KEY_BYTES + int(value.memory_usage(deep=True).sum())
    if isinstance(value, pd.Series):
        return _KEY_BYTES + int(value.memory_usage(deep=True))
    parts = [getattr(value, one.name) for one in fields(value)] if is_dataclass(value) else value
    if isinstance(parts, list):
        sizes = (getattr(one, "nbytes", None) or sys.getsizeof(one) for one in parts)
        return _KEY_BYTES + sum(sizes)
    return _KEY_BYTES + sys.getsizeof(value)


def _thumb_key(path: str) -> str:
    return hashlib.sha256(path.encode("utf-8")).hexdigest()[:20]
