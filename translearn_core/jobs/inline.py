"""A runner without processes, for tests and for debugging one job.

Owns: `InlineRunner`. Use it as `with use_runner(InlineRunner(worker.work)): ...`: a job
then runs before `submit` returns, by the code of the worker, in this process. Without `work` the
job is only recorded and marked as finished, which shows what a page or a command submits.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from translearn_core.jobs.runner import end_by_force
from translearn_core.runs import Job


def finish(job: Job) -> None:
    """Mark a job as finished without running it."""
    job.update_state(state="finished", started_at=time.time(), finished_at=time.time())
    job.append_event("state", state="finished", stage="")


class InlineRunner:
    """Runs each job in this process before `submit` returns.

    Args:
        work: runs a job and leaves it in an ended state.

    Attributes:
        submitted: the jobs so far, in their order.
    """

    def __init__(self, work: Callable[[Job], object] = finish) -> None:
        self._work = work
        self.submitted: list[Job] = []

    def check(self) -> None:
        """See `Runner.check`; does nothing."""

    def submit(self, job: Job) -> None:
        """See `Runner.submit`; the job has ended when this returns."""
        self.submitted.append(job)
        self._work(job)

    def force_stop(self, job: Job) -> None:
        """See `Runner.force_stop`; only a job that was never submitted can still be live."""
        end_by_force(job)

    def warm_up(self) -> None:
        """See `Runner.warm_up`; does nothing."""
