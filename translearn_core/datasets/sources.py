"""Lists the candidate photos of a source (folder, zip, upload).

Owns: `Candidate` (a file that may be a photo, with a reader of its bytes), listing a source safely,
moving uploads to disk, `ImportContext` (limits, progress and stop of one import), `unpacked`,
`allowed_folder`. Sources are never written to. Leaves to others: what becomes of the candidates
(`importing.py`).
"""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import stat
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from translearn_core.config import Limits, load_configuration
from translearn_core.datasets.archive import open_archive
from translearn_core.datasets.layout import (
    ClassAssignment,
    ImportChoices,
    NameKeeper,
    has_photo_suffix,
    hidden_folder,
    is_junk,
    is_metadata_folder,
    printable,
    read_layout,
    reason_not_photo,
    reason_suffix,
    safe_name,
)
from translearn_core.datasets.library import check_free_space, disk_errors
from translearn_core.errors import PhotoError, SourceError
from translearn_core.i18n import _, ngettext
from translearn_core.imaging.kinds import HEAD_BYTES, looks_like_photo


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
    """A file that may be a photo: its name in the source, and a reader of its bytes.

    `read` may be called once; `look`, where there is one, before that and any number of times.
    """

    file: str
    size_bytes: int
    read: Callable[[], bytes]
    path: str = ""
    mtime_ns: int = 0
    assignment: ClassAssignment = _UNASSIGNED
    look: Callable[[], bytes] | None = None


class ImportContext:
    """Limits, choices, progress callback and stop check of one import, and what it has to say
    (`notices`)."""

    def __init__(
        self,
        limits: Limits,
        check: bool,
        progress: ProgressCallback | None,
        stop: StopCheck | None,
        choices: ImportChoices | None = None,
    ):
        self.limits = limits
        self.choices = choices or ImportChoices()
        self.notices: list[str] = []
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
    except (OSError, RuntimeError, ValueError):  # RuntimeError: a loop of links
        pass
    raise SourceError(
        _("There is no folder or zip {path}. Check the name.").format(path=printable(str(path)))
    )


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
    candidates, left_out = with_assignments(*_list_source(sources[0], stack, context), context)
    if len(sources) == 1:
        return candidates, left_out
    test_candidates, test_left_out = with_assignments(
        *_list_source(sources[1], stack, context), context
    )
    classes = {item.assignment.class_name for item in candidates}
    unknown_classes = sorted({item.assignment.class_name for item in test_candidates} - classes)
    if unknown_classes:
        raise SourceError(
            _(
                "The photos kept for the test have classes that the others do not have: {names}. "
                "Name their folders as in {source}."
            ).format(names=", ".join(unknown_classes), source=printable(sources[0].name))
        )
    prefix = printable(sources[1].name)
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
    opened = stack.enter_context(open_archive(source, context.limits, context.choices))
    candidates = [
        Candidate(
            entry.name, entry.size_bytes, functools.partial(opened.read, entry, context.limits)
        )
        for entry in opened.entries
    ]
    context.notices += opened.notices
    left_out = list(opened.left_out)
    left_out += _hidden_folders(opened.hidden, context)
    left_out += _empty_folders(opened.folders, candidates, left_out, context)
    return candidates, left_out


def list_photos(root: Path, context: ImportContext) -> tuple[list[Candidate], LeftOut]:
    """Candidates below `root`, by name; links that leave it are followed where that was chosen.

    Names that are no valid text are written with `printable`; folders that are left out as a
    whole end in `/`.
    """
    listing = _Listing(root, context)
    listing.read()
    candidates, left_out = listing.candidates, listing.left_out
    candidates.sort(key=lambda item: item.file)
    total = sum(item.size_bytes for item in candidates)
    if total > context.limits.total_bytes:
        raise SourceError(
            _("The folder holds {size} GB of photos; at most {limit} GB are taken at once.").format(
                size=f"{total / 2**30:.1f}", limit=f"{context.limits.total_bytes / 2**30:.1f}"
            )
        )
    left_out += _hidden_folders(listing.hidden, context)
    left_out += _empty_folders(listing.folders, candidates, left_out, context)
    return candidates, left_out


