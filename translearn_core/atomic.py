"""Atomic writes and content hashes of files.

Owns: replacing a file in one step, on every system; the hash of its content.
"""

from __future__ import annotations

import contextlib
import hashlib
import secrets
import time
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

ATTEMPTS = 10


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a file so that a reader sees the old content or the new, never a part."""
    data = content.encode("utf-8") if isinstance(content, str) else content
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    try:
        temporary.write_bytes(data)
        replace_file(temporary, path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_parquet(path: Path, table: pd.DataFrame) -> None:
    """Write a table, without its index, as `write_atomically` does."""
    buffer = BytesIO()
    table.to_parquet(buffer, index=False)
    write_atomically(path, buffer.getvalue())


def replace_file(source: Path, target: Path) -> None:
    """Replace `target` by `source`; retries while a reader holds it open (Windows)."""
    for attempt in range(ATTEMPTS):
        try:
            source.replace(target)
            return
        except PermissionError:
            if attempt == ATTEMPTS - 1:
                raise
            time.sleep(0.02)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
