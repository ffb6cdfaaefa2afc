"""The bin: data sets and runs that were thrown away, kept for a while so that they can be put back.

Owns: `<workspace>/bin/<id>/` with
    entry.json    kind, name, when it was thrown away, where it lay
    content/      its folder, as it was
Nothing is copied: a folder is moved within the workspace. After `KEEP_S` it is deleted for good.
Leaves to others: whether something may be thrown away (`runs/in_use.py`). Imports nothing heavy: the
server empties what is too old when it starts.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from translearn_core import leftovers, quotas, spaces
from translearn_core.atomic import write_atomically
from translearn_core.config import home
from translearn_core.errors import InputError, StorageError
from translearn_core.i18n import _

KEEP_S = leftovers.WAITING_S
Kind = Literal["dataset", "run"]
_ROOMS: dict[Kind, str] = {"dataset": "datasets", "run": "runs"}


@dataclass(frozen=True)
class Entry:
    """Something that was thrown away.

    Attributes:
        folder: its place in the bin.
        id: the name of its folder, where it lay.
        thrown_at: unix seconds.
    """

    folder: Path
    kind: Kind
    id: str
    name: str
    thrown_at: float

    def size_bytes(self) -> int:
        """Bytes on disk."""
        return sum(file.stat().st_size for file in self.folder.rglob("*") if file.is_file())


def throw_away(folder: Path, *, kind: Kind, name: str) -> Entry:
    """Move the folder of a data set or a run into the bin.

    Raises:
        StorageError: a file is held by another program, or the disk cannot be written.
    """
    place = home() / "bin" / leftovers.own_name(f"{folder.name}-")
    entry = Entry(folder=place, kind=kind, id=folder.name, name=name, thrown_at=time.time())
    try:
        place.mkdir(parents=True)
        content = {"kind": kind, "id": entry.id, "name": name, "thrown_at": entry.thrown_at}
        write_atomically(place / "entry.json", json.dumps(content, ensure_ascii=False))
        folder.replace(place / "content")
    except OSError as error:
        shutil.rmtree(place, ignore_errors=True)
        raise StorageError(
            _("{name} cannot be moved to the bin: {cause}. Close what uses it.").format(
                name=name, cause=error.strerror or error
            )
        ) from error
    return entry


def entries() -> list[Entry]:
    """What is in the bin, the latest first; what is too old is deleted."""
    found = []
    for entry in _read_all():
        if time.time() - entry.thrown_at > KEEP_S:
            delete(entry)
        else:
            found.append(entry)
    return sorted(found, key=lambda entry: -entry.thrown_at)


def put_back(entry: Entry) -> Path:
    """Move a folder back to where it lay. Returns that place.

    Raises:
        InputError: it is no longer in the bin, there is another one at its place, or a pupil may keep
            no more.
        StorageError: a file is held by another program.
    """
    spaces.reach(entry.folder)
    target = entry.folder.parents[1] / _ROOMS[entry.kind] / entry.id
    content = entry.folder / "content"
    if not content.is_dir():
        raise InputError(_("{name} is no longer in the bin.").format(name=entry.name))
    if target.exists():
        raise InputError(
            _("{name} cannot be put back: there is another one at its place.").format(
                name=entry.name
            )
        )
    is_run = entry.kind == "run"
    photos = 0 if is_run else quotas.photos_in(content)
    try:
        with quotas.room_for(photos=photos, runs=int(is_run)):
            target.parent.mkdir(parents=True, exist_ok=True)
            content.replace(target)
    except OSError as error:
        raise StorageError(
            _("{name} cannot be put back: {cause}. Close what uses it.").format(
                name=entry.name, cause=error.strerror or error
            )
        ) from error
    shutil.rmtree(entry.folder, ignore_errors=True)
    return target


def delete(entry: Entry) -> None:
    """Delete something in the bin for good."""
    spaces.reach(entry.folder)
    shutil.rmtree(entry.folder, ignore_errors=True)


def _read_all() -> Iterator[Entry]:
    for file in sorted((home() / "bin").glob("*/entry.json")):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            content = json.loads(file.read_text(encoding="utf-8"))
            if content["kind"] in _ROOMS and (file.parent / "content").is_dir():
                yield Entry(
                    folder=file.parent,
                    kind=content["kind"],
                    id=Path(str(content["id"])).name,
                    name=str(content["name"]),
                    thrown_at=float(content["thrown_at"]),
                )
