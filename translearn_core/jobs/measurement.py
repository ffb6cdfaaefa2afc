"""The job that measures this machine's speed for a backbone.

Owns: starting it, and whether it runs.
Leaves to others: the measurement (`features/speed_measurement.py`), the figures (`features/costs.py`).

Folder: `<workspace>/cache/measure/<backbone>/`.
"""

from __future__ import annotations

import time

from translearn_core import spaces
from translearn_core.jobs.launch import reap
from translearn_core.jobs.runner import current_runner
from translearn_core.runs import Job, JobConfig, Kind


class MeasureConfig(JobConfig):
    """Which backbone is to be measured."""

    kind: Kind = "measure"
    backbone: str


def measure(backbone_name: str) -> None:
    """Start the process that measures this machine's speed, unless it runs already."""
    if is_measuring(backbone_name):
        return
    job = _job_of(backbone_name)
    job.begin(MeasureConfig(created=time.time(), backbone=backbone_name))
    current_runner().submit(job)


def is_measuring(backbone_name: str) -> bool:
    """Whether a process is measuring this backbone now."""
    reap()
    job = _job_of(backbone_name)
    return job.state_path.is_file() and job.state.is_live


def _job_of(backbone_name: str) -> Job:
    with spaces.everywhere():  # what a machine takes is nobody's own
        return Job(spaces.root() / "cache" / "measure" / backbone_name)
