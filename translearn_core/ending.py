"""The end of a process that has done its work."""

from __future__ import annotations

import atexit
import logging
import os
import sys


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
