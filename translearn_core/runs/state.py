"""The state of a job: the model of `state.json`, and detecting a dead process.

Owns: `JobState`, reading and writing it, detecting whether a process is alive.
Leaves to others: who writes it (the submitter before a worker exists, then `jobs/background.py`).

States: queued -> running -> finished | stopped | failed | lost. `lost` is never written: it is
derived from the heartbeat and the process.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Literal

import psutil
from pydantic import BaseModel, ConfigDict, ValidationError

from translearn_core.atomic import write_atomically
from translearn_core.config import load_configuration
from translearn_core.i18n import _

SCHEMA = 1
StateName = Literal["queued", "running", "finished", "stopped", "failed", "lost"]
LIVE_STATES = frozenset({"queued", "running"})
ENDED_STATES = frozenset({"finished", "stopped", "failed", "lost"})
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
    heartbeat: float = 0.0
    queued_at: float = 0.0
    started_at: float = 0.0
    finished_at: float = 0.0
    device: str = ""
    memory_bytes: int = 0
    fingerprint: str = ""
    """Of the photos that a check is about."""

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
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.Error:
        return None


def read_state(path: Path) -> JobState:
    """The content of a state file; a new state where there is none.

    Raises:
        ValidationError: it cannot be read.
    """
    for attempt in range(5):
        try:
            return JobState.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return JobState()
        except (PermissionError, ValidationError):  # Windows: being replaced just now
            if attempt == 4:
                raise
            time.sleep(0.02)
    raise AssertionError("unreachable")


def write_state(path: Path, state: JobState) -> None:
    """Replace a state file in one step."""
    write_atomically(path, state.model_dump_json(indent=1))


def detect_lost(written: JobState) -> JobState:
    """The same state, or `lost` where its process is dead or its heartbeat too old."""
    if not written.is_live:
        return written
    age_s = time.time() - max(written.heartbeat, written.queued_at)
    if age_s < FRESH_S:
        return written
    timed_out = age_s >= load_configuration().heartbeat_lost_s
    if written.pid == 0:  # the worker is starting
        lost = timed_out
    else:  # checks of 0.1 have no heartbeat
        alive = live_process(written.pid, written.pid_started) is not None
        lost = not alive or (timed_out and written.heartbeat > 0)
    if not lost:
        return written
    reason = _("The process ended before it was done. Its log may tell why; start it again.")
    return written.model_copy(update={"state": "lost", "reason": reason})
