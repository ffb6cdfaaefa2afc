"""A worker that learns nothing: `python -m tests.support.pretend_worker JOB_DIR --placed TOKEN --with PID`.

It has the turn, heartbeat, stop and endings of the real one, and works for as long as its run is called
(`name`, in seconds), or until a file `go` lies in its folder where that is called `wait`. A helper of a
search helps until it is stopped.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from translearn_core.jobs.background import run_job
from translearn_core.monitor import Monitor
from translearn_core.runs import Job, Run
from translearn_core.worker import end_with


def work(job: Job, monitor: Monitor) -> bool:
    """Wait as long as the run is called, and leave a file that says so."""
    name = "wait" if job.kind == "trials" else Run(job.folder).config.name
    monitor.stage("search" if job.kind == "search" else "head")
    until = time.monotonic() + (60.0 if name == "wait" else float(name))
    while time.monotonic() < until and not (job.folder / "go").exists():
        monitor.check_stop()
        time.sleep(0.05)
    with (job.folder / "done").open("a") as file:
        file.write("done\n")
    return True


def main() -> int:
    """Entry of the process."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--placed")
    parser.add_argument("--with", type=int, dest="beside")
    options = parser.parse_args()
    end_with(options.beside)
    ended = run_job(Job(options.folder), work, in_turn=False, token=options.placed)
    return 0 if ended.state == "finished" else 1


if __name__ == "__main__":
    sys.exit(main())
