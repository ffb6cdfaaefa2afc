"""Lists the files of a folder that may be photos, safely: links, odd names, hidden folders, limits.

Owns: the walk, and what it says of hidden and empty folders. The folder is never written to. Leaves
to others: archives (`archive.py`), uploads (`uploaded_files.py`), classes (`layout.py`).
"""

from __future__ import annotations

import errno
import functools
import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import cast

from translearn_core.datasets.file_names import printable
from translearn_core.datasets.import_choices import ROLES, hidden_folder
from translearn_core.datasets.import_context import Candidate, ImportContext, LeftOut
from translearn_core.datasets.photo_names import (
    has_photo_suffix,
    is_junk,
    is_metadata_folder,
    reason_not_photo,
    reason_suffix,
)
from translearn_core.datasets.questions import Question
from translearn_core.errors import SourceError
from translearn_core.i18n import _, ngettext, number
from translearn_core.imaging.kinds import HEAD_BYTES, looks_like_photo
from translearn_core.imaging.video import is_video


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
                size=number(total / 2**30, ".1f"),
                limit=number(context.limits.total_bytes / 2**30, ".1f"),
            )
        )
    left_out += tell_hidden(listing.hidden, context)
    left_out += tell_empty(listing.folders, candidates, left_out, context)
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
            text = ngettext(
                "{n} link was not followed.", "{n} links were not followed.", self._links
            ).format(n=self._links)
            self._context.questions.append(Question(text=text, setting="follow_links"))

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
            self.hidden[printable(name)] = photos_below(Path(entry.path), entry.name)
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
                    _("It is a link to a folder elsewhere; such links were not followed.")
                )
            raise _NotFollowedError(
                _("It is a link that leads out of the folder; such links were not followed.")
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
        is_named = has_photo_suffix(entry.name) or is_video(entry.name)
        if not is_named and not begins_as_photo(Path(entry.path)):
            return None, reason_suffix(printable(entry.name))
    except OSError as error:
        return None, cannot_open(error)
    read = functools.partial(_read_file, entry.path)
    shown = printable(name)
    path = f"{printable(prefix)}{shown}"
    return Candidate(shown, status.st_size, read, path, status.st_mtime_ns), ""


def begins_as_photo(path: Path) -> bool:
    with path.open("rb") as file:
        return looks_like_photo(file.read(HEAD_BYTES))


MOST_COUNTED = 10_000


def photos_below(folder: Path, name: str) -> int:
    """Files with names of photos below a hidden folder of this name, counted up to a bound; none
    in one that programs make."""
    if is_metadata_folder(name):
        return 0
    count = 0
    for _parent, folders, files in os.walk(folder):
        folders[:] = [one for one in folders if not is_junk([one])]
        count += sum(has_photo_suffix(one) and not is_junk([one]) for one in files)
        if count > MOST_COUNTED:
            break
    return count


def tell_hidden(hidden: Mapping[str, int], context: ImportContext) -> LeftOut:
    """Hidden folders as files that were left out; those that hold photos are told."""
    rows = []
    for name, n in sorted(hidden.items()):
        reason = _("Folders of such names are hidden or made by programs; it was not opened.")
        rows.append((f"{name}/", reason))
        if n and not is_metadata_folder(name.rpartition("/")[2]):
            text = ngettext(
                "The folder {name} ({n} photo) was left out: its name is that of a hidden folder.",
                "The folder {name} ({n} photos) was left out: its name is that of a hidden folder.",
                n,
            ).format(name=name, n=n)
            context.questions.append(
                Question(text=text, setting="role", name=name, options=ROLES, taken="out")
            )
    return rows


def tell_empty(
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
