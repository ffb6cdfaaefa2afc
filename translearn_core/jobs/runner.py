"""Where jobs run: the interface between submitting a job and the machine that runs it.

Owns: the protocol `Runner`, the runner of this machine, that of a cluster, and which one is in use.
Leaves to others: a runner without processes, for tests (`inline.py`); the order (`queue.py`); which node
of a cluster a job gets (`placing.py`).

A runner only needs the job folder: it starts `python -m translearn_core.worker JOB_DIR` somewhere
that sees the folder, and can end it. A further one is a class with these methods and a row in
`RUNNERS`; `runner = "<name>"` in config.toml then chooses it.
Imports no TensorFlow: the web process uses this module.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from translearn_core import cluster
from translearn_core.config import load_configuration
from translearn_core.errors import SettingsError
from translearn_core.i18n import N_, _
from translearn_core.jobs import launch, placer, warm_worker
from translearn_core.jobs.queue import niceness_of, order_of_all
from translearn_core.runs import Job, Kind, placement
from translearn_core.runs.state import write_worker

FORCED = N_("Ended at once, by request.")


class Runner(Protocol):
    """Where workers run."""

    def check(self) -> None:
        """Refuse before a job is made that could not be submitted.

        Raises:
            ClusterError: the cluster that is named cannot be used from here.
        """
        ...

    def submit(self, job: Job) -> None:
        """Start a worker for a queued job and return at once."""
        ...

    def force_stop(self, job: Job) -> None:
        """End the worker now, and leave the job in an ended state."""
        ...

    def warm_up(self) -> None:
        """Prepare for a training that may come soon, where that saves time."""
        ...


class LocalRunner:
    """Workers are processes of this machine that outlive the server that started them."""

    def check(self) -> None:
        """See `Runner.check`; this machine is always there."""

    def submit(self, job: Job) -> None:
        """See `Runner.submit`."""
        if job.kind in ("train", "search") and warm_worker.hand_over(job):
            return
        with job.log_path.open("ab") as log:
            # the worker writes its own pid: one writer at a time
            process = launch.spawn(
                launch.worker_command(str(job.folder)), log, niceness=niceness_of(job.kind)
            )
        write_worker(job.folder, process.pid)

    def force_stop(self, job: Job) -> None:
        """See `Runner.force_stop`. Ends the worker and its children, if the process is still that
        worker."""
        if not job.written_state.is_live:
            return
        process = job.process()
        if process is not None:
            launch.end_tree(process)
        end_by_force(job)

    def warm_up(self) -> None:
        """See `Runner.warm_up`. Starts a worker that imports TensorFlow and waits, unless a job trains or
        waits: of thirty people who press Train at once each would leave the next one such a worker."""
        launch.reap()
        if not warm_worker.is_waiting() and not order_of_all().is_busy:
            warm_worker.warm_up()


PLACED: frozenset[Kind] = frozenset({"train", "search"})
"""The kinds that a cluster runs; the others are about this machine, or are over before a node is ready."""


class ClusterRunner:
    """Trainings and searches are placed on the nodes of a cluster; other jobs stay on this machine.

    The folder is all that is handed over: a process of its own places what it finds there."""

    def __init__(self) -> None:
        self._here = LocalRunner()

    def check(self) -> None:
        """See `Runner.check`."""
        if not cluster.is_installed():
            cluster.load_ray()
        cluster.check_folder()

    def submit(self, job: Job) -> None:
        """See `Runner.submit`."""
        if job.kind not in PLACED:
            self._here.submit(job)
            return
        self.check()
        job.update_state(cluster=True)
        placer.ensure()

    def force_stop(self, job: Job) -> None:
        """See `Runner.force_stop`. The node ends the worker as soon as it sees that its placement was
        revoked."""
        self._here.force_stop(job)

    def warm_up(self) -> None:
        """See `Runner.warm_up`. Starts the process that places jobs, which joins the cluster."""
        if cluster.is_installed():
            placer.ensure()


def end_by_force(job: Job) -> None:
    """Write the end of a job whose worker is gone, unless the worker wrote it."""
    placement.revoke(job.folder)
    if job.written_state.is_live:
        job.update_state(state="stopped", stage="", reason=_(FORCED), finished_at=time.time())
        job.append_event("state", state="stopped", stage="")


RUNNERS: dict[str, Callable[[], Runner]] = {"local": LocalRunner, "cluster": ClusterRunner}
"""What `runner` in config.toml may name."""

_in_use: list[Runner] = []


def current_runner() -> Runner:
    """The runner in use: that of `use_runner`, else that of the configuration.

    Raises:
        SettingsError: the configuration names a runner that does not exist.
    """
    if _in_use:
        return _in_use[-1]
    name = load_configuration().runner_in_use
    if name not in RUNNERS:
        raise SettingsError(
            _("The configuration value `runner` must be {allowed}. Received: {received}.").format(
                allowed=_(" or ").join(f"`{known}`" for known in RUNNERS), received=name
            )
        )
    return RUNNERS[name]()


@contextmanager
def use_runner(chosen: Runner) -> Iterator[None]:
    """Use `chosen` for every job that this process submits, in all threads, while the block
    runs."""
    _in_use.append(chosen)
    try:
        yield
    finally:
        _in_use.remove(chosen)
