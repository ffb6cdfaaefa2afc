"""The state of a job: the model of `state.json`, and detecting a dead process.

Owns: `JobState`, reading and writing it, detecting whether a process is alive.
Leaves to others: who writes it (the submitter before a worker exists, then `jobs/background.py`).

States: queued -> running -> finished | stopped | failed | lost. `lost` is never written: it is
derived where the process has ended, the file is damaged, or the cluster is not in use any more. A process that lives is never lost, however
old its heartbeat and whatever the clocks say.

A process id means something on its own machine only (`host`): of a job on another machine nothing but the
heartbeat is known, and no process of this machine is taken for its. Of a job on a cluster whoever places it
(`jobs/placing.py`) finds out that its machine is lost, and is the one that writes `lost`.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Literal

import psutil
from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict

from translearn_core.atomic import write_atomically
from translearn_core.cluster.machine import is_this_machine, machine_name
from translearn_core.config import load_configuration
from translearn_core.i18n import N_, _
from translearn_core.runs.file_cache import read_cached

SCHEMA = 1
StateName = Literal["queued", "running", "finished", "stopped", "failed", "lost"]
LIVE_STATES = frozenset({"queued", "running"})
ENDED_STATES = frozenset({"finished", "stopped", "failed", "lost"})
STATE_WORDS = (
    N_("queued"),
    N_("running"),
    N_("finished"),
    N_("stopped"),
    N_("failed"),
    N_("lost"),
)
"""The states, for the catalogues: a sentence shows `_(state)`."""
LOCK = ".lock"
WORKER = "worker.json"
FRESH_S = 3.0
"""With a heartbeat younger than this the process is not checked."""


class JobState(BaseModel):
    """The state of a job. Times are unix seconds."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    schema_version: int = SCHEMA
    state: StateName = "queued"
    stage: str = ""
    """The stage of a running job, first `start`. Of a training: features | head | fine_tune |
    technique | tasks | evaluate | compare | save; of a check `job.STAGES`; of an export words for a
    person."""
    reason: str = ""
    """Why it ended, as a sentence for the user."""
    done: int = 0
    total: int = 0
    """Progress of the stage, in photos or in `what`; 0 of 0 where it is unknown."""
    per_s: float = 0.0
    what: str = ""
    told_at: float = 0.0
    """When the stage or its progress was last reported."""
    pid: int = 0
    pid_started: float = 0.0
    host: str = ""
    """The machine of the process, as `cluster.machine_name` calls it; empty: written before there was
    such a name, by this machine."""
    cluster: bool = False
    """Whether it waits for, or has, a place on a cluster."""
    node: str = ""
    """The machine of the cluster that it runs on, or ran on last, for people."""
    restarts: int = 0
    """How often it began again because its machine was lost."""
    heartbeat: float = 0.0
    queued_at: float = 0.0
    started_at: float = 0.0
    finished_at: float = 0.0
    device: str = ""
    memory_bytes: int = 0
    fingerprint: str = ""
    """Of the photos that a check is about."""
    language: str = ""
    """Of whoever started the job: that of its reasons, events and warnings."""

    @property
    def is_live(self) -> bool:
        """Whether it is queued or running."""
        return self.state in LIVE_STATES

    @property
    def has_failed(self) -> bool:
        """Whether it ended with an error or was lost."""
        return self.state in ("failed", "lost")


def live_process(pid: int, started: float) -> psutil.Process | None:
    """The process `pid` if it lives and began at `started` (seconds since 1970); else None."""
    if pid == 0:
        return None
    try:
        process = psutil.Process(pid)
        same = abs(process.create_time() - started) < 1.0
        return running(process) if same else None
    except psutil.Error:
        return None


def running(process: psutil.Process) -> psutil.Process | None:
    """The process; None where it has ended and only its entry is left (a zombie)."""
    return None if process.status() == psutil.STATUS_ZOMBIE else process


def is_held(lock: Path) -> bool:
    """Whether a process holds a lock file."""
    if not lock.is_file():
        return False
    try:
        with FileLock(lock, timeout=0):
            return False
    except Timeout:
        return True
    except OSError:
        return False


def read_state(path: Path) -> JobState:
    """The content of a state file; a new state where there is none, `lost` where it is damaged."""
    for attempt in range(5):
        try:
            return read_cached(path, JobState.model_validate_json)
        except FileNotFoundError:
            return JobState()
        except (OSError, ValueError):
            if os.name != "nt" or attempt == 4:
                break
            time.sleep(0.02)  # Windows: being replaced just now
    reason = _(
        "Its file {file} is damaged, as a power cut or a full disk can leave it. What else is in "
        "its folder is kept; delete it, or start it again."
    ).format(file=path.name)
    return JobState(state="lost", reason=reason)


