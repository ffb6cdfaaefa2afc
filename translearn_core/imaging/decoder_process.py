"""Starts the processes that decode photos, also before it is known which photos.

Owns: their command and environment, and those that were started ahead and wait.
Leaves to others: what they do (`decode_pool.py`). Imports neither NumPy nor Pillow: a command starts
processes ahead while it imports such libraries itself.

To start takes a process a third of a second, in which one that was not started ahead is waited for.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from translearn_core.concurrency import import_path
from translearn_core.imaging.processors import processor_count

logger = logging.getLogger(__name__)

COMMAND = ("-m", "translearn_core.imaging.decode_pool")
MIN_PHOTOS = 250
"""With fewer photos, threads finish before the processes have started."""
WAIT_S = 120.0
"""So long they wait: the command may have to wait for its turn."""
_waiting: list[subprocess.Popen[bytes]] = []
_lock = threading.Lock()


def start() -> subprocess.Popen[bytes] | None:
    """A decoding process, one that waits or a new one; None where none can be started."""
    with _lock:
        while _waiting:
            process = _waiting.pop()
            if process.poll() is None:
                return process
            _close(process)
    return _start()


def start_ahead(folder: Path) -> None:
    """Start the processes of a pass over the photos of a folder, unless some wait already.

    None are started where there is no such folder, where it holds too few photos, and where one processor
    has enough to do with the rest.
    """
    with _lock:
        if not _waiting and processor_count() > 1 and _holds(folder, MIN_PHOTOS):
            started = [_start() for _processor in range(processor_count())]
            _waiting.extend(process for process in started if process is not None)
            patience = threading.Timer(WAIT_S, end_waiting)
            patience.daemon = True
            patience.start()


def end_waiting() -> None:
    """End the processes that were started ahead and that nobody needed."""
    with _lock:
        while _waiting:
            _close(_waiting.pop())


def _holds(folder: Path, n: int) -> bool:
    """Whether so many files lie in and below a folder."""
    for _path, _folders, files in os.walk(folder):
        n -= len(files)
        if n <= 0:
            return True
    return False


def _close(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    with process:  # closes its pipes, and waits for it
        pass


def _start() -> subprocess.Popen[bytes] | None:
    one_thread = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
    options: dict[str, Any] = {"process_group": 0}  # Ctrl-C in a terminal is for its parent alone
    if sys.platform == "win32":
        flags = subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP
        options = {"creationflags": flags}
    try:
        return subprocess.Popen(
            [sys.executable, *COMMAND],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | one_thread | {"PYTHONPATH": import_path()},
            **options,
        )
    except OSError:
        logger.exception("No decoding process could be started; going on without it")
        return None
