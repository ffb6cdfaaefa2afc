"""What libtiff says of damaged data: kept from the terminal, and counted.

Owns: `decoding_errors`. Pillow unpacks TIFFs with libtiff, which writes what it finds to the terminal
and, for some compressions (fax, JPEG), goes on with made-up pixels that Pillow passes on. Its error
handler is set once for the process, where the library that Pillow uses can be found (Linux, macOS);
elsewhere nothing changes, and nothing is counted. Leaves to others: what is refused (`decode.py`).
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import PIL

_HANDLER = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p)
_ABOUT_TAGS = (b"TIFFReadDirectory", b"TIFFFetch", b"_TIFFV", b"TIFFSetField")
"""Functions that complain about tags: the pixels may be sound all the same."""
_here = threading.local()


class Errors:
    """Errors of libtiff in this thread, in a block."""

    count = 0


@contextmanager
def decoding_errors() -> Iterator[Errors]:
    """Count what libtiff reports about pixels that this thread unpacks in the block."""
    _set_handlers()
    before: Errors | None = getattr(_here, "errors", None)
    _here.errors = found = Errors()
    try:
        yield found
    finally:
        _here.errors = before


def _count(module: bytes | None, _text: bytes | None, _values: Any) -> None:
    errors: Errors | None = getattr(_here, "errors", None)
    if errors is not None and not (module or b"").startswith(_ABOUT_TAGS):
        errors.count += 1


_on_error = _HANDLER(_count)  # kept for as long as the process lives: libtiff calls it


@lru_cache(maxsize=1)
def _set_handlers() -> None:
    """Take the place of the handlers that write to the terminal, for the whole process."""
    for path in _libraries():
        try:
            library = ctypes.CDLL(str(path))
            library.TIFFSetErrorHandler(_on_error)
            library.TIFFSetWarningHandler(None)
        except (OSError, AttributeError):
            continue


def _libraries() -> list[Path]:
    """The libtiff that comes with Pillow, or is loaded for it."""
    package = Path(PIL.__file__).parent
    found = [*package.parent.glob("pillow.libs/libtiff*"), *package.glob(".dylibs/libtiff*")]
    if not found:
        try:
            maps = Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return []
        words = (line.split(maxsplit=5) for line in maps.splitlines() if "libtiff" in line)
        found = [Path(parts[5]) for parts in words if len(parts) > 5]
    return sorted(set(found))
