"""Lists candidate photos of a source (folder, zip, upload) with their paths.

Owns: `Found` (a candidate with a way to its bytes), listing a source safely, moving uploads to
disk, `Work` (bounds, progress and stop of one import), `unpacked`, `allowed_folder`. Sources are
never written to. Leaves to others: what becomes of the candidates (`importing.py`).
"""

from __future__ import annotations

import contextlib
import functools
import os
import stat
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from translearn_core.config import Limits, load_configuration
from translearn_core.datasets.archive import open_archive
from translearn_core.datasets.layout import (
    NameKeeper,
    Place,
    assign_classes,
    is_junk,
    reason_not_photo,
    safe_name,
)
from translearn_core.datasets.library import disk_errors, need_room
from translearn_core.errors import PhotoError, SourceError
from translearn_core.i18n import _


@dataclass(frozen=True)
class Progress:
    """How far an import is: `done` of `total` (0: not known), and at what, in words."""

    done: int
    total: int
    what: str


Tell = Callable[[Progress], None]

Stop = Callable[[], bool]

LeftOut = list[tuple[str, str]]

_NOWHERE = Place()


@dataclass(frozen=True)
class Found:
    """A file that may be a photo: the name the person knows, and a way to its bytes."""

    file: str
    size_bytes: int
    read: Callable[[], bytes]
    path: str = ""
    mtime_ns: int = 0
    place: Place = _NOWHERE


class Work:
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


def existing_source(path: Path) -> Path:
    path = path.expanduser()
    try:
        resolved = path.resolve(strict=True)
        if resolved.is_dir() or resolved.is_file():
            return resolved
    except OSError:
        pass
    raise SourceError(_("There is no folder or zip {path}. Check the name.").format(path=path))


def list_sources(
    sources: Sequence[Path], stack: contextlib.ExitStack, work: Work
) -> tuple[list[Found], LeftOut]:
    """Candidates of the source and, if there is one, of the test source, each with its place."""
    found, left_out = with_places(*_list_source(sources[0], stack, work))
    if len(sources) == 1:
        return found, left_out
    more, more_left_out = with_places(*_list_source(sources[1], stack, work))
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
    source: Path, stack: contextlib.ExitStack, work: Work
) -> tuple[list[Found], LeftOut]:
    work.tell(0, 0, _("Listing the files"))
    if source.is_dir():
        return list_photos(source, work)
    zipped = stack.enter_context(open_archive(source, work.limits))
    found = [
        Found(entry.name, entry.size_bytes, functools.partial(zipped.read, entry, work.limits))
        for entry in zipped.entries
    ]
    return found, list(zipped.left_out)


def list_photos(root: Path, work: Work) -> tuple[list[Found], LeftOut]:
    """Candidates below `root`, by name; links that leave it are left out, links to folders too."""
    found: list[Found] = []
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
            left_out.append((inside or root.name, cannot_open(error)))
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
) -> tuple[Found | None, str]:
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
        return None, cannot_open(error)
    if not stat.S_ISREG(status.st_mode):
        return None, _("It is not an ordinary file.")
    read = functools.partial(_read_file, entry.path)
    return Found(name, status.st_size, read, f"{prefix}{name}", status.st_mtime_ns), ""


def _read_file(path: str) -> bytes:
    return Path(path).read_bytes()


def cannot_open(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return _("The file is no longer there.")
    return _("The file cannot be opened: {cause}.").format(cause=error.strerror or error)


def with_places(found: list[Found], left_out: LeftOut) -> tuple[list[Found], LeftOut]:
    """Give each candidate its class and split; those without go to `left_out`."""
    if not found:
        raise SourceError(nothing_left(left_out))
    placed = []
    left_out = list(left_out)
    for item, place in zip(found, assign_classes([item.file for item in found]), strict=True):
        if place.reason:
            left_out.append((item.file, place.reason))
        else:
            placed.append(replace(item, place=place))
    return placed, left_out


def nothing_left(left_out: LeftOut) -> str:
    if not left_out:
        return _(
            "There are no photos in it. Choose a folder or zip with one folder for each class."
        )
    file, reason = left_out[0]
    return _(
        "No photo could be taken from it; {n} files were left out. The first, {file}: {reason}"
    ).format(n=len(left_out), file=file, reason=reason)


def spool(
    files: Iterable[tuple[str, Path | BinaryIO]], folder: Path, work: Work
) -> tuple[list[Found], LeftOut]:
    """Move uploads to disk one by one; names are kept aside and never used as paths."""
    found: list[Found] = []
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
        found.append(Found(name, size, _taker(target), mtime_ns=0))
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
