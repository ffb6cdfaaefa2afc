"""What was made of files, kept until one of them is replaced.

Owns: telling whether a folder is still as it was, and a bounded memory for what follows from it.
Leaves to others: what is made of the files.

Files are replaced and never written to, so their modification time, size and number tell one state from
another. What is kept is shared by all threads of the process and must not be changed.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
Stamp = tuple[tuple[str, int, int, int], ...]
"""Of each file its name, modification time in ns, size in bytes, and number."""


def stamp_of(folder: Path, *, ignored: frozenset[str] = frozenset()) -> Stamp:
    """The state of the files right in a folder, by name; hidden ones and folders do not count.

    Empty where the folder cannot be read.
    """
    found = []
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") or entry.name in ignored:
                continue
            with suppress(OSError):  # it went just now
                if entry.is_file():
                    status = Path(entry.path).stat()  # an entry knows no number on Windows
                    found.append((entry.name, status.st_mtime_ns, status.st_size, status.st_ino))
    return tuple(sorted(found))


class Memory:
    """Values by key; the one unused longest goes first.

    Args:
        most: the largest sum of sizes.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._total = 0
        self._lock = threading.Lock()

    def get(
        self,
        key: Hashable,
        state: Hashable,
        make: Callable[[], T],
        *,
        size: int | Callable[[T], int] = 1,
    ) -> T:
        """The value of `key` in this state, made where it is not kept.

        Args:
            size: of the value, or what tells it.


        What is larger than all may be together is made and not kept. Two threads may make the same.
        """
        kept = self.find(key)
        if kept is not None and kept[0] == state:
            known: T = kept[1]
            return known
        value = make()
        self.keep(key, (state, value), size=size(value) if callable(size) else size)
        return value

    def find(self, key: Hashable) -> Any:
        """What is kept by a key; None where nothing is."""
        with self._lock:
            if key not in self._kept:
                return None
            self._kept.move_to_end(key)
            return self._kept[key][0]

    def keep(self, key: Hashable, value: Any, *, size: int) -> None:
        """Keep a value by a key, unless it is too large; others go to make room."""
        with self._lock:
            self._forget(key)
            if size > self._most:
                return
            self._kept[key] = (value, size)
            self._total += size
            while self._total > self._most:
                self._forget(next(iter(self._kept)))

    def _forget(self, key: Hashable) -> None:
        gone = self._kept.pop(key, None)
        self._total -= gone[1] if gone is not None else 0
