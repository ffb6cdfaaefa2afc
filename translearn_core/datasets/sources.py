"""Lists the candidate photos of a source (folder, zip, upload).

Owns: `Candidate` (a file that may be a photo, with a reader of its bytes), listing a source safely,
moving uploads to disk, `ImportContext` (limits, progress and stop of one import), `unpacked`,
`allowed_folder`. Sources are never written to. Leaves to others: what becomes of the candidates
(`importing.py`).
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
from typing import BinaryIO, Protocol

from translearn_core.config import Limits, load_configuration
from translearn_core.datasets.archive import open_archive
from translearn_core.datasets.layout import (
    ClassAssignment,
    NameKeeper,
    assign_classes,
    is_junk,
    reason_not_photo,
    safe_name,
)
from translearn_core.datasets.library import check_free_space, disk_errors
from translearn_core.errors import PhotoError, SourceError
from translearn_core.i18n import _


@dataclass(frozen=True)
class Progress:
    """Progress of an import: `done` of `total` (0: unknown), and the step as a sentence."""

    done: int
    total: int
    what: str


ProgressCallback = Callable[[Progress], None]

StopCheck = Callable[[], bool]

LeftOut = list[tuple[str, str]]

_UNASSIGNED = ClassAssignment()


@dataclass(frozen=True)
class Candidate:
    """A file that may be a photo: its name in the source, and a reader of its bytes."""

    file: str
    size_bytes: int
    read: Callable[[], bytes]
    path: str = ""
    mtime_ns: int = 0
    assignment: ClassAssignment = _UNASSIGNED


class ImportContext:
    """Limits, progress callback and stop check of one import."""

    def __init__(
        self, limits: Limits, check: bool, progress: ProgressCallback | None, stop: StopCheck | None
    ):
        self.limits = limits
        self.check = check
        self._progress = progress
        self._stop = stop
        self._last_report = 0.0

    def report(self, done: int, total: int, what: str) -> None:
        """Report progress (at most twenty times a second), and raise when a stop was requested."""
        if self._stop is not None and self._stop():
            raise SourceError(_("The import was stopped. Nothing was kept."))
        now = time.monotonic()
        if self._progress is not None and (now - self._last_report > 0.05 or done == total):
            self._last_report = now
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
    sources: Sequence[Path],
    stack: contextlib.ExitStack,
    context: ImportContext,
    labels: Labelling | None = None,
) -> tuple[list[Candidate], LeftOut]:
    """Candidates of the source and, if there is one, of the test source, with class and split."""
    if labels is not None:
        listed = [_list_source(source, stack, context) for source in sources]
        return labelled(listed, [str(source) for source in sources], labels)
    candidates, left_out = with_assignments(*_list_source(sources[0], stack, context))
    if len(sources) == 1:
        return candidates, left_out
    test_candidates, test_left_out = with_assignments(*_list_source(sources[1], stack, context))
    classes = {item.assignment.class_name for item in candidates}
    unknown_classes = sorted({item.assignment.class_name for item in test_candidates} - classes)
    if unknown_classes:
        raise SourceError(
            _(
                "The photos kept for the test have classes that the others do not have: {names}. "
                "Name their folders as in {source}."
            ).format(names=", ".join(unknown_classes), source=sources[0].name)
        )
    prefix = sources[1].name
    test_candidates = [
        replace(
            item, file=f"{prefix}/{item.file}", assignment=replace(item.assignment, split="test")
        )
        for item in test_candidates
    ]
    test_left_out = [(f"{prefix}/{file}", reason) for file, reason in test_left_out]
    return candidates + test_candidates, left_out + test_left_out


class Labelling(Protocol):
    """Gives photos their classes by something else than their folders.

    `key` tells data sets of one folder apart; `assign` gets the files of each source and the
    sources' paths, and returns class and split of each file, or the reason why it has none.
    """

    @property
    def key(self) -> str: ...

    def assign(
        self, listed: Sequence[Sequence[str]], roots: Sequence[str]
    ) -> list[list[ClassAssignment]]: ...


def labelled(
    listed: Sequence[tuple[list[Candidate], LeftOut]], roots: Sequence[str], labels: Labelling
) -> tuple[list[Candidate], LeftOut]:
    """Candidates with the classes that `labels` gives; those of a second source are for the test."""
    left_out = [row for _candidates, rows in listed for row in rows]
    if not listed[0][0]:
        raise SourceError(nothing_left(left_out))
    assignments = labels.assign([[item.file for item in part] for part, _rows in listed], roots)
    assigned = []
    for number, (part, _rows) in enumerate(listed):
        for item, assignment in zip(part, assignments[number], strict=True):
            file = item.file
            if number:
                file = f"{Path(roots[number]).name}/{file}"
                assignment = replace(assignment, split="test")
            if assignment.reason:
                left_out.append((file, assignment.reason))
            else:
                assigned.append(replace(item, file=file, assignment=assignment))
    return assigned, left_out


def _list_source(
    source: Path, stack: contextlib.ExitStack, context: ImportContext
) -> tuple[list[Candidate], LeftOut]:
    context.report(0, 0, _("Listing the files"))
    if source.is_dir():
        return list_photos(source, context)
    zipped = stack.enter_context(open_archive(source, context.limits))
    candidates = [
        Candidate(
            entry.name, entry.size_bytes, functools.partial(zipped.read, entry, context.limits)
        )
        for entry in zipped.entries
    ]
    return candidates, list(zipped.left_out)


def list_photos(root: Path, context: ImportContext) -> tuple[list[Candidate], LeftOut]:
    """Candidates below `root`, by name; links that leave it are left out, links to folders too."""
    candidates: list[Candidate] = []
    left_out: LeftOut = []
    pending: list[tuple[str, int]] = [("", 0)]
    prefix = root.as_posix().rstrip("/") + "/"
    count = 0
    while pending:
        folder, depth = pending.pop()
        try:
            with os.scandir(root / folder) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            left_out.append((folder or root.name, cannot_open(error)))
            continue
        for entry in entries:
            if is_junk((entry.name,)):
                continue
            name = f"{folder}/{entry.name}" if folder else entry.name
            count += 1
            if count > context.limits.files:
                raise SourceError(
                    _(
                        "The folder holds more than {limit} files; that many are not taken at once."
                    ).format(limit=context.limits.files)
                )
            if entry.is_dir(follow_symlinks=False):
                if depth >= context.limits.nesting:
                    left_out.append((name, _("It lies too deep in folders.")))
                else:
                    pending.append((name, depth + 1))
                continue
            item, reason = _inspect(root, prefix, entry, name)
            if item is None:
                left_out.append((name, reason))
            else:
                candidates.append(item)
        context.report(count, 0, _("Listing the files"))
    candidates.sort(key=lambda item: item.file)
    total = sum(item.size_bytes for item in candidates)
    if total > context.limits.total_bytes:
        raise SourceError(
            _("The folder holds {size} GB of photos; at most {limit} GB are taken at once.").format(
                size=f"{total / 2**30:.1f}", limit=f"{context.limits.total_bytes / 2**30:.1f}"
            )
        )
    return candidates, left_out


def _inspect(
    root: Path, prefix: str, entry: os.DirEntry[str], name: str
) -> tuple[Candidate | None, str]:
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
    return Candidate(name, status.st_size, read, f"{prefix}{name}", status.st_mtime_ns), ""


def _read_file(path: str) -> bytes:
    return Path(path).read_bytes()


def cannot_open(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return _("The file is no longer there.")
    return _("The file cannot be opened: {cause}.").format(cause=error.strerror or error)


def with_assignments(
    candidates: list[Candidate], left_out: LeftOut
) -> tuple[list[Candidate], LeftOut]:
    """Assign class and split to each candidate; those without a class go to `left_out`."""
    if not candidates:
        raise SourceError(nothing_left(left_out))
    assigned = []
    left_out = list(left_out)
    for item, assignment in zip(
        candidates, assign_classes([item.file for item in candidates]), strict=True
    ):
        if assignment.reason:
            left_out.append((item.file, assignment.reason))
        else:
            assigned.append(replace(item, assignment=assignment))
    return assigned, left_out


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
    files: Iterable[tuple[str, Path | BinaryIO]], folder: Path, context: ImportContext
) -> tuple[list[Candidate], LeftOut]:
    """Move uploads to disk one by one; their names are never used as paths on the disk."""
    candidates: list[Candidate] = []
    left_out: LeftOut = []
    with disk_errors():
        folder.mkdir()
    total = 0
    for number, (raw_name, file) in enumerate(files):
        parts = [part for part in raw_name.replace("\\", "/").split("/") if part not in ("", ".")]
        name = "/".join(parts)
        context.report(number, 0, _("Receiving {file}").format(file=name))
        outside = ".." in parts
        if not parts or (is_junk(parts) and not outside):
            continue
        reason = _("Its name points out of its folder.") if outside else reason_not_photo(parts[-1])
        target = folder / str(number)
        size = 0 if reason else _receive(file, target, context.limits)
        if size > context.limits.photo_bytes:
            target.unlink()
            reason = _("The file is too large: at most {limit} MB are read.").format(
                limit=f"{context.limits.photo_bytes / 2**20:.0f}"
            )
        if reason:
            left_out.append((name, reason))
            continue
        total += size
        if number >= context.limits.files or total > context.limits.total_bytes:
            raise SourceError(
                _("These are too many files at once: at most {files} and {size} GB.").format(
                    files=context.limits.files, size=f"{context.limits.total_bytes / 2**30:.1f}"
                )
            )
        candidates.append(Candidate(name, size, _read_once(target), mtime_ns=0))
    return candidates, left_out


def _receive(file: Path | BinaryIO, target: Path, limits: Limits) -> int:
    """Copy at most `photo_bytes + 1` bytes to `target`; returns their number."""
    with contextlib.ExitStack() as stack:
        try:
            stream = stack.enter_context(file.open("rb")) if isinstance(file, Path) else file
            if stream.seekable():
                stream.seek(0)
            data = stream.read(limits.photo_bytes + 1)
        except OSError:
            data = b""  # reported as an empty file
    check_free_space(len(data))
    with disk_errors():
        target.write_bytes(data)
    return len(data)


def _read_once(path: Path) -> Callable[[], bytes]:
    def take() -> bytes:
        data = path.read_bytes()
        path.unlink()
        return data

    return take


@contextlib.contextmanager
def unpacked(path: Path) -> Iterator[Path]:
    """A temporary folder with the photos of a zip under safe names, classes or not.

    Only candidates for photos are unpacked; `archive.py` decides what is refused or left out.

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
