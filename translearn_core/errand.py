"""A piece of work in a process of its own, told by a state file: the check of photos, an export.

Owns: the state file and its one writer, starting the process, hearing of a process that is gone,
the endings, and a stop that does not wait for code that never asks.
Leaves to others: the work (`feasible.py`, `exports/process.py`), who ends dead children (`jobs.py`).
Training is none: a run has a queue, events and a state of its own (`runs.py`).

Files, named by the caller: the state (`State`, replaced whole) and a request to stop, by existing.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

import psutil
from pydantic import BaseModel, ConfigDict, ValidationError

from translearn_core import jobs
from translearn_core.errors import StopRequestedError, TransLearnError
from translearn_core.files import write_atomically
from translearn_core.processes import repeated
from translearn_core.runs import live_process
from translearn_core.texts import _

logger = logging.getLogger(__name__)

POLL_S = 0.2


class State(BaseModel):
    """What a process is doing, and how it ended.

    Attributes:
        stage: what it is at, in words or by name, as its owner says.
        done, total, per_s: photos, where they are counted; 0 where they are not.
        reason: why it ended as it did, for a person.
        fingerprint: of the photos that it is about, where that matters.
        t: when this was written, in seconds since 1970.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    state: Literal["running", "finished", "failed", "stopped"]
    pid: int = 0
    pid_started: float = 0.0
    stage: str = ""
    done: int = 0
    total: int = 0
    per_s: float = 0.0
    reason: str = ""
    fingerprint: str = ""
    t: float = 0.0


def start(
    arguments: Sequence[str], *, state: Path, log: Path, stage: str = "", fingerprint: str = ""
) -> None:
    """Start a process, and write the first state for it.

    Args:
        arguments: the command.
        log: where all that it prints goes.
    """
    with log.open("wb") as output:
        process = jobs.spawn([*arguments], output)
    begun = State(
        state="running",
        pid=process.pid,
        pid_started=psutil.Process(process.pid).create_time(),
        stage=stage,
        fingerprint=fingerprint,
        t=time.time(),
    )
    write_atomically(state, begun.model_dump_json())


def read(path: Path, *, gone: str) -> State | None:
    """What a process is doing or how it ended; None before there was one.

    Args:
        gone: the reason of one that is gone without a word, which has failed.
    """
    jobs.reap()
    try:
        found = State.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
    if found.state == "running" and live_process(found.pid, found.pid_started) is None:
        return found.model_copy(update={"state": "failed", "reason": gone})
    return found


class Teller:
    """The one writer of the state while the process lives."""

    def __init__(self, path: Path, *, fingerprint: str = "") -> None:
        self._path = path
        self._lock = threading.Lock()
        self._state = State(
            state="running",
            pid=os.getpid(),
            pid_started=psutil.Process().create_time(),
            fingerprint=fingerprint,
        )

    def update(self, **changes: object) -> None:
        """Replace the state with `changes`."""
        with self._lock:
            self._state = self._state.model_copy(update={"t": time.time(), **changes})
            write_atomically(self._path, self._state.model_dump_json())

    def tell(self, stage: str) -> None:
        """A new stage; how far it is is not known yet."""
        self.update(stage=stage, done=0, total=0, per_s=0.0)

    def progress(self, done: int, total: int, per_s: float = 0.0) -> None:
        """How far the stage is."""
        self.update(done=done, total=total, per_s=per_s)


def carry_out(work: Callable[[], None], teller: Teller, *, stop: Path, failed: str) -> bool:
    """Do the work and tell every ending. True when it was done.

    Args:
        stop: the request to stop; it is cleared before its word is given, since who reads the
            word may start anew at once.
        failed: the sentence for a bug, whose details are in the log.
    """
    try:
        work()
    except StopRequestedError:
        stop.unlink(missing_ok=True)
        teller.update(state="stopped", stage="", reason=_("Stopped by request."))
    except TransLearnError as error:
        logger.exception("It failed")
        teller.update(state="failed", reason=error.message)
    except MemoryError:
        logger.exception("Out of memory")
        teller.update(state="failed", reason=_("The memory of this machine was not enough."))
    except Exception:  # a bug: the log has it, the person gets a sentence
        logger.exception("It failed unexpectedly")
        teller.update(state="failed", reason=failed)
    else:
        teller.update(state="finished", stage="")
        return True
    return False


@contextmanager
def ended_when_asked(
    stop: Path, teller: Teller, *, patience_s: float, tidy: Callable[[], None] = lambda: None
) -> Iterator[None]:
    """End this process and what it started when it is asked to stop and does not by itself.

    Args:
        patience_s: how long it may take to listen, in seconds; 0: it never does.
        tidy: removes what is half made.
    """
    asked = 0.0

    def watch() -> None:
        nonlocal asked
        if not stop.exists():
            return
        asked = asked or time.monotonic()
        if time.monotonic() - asked >= patience_s:
            _end_now(stop, teller, tidy)

    try:
        with repeated(watch, every_s=POLL_S, name="stop"):
            yield
    finally:
        stop.unlink(missing_ok=True)


def _end_now(stop: Path, teller: Teller, tidy: Callable[[], None]) -> None:
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            child.kill()
    tidy()
    with suppress(OSError):
        stop.unlink(missing_ok=True)
        teller.update(state="stopped", stage="", reason=_("Stopped by request."))
    os._exit(0)
