"""A disk that is full while a job runs: the job fails with that as its reason."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from translearn_core.concurrency import import_path
from translearn_core.jobs.background import RESERVE
from translearn_core.runs import Job, JobConfig

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="Windows has no limit of file sizes to stand for a full disk"
)

PROGRAM = """
import resource, sys, threading
from translearn_core.jobs.background import run_job
from translearn_core.runs import Job

soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

def work(job, monitor):
    assert (job.folder / ".reserve").is_file()
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))  # no file may grow any more
    threading.Timer(1.0, resource.setrlimit, (resource.RLIMIT_FSIZE, (soft, hard))).start()
    if sys.argv[2] == "ours":
        monitor.stage("head")
    elif sys.argv[2] == "log":
        monitor.warning("x")
    else:
        try:
            (job.folder / "model").write_bytes(b"x")
        except OSError as error:
            raise RuntimeError("a library's own words") from error

ended = run_job(Job(sys.argv[1]), work)
print(ended.state, ended.reason)
"""


@pytest.mark.parametrize("writer", ["ours", "log", "library"])
def test_a_full_disk_is_the_reason(writer: str, tmp_path: Path, workspace: Path) -> None:
    job = Job(tmp_path / "job")
    job.begin(JobConfig(kind="check", created=time.time()))
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(job.folder), writer],
        env={"PYTHONPATH": import_path(), "TRANSLEARN_HOME": str(workspace), "PATH": ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert job.state.state == "failed", done.stderr[-2000:]
    assert "The disk is full" in job.state.reason
    assert not (job.folder / RESERVE).exists()
