"""Moves uploaded files to the disk one by one, so that memory is freed on the way.

Owns: `spool`. The names of uploads are never used as paths. Leaves to others: folders and archives
(`folder_listing.py`, `archive.py`), classes (`sources.py`).
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO

from translearn_core.atomic import disk_errors
from translearn_core.datasets.folder_listing import begins_as_photo, tell_hidden
from translearn_core.datasets.import_choices import hidden_folder
from translearn_core.datasets.import_context import Candidate, ImportContext, LeftOut
from translearn_core.datasets.library import check_free_space
from translearn_core.datasets.photo_names import (
    has_photo_suffix,
    is_junk,
    reason_not_photo,
    reason_suffix,
)
from translearn_core.errors import SourceError
from translearn_core.i18n import _, number
from translearn_core.imaging.video import is_video
from translearn_core.installation_limits import Limits


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
    for place, (raw_name, file) in enumerate(files):
        parts = [part for part in raw_name.replace("\\", "/").split("/") if part not in ("", ".")]
        name = "/".join(parts)
        context.report(place, 0, _("Receiving {file}").format(file=name))
        outside = ".." in parts
        away = () if outside else hidden_folder(parts, context.choices)
        if away:
            hidden["/".join(away)] += has_photo_suffix(parts[-1]) and not is_junk(parts[-1:])
        if not parts or away or (is_junk(parts[-1:]) and not outside):
            continue
        reason = _("Its name points out of its folder.") if outside else reason_not_photo(parts[-1])
        target = folder / str(place)
        size = 0 if reason else _receive(file, target, context.limits)
        if size > context.limits.photo_bytes:
            target.unlink()
            reason = _("The file is too large: at most {limit} MB are read.").format(
                limit=number(context.limits.photo_bytes / 2**20, ".0f")
            )
        elif not reason and not (
            has_photo_suffix(name) or is_video(name) or begins_as_photo(target)
        ):
            target.unlink()
            reason = reason_suffix(parts[-1])
        if reason:
            left_out.append((name, reason))
            continue
        total += size
        if place >= context.limits.files or total > context.limits.total_bytes:
            raise SourceError(
                _("These are too many files at once: at most {files} and {size} GB.").format(
                    files=context.limits.files,
                    size=number(context.limits.total_bytes / 2**30, ".1f"),
                )
            )
        candidates.append(Candidate(name, size, _read_once(target), look=target.read_bytes))
    return candidates, left_out + tell_hidden(hidden, context)


def _receive(file: Path | BinaryIO, target: Path, limits: Limits) -> int:
    """Copy at most `photo_bytes + 1` bytes to `target`, or link a file there; returns the number."""
    if isinstance(file, Path):
        with contextlib.suppress(OSError):  # another disk, or a file system without links
            target.hardlink_to(file)
            return target.stat().st_size
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
