"""The process in which an export is made, so that neither the page nor its server does heavy work.

Owns: starting it, what it tells while it works, stopping it, and its whole life.
Leaves to others: making the export (`make.py`), the state file and the endings (`errand.py`).

Files, in `<run>/exports/`, for each format, beside those that `export.py` names:
    <format>.state.json  what the process is doing, and how it ended: `State`
    <format>.stop        a request to stop, by existing
    <format>.log.txt     of the process (`export.log_path`)
Of all exports of a workspace one is made at a time: a conversion takes much memory.
Imports nothing heavy: pages read states.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from translearn_core import errand, export
from translearn_core.config import home
from translearn_core.errand import State, Teller
from translearn_core.errors import InputError, StorageError
from translearn_core.export import Format
from translearn_core.runs import Run
from translearn_core.texts import _


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
        errand.start(
            [*arguments, "--export", row.name],
            state=_file(run, row, "state.json"),
            log=export.log_path(run, row),
            stage=_("Starting"),
        )
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
    gone = _("The export ended before it was done. Try again; its log may tell why.")
    return errand.read(_file(run, row, "state.json"), gone=gone)


def request_stop(run: Run, row: Format) -> None:
    """Ask the process to end; it does within a second, and nothing of the export is kept."""
    with suppress(OSError):
        _file(run, row, "stop").touch()


def work(run: Run, name: str) -> bool:
    """The life of the process: make the export, and tell every ending. True when there is one."""
    row = export.get_format(name)
    export.folder_of(run).mkdir(exist_ok=True)
    teller, stop = Teller(_file(run, row, "state.json")), _file(run, row, "stop")
    teller.tell(_("Starting"))

    def tidy() -> None:
        for left in export.folder_of(run).glob(f".{row.name}-*"):
            shutil.rmtree(left, ignore_errors=True)

    def make() -> None:
        from translearn_core.exports.make import Watch, make_export

        make_export(run, row, Watch(tell=teller.tell, progress=teller.progress))

    # no converter listens: a stop ends the process at once
    with errand.ended_when_asked(stop, teller, patience_s=0, tidy=tidy), _my_turn(teller):
        failed = _("Something unexpected went wrong. The log of this export has the details.")
        return errand.carry_out(make, teller, stop=stop, failed=failed)


@contextmanager
def _my_turn(teller: Teller) -> Iterator[None]:
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
                teller.tell(_("Waiting for another export to finish"))
            told = True
            time.sleep(errand.POLL_S)
    with lock:
        yield
