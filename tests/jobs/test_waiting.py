"""Waiting costs next to nothing, however many runs there are."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from translearn_core import runs
from translearn_core.jobs.queue import RESCAN_S, LiveJobs, waiting_jobs
from translearn_core.runs import Job
from translearn_core.settings import Settings


@pytest.fixture
def crowd(workspace: Path) -> Path:
    """Three hundred ended runs."""
    first = runs.create_run(Path("photos"), Settings())
    first.update_state(state="finished")
    for number in range(299):
        shutil.copytree(first.folder, first.folder.with_name(f"{first.id}-{number}"))
    return first.folder.parent


def test_a_waiting_job_reads_the_live_ones_only(
    crowd: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (runs.create_run(Path("photos"), Settings()) for _n in range(2))
    jobs = LiveJobs(crowd)
    assert jobs.waiting() == [first, second]
    read: list[str] = []
    written_state = Job.written_state.fget
    assert written_state is not None

    def watched(job: Job) -> object:
        read.append(job.id)
        return written_state(job)

    monkeypatch.setattr(Job, "written_state", property(watched))
    assert jobs.waiting() == [first, second]
    assert set(read) == {first.id, second.id}
    read.clear()
    waiting_jobs(crowd)
    assert len(read) == 302, "who asks once looks at all"


def test_who_comes_and_goes_is_noticed(crowd: Path) -> None:
    first = runs.create_run(Path("photos"), Settings())
    jobs = LiveJobs(crowd)
    assert jobs.waiting() == [first]
    second = runs.create_run(Path("photos"), Settings())
    assert jobs.waiting() == [first, second]
    first.update_state(state="running")
    assert jobs.waiting() == [second]
    first.update_state(state="finished")
    second.update_state(state="stopped")
    assert jobs.waiting() == []
    assert RESCAN_S > 0
    assert json.loads(second.state_path.read_bytes())["state"] == "stopped"
