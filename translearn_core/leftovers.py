"""Temporary folders, and removing those that a killed process left behind.

Owns: their names, which say whose they are, and `sweep`.
Leaves to others: what lies in them. Imports nothing heavy: the server sweeps when it starts.

A name is `<prefix><pid>-<machine><random>`: a workspace may lie on a share of several machines. A folder
goes as soon as the process that made it has ended; one of another machine, or of an earlier version, whose
name does not say whose it is, after a day. An upload that waits for an answer goes after a week.
"""

from __future__ import annotations

import hashlib
import logging
import os
import platform
import secrets
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

import psutil

from translearn_core import spaces

logger = logging.getLogger(__name__)

IMPORTING = ".importing-"
"""In the folder of data sets: one that is being brought in."""
DELETED = ".deleted-"
"""In the folder of data sets or runs: one that is being deleted."""
CONVERTING = ".converting-"
"""Beside converted graphs: one on its way."""
ENGINES = "engines"
"""In the folder of the cache: converted graphs."""
DECODING = "translearn-decode-"
"""In the system's temporary folder: pixels on their way between processes."""
STALE_S = 24 * 3600.0
WAITING = "upload.json"
"""In the folder of an upload: it waits for an answer (`datasets/kept_upload.py`)."""
WAITING_S = 7 * 24 * 3600.0
"""As long as the bin keeps what was thrown away."""
_RANDOM, _MACHINE = 12, 8  # hex digits in a name
_CLOCK_S = 5.0  # tolerance between the clocks of processes and files


def own_name(prefix: str) -> str:
    """A name for a temporary folder of this process."""
    return f"{prefix}{os.getpid()}-{_machine()}{secrets.token_hex(_RANDOM // 2)}"


@contextmanager
def working_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """A temporary folder of this process in `parent`, removed at the end where the system lets it."""
    folder = parent / own_name(prefix)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@cache
def _machine() -> str:
    """Hex digits that differ between machines; where a machine has no address, between processes."""
    return hashlib.sha256(f"{platform.node()} {uuid.getnode()}".encode()).hexdigest()[:_MACHINE]


def sweep() -> None:
    """Remove what killed processes left: unfinished imports, deletions, uploads, conversions and pixels."""
    folders = [
        *(folder for space in spaces.all_spaces() for folder in _left_in(space)),
        *_children(spaces.root() / spaces.PEOPLE, DELETED),
        *_children(spaces.root() / "cache" / ENGINES, CONVERTING),
        *_children(Path(tempfile.gettempdir()), DECODING),
    ]
    for folder in folders:
        with suppress(OSError):  # one that cannot be looked at must not keep the others
            if is_left(folder):
                shutil.rmtree(folder, ignore_errors=True)


def _left_in(space: Path) -> Iterator[Path]:
    yield from _children(space / "datasets", IMPORTING, DELETED)
    for name in ("runs", "studies"):
        yield from _children(space / name, DELETED)
    yield from _children(space / "uploads", "")


def is_left(folder: Path) -> bool:
    """Whether nobody is at work in a temporary folder any more.

    Raises:
        OSError: it cannot be looked at.
    """
    if folder.name.startswith(DELETED):
        return True  # its deletion was asked for: whoever comes first goes on with it
    newest = _newest(folder)
    owner = _owner(folder.name)
    if owner is None:
        return time.time() > goes_at(folder)
    try:
        began = psutil.Process(owner).create_time()
    except psutil.Error:
        return True
    return began > newest + _CLOCK_S  # another process, under the number of one that ended


def goes_at(folder: Path) -> float:
    """When a temporary folder goes whose name does not say whose it is (unix seconds), unless it is
    changed before.

    Raises:
        OSError: it cannot be looked at.
    """
    return _newest(folder) + (WAITING_S if (folder / WAITING).is_file() else STALE_S)


def _newest(folder: Path) -> float:
    return max(entry.stat().st_mtime for entry in (folder, *folder.iterdir()))


def _owner(name: str) -> int | None:
    """The number of the process of this machine that made a folder; None where its name does not
    say so."""
    head, dash, random = name.rpartition("-")
    number = head.rpartition("-")[2]
    ours = len(random) == _MACHINE + _RANDOM and random.startswith(_machine())
    return int(number) if dash and ours and number.isdecimal() else None


def _children(folder: Path, *prefixes: str) -> Iterator[Path]:
    with suppress(OSError):
        ours = (child for child in folder.iterdir() if child.name.startswith(prefixes))
        for child in sorted(ours):
            if child.is_dir() and not child.is_symlink():
                yield child
