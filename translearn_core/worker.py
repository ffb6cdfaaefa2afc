"""The one process entry: `python -m translearn_core.worker JOB_DIR`.

Owns: which code does a job of each kind, and waiting warm for one (`-` in the place of JOB_DIR).
Leaves to others: turn, heartbeat, states and endings (`jobs/background.py`), the work itself
(`training/train.py`, `training/search.py`, `feasibility/job.py`, `export/job.py`, `features/speed_measurement.py`).
"""

from __future__ import annotations

import argparse
import logging
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from translearn_core import spaces
from translearn_core.concurrency import PRIORITY_ATTEMPTS, end_process, lower_priority
from translearn_core.config import load_configuration
from translearn_core.errors import TransLearnError
from translearn_core.graph.gpus import count_gpus
from translearn_core.graph.libraries import import_keras
from translearn_core.i18n import language
from translearn_core.jobs import launch, warm_worker
from translearn_core.jobs.background import Work, run_job
from translearn_core.jobs.look_ahead import GIVE_WAY_S, LookAheadConfig, give_way
from translearn_core.jobs.measurement import MeasureConfig
from translearn_core.jobs.queue import UNASKED, niceness_of
from translearn_core.monitor import Monitor
from translearn_core.runs import ENDED_STATES, Job, JobState, Kind, Run, study

logger = logging.getLogger(__name__)

STOP_PATIENCE_S = 3.0
"""Within so many seconds a job stops by itself, unless it is in a long step."""


@dataclass(frozen=True, kw_only=True)
class Handler:
    """How a kind of job is done.

    Attributes:
        work: does it.
        patience_s, tidy: of a process of its own, as in `run_job`; `tidy` gets the job.
        get_ready: what it may do in a process of its own as soon as it is the next one.
        on_gpu: whether it may use a GPU.
    """

    work: Work
    patience_s: float = STOP_PATIENCE_S
    tidy: Callable[[Job], None] = lambda _job: None
    get_ready: Callable[[], None] | None = None
    on_gpu: bool = True


def _train(job: Job, monitor: Monitor) -> bool:
    from translearn_core.training.train import train

    return train(Run(job.folder), monitor)


def _search(job: Job, monitor: Monitor) -> bool:
    from translearn_core.training.search import search

    return search(Run(job.folder), monitor, _train_within)


def _trials(job: Job, monitor: Monitor) -> bool:
    from translearn_core.training.search import help_search

    return help_search(job.read_config(study.TrialsConfig), monitor)


def _train_within(run: Run) -> bool:
    """Train a run that another job needs, in its turn and process. Whether there is a result."""
    return _left_a_result(run, run_job(run, _train, in_turn=False))


def _measure(job: Job, _monitor: Monitor) -> bool:
    backbone = job.read_config(MeasureConfig).backbone  # before Keras is imported for nothing
    from translearn_core.features.speed_measurement import measure_speed

    measure_speed(backbone)
    return True


def _look(job: Job, monitor: Monitor) -> bool:
    from translearn_core.training.look_ahead import look_ahead

    look_ahead(Path(job.read_config(LookAheadConfig).dataset), monitor)
    return True


def _check(job: Job, monitor: Monitor) -> bool:
    from translearn_core.feasibility import job as check_job

    return check_job.work(job, monitor)


def _sort(job: Job, monitor: Monitor) -> bool:
    from translearn_core.sorting import job as sort_job

    return sort_job.work(job, monitor)


def _export(job: Job, monitor: Monitor) -> bool:
    from translearn_core.export import job as export_job

    return export_job.work(job, monitor)


def _tidy_export(job: Job) -> None:
    from translearn_core.export import job as export_job

    export_job.tidy(job)


def _import_training() -> Callable[[], None]:
    """Import all that training needs: seconds, and 300 MB. Returns what rehearses it."""
    import_keras()
    from translearn_core.fitting import fit
    from translearn_core.training import train

    logger.info("%s and %s are imported", fit.__name__, train.__name__)
    return fit.rehearse


