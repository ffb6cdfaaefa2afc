"""The command line, called in this process: what it prints and its exit code."""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass
from pathlib import Path

from translearn_core import cli


@dataclass(frozen=True)
class Done:
    """What a command left, named as by `subprocess.CompletedProcess`."""

    returncode: int
    stdout: str
    stderr: str


def call(*arguments: str | Path | int) -> Done:
    """Run one command."""
    out, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
        code = cli.main([str(argument) for argument in arguments])
    return Done(code, out.getvalue(), errors.getvalue())
