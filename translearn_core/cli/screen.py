"""Output of the commands: results on stdout, the core's log in a file.

Owns: printing lines and JSON, the log file of a command.
Leaves to others: the content (the commands), progress (`bar.py`).
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from translearn_core.csv_tables import valid_text
from translearn_core.errors import InputError
from translearn_core.i18n import _


def print_json(content: Any, *, indent: int | None = 1) -> None:
    """Print JSON; what is not UTF-8 in a file name stands as `\\xe9` in its text."""
    text = json.dumps(content, ensure_ascii=False, indent=indent)
    sys.stdout.write(valid_text(text, backslash="\\\\") + "\n")


def print_line(line: str) -> None:
    sys.stdout.write(valid_text(line) + "\n")


@contextmanager
def output_to(path: Path) -> Iterator[None]:
    """Send the core's log, and what native libraries write to stderr, to the run's own file.

    What this process itself writes to `sys.stderr` still reaches the terminal.
    """
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger = logging.getLogger("translearn_core")
    level, propagate = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    terminal = sys.stderr
    terminal.flush()
    stderr_copy = os.dup(2)
    sys.stderr = os.fdopen(stderr_copy, "w", encoding=terminal.encoding, buffering=1, closefd=False)
    log = path.open("ab")
    os.dup2(log.fileno(), 2)
    log.close()
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(stderr_copy, 2)
        os.close(stderr_copy)
        sys.stderr = terminal
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagate
        handler.close()


def cannot_write(file: Path, error: OSError) -> InputError:
    return InputError(
        _("{file} cannot be written: {cause}. Name another file.").format(
            file=file, cause=error.strerror
        )
    )
