"""What stands beside a worker on a node of a cluster.

Owns: starting the worker there, ending it with its placement or with the actor that this is, saying how it
ended, and leaving the node where nobody is there to be told.
Leaves to others: which job comes next, and what a lost node means (`placing.py`); the work (`worker.py`).

Ray runs an object of this class as an actor, one a job. Imports no TensorFlow: the worker is a process of
its own, as on one machine.
"""

from __future__ import annotations

import math
import os
import subprocess
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Literal

import psutil

from translearn_core import __version__
from translearn_core.concurrency import import_path
from translearn_core.jobs import launch
from translearn_core.jobs.runner import end_by_force
from translearn_core.runs import Job
from translearn_core.runs.placement import mark_ended, may_work, read_placement

Ended = Literal["ended", "unseen", "version"]
"""How it went: the process has ended, the folder is not seen on this machine, or other code lies here."""

POLL_S = 0.25
NO_GPU = "-1"


class NodeWorker:
    """One worker on this node.

    Args:
        processors, gpus: what the run was given here.
        leave_s: the process of this ends, and its place is free, when it was given no job for so long, or
            nobody has ended it so long after its worker; None: it stays.
    """

    def __init__(self, processors: float, gpus: float, leave_s: float | None = None) -> None:
        self._processors, self._gpus = processors, gpus
        self._ended = threading.Event()
        self._how: Ended = "ended"
        self._error: Exception | None = None
        self._worked: tuple[Path, str] | None = None
        """The job whose worker has ended, and its token."""
        self._starting = threading.Lock()
        self._is_started = threading.Event()
        if leave_s is not None:
            threading.Thread(target=self._leave, args=(leave_s,), daemon=True).start()

    def where(self) -> str:
        """The id of the node that this is on."""
        import ray

        return str(ray.get_runtime_context().get_node_id())

    def start(
        self,
        folder: str,
        token: str,
        *,
        worker: str,
        version: str,
        environment: Mapping[str, str],
    ) -> None:
        """Start the worker of a job and return at once. Does nothing the second time: whoever asked for
        it may have ended before they knew that it was done. What goes wrong is told by `wait`.

        Args:
            folder: of the job.
            token: of its placement.
            worker: the module that it runs.
            version: of the program that places it.
            environment: variables of the worker, beside those of this process.
        """
        with self._starting:
            if self._is_started.is_set():
                return
            self._is_started.set()
        job = Path(folder)
        command = [*launch.worker_command(folder, worker), "--placed", token]
        try:
            if refused := _refusal(job, version):
                self._end(refused)
                return
            with (job / "log.txt").open("ab") as log:
                process = self._spawn(command, environment, log.fileno())
            watch = threading.Thread(target=self._watch, args=(process, job, token), daemon=True)
            watch.start()
        except Exception as error:  # noqa: BLE001 - whatever it is, the job must not wait for ever
            self._error = error
            self._ended.set()

    def wait(self) -> Ended:
        """Wait until the worker has ended.

        Raises:
            Exception: why it could not be started.
        """
        self._ended.wait()
        if self._error is not None:
            raise self._error
        return self._how

    def _spawn(
        self, command: list[str], environment: Mapping[str, str], log: int
    ) -> subprocess.Popen[bytes]:
        threads = str(max(1, math.ceil(self._processors)))
        own = {
            "PYTHONPATH": import_path(),
            "TF_CPP_MIN_LOG_LEVEL": "2",
            "OMP_NUM_THREADS": threads,
            "TF_NUM_INTRAOP_THREADS": threads,
        }
        if not self._gpus:
            own["CUDA_VISIBLE_DEVICES"] = NO_GPU
        return subprocess.Popen(
            [*command, "--with", str(os.getpid())],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=os.environ | own | dict(environment),
            start_new_session=True,
        )

    def _watch(self, process: subprocess.Popen[bytes], folder: Path, token: str) -> None:
        try:
            while process.poll() is None:
                if not may_work(folder, token):
                    launch.end_tree(psutil.Process(process.pid))
                    process.wait()
                    placement = read_placement(folder)
                    if placement is not None and not placement.token:
                        end_by_force(Job(folder))  # the worker may have written once more after it
                    break
                time.sleep(POLL_S)
        finally:
            self._worked = folder, token
            self._end("ended")

    def _end(self, how: Ended) -> None:
        self._how = how
        self._ended.set()

    def _leave(self, after_s: float) -> None:
        """End this process when nobody ends it: whoever asked for the place has ended themselves."""
        if self._is_started.wait(after_s):
            self._ended.wait()
            time.sleep(after_s)
            if self._worked is not None:
                with suppress(OSError):
                    mark_ended(*self._worked)
        os._exit(0)


def _refusal(job: Path, version: str) -> Ended | None:
    """Why the worker of a job cannot run on this machine; None: it can."""
    if version != __version__:
        return "version"
    return None if (job / "config.json").is_file() else "unseen"
