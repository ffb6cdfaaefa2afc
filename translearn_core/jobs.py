"""Who runs a worker: starts, ends and orders the processes that train.

Owns: submitting a run, the queue (without a daemon: queued workers wait their turn by the
clock of their runs, for a file lock per slot), ending a run by force, and starting the small
process that measures this machine's speed.
Leaves to others: what a worker does (`worker.py`), the files of a run (`runs.py`).
Imports no TensorFlow: the web process uses this module.

File: `<workspace>/slots/<n>.lock`.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import psutil
from filelock import FileLock, Timeout

from translearn_core import datasets, runs, standby, study
from translearn_core.config import Settings, home, load_configuration
from translearn_core.datasets import Dataset
from translearn_core.engine import count_gpus
from translearn_core.errors import SettingsError
from translearn_core.files import write_atomically
from translearn_core.processes import import_path
from translearn_core.resolve import resolve
from translearn_core.runs import Run
from translearn_core.texts import _

logger = logging.getLogger(__name__)

_children: list[subprocess.Popen[bytes]] = []


class Runner(Protocol):
    """Where workers run. One seam: local processes here, other machines later."""

    def submit(self, run: Run) -> None:
        """Start a worker for a queued run and return at once."""
        ...

    def force_stop(self, run: Run) -> None:
        """End the worker now."""
        ...


class LocalRunner:
    """Workers are processes of this machine that outlive the server that started them."""

    def submit(self, run: Run) -> None:
        """See `Runner.submit`."""
        if standby.hand_over(run):
            return
        arguments = [sys.executable, "-m", "translearn_core.worker", str(run.folder)]
        with (run.folder / "log.txt").open("ab") as log:
            spawn(arguments, log)  # the worker writes its own pid: one writer at a time

    def force_stop(self, run: Run) -> None:
        """See `Runner.force_stop`. Ends the worker and what it started, if it is still that one."""
        if run.written_state.state not in runs.LIVE_STATES:
            return
        process = run.process()
        if process is not None:
            _end_tree(process)
        if run.written_state.state in runs.LIVE_STATES:
            run.update_state(
                state="stopped", reason=_("Ended at once, by request."), finished_at=time.time()
            )
            run.append_event("state", state="stopped", stage="")


def spawn(
    arguments: list[str], log: Any, *, stdin: int = subprocess.DEVNULL
) -> subprocess.Popen[bytes]:
    """Start a process that survives this one, with the package importable from anywhere."""
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
    _children.append(process)
    reap()
    return process


def reap() -> None:
    """Collect children that have ended, so that none stays behind as a zombie."""
    _children[:] = [child for child in _children if child.poll() is None]


def _started(pid: int) -> float:
    try:
        return psutil.Process(pid).create_time()
    except psutil.Error:
        return 0.0


def _end_tree(process: psutil.Process) -> None:
    """End a process and all it started; ask first, then insist."""
    try:
        family = [*process.children(recursive=True), process]
    except psutil.NoSuchProcess:
        return
    for member in family:
        _quietly(member.terminate)
    _gone, alive = psutil.wait_procs(family, timeout=2.0)
    for member in alive:
        _quietly(member.kill)
    psutil.wait_procs(alive, timeout=2.0)
    reap()


def _quietly(act: Any) -> None:
    try:
        act()
    except psutil.NoSuchProcess:
        return


_local = LocalRunner()


def runner() -> Runner:
    """Who runs workers in this installation."""
    return _local


def start(dataset: Dataset, settings: Settings, *, name: str = "") -> Run:
    """Check that a run can be made, make it and hand it to a worker. What the Train button does.

    Raises:
        SourceError: the data set cannot be trained.
        SettingsError: a setting does not fit the backbone.
        WeightsError: the backbone's weights are not on this machine.
    """
    run = make_run(dataset, settings, name=name)
    submit(run)
    return run


def make_run(
    dataset: Dataset,
    settings: Settings,
    *,
    name: str = "",
    folder: Path | None = None,
    import_s: float = 0.0,
) -> Run:
    """Check that a run of these photos can be made, and make it; nothing trains yet.

    Args:
        folder, import_s: as in `runs.create_run`.

    Raises:
        SourceError, SettingsError, WeightsError: as in `start`.
        RunError: `folder` already holds something.
    """
    return runs.create_run(
        dataset.folder,
        resolve(settings, dataset).settings,
        dataset_name=dataset.name,
        fingerprint=dataset.fingerprint,
        name=name,
        folder=folder,
        import_s=import_s,
    )


def create_study(
    dataset: Dataset, *, minutes: float, settings: Settings, import_s: float = 0.0
) -> Run:
    """Make the folder of a search, queued; nothing is tried yet.

    Args:
        minutes: how long it may take, the last trainings included.
        settings: what it begins with and has to beat.

    Raises:
        SettingsError: minutes out of range, or settings that do not fit.
    """
    if not study.LEAST_MINUTES <= minutes <= study.MOST_MINUTES:
        raise SettingsError(
            _(
                "The search may take from {least} to {most:.0f} minutes. Received: {minutes}."
            ).format(least=study.LEAST_MINUTES, most=study.MOST_MINUTES, minutes=minutes)
        )
    folder = study.folder_of_studies() / runs.new_id(time.time())
    run = make_run(dataset, settings, folder=folder, import_s=import_s)
    plan = study.StudyPlan(minutes=minutes)
    write_atomically(run.folder / "study.json", plan.model_dump_json(indent=1))
    return run


def start_again(run: Run) -> Run:
    """A new run with the data set and settings of `run`."""
    dataset = datasets.open_dataset(Path(run.config.dataset))
    return start(dataset, run.config.settings, name=run.config.name)


def submit(run: Run) -> None:
    """Start a worker for a queued run and return at once."""
    runner().submit(run)


def warm_up() -> None:
    """Have a worker waiting with TensorFlow imported: somebody is likely to train soon."""
    reap()
    if not standby.is_waiting() and not any(_is_running(run) for run in runs.list_runs()):
        standby.warm_up(spawn)


def force_stop(run: Run) -> None:
    """End a run now; what it has not saved is lost."""
    runner().force_stop(run)


def place_in_queue(run: Run) -> int:
    """How many runs and searches this one waits for: 0 when it is running or about to."""
    if run.state.state != "queued":
        return 0
    waiting = [other.folder for other in queue(run.folder.parent)]
    before = waiting.index(run.folder) if run.folder in waiting else 0
    folders = {run.folder.parent} | {home() / name for name in ("runs", "studies")}
    running = sum(_is_running(other) for folder in folders for other in runs.list_runs(folder))
    return before + running


def queue(folder: Path | None = None) -> list[Run]:
    """The runs that wait, first come first served."""
    waiting = [run for run in runs.list_runs(folder) if run.state.state == "queued"]
    return sorted(waiting, key=lambda run: (run.config.created, run.id))


def _is_running(run: Run) -> bool:
    return run.state.state == "running"


def count_slots() -> int:
    """How many runs may train at a time: as configured, else one per GPU, or one."""
    return load_configuration().slots or max(1, count_gpus())


@contextmanager
def take_slot(run: Run, *, poll_s: float = 0.3) -> Iterator[int | None]:
    """Wait this run's turn and hold a slot.

    Yields:
        The slot's number, or None when the run was asked to stop while it waited.
    """
    folder = home() / "slots"
    folder.mkdir(parents=True, exist_ok=True)
    lock, slot = None, None
    while lock is None and not run.stop_requested:
        if _is_my_turn(run):
            lock, slot = _try_slots(folder)
        if lock is None:
            time.sleep(poll_s)
    try:
        yield slot
    finally:
        if lock is not None:
            lock.release()


def _is_my_turn(run: Run) -> bool:
    """Whether no run of the same folder has waited longer; a run elsewhere takes what is free."""
    waiting = queue(run.folder.parent)
    before = [other.folder for other in waiting]
    return run.folder not in before or before.index(run.folder) < count_slots()


def _try_slots(folder: Path) -> tuple[FileLock | None, int | None]:
    for slot in range(count_slots()):
        lock = FileLock(folder / f"{slot}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            continue
        return lock, slot
    return None, None


def measure(backbone_name: str) -> None:
    """Start the process that measures this machine's speed for a backbone, unless one is at it."""
    folder = home() / "cache"
    folder.mkdir(parents=True, exist_ok=True)
    if is_measuring(backbone_name):
        return
    arguments = [sys.executable, "-m", "translearn_core.worker", "--measure", backbone_name]
    with (folder / "measure.log").open("ab") as log:
        process = spawn(arguments, log)
    mark = {"pid": process.pid, "pid_started": _started(process.pid)}
    write_atomically(_measuring_mark(backbone_name), json.dumps(mark))


def is_measuring(backbone_name: str) -> bool:
    """Whether a process is measuring this backbone now."""
    reap()
    try:
        mark = json.loads(_measuring_mark(backbone_name).read_text(encoding="utf-8"))
        started = float(mark["pid_started"])
        return abs(psutil.Process(mark["pid"]).create_time() - started) < 1.0
    except (OSError, ValueError, psutil.Error):
        return False


def _measuring_mark(backbone_name: str) -> Path:
    return home() / "cache" / f"measuring-{backbone_name}.json"
