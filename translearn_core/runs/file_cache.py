"""Reading files that are asked for again and again.

Owns: keeping what was parsed, until the file is replaced. What was parsed must not be changed.
Leaves to others: what a file means.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

MOST = 4096
"""Files whose content is kept."""

T = TypeVar("T")
_kept: OrderedDict[tuple[str, Callable[[bytes], Any]], tuple[tuple[int, int, int], Any]]
_kept = OrderedDict()
_lock = threading.Lock()


def read_cached(path: Path, parse: Callable[[bytes], T]) -> T:
    """The parsed content of a file.

    Raises:
        OSError: it cannot be read.
        Exception: whatever `parse` raises.
    """
    status = path.stat()
    mark = (status.st_mtime_ns, status.st_size, status.st_ino)
    key = (str(path), parse)
    with _lock:
        kept = _kept.get(key)
        if kept is not None and kept[0] == mark:
            _kept.move_to_end(key)
            known: T = kept[1]
            return known
    content = parse(path.read_bytes())
    with _lock:
        _kept[key] = (mark, content)
        while len(_kept) > MOST:
            _kept.popitem(last=False)
    return content
