"""The one process entry: `python -m translearn_core.worker RUN_DIR`.

Owns: a worker's life: its turn in the queue, heartbeat, states, log, and how every ending is
told. A folder of a search (`study.py`) is searched instead of trained.
`--measure BACKBONE` measures this machine's speed instead, `--feasible DATASET_DIR` checks
whether a data set can be told apart (`feasible.py`), `RUN_DIR --export FORMAT` makes an export
(`exports/`).
Leaves to others: the training itself (`train.py`).
"""

from __future__ import annotations

import argparse
import logging
import os
import threading
import time
from contextlib import AbstractContextManager
from pathlib import Path

import psutil

from translearn_core import jobs, standby, study
from translearn_core.config import load_configuration
from translearn_core.engine import count_gpus, import_keras
from translearn_core.errors import StopRequestedError, TransLearnError
from translearn_core.processes import end_process, repeated
from translearn_core.run_monitor import RunMonitor
from translearn_core.runs import ENDED_STATES, Run
from translearn_core.texts import _

logger = logging.getLogger(__name__)

HEARTBEAT_S = 2.0


class StateWriter:
    """The one writer of a run's state.json while its worker lives."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._lock = threading.Lock()

    def update(self, **changes: object) -> None:
        """Replace the state with `changes` and a fresh heartbeat."""
        with self._lock:
            memory = psutil.Process().memory_info().rss
            self._run.update_state(**{"heartbeat": time.time(), "memory_bytes": memory, **changes})

    def enter(self, state: str, stage: str = "", **changes: object) -> None:
        """Go to a state and stage, and say so in the events."""
        self.update(state=state, stage=stage, **changes)
        self._run.append_event("state", state=state, stage=stage)


def _heartbeat(writer: StateWriter) -> AbstractContextManager[None]:
    def beat() -> None:
        try:
            writer.update()
        except OSError:  # a full disk must not kill the heartbeat
            logger.exception("The heartbeat could not be written")

    return repeated(beat, every_s=HEARTBEAT_S, name="heartbeat")


def work(run: Run) -> bool:
    """Wait this run's turn, train it, and leave its folder in a final state.

    Returns:
        Whether the run finished, or was stopped with a result.
    """
    writer = StateWriter(run)
    process = psutil.Process()
    writer.update(pid=process.pid, pid_started=process.create_time())
    with _heartbeat(writer), jobs.take_slot(run) as slot:
        if slot is None:
            _end(run, writer, "stopped", _("Stopped before it began."))
            return False
        if count_gpus():
            os.environ.setdefault("CUDA_VISIBLE_DEVICES", str(slot % count_gpus()))
        writer.enter("running", "start", started_at=time.time())
        return _train(run, writer)


def _train(run: Run, writer: StateWriter) -> bool:
    """Train and tell every ending: finished, stopped, or failed with a reason for a person."""
    monitor = RunMonitor(run, writer)
    try:
        if study.is_study(run):
            from translearn_core.tuning import search

            finished = search(run, monitor, _train_within)
        else:
            from translearn_core.train import train

            finished = train(run, monitor)
    except StopRequestedError:
        reason = _(
            "Stopped, as you asked, before there was a result. Photos and settings are kept."
        )
        _end(run, writer, "stopped", reason)
    except TransLearnError as error:
        logger.exception("The run failed")
        _fail(run, writer, error.message)
    except MemoryError:
        logger.exception("Out of memory")
        _fail(run, writer, _("The memory of this machine was not enough. Choose smaller photos."))
    except KeyboardInterrupt:
        _end(run, writer, "stopped", _("Ended at once, by request."))
    except Exception:  # a bug: the log has it, the person gets a sentence
        logger.exception("The run failed unexpectedly")
        reason = _("Something unexpected went wrong. The log of this run has the details.")
        _fail(run, writer, reason)
    else:
        reason = "" if finished else _("Stopped by request.")
        _end(run, writer, "finished" if finished else "stopped", reason)
        return run.has_result or study.read_result(run) is not None
    return False


def _train_within(run: Run) -> bool:
    """Train a run that another piece of work needs, in its turn and process."""
    writer = StateWriter(run)
    process = psutil.Process()
    writer.update(pid=process.pid, pid_started=process.create_time(), started_at=time.time())
    with _heartbeat(writer):
        return _train(run, writer)


def _fail(run: Run, writer: StateWriter, reason: str) -> None:
    run.append_event("error", text=reason)
    _end(run, writer, "failed", reason)


def _end(run: Run, writer: StateWriter, state: str, reason: str) -> None:
    writer.enter(state, "", reason=reason, finished_at=time.time())


def _stand_by() -> Path | None:
    """Import all that training needs, then wait for a run; its log takes over from here.

    Returns None when none came.
    """
    import_keras()
    from translearn_core import fitting, train

    if not count_gpus():  # a GPU belongs to the run that has its turn
        fitting.rehearse()
    logger.info("Waiting, with %s imported", train.__name__)
    folder = standby.wait_for_run(load_configuration().standby_idle_s)
    if folder is None:
        return None
    log = (Path(folder) / "log.txt").open("ab")
    for stream in (1, 2):
        os.dup2(log.fileno(), stream)
    return Path(folder)


def main(arguments: list[str] | None = None) -> int:
    """Entry of the process. Returns the exit code: 0 when the thing was done."""
    parser = argparse.ArgumentParser(prog="python -m translearn_core.worker")
    parser.add_argument("run_dir", nargs="?", type=Path)
    parser.add_argument("--measure", metavar="BACKBONE")
    parser.add_argument("--feasible", metavar="DATASET_DIR", type=Path)
    parser.add_argument("--backbone", default="", help="for --feasible")
    parser.add_argument("--seed", type=int, default=0, help="for --feasible")
    parser.add_argument("--export", metavar="FORMAT", default="")
    parser.add_argument("--standby", action="store_true")
    options = parser.parse_args(arguments)
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    if options.measure:
        from translearn_core.speed import measure_speed

        measure_speed(options.measure)
        return 0
    if options.feasible:
        from translearn_core import feasible

        done = feasible.work(options.feasible, backbone=options.backbone, seed=options.seed)
        return 0 if done else 1
    if options.export and options.run_dir is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = "-1"  # a GPU belongs to the run that has its turn
        from translearn_core.exports import process

        return 0 if process.work(Run(options.run_dir), options.export) else 1
    folder = _stand_by() if options.standby else options.run_dir
    if folder is None:
        if options.standby:
            return 0
        parser.error("name a run folder")
    run = Run(folder)
    if run.written_state.state in ENDED_STATES:
        logger.info("The run has ended already")
        return 0
    return 0 if work(run) else 1


if __name__ == "__main__":
    end_process(main())
