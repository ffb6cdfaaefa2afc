"""Runs one command as a process tree: seconds, processor seconds, peak memory, what it printed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What one command took. Memory is the largest sum over its processes at one time."""

    seconds: float
    cpu_s: float
    peak_bytes: int
    output: str

    @property
    def result(self) -> dict[str, Any]:
        """The JSON object in the last line that it printed."""
        found: dict[str, Any] = json.loads(self.output.strip().splitlines()[-1])
        return found


def python(*arguments: str) -> list[str]:
    """A command line for this Python."""
    return [sys.executable, *arguments]


def measure(command: Sequence[str], *, environment: Mapping[str, str] | None = None) -> Measured:
    """Run `command` to its end.

    Raises:
        RuntimeError: it failed; with what it wrote.
    """
    began, before = time.monotonic(), os.times()
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    watch = _Watch(psutil.Process(process.pid))
    output, errors = process.communicate()
    seconds = time.monotonic() - began
    watch.end()
    after = os.times()  # of the command and of every process that it waited for
    cpu_s = sum(after[2:4]) - sum(before[2:4])
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}\n{output}\n{errors}")
    return Measured(seconds=seconds, cpu_s=cpu_s, peak_bytes=watch.peak_bytes, output=output)


class _Watch:
    """Looks at a process tree ten times a second."""

    def __init__(self, process: psutil.Process) -> None:
        self._process = process
        self._ended = threading.Event()
        self.peak_bytes = 0
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Stop looking."""
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(0.1):
            try:
                family = [self._process, *self._process.children(recursive=True)]
                self.peak_bytes = max(self.peak_bytes, sum(map(_resident, family)))
            except psutil.Error:
                return


def _resident(process: psutil.Process) -> int:
    try:
        resident: int = process.memory_info().rss
        return resident
    except psutil.Error:
        return 0
