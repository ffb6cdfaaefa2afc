"""Starts and ends processes of this package.

Owns: starting a process that outlives the server, reaping ended ones, ending a process tree.
Leaves to others: which process is needed (`runner.py`, `warm_worker.py`).
Imports no TensorFlow: the web process uses this module.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import psutil

from translearn_core.concurrency import import_path, lower_priority

_children: list[subprocess.Popen[bytes]] = []


WORKER = "translearn_core.worker"
"""The module that a worker runs."""


def worker_command(job_folder: str, module: str = WORKER) -> list[str]:
    """The command of a worker; with `-` it waits for the folder on its standard input."""
    return [sys.executable, "-m", module, job_folder]


def spawn(
    arguments: list[str], log: Any, *, stdin: int = subprocess.DEVNULL, niceness: int = 0
) -> subprocess.Popen[bytes]:
    """Start a process that survives this one, with the package importable from anywhere.

    Args:
        niceness: as in `lower_priority`; 0: that of this process.
    """
    environment = os.environ | {"PYTHONPATH": import_path(), "TF_CPP_MIN_LOG_LEVEL": "2"}
    options: dict[str, Any] = {}
    if sys.platform == "win32":
        options["creationflags"] = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
    else:
        options["start_new_session"] = True
    process = subprocess.Popen(
        arguments,
        stdin=stdin,
        stdout=log,
        stderr=log,
        env=environment,
        **options,
    )
    lower_priority(niceness, pid=process.pid)
    _children.append(process)
    reap()
    return process


def reap() -> None:
    """Reap children that have ended, so that no zombies are left."""
    _children[:] = [child for child in _children if child.poll() is None]


def end_tree(process: psutil.Process) -> None:
    """End a process and its descendants: terminate, then kill after two seconds."""
    try:
        tree = [*process.children(recursive=True), process]
    except psutil.NoSuchProcess:
        return
    for member in tree:
        _quietly(member.terminate)
    for member in _wait_for_end(tree, timeout_s=2.0):
        _quietly(member.kill)
    _wait_for_end(tree, timeout_s=2.0)
    reap()


def _wait_for_end(processes: list[psutil.Process], *, timeout_s: float) -> list[psutil.Process]:
    """Wait until all have ended; those that have not by then.

    An ended process stays a zombie where its parent never asks for it, as the first process of a
    container often does with those that lost their parent.
    """
    until = time.monotonic() + timeout_s
    while (alive := [one for one in processes if _lives(one)]) and time.monotonic() < until:
        time.sleep(0.02)
    return alive


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def end_children() -> None:
    """Kill all descendants of this process."""
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            child.kill()


def _quietly(call: Callable[[], None]) -> None:
    with suppress(psutil.NoSuchProcess):
        call()