class _Listing:
    """One walk through a folder."""

    def __init__(self, root: Path, context: ImportContext) -> None:
        self._root, self._context = root, context
        self._prefix = root.as_posix().rstrip("/") + "/"
        self._seen: set[tuple[int, int]] = set()
        self._count = 0
        self._links = 0
        self._pending: list[tuple[str, int]] = [("", 0)]
        self.candidates: list[Candidate] = []
        self.left_out: LeftOut = []
        self.folders: list[str] = []
        self.hidden: dict[str, int] = {}

    def read(self) -> None:
        while self._pending:
            folder, depth = self._pending.pop()
            try:
                with os.scandir(self._root / folder) as listing:
                    entries = sorted(listing, key=lambda entry: entry.name)
            except OSError as error:
                self._leave(folder, cannot_open(error), is_folder=True)
                continue
            for entry in entries:
                self._take(entry, f"{folder}/{entry.name}" if folder else entry.name, depth)
            self._context.report(self._count, 0, _("Listing the files"))
        if self._links:
            self._context.notices.append(
                ngettext(
                    "{n} link was not followed. To read what lies there, too, give "
                    "`--follow-links`.",
                    "{n} links were not followed. To read what lies there, too, give "
                    "`--follow-links`.",
                    self._links,
                ).format(n=self._links)
            )

    def _leave(self, name: str, reason: str, *, is_folder: bool = False) -> None:
        shown = printable(name or self._root.name)
        self.left_out.append((shown + "/" if is_folder else shown, reason))

    def _take(self, entry: os.DirEntry[str], name: str, depth: int) -> None:
        choices, limits = self._context.choices, self._context.limits
        is_folder = entry.is_dir(follow_symlinks=False)
        kept = entry.is_symlink() and choices.role_of((printable(entry.name),))
        if is_junk((entry.name,)) and not is_folder and not kept:
            return
        if is_folder and hidden_folder([*printable(name).split("/"), ""], choices):
            self.hidden[printable(name)] = _photos_below(Path(entry.path), entry.name)
            return
        self._count += 1
        if self._count > limits.files:
            raise SourceError(
                _(
                    "The folder holds more than {limit} files; that many are not taken at once."
                ).format(limit=limits.files)
            )
        try:
            if entry.is_symlink():
                is_folder = self._may_follow(entry)
        except _NotFollowedError as error:
            self._leave(name, str(error))
            return
        except (OSError, RuntimeError) as error:
            loop = not isinstance(error, OSError) or error.errno == errno.ELOOP
            reason = _("It is a link that leads in a circle.") if loop else ""
            if isinstance(error, FileNotFoundError):
                reason = _("It is a link, and what it leads to is no longer there.")
            self._leave(name, reason or cannot_open(cast(OSError, error)))
            return
        if is_folder:
            if depth >= limits.nesting:
                self._leave(name, _("It lies too deep in folders."), is_folder=True)
            else:
                self.folders.append(printable(name))
                self._pending.append((name, depth + 1))
            return
        item, reason = _inspect(self._prefix, entry, name)
        if item is None:
            self._leave(name, reason)
        else:
            self.candidates.append(item)

    def _may_follow(self, entry: os.DirEntry[str]) -> bool:
        """Whether a link leads to a folder that is to be read; raises where it is not followed."""
        path = Path(entry.path).resolve(strict=True)
        is_folder = path.is_dir()
        inside = path.is_relative_to(self._root)
        if is_folder and inside:
            raise _NotFollowedError(
                _("It is a link to a folder of the same source, which is read where it lies.")
            )
        if is_folder and self._root.is_relative_to(path):
            raise _NotFollowedError(_("It is a link to a folder around this one."))
        if not inside and not self._context.choices.follow_links:
            self._links += 1
            if is_folder:
                raise _NotFollowedError(
                    _(
                        "It is a link to a folder; links to folders are not followed without "
                        "`--follow-links`."
                    )
                )
            raise _NotFollowedError(
                _(
                    "It is a link that leads out of the folder, which is not followed without "
                    "`--follow-links`."
                )
            )
        if is_folder:
            status = path.stat()
            key = (status.st_dev, status.st_ino)
            if key in self._seen or any(
                (one.st_dev, one.st_ino) == key for one in map(os.stat, _parents(entry.path))
            ):
                raise _NotFollowedError(_("It is a link to a folder that was read already."))
            self._seen.add(key)
        return is_folder


def _parents(path: str) -> list[Path]:
    """The folders around an entry, as they are named, at most as many as it has parts."""
    return list(Path(path).parents)


class _NotFollowedError(Exception):
    """A link is left out; the text is the reason."""


def _inspect(prefix: str, entry: os.DirEntry[str], name: str) -> tuple[Candidate | None, str]:
    try:
        reason = reason_not_photo(entry.name)
        if reason:
            return None, reason
        status = entry.stat()
        if not stat.S_ISREG(status.st_mode):
            return None, _("It is not an ordinary file.")
        if not has_photo_suffix(entry.name) and not _begins_as_photo(Path(entry.path)):
            return None, reason_suffix(printable(entry.name))
    except OSError as error:
        return None, cannot_open(error)
    read = functools.partial(_read_file, entry.path)
    shown = printable(name)
    path = f"{printable(prefix)}{shown}"
    return Candidate(shown, status.st_size, read, path, status.st_mtime_ns), ""


def _begins_as_photo(path: Path) -> bool:
    with path.open("rb") as file:
        return looks_like_photo(file.read(HEAD_BYTES))


_MOST_COUNTED = 10_000


def _photos_below(folder: Path, name: str) -> int:
    """Files with names of photos below a hidden folder, counted up to a bound."""
    if is_metadata_folder(name):
        return 0
    count = 0
    for _parent, folders, files in os.walk(folder):
        folders[:] = [one for one in folders if not is_junk([one])]
        count += sum(has_photo_suffix(one) and not is_junk([one]) for one in files)
        if count > _MOST_COUNTED:
            break
    return count


