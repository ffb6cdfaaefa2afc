"""Run folders: what is written, what is read, and what a dead worker looks like."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from filelock import FileLock

from translearn_core import runs
from translearn_core.errors import RunError
from translearn_core.run_settings import Settings
from translearn_core.runs import state


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> runs.Run:
    monkeypatch.setenv("TRANSLEARN_HOME", str(tmp_path))
    return runs.create_run(tmp_path / "photos", Settings(epochs=3), dataset_name="pets")


def test_a_new_run_is_queued_and_reads_back_as_written(run: runs.Run) -> None:
    again = runs.Run(run.folder)
    assert again in [run], "the same folder is the same run"
    assert again.config.settings == Settings(epochs=3)
    assert again.config.dataset_name == "pets"
    assert again.state.state == "queued"
    assert [event["kind"] for event in again.events()[0]] == ["state"]


def test_events_are_read_on_from_where_the_last_reading_ended(run: runs.Run) -> None:
    first, offset = run.events()
    run.append_event("warning", text="größer als gedacht")
    second, end = run.events(offset)
    assert len(first) == 1
    assert [event["text"] for event in second] == ["größer als gedacht"]
    assert run.events(end) == ([], end)


def test_a_last_line_that_is_still_being_written_is_left_for_later(run: runs.Run) -> None:
    _before, offset = run.events()
    with (run.folder / "events.jsonl").open("ab") as file:
        file.write(b'{"t": 1, "kind": "warn')
        file.flush()
        assert run.events(offset) == ([], offset)
        file.write(b'ing", "text": "x"}\n')
    assert run.events(offset)[0] == [{"t": 1, "kind": "warning", "text": "x"}]


def test_a_live_worker_is_running_and_a_dead_one_is_lost(run: runs.Run) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as worker:
        started = psutil.Process(worker.pid).create_time()
        old = time.time() - 10
        run.update_state(
            state="running", pid=worker.pid, pid_started=started, heartbeat=old, queued_at=old
        )
        assert run.state.state == "running"
        worker.communicate(b"\n")
    lost = run.state
    assert lost.state == "lost"
    assert "log" in lost.reason
    assert run.written_state.state == "running", "reading never writes"


def test_another_process_with_the_same_pid_is_not_the_worker(run: runs.Run) -> None:
    old = time.time() - 10
    run.update_state(
        state="running", pid=os.getpid(), pid_started=1.0, heartbeat=old, queued_at=old
    )
    assert run.process() is None
    assert run.state.state == "lost"


@pytest.mark.skipif(os.name == "nt", reason="an ended process leaves no entry there")
def test_a_worker_that_ended_and_was_not_asked_for_is_not_at_work(run: runs.Run) -> None:
    with (
        FileLock(run.folder / state.LOCK),
        subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as worker,
    ):
        process = psutil.Process(worker.pid)
        run.update_state(state="running", pid=worker.pid, pid_started=process.create_time())
        assert run.process() == process
        process.kill()
        while process.status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.01)
        assert run.process() is None


def test_a_worker_that_never_came_up_is_lost_in_the_end(run: runs.Run) -> None:
    run.update_state(queued_at=time.time() - 10)
    assert run.state.state == "queued", "a slow machine may still be starting it"
    run.update_state(queued_at=time.time() - 1000)
    assert run.state.state == "lost"


def test_a_folder_that_holds_something_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "taken"
    folder.mkdir()
    (folder / "thesis.txt").write_text("two years of work", encoding="utf-8")
    with pytest.raises(RunError, match="not empty"):
        runs.create_run(tmp_path, Settings(), folder=folder)
    assert (folder / "thesis.txt").exists()


def test_a_folder_without_config_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is not a run"):
        _config = runs.Run(tmp_path).config


def test_an_unfinished_run_has_no_figures_and_says_so(run: runs.Run) -> None:
    with pytest.raises(RunError, match="queued"):
        _metrics = run.metrics


def test_a_live_run_is_not_deleted_and_an_ended_one_is_gone(run: runs.Run) -> None:
    with pytest.raises(RunError, match="Stop it first"):
        runs.delete_run(run)
    run.update_state(state="stopped")
    runs.delete_run(run)
    assert not run.folder.exists()
    assert runs.list_runs() == []


def test_runs_are_listed_newest_first_and_strangers_are_passed_over(
    run: runs.Run, tmp_path: Path
) -> None:
    newer = runs.create_run(tmp_path / "photos", Settings())
    (tmp_path / "runs" / "notes").mkdir()
    broken = tmp_path / "runs" / "broken"
    broken.mkdir()
    (broken / "config.json").write_text("{", encoding="utf-8")
    assert [result.id for result in runs.list_runs()] == [newer.id, run.id]
