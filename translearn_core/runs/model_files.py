"""The files of a run's model, and whether they are as they were saved.

Owns: `files.json`: `schema_version`, `files`: name -> `bytes`, `sha256`; comparing the files with it.
Leaves to others: what the files hold, and what to do when one was altered.

Runs of earlier versions have no such file; theirs are taken as they are.
"""

from __future__ import annotations

import hashlib
import json
import logging
from functools import lru_cache
from pathlib import Path
from typing import Any

from translearn_core.atomic import sha256_of, write_atomically
from translearn_core.errors import RunError
from translearn_core.i18n import _
from translearn_core.runs.file_cache import read_cached
from translearn_core.runs.run import Run

logger = logging.getLogger(__name__)

FILE = "files.json"
SCHEMA = 1
KERAS = "model.keras"
COPY = ("model.openvino.xml", "model.openvino.bin", "model.openvino.head.npz")
TASKS = "tasks.npz"
REFERENCE = "reference.npz"


def write_hashes(folder: Path) -> None:
    """Write down the model files of a run as they are now."""
    files = {
        name: {"bytes": (folder / name).stat().st_size, "sha256": sha256_of(folder / name)}
        for name in (KERAS, *COPY, TASKS, REFERENCE)
        if (folder / name).is_file()
    }
    content = {"schema_version": SCHEMA, "files": files}
    write_atomically(folder / FILE, json.dumps(content, indent=1))


def altered_files(run: Run, *names: str) -> list[str]:
    """Which of these model files of a run are not as they were saved: changed, cut or gone."""
    try:
        known = read_cached(run.folder / FILE, _parse)
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return [
        name for name in names if name in known and not _is_same(run.folder / name, known[name])
    ]


def content_hash(run: Run) -> str:
    """12 hexadecimal digits that differ between two models, and between the names of their classes."""
    total = hashlib.sha256()
    for name in (*COPY, TASKS, REFERENCE, "labels.json"):
        path = run.folder / name
        if path.is_file():
            status = path.stat()
            mark = (status.st_mtime_ns, status.st_size, status.st_ino)
            total.update(f"{name} {_hash(str(path), *mark)}\n".encode())
    return total.hexdigest()[:12]


def require_whole(run: Run, *names: str) -> None:
    """Refuse a run of whose model files one is not as it was saved.

    Raises:
        RunError: the message names the file.
    """
    for name in altered_files(run, *names):
        raise RunError(
            _(
                "{file} is not as it was saved: it was changed or damaged since, so its answers "
                "cannot be relied on. Restore it from a copy, or train again."
            ).format(file=run.folder / name)
        )


def _parse(data: bytes) -> dict[str, Any]:
    files = json.loads(data)["files"] if data else {}
    if not isinstance(files, dict):
        raise ValueError("no table of files")
    return files


def _is_same(path: Path, known: Any) -> bool:
    try:
        status = path.stat()
        return bool(
            status.st_size == known["bytes"]
            and _hash(str(path), status.st_mtime_ns, status.st_size, status.st_ino)
            == known["sha256"]
        )
    except (OSError, KeyError, TypeError):
        return False


@lru_cache(maxsize=256)
def _hash(path: str, *_mark: int) -> str:
    """The hash of a file; read once while it is not replaced."""
    return sha256_of(Path(path))
