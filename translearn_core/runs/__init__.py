"""Job folders and run folders: what page, worker, command line and cluster share.

Owns: the files of a job (`job.py`, `state.py`, `events.py`), and those of a run, which is a job with
a data set, settings and a model (`run.py`).
Leaves to others: who does the work and when (`jobs/`), and the work itself.
"""

from translearn_core.runs.job import Job, JobConfig, Kind, list_jobs
from translearn_core.runs.run import (
    Run,
    RunConfig,
    check_free,
    create_run,
    delete_run,
    list_runs,
    list_unreadable_runs,
    new_id,
)
from translearn_core.runs.state import (
    ENDED_STATES,
    LIVE_STATES,
    SCHEMA,
    JobState,
    StateName,
    live_process,
)

__all__ = [
    "ENDED_STATES",
    "LIVE_STATES",
    "SCHEMA",
    "Job",
    "JobConfig",
    "JobState",
    "Kind",
    "Run",
    "RunConfig",
    "StateName",
    "check_free",
    "create_run",
    "delete_run",
    "list_jobs",
    "list_runs",
    "list_unreadable_runs",
    "live_process",
    "new_id",
]
