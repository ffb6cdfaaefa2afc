"""The process in which an export is made, so that neither the page nor its server does heavy work.

Owns: starting it, what it tells while it works, stopping it, and its whole life.
Leaves to others: making the export (`make.py`).

Files, in `<run>/exports/`, for each format, beside those that `export.py` names:
    <format>.state.json  what the process is doing, and how it ended: `State`
    <format>.stop        a request to stop, by existing
    <format>.log.txt     of the process (`export.log_path`)
Of all exports of a workspace one is made at a time: a conversion takes much memory.
Imports nothing heavy: pages read states.
"""

from __future__ import annotations

import logging
import os
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

import psutil
from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, ValidationError

from translearn_core import export, jobs
from translearn_core.config import home
from translearn_core.errors import InputError, StopRequestedError, StorageError, TransLearnError
from translearn_core.export import Format
from translearn_core.files import write_atomically
from translearn_core.runs import Run, live_process
from translearn_core.texts import _

logger = logging.getLogger(__name__)

POLL_S = 0.2


class State(BaseModel):
    """What the process is doing. `stage` is in words; `done` of `total` photos."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    state: Literal["running", "finished", "failed", "stopped"]
    pid: int = 0
    pid_started: float = 0.0
    stage: str = ""
    done: int = 0
    total: int = 0
    reason: str = ""
    t: float = 0.0


def _file(run: Run, row: Format, ending: str) -> Path:
    return export.folder_of(run) / f"{row.name}.{ending}"


def start(run: Run, row: Format) -> None:
    """Start the process that makes an export, unless one is at it or the export is there.

    Raises:
        RunError, InputError: it could not be made; nothing was started.
        StorageError: the disk is full.
    """
    export.check_model(run)
    if export.read(run, row) is not None:
        return
    reason = export.obstacle(run, row)
    if reason:
        raise InputError(reason)
    now = state(run, row)
    if now is not None and now.state == "running":
        return
    try:
        export.folder_of(run).mkdir(exist_ok=True)
        _file(run, row, "stop").unlink(missing_ok=True)
        arguments = [sys.executable, "-m", "translearn_core.worker", str(run.folder)]
        with export.log_path(run, row).open("wb") as log:
            process = jobs._spawn([*arguments, "--export", row.name], log)
        begun = State(
            state="running",
            pid=process.pid,
            pid_started=psutil.Process(process.pid).create_time(),
            stage=_("Starting"),
            t=time.time(),
        )
        write_atomically(_file(run, row, "state.json"), begun.model_dump_json())
    except OSError as error:
        raise StorageError(
            _("The export cannot be begun: {cause}. Make room and try again.").format(
                cause=error.strerror or error
            )
        ) from error


def state(run: Run, row: Format) -> State | None:
    """What the process is doing or how it ended; None before there was one.

    A process that is gone without a word has failed.
    """
    jobs.reap()
    try:
        found = State.model_validate_json(_file(run, row, "state.json").read_bytes())
    except (OSError, ValidationError):
        return None
    if found.state == "running" and live_process(found.pid, found.pid_started) is None:
        reason = _("The export ended before it was done. Try again; its log may tell why.")
        return found.model_copy(update={"state": "failed", "reason": reason})
    return found


def request_stop(run: Run, row: Format) -> None:
    """Ask the process to end; it does within a second, and nothing of the export is kept."""
    with suppress(OSError):
        _file(run, row, "stop").touch()


class _StateWriter:
    """The one writer of the state while the process lives."""

    def __init__(self, run: Run, row: Format) -> None:
        self._path = _file(run, row, "state.json")
        self._lock = threading.Lock()
        self._state = State(
            state="running", pid=os.getpid(), pid_started=psutil.Process().create_time()
        )

    def update(self, **changes: object) -> None:
        """Replace the state with `changes`."""
        with self._lock:
            self._state = self._state.model_copy(update={"t": time.time(), **changes})
            write_atomically(self._path, self._state.model_dump_json())

    def tell(self, words: str) -> None:
        """A new stage; how far it is is not known yet."""
        self.update(stage=words, done=0, total=0)

    def progress(self, done: int, total: int) -> None:
        """How far the stage is."""
        self.update(done=done, total=total)


def work(run: Run, name: str) -> bool:
    """The life of the process: make the export, and tell every ending. True when there is one."""
    row = export.get_format(name)
    export.folder_of(run).mkdir(exist_ok=True)
    writer = _StateWriter(run, row)
    writer.tell(_("Starting"))
    with _stopping_at_once(run, row, writer), _my_turn(writer):
        return _work(run, row, writer)


def _work(run: Run, row: Format, writer: _StateWriter) -> bool:
    from translearn_core.exports.make import Watch, make_export

    try:
        make_export(run, row, Watch(tell=writer.tell, progress=writer.progress))
    except StopRequestedError:
        writer.update(state="stopped", reason=_("Stopped by request."))
    except TransLearnError as error:
        logger.exception("The export failed")
        writer.update(state="failed", reason=error.message)
    except MemoryError:
        logger.exception("Out of memory")
        writer.update(state="failed", reason=_("The memory of this machine was not enough."))
    except Exception:  # a bug: the log has it, the person gets a sentence
        logger.exception("The export failed unexpectedly")
        reason = _("Something unexpected went wrong. The log of this export has the details.")
        writer.update(state="failed", reason=reason)
    else:
        writer.update(state="finished", stage="")
        return True
    return False


@contextmanager
def _my_turn(writer: _StateWriter) -> Iterator[None]:
    """Wait until no other export of this workspace is being made."""
    folder = home() / "slots"
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / "export.lock")
    told = False
    while True:
        try:
            lock.acquire(timeout=0)
            break
        except Timeout:
            if not told:
                writer.tell(_("Waiting for another export to finish"))
            told = True
            time.sleep(POLL_S)
    with lock:
        yield


@contextmanager
def _stopping_at_once(run: Run, row: Format, writer: _StateWriter) -> Iterator[None]:
    """End this process and what it started as soon as it is asked to: no converter listens."""
    stop = _file(run, row, "stop")
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(POLL_S):
            if stop.exists():
                for child in psutil.Process().children(recursive=True):
                    with suppress(psutil.Error):
                        child.kill()
                for left in export.folder_of(run).glob(f".{row.name}-*"):
                    shutil.rmtree(left, ignore_errors=True)
                with suppress(OSError):
                    writer.update(state="stopped", stage="", reason=_("Stopped by request."))
                    stop.unlink(missing_ok=True)
                os._exit(0)

    thread = threading.Thread(target=watch, name="stop", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        stop.unlink(missing_ok=True)