def _get_ready() -> None:
    """Import that where configuration and memory allow it now: those that wait may have begun to when
    there was more memory."""
    if warm_worker.is_allowed():
        _import_training()


HANDLERS: dict[Kind, Handler] = {
    "train": Handler(work=_train, get_ready=_get_ready),
    "search": Handler(work=_search, get_ready=_get_ready),
    "trials": Handler(work=_trials),
    "measure": Handler(work=_measure),
    "check": Handler(work=_check),
    "sort": Handler(work=_sort),
    # no converter heeds a stop; a GPU belongs to the run that has its turn
    "export": Handler(work=_export, patience_s=0.0, tidy=_tidy_export, on_gpu=False),
    "look": Handler(work=_look, patience_s=GIVE_WAY_S, on_gpu=False),
}
"""How each kind is done. What that needs is imported when its turn has come, or is near: a class may have
thirty processes that wait."""


def work(job: Job, *, own_process: bool = False, token: str = "") -> bool:
    """Wait a job's turn, do it, and leave its folder in an ended state.

    Args:
        own_process: whether this process is for this job alone, and may be ended with it.
        token: of its placement on a cluster, which has waited its turn already.

    Returns:
        Whether it finished, or was stopped with a result.
    """
    handler = HANDLERS[job.kind]
    if own_process and not handler.on_gpu:
        os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    if own_process and not token:
        lower_priority(niceness_of(job.kind), attempts=PRIORITY_ATTEMPTS)
    if job.kind not in UNASKED and not token:
        give_way()
    ended = run_job(
        job,
        handler.work,
        patience_s=handler.patience_s,
        own_process=own_process,
        tidy=lambda: handler.tidy(job),
        in_turn=not token,
        token=token,
        when_next=handler.get_ready if own_process else None,
    )
    return _left_a_result(job, ended)


def _left_a_result(job: Job, ended: JobState) -> bool:
    if ended.state != "stopped":
        return ended.state == "finished"
    run = Run(job.folder)
    return run.has_result or study.read_result(run) is not None


def _stand_by() -> Path | None:
    """Import all that training needs, then wait for a job; its log takes over from here.

    Returns None when none came.
    """
    rehearse = _import_training()
    if not count_gpus():  # a GPU belongs to the run that has its turn
        rehearse()
    logger.info("Waiting")
    folder = warm_worker.wait_for_job(load_configuration().standby_idle_s)
    if folder is None:
        return None
    spaces.act_for(Path(folder))
    log = Job(folder).log_path.open("ab")
    for stream in (1, 2):
        os.dup2(log.fileno(), stream)
    return Path(folder)


def end_with(pid: int) -> None:
    """End this process as soon as another one has ended: a worker on a cluster with what stands for it
    there, since nobody could end it any more."""

    def watch() -> None:
        with suppress(psutil.Error):
            psutil.Process(pid).wait()
        launch.end_children()
        os._exit(0)

    threading.Thread(target=watch, name="with", daemon=True).start()


def main(arguments: list[str] | None = None) -> int:
    """Entry of the process. Returns the exit code: 0 when the thing was done."""
    parser = argparse.ArgumentParser(prog="python -m translearn_core.worker")
    parser.add_argument(
        "job_dir", metavar="JOB_DIR", help="a job folder, or -: wait for one on standard input"
    )
    parser.add_argument("--placed", metavar="TOKEN", default="", help="its placement on a cluster")
    parser.add_argument(
        "--with", metavar="PID", type=int, default=0, dest="beside", help="ends with this process"
    )
    options = parser.parse_args(arguments)
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    folder = _stand_by() if options.job_dir == "-" else Path(options.job_dir)
    if folder is None:
        return 0
    spaces.act_for(folder)
    job = Job(folder)
    language.set_of_process(job.written_state.language)
    if job.written_state.state in ENDED_STATES:
        logger.info("The job has ended already")
        return 0
    if options.beside:
        end_with(options.beside)
    try:
        return 0 if work(job, own_process=True, token=options.placed) else 1
    except TransLearnError as error:  # its folder does not say what is to be done
        logger.error("%s", error.message)
        return 2


if __name__ == "__main__":
    end_process(main())
