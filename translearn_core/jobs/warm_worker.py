"""A pre-warmed worker, so that the next run starts at once.

Owns: starting, handing a job to and stopping one process that has imported TensorFlow and
waits for the folder of a job on its standard input. It uses no processor time while it waits, and
ends after `standby_idle_s` without work, or with the process that started it.
Leaves to others: what it does with a job (`worker.py`), and starting workers cold (`runner.py`).
Imports no TensorFlow: the web process uses this module.

Files: `<workspace>/cache/standby.log`.
"""

from __future__ import annotations

import logging
import os
import subprocess
import threading

import psutil

from translearn_core import spaces
from translearn_core.config import load_configuration
from translearn_core.jobs import launch
from translearn_core.jobs.queue import niceness_of
from translearn_core.runs import Job
from translearn_core.runs.state import write_worker

logger = logging.getLogger(__name__)

LEAST_FREE_BYTES = 3 * 2**30
"""With less free memory no worker is started; TensorFlow alone takes a fifth of it."""

_lock = threading.Lock()
_waiting: subprocess.Popen[bytes] | None = None


def is_allowed() -> bool:
    """Whether configuration and memory let a process import TensorFlow before it has work."""
    free = psutil.virtual_memory().available
    return load_configuration().standby and free >= LEAST_FREE_BYTES


def warm_up() -> None:
    """Start a waiting worker, unless there is one, or configuration or memory forbid it."""
    global _waiting
    with _lock:
        if (_waiting is not None and _waiting.poll() is None) or not is_allowed():
            return
        folder = spaces.root() / "cache"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with (folder / "standby.log").open("wb") as log:
                _waiting = launch.spawn(
                    launch.worker_command("-"), log, stdin=subprocess.PIPE, niceness=niceness_of()
                )
        except OSError:  # it only saves time; who starts a run is told what is wrong
            logger.exception("No worker can be started ahead")


def hand_over(job: Job) -> bool:
    """Hand `job` to the waiting worker; False when there is none."""
    global _waiting
    with _lock:
        process, _waiting = _waiting, None
    if process is None or process.poll() is not None or process.stdin is None:
        return False
    write_worker(job.folder, process.pid)
    try:
        with process.stdin as pipe:
            pipe.write(f"{job.folder}\n".encode())
    except OSError:  # it ended just now
        return False
    return True


def is_waiting() -> bool:
    """Whether a worker waits."""
    with _lock:
        return _waiting is not None and _waiting.poll() is None


def stop() -> None:
    """End the waiting worker, if there is one."""
    global _waiting
    with _lock:
        process, _waiting = _waiting, None
    if process is not None and process.stdin is not None:
        process.stdin.close()
        process.wait(timeout=30)


def wait_for_job(idle_s: float) -> str | None:
    """In the waiting process: read the folder of a job from standard input.

    Returns:
        None when the pipe was closed, or nothing came for `idle_s` seconds.
    """
    received = bytearray()

    def read() -> None:  # not through sys.stdin: its lock would be held at the process' end
        while part := os.read(0, 4096):
            received.extend(part)

    reader = threading.Thread(target=read, name="standby", daemon=True)
    reader.start()
    reader.join(idle_s)
    return received.decode().strip() or None
