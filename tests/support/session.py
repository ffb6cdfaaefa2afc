"""One folder for all processes of a test session, and what is made in it once for all of them.

Owns: the folder's place, handed to the worker processes of pytest-xdist in the environment, and
the lock under which the first process makes a thing while the others wait.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

VARIABLE = "TRANSLEARN_TESTS_FOLDER"


def begin() -> Path:
    """Make the folder of this session; called by the process that starts the others."""
    folder = Path(tempfile.mkdtemp(prefix="translearn-tests-"))
    os.environ[VARIABLE] = str(folder)
    return folder


def made_once(name: str, make: Callable[[Path], None]) -> Path:
    """A folder that the first process to ask for it fills; the others only read it.

    Args:
        make: fills the folder that it is given. It runs again when it did not end well.
    """
    session = Path(os.environ[VARIABLE])
    folder, done = session / name, session / f"{name}.done"
    with FileLock(session / f"{name}.lock"):
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            done.touch()
    return folder
