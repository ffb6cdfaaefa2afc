"""Helper functions for processes of this package: import path, periodic calls, end."""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def import_path() -> str:
    """`PYTHONPATH` of a process that is to import this package, wherever it is started."""
    root = str(Path(__file__).resolve().parent.parent)
    return os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))


@contextmanager
def repeated(act: Callable[[], None], *, every_s: float, name: str) -> Iterator[None]:
    """Have `act` called again and again, in a thread, while the block goes on."""
    ended = threading.Event()

    def go() -> None:
        while not ended.wait(every_s):
            act()

    thread = threading.Thread(target=go, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def end_process(code: int) -> None:
    """End this process, like `sys.exit`.

    Where TensorFlow was imported, without waiting a second for it to take itself apart: what
    was written is flushed, and what was to be done at the end is done.
    """
    if "tensorflow" not in sys.modules:
        sys.exit(code)
    atexit._run_exitfuncs()
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)
