"""One folder for all processes of a test session, and what is made in it once for all of them.

Owns: the folder's place, handed to the worker processes of pytest-xdist in the environment, the
lock under which the first process makes a thing while the others wait, and names of workspaces for
tests that ask for none.
"""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

VARIABLE = "TRANSLEARN_TESTS_FOLDER"
_HOME = "home-"
_numbers = itertools.count()


def begin() -> Path:
    """Make the folder of this session; called by the process that starts the others."""
    folder = Path(tempfile.mkdtemp(prefix="translearn-tests-"))
    os.environ[VARIABLE] = str(folder)
    return folder


def fresh_home() -> Path:
    """A workspace that no test has had; nothing is made."""
    return Path(os.environ[VARIABLE]) / f"{_HOME}{os.getpid()}-{next(_numbers)}"


def is_fresh_home(folder: str) -> bool:
    """Whether a workspace is one of those, or none is named at all."""
    path = Path(folder)
    named = path.parent == Path(os.environ[VARIABLE]) and path.name.startswith(_HOME)
    return not folder or named


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
