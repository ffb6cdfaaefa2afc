"""Reading files that are asked for again and again.

Owns: keeping what was parsed, until the file is replaced. What was parsed must not be changed.
Leaves to others: what a file means, how values are kept (`remembered.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from translearn_core.remembered import Memory

T = TypeVar("T")
_kept = Memory(4096)
"""Parsed contents by file, at most so many."""


def read_cached(path: Path, parse: Callable[[bytes], T]) -> T:
    """The parsed content of a file.

    Raises:
        OSError: it cannot be read.
        Exception: whatever `parse` raises.
    """
    status = path.stat()
    state = (status.st_mtime_ns, status.st_size, status.st_ino)
    return _kept.get((str(path), parse), state, lambda: parse(path.read_bytes()))
