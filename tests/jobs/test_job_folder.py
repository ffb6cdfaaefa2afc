"""The files of a job: what earlier versions wrote is read, and what cannot be read is passed over."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from translearn_core import jobs
from translearn_core.runs import Job, JobConfig, Run

# the state of a check as version 0.1 wrote it
BEFORE = {
    "state": "finished",
    "pid": 4242,
    "pid_started": 1.0,
    "stage": "",
    "done": 37,
    "total": 37,
    "per_s": 91.5,
    "reason": "",
    "fingerprint": "d114dcd5c2bfe18a",
    "t": 1795916252.9,
}


def put(folder: Path, **changes: Any) -> Job:
    folder.mkdir(exist_ok=True)
    (folder / "state.json").write_text(json.dumps(BEFORE | changes), encoding="utf-8")
    return Job(folder)


@pytest.mark.parametrize("state", ["finished", "failed", "stopped"])
def test_how_a_check_of_the_version_before_ended_is_read(
    state: str, tmp_path: Path, workspace: Path
) -> None:
    read = jobs.follow(put(tmp_path / "feasible", state=state, reason="So it was."))
    assert read is not None
    assert (read.state, read.reason) == (state, "So it was.")
    assert read.fingerprint == BEFORE["fingerprint"]


def test_a_check_of_the_version_before_lives_as_long_as_its_process(
    tmp_path: Path, workspace: Path
) -> None:
    started = psutil.Process().create_time()
    job = put(tmp_path / "feasible", state="running", pid=os.getpid(), pid_started=started)
    assert job.state.is_live
    assert put(tmp_path / "feasible", state="running").state.state == "lost"


def test_a_state_that_cannot_be_read_is_lost_to_who_follows(tmp_path: Path) -> None:
    assert jobs.follow(Job(tmp_path / "nothing")) is None
    odd = jobs.follow(put(tmp_path / "odd", state="pondering"))
    assert odd is not None
    assert odd.state == "lost"
    assert "state.json is damaged" in odd.reason


def test_a_folder_without_a_kind_is_a_training_and_with_a_plan_a_search(tmp_path: Path) -> None:
    config = json.loads(JobConfig(created=time.time()).model_dump_json())
    del config["kind"]
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    assert Job(tmp_path).kind == "train"
    (tmp_path / "study.json").write_text('{"minutes": 3}', encoding="utf-8")
    assert Run(tmp_path).kind == "search"
