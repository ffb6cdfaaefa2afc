"""Keras' folder of models: where it is, and errors of its disk as sentences.

Leaves to others: which files lie there (`weights.py`).
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from translearn_core.config import load_configuration
from translearn_core.errors import StorageError
from translearn_core.i18n import _


def weights_folder() -> Path:
    """Keras' folder of models: `<KERAS_HOME>/models`, without it `~/.keras/models`.

    As in Keras, a home directory that cannot be written is replaced by `/tmp`.
    """
    return _models_folder(os.environ.get("KERAS_HOME"), str(Path.home()))


@lru_cache(maxsize=4)
def _models_folder(named: str | None, home_folder: str) -> Path:
    if named is not None:
        return Path(named).expanduser() / "models"
    home = Path(home_folder)
    base = home if os.access(home, os.W_OK) else Path("/tmp")
    return base / ".keras" / "models"


def check_space(path: Path, needed_bytes: int) -> None:
    free_bytes = shutil.disk_usage(path.parent).free
    if free_bytes - needed_bytes < load_configuration().limits.free_bytes:
        raise StorageError(
            _(
                "The disk of {folder} is too full for {needed} MB more: {free} MB are free. "
                "Make room and try again."
            ).format(
                folder=path.parent, needed=round(needed_bytes / 1e6), free=round(free_bytes / 1e6)
            )
        )


@contextmanager
def folder_errors(path: Path) -> Iterator[None]:
    """Make the folder of `path`, and convert OSErrors into a StorageError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            cause = _("the disk is full")
        else:
            cause = error.strerror or str(error)
        raise StorageError(
            _(
                "{file} cannot be written: {cause}. Make room, or set KERAS_HOME to a folder "
                "that can be written."
            ).format(file=path, cause=cause)
        ) from error
