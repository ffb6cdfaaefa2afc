"""What stands beside a worker on a node of a cluster.

Owns: starting the worker there, ending it with its placement or with the actor that this is, saying how it
ended.
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
from pathlib import Path
from typing import Literal

import psutil

from translearn_core import __version__
from translearn_core.concurrency import import_path
from translearn_core.jobs import launch
from translearn_core.jobs.runner import end_by_force
from translearn_core.runs import Job
from translearn_core.runs.placement import may_work, read_placement

Ended = Literal["ended", "unseen", "version"]
"""How it went: the process has ended, the folder is not seen on this machine, or other code lies here."""

POLL_S = 0.25
NO_GPU = "-1"


class NodeWorker:
    """One worker on this node.

    Args:
        processors, gpus: what the run was given here.
    """

    def __init__(self, processors: float, gpus: float) -> None:
        self._processors, self._gpus = processors, gpus
        self._ended = threading.Event()
        self._how: Ended = "ended"
        self._error: Exception | None = None
        self._starting = threading.Lock()
        self._is_started = False

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
            if self._is_started:
                return
            self._is_started = True
        try:
            self._start(folder, token, worker=worker, version=version, environment=environment)
        except Exception as error:  # noqa: BLE001 - whatever it is, the job must not wait for ever
            self._error = error
            self._ended.set()

    def _start(
        self,
        folder: str,
        token: str,
        *,
        worker: str,
        version: str,
        environment: Mapping[str, str],
    ) -> None:
        if version != __version__:
            self._end("version")
        elif not (Path(folder) / "config.json").is_file():
            self._end("unseen")
        else:
            with (Path(folder) / "log.txt").open("ab") as log:
                command = [*launch.worker_command(folder, worker), "--placed", token]
                process = self._spawn(command, environment, log.fileno())
            threading.Thread(
                target=self._watch, args=(process, Path(folder), token), daemon=True
            ).start()

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
            self._end("ended")

    def _end(self, how: Ended) -> None:
        self._how = how
        self._ended.set()