def write_state(path: Path, state: JobState, *, durable: bool = True) -> None:
    """Replace a state file in one step.

    Args:
        durable: as in `atomic.replace_file`; progress is written too often for it.
    """
    write_atomically(path, state.model_dump_json(indent=1), durable=durable)
    count_own_write()


_own_writes = 0


def count_own_write() -> None:
    """Note that this process has written what others list or read of a job."""
    global _own_writes
    _own_writes += 1


def own_writes() -> int:
    """How often this process has replaced a state file or listed a new job: by that, whoever keeps what
    was read can tell that it is old. Two threads that write at the same moment may count as one."""
    return _own_writes


class Worker(BaseModel):
    """worker.json: the process that was started for a job, told by whoever started it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    pid: int
    started: float
    host: str = ""


def write_worker(folder: Path, pid: int) -> None:
    """Tell which process was started for the job in `folder`, unless it has ended."""
    try:
        started = psutil.Process(pid).create_time()
    except psutil.Error:
        return
    worker = Worker(pid=pid, started=started, host=machine_name())
    write_atomically(folder / WORKER, worker.model_dump_json(), durable=False)


def read_worker(folder: Path) -> Worker | None:
    """The process that was started for the job in `folder`; None where nobody told."""
    try:
        return read_cached(folder / WORKER, Worker.model_validate_json)
    except (OSError, ValueError):
        return None


def is_elsewhere(host: str) -> bool:
    """Whether a process is that of another machine, so that its id says nothing here."""
    return bool(host) and not is_this_machine(host)


def process_of(folder: Path, written: JobState) -> psutil.Process | None:
    """The live process of the job in `folder` on this machine, with the given written state; else None.

    When the clock was set, a process seems to have begun at another time; that it holds the lock of
    the job tells it then; not where the machine is called differently by now, as a copy of it may be.
    """
    started = read_worker(folder) if written.pid == 0 else None
    host = started.host if started else written.host
    if is_elsewhere(host):
        return None
    pid = started.pid if started else written.pid
    process = live_process(pid, started.started if started else written.pid_started)
    is_called_so = host in ("", machine_name())
    if process is None and pid and is_called_so and is_held(folder / LOCK):
        with suppress(psutil.Error):
            return running(psutil.Process(pid))
    return process


def detect_lost(folder: Path, written: JobState) -> JobState:
    """The state of the job in `folder`: as it is written, or `lost` where its process has ended.

    A process that lives but does not answer keeps its state; `reason` then says so. So does a job on a
    cluster, whatever is heard of it, for as long as the cluster is in use.
    """
    if not written.is_live:
        return written
    age_s = time.time() - max(written.heartbeat, written.queued_at)
    if 0 <= age_s < FRESH_S:
        return written
    configuration = load_configuration()
    timed_out = abs(age_s) >= configuration.heartbeat_lost_s  # or the clock was set back
    if written.cluster:
        is_silent = timed_out and written.state == "running"
        if configuration.runner_in_use == "local" and (is_silent or written.state == "queued"):
            reason = _(
                "It was started on a cluster, which the configuration does not use any more. Start it "
                "again here, or name the cluster again."
            )
            return written.model_copy(update={"state": "lost", "reason": reason})
        return (
            written.model_copy(update={"reason": _silent_node(written)}) if is_silent else written
        )
    started = read_worker(folder) if written.pid == 0 else None
    host = started.host if started else written.host
    if is_elsewhere(host):
        return _gone_elsewhere(written, host) if timed_out else written
    process = process_of(folder, written)
    if process is not None:
        is_silent = timed_out and written.heartbeat > 0
        return written.model_copy(update={"reason": _silence(process)}) if is_silent else written
    is_starting = written.pid == 0 and started is None
    if is_starting and not timed_out:
        return written
    reason = _("The process ended before it was done. Its log may tell why; start it again.")
    return written.model_copy(update={"state": "lost", "reason": reason})


def _silent_node(written: JobState) -> str:
    """Why a job on a cluster does not answer, as a sentence."""
    return _(
        "{node} has told nothing of it for a while. If the machine is lost, it begins again on another one "
        "by itself."
    ).format(node=written.node or written.host)


def _gone_elsewhere(written: JobState, host: str) -> JobState:
    """The state of a job on another machine that has not been heard of for too long."""
    reason = _(
        "It ran on another machine, {host}, which has told nothing of it for a while. Start it again, "
        "unless it still runs there."
    ).format(host=host.partition("/")[0])
    return written.model_copy(update={"state": "lost", "reason": reason})


def _silence(process: psutil.Process) -> str:
    """Why a live process does not answer, as a sentence."""
    try:
        is_suspended = process.status() == psutil.STATUS_STOPPED
    except psutil.Error:
        is_suspended = False
    if is_suspended:
        return _("Its process is suspended. It goes on when it is resumed, or can be ended.")
    return _(
        "Its process is there but has not answered for a while. It goes on by itself if the machine "
        "was asleep or is busy; else end it."
    )