def _hidden_folders(hidden: Mapping[str, int], context: ImportContext) -> LeftOut:
    """Hidden folders as files that were left out; those that hold photos are told."""
    rows = []
    for name, n in sorted(hidden.items()):
        reason = _("Folders of such names are hidden or made by programs; it was not opened.")
        rows.append((f"{name}/", reason))
        if n and not is_metadata_folder(name.rpartition("/")[2]):
            context.notices.append(
                ngettext(
                    "The folder {name} ({n} photo) was left out: its name is that of a hidden "
                    "folder. To use it as a class, rename it or give `--keep-folder {name}`.",
                    "The folder {name} ({n} photos) was left out: its name is that of a hidden "
                    "folder. To use it as a class, rename it or give `--keep-folder {name}`.",
                    n,
                ).format(name=name, n=n)
            )
    return rows


def _empty_folders(
    folders: Iterable[str],
    candidates: Sequence[Candidate],
    left_out: LeftOut,
    context: ImportContext,
) -> LeftOut:
    """Folders without any file, the outermost of each: a class that came to nothing."""
    used = set()
    for name in [item.file for item in candidates] + [file for file, _reason in left_out]:
        parts = name.split("/")[:-1]
        used |= {"/".join(parts[:depth]) for depth in range(1, len(parts) + 1)}
    empty: list[str] = []
    for name in sorted(set(folders) - used):
        parent = name.rpartition("/")[0]
        if not any(parent == one or parent.startswith(one + "/") for one in empty):
            empty.append(name)
    homes = {item.file.rpartition("/")[0] for item in candidates} - {""}
    for name in empty:
        if any(name.startswith(home + "/") for home in homes):
            continue  # inside a class
        context.notices.append(
            _("The class {name} has no photo left: its folder is empty.").format(name=name)
        )
    return [(f"{name}/", _("The folder is empty.")) for name in empty]


def _read_file(path: str) -> bytes:
    return Path(path).read_bytes()


def cannot_open(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return _("The file is no longer there.")
    return _("The file cannot be opened: {cause}.").format(cause=error.strerror or error)


def with_assignments(
    candidates: list[Candidate], left_out: LeftOut, context: ImportContext
) -> tuple[list[Candidate], LeftOut]:
    """Assign class and split to each candidate; those without a class go to `left_out`."""
    if not candidates:
        raise SourceError(nothing_left(left_out))
    assigned = []
    left_out = list(left_out)
    layout = read_layout([item.file for item in candidates], context.choices)
    context.notices += layout.notices
    whole: dict[str, str] = {}
    for item, assignment in zip(candidates, layout.assignments, strict=True):
        if assignment.folder:
            whole[f"{assignment.folder}/"] = assignment.reason
        elif assignment.reason:
            left_out.append((item.file, assignment.reason))
        else:
            assigned.append(replace(item, assignment=assignment))
    return assigned, left_out + sorted(whole.items())


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
    hidden: Counter[str] = Counter()
    for number, (raw_name, file) in enumerate(files):
        parts = [part for part in raw_name.replace("\\", "/").split("/") if part not in ("", ".")]
        name = "/".join(parts)
        context.report(number, 0, _("Receiving {file}").format(file=name))
        outside = ".." in parts
        away = () if outside else hidden_folder(parts, context.choices)
        if away:
            hidden["/".join(away)] += has_photo_suffix(parts[-1]) and not is_junk(parts[-1:])
        if not parts or away or (is_junk(parts[-1:]) and not outside):
            continue
        reason = _("Its name points out of its folder.") if outside else reason_not_photo(parts[-1])
        target = folder / str(number)
        size = 0 if reason else _receive(file, target, context.limits)
        if size > context.limits.photo_bytes:
            target.unlink()
            reason = _("The file is too large: at most {limit} MB are read.").format(
                limit=f"{context.limits.photo_bytes / 2**20:.0f}"
            )
        elif not reason and not has_photo_suffix(name) and not _begins_as_photo(target):
            target.unlink()
            reason = reason_suffix(parts[-1])
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
        candidates.append(Candidate(name, size, _read_once(target), look=target.read_bytes))
    return candidates, left_out + _hidden_folders(hidden, context)


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
    """A temporary folder with the photos of an archive under safe names, classes or not.

    Only candidates for photos are unpacked; `archive.py` decides what is refused or left out.

    Raises:
        SourceError: the archive is refused.
        StorageError: the disk is full.
    """
    limits = load_configuration().limits
    keeper = NameKeeper()
    with (
        tempfile.TemporaryDirectory(prefix="translearn-") as name,
        open_archive(path, limits) as opened,
    ):
        folder = Path(name)
        for entry in opened.entries:
            *folders, last = entry.name.split("/")
            parent = folder.joinpath(*(safe_name(part) for part in folders))
            target = parent / keeper.claim("/".join(map(safe_name, folders)), last)
            with contextlib.suppress(PhotoError):
                data = opened.read(entry, limits)
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
