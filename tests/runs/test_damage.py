"""Damaged files of one run: it says so itself, can be deleted, and hides no other."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from filelock import FileLock

from translearn_core import runs
from translearn_core.errors import RunError
from translearn_core.jobs import place_in_queue
from translearn_core.jobs.queue import take_slot, waiting_jobs
from translearn_core.run_settings import Settings
from translearn_core.runs import Run
from translearn_core.runs.state import write_worker

DAMAGE = {
    "empty": b"",
    "cut": b'{"schema_version": 1, "sta',
    "binary": b"\x00\xff\xfe" * 9,
    "list": b"[]",
}


@pytest.fixture
def run(workspace: Path) -> Run:
    """A run with all its files, which nothing has happened to."""
    return whole("pets")


@pytest.fixture
def other(workspace: Path) -> Run:
    """Another one."""
    return whole("birds")


def whole(name: str) -> Run:
    made = runs.create_run(Path("photos"), Settings(), dataset_name=name)
    made.update_state(state="finished")
    made.model_path.write_bytes(b"model")
    made.write_labels(["a", "b"], image_size=32)
    figures = json.dumps({"schema_version": 1, "test_accuracy": 0.5})
    (made.folder / "metrics.json").write_text(figures, encoding="utf-8")
    return made


@pytest.fixture
def sleeper() -> Iterator[psutil.Process]:
    """A process that lives and does nothing."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as started:
        yield psutil.Process(started.pid)
        started.kill()


@pytest.mark.parametrize("content", DAMAGE.values(), ids=DAMAGE)
@pytest.mark.parametrize("name", ["config.json", "state.json", "metrics.json", "labels.json"])
def test_a_damaged_file_is_told_and_stops_nobody(
    name: str, content: bytes, run: Run, other: Run
) -> None:
    (run.folder / name).write_bytes(content)
    damaged = Run(run.folder)
    unreadable = runs.list_unreadable_runs()
    if name == "config.json":
        assert [entry.run for entry in unreadable] == [damaged]
        assert "config.json cannot be read" in unreadable[0].reason
    else:
        assert unreadable == []
        told = damaged.state.reason if name == "state.json" else damaged.problem
        assert name in told
        assert damaged.has_result == (name != "metrics.json")
        assert damaged.has_model == (name != "labels.json")
    assert damaged.state.state == ("lost" if name == "state.json" else "finished")
    assert other in runs.list_runs()
    assert (other.problem, other.has_result, other.metrics.test_accuracy) == ("", True, 0.5)
    queued = runs.create_run(Path("photos"), Settings())
    assert waiting_jobs() == [queued]
    assert place_in_queue(queued) == 0
    with take_slot(queued, poll_s=0.01) as turn:
        assert turn
    runs.delete_run(damaged)
    assert not run.folder.exists()
    assert list(run.folder.parent.glob(".*")) == []
    assert other in runs.list_runs()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"schema_version": 0}, "schema_version"),
        ({"schema_version": 99}, "schema_version"),
        ({"settings": {"charm": 3}}, "settings.charm"),
        ({"settings": {"epochs": -5}}, "settings.epochs"),
        ({"settings": {"weights": "lost"}}, "settings.weights"),
        ({"created": "yesterday"}, "created"),
    ],
)
def test_a_config_of_another_version_names_what_is_not_known(
    change: dict[str, object], told: str, run: Run, other: Run
) -> None:
    path = run.folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_bytes()) | change), encoding="utf-8")
    assert runs.list_runs() == [other]
    [unreadable] = runs.list_unreadable_runs()
    assert told in unreadable.reason


def test_a_run_folder_without_anything_is_listed_and_can_go(workspace: Path, other: Run) -> None:
    (workspace / "runs" / "empty").mkdir()
    (workspace / "runs" / ".deleted-x").mkdir()
    (workspace / "runs" / "notes.txt").write_text("mine", encoding="utf-8")
    [unreadable] = runs.list_unreadable_runs()
    runs.delete_run(unreadable.run)
    assert runs.list_unreadable_runs() == []
    assert (workspace / "runs" / "notes.txt").is_file()


def test_damaged_lines_of_the_events_are_passed_over(run: Run) -> None:
    with (run.folder / "events.jsonl").open("ab") as file:
        file.write(b'{"t": 1, "kind": "war\n\x00\xff\n[1]\n{"t": 2}\n')
    run.append_event("warning", text="still\u2028there")
    assert [event["kind"] for event in run.events()[0]] == ["state", "warning"]
    assert run.events()[0][-1]["text"] == "still\u2028there"


# --- processes that live, and clocks that jump ------------------------------------------------


@pytest.mark.parametrize("age_s", [-3600.0, 10.0, 60.0, 1e6])
@pytest.mark.parametrize("clock_s", [0.0, 3600.0])
def test_a_worker_that_lives_is_never_lost(
    age_s: float, clock_s: float, run: Run, sleeper: psutil.Process
) -> None:
    then = time.time() - age_s
    with FileLock(run.folder / ".lock"):
        run.update_state(
            state="running",
            pid=sleeper.pid,
            pid_started=sleeper.create_time() + clock_s,
            heartbeat=then,
            queued_at=then,
        )
        assert run.state.state == "running"
        assert ("has not answered" in run.state.reason) == (abs(age_s) > 30)
        with pytest.raises(RunError, match="still going on"):
            runs.delete_run(run)
    assert run.folder.is_dir()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows knows no stopped processes")
def test_a_suspended_worker_is_told_as_suspended(run: Run, sleeper: psutil.Process) -> None:
    then = time.time() - 60
    run.update_state(
        state="running",
        pid=sleeper.pid,
        pid_started=sleeper.create_time(),
        heartbeat=then,
        queued_at=then,
    )
    sleeper.suspend()
    for _attempt in range(200):
        if sleeper.status() == psutil.STATUS_STOPPED:
            break
        time.sleep(0.01)
    assert (run.state.state, "suspended" in run.state.reason) == ("running", True)
    queued = runs.create_run(Path("photos"), Settings())
    assert place_in_queue(queued) == 1


def test_a_dead_worker_is_lost_though_its_heartbeat_lies_in_the_future(
    run: Run, sleeper: psutil.Process
) -> None:
    later = time.time() + 3600
    run.update_state(
        state="running", pid=sleeper.pid, pid_started=sleeper.create_time(), heartbeat=later
    )
    assert run.state.state == "running"
    sleeper.kill()
    sleeper.wait()
    assert run.state.state == "lost"
    runs.delete_run(run)


def test_a_worker_killed_before_it_told_its_number_is_lost_in_seconds(
    run: Run, sleeper: psutil.Process
) -> None:
    run.update_state(state="queued", queued_at=time.time() - 4)
    write_worker(run.folder, sleeper.pid)
    assert run.state.state == "queued"
    run.update_state(queued_at=time.time() - 1000)
    assert run.state.state == "queued", "it lives: a slow machine"
    sleeper.kill()
    sleeper.wait()
    assert run.state.state == "lost"


def test_a_run_with_a_damaged_state_is_not_deleted_under_a_living_worker(run: Run) -> None:
    run.state_path.write_bytes(b"{")
    with FileLock(run.folder / ".lock"), pytest.raises(RunError, match="still going on"):
        runs.delete_run(run)
    runs.delete_run(run)


def test_a_workspace_that_cannot_be_written_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    monkeypatch.setenv("TRANSLEARN_HOME", str(tmp_path / "file" / "home"))
    with pytest.raises(Exception, match="cannot be written") as told:
        runs.create_run(tmp_path, Settings())
    assert os.sep + "home" in str(told.value)
