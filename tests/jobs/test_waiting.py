"""Waiting costs next to nothing, however many runs there are."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from translearn_core import runs, spaces
from translearn_core.jobs.queue import RESCAN_S, LiveJobs, waiting_jobs
from translearn_core.runs import Job, JobConfig
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


@pytest.mark.parametrize("in_class", [False, True])
def test_a_job_of_a_class_leaves_the_processors_to_the_pages(
    workspace: Path, in_class: bool
) -> None:
    """In a process of its own: a priority cannot be taken back."""
    space = spaces.space_named("0123456789abcdef") if in_class else spaces.root()
    job = Job(space / "runs" / "a")
    job.begin(JobConfig(kind="measure", created=time.time()))
    program = (
        "import sys, psutil\n"
        "from translearn_core import worker\n"
        "worker.main(sys.argv[1:])\n"
        "print(psutil.Process().nice())\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, str(job.folder)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    usual = psutil.Process().nice()
    assert (int(ran.stdout) > usual) if in_class else (int(ran.stdout) == usual)
    assert job.written_state.started_at, "it had its turn"
