"""What goes wrong while runs are placed, with a stand-in for Ray that keeps everything in this process."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from translearn_core import __version__, spaces
from translearn_core.jobs import placer
from translearn_core.jobs.node_worker import NodeWorker
from translearn_core.jobs.placing import Placing, place_until_idle
from translearn_core.run_settings import Settings
from translearn_core.runs import Job, JobConfig, Run, create_run, study
from translearn_core.runs.placement import (
    Placement,
    mark_ended,
    read_placement,
    write_placement,
)

NODE = {"NodeID": "aaaaaa1", "Alive": True, "NodeName": "left", "Resources": {"CPU": 4.0}}


class RayError(Exception):
    """What Ray raises."""


class RayTaskError(RayError):
    """What Ray raises where an actor raised something."""


class Actor:
    """An actor: `answers` by the names of its methods, an exception to be raised or None for none yet."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers = answers
        self.started: list[str] = []
        self.is_killed = False
        self.where, self.wait = self._method("where"), self._method("wait")
        self.start = SimpleNamespace(
            remote=lambda folder, *_rest, **_named: self.started.append(folder)
        )

    def _method(self, name: str) -> SimpleNamespace:
        return SimpleNamespace(remote=lambda: lambda: self.answers.get(name))


class Ray:
    """The part of Ray that places runs."""

    exceptions = SimpleNamespace(RayError=RayError, RayTaskError=RayTaskError)

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.actors: dict[str, Actor] = {}
        self.util = SimpleNamespace(list_named_actors=lambda: list(self.actors))

    def nodes(self) -> list[dict[str, Any]]:
        return [NODE]

    def remote(self, _kind: type) -> SimpleNamespace:
        def options(*, name: str, **_rest: Any) -> SimpleNamespace:
            return SimpleNamespace(remote=lambda *_given: self.add(name))

        return SimpleNamespace(options=options)

    def add(self, name: str) -> Actor:
        return self.actors.setdefault(name, Actor(self.answers))

    def get_actor(self, name: str) -> Actor:
        if name not in self.actors:
            raise ValueError(name)
        return self.actors[name]

    def kill(self, actor: Actor) -> None:
        actor.is_killed = True

    def wait(self, refs: list[Callable[[], Any]], *, timeout: float) -> tuple[list[Any], list[Any]]:
        done = [ref for ref in refs if ref() is not None]
        return done, [ref for ref in refs if ref not in done]

    def get(self, ref: Callable[[], Any]) -> Any:
        if isinstance(found := ref(), Exception):
            raise found
        return found


@pytest.fixture
def run(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run that waits for a place."""
    monkeypatch.setenv("TRANSLEARN_CLUSTER", json.dumps({"address": "10.0.0.5:6379"}))
    made = create_run(workspace / "datasets" / "a", Settings(), folder=workspace / "runs" / "a")
    made.update_state(cluster=True)
    return made


def test_a_machine_that_cannot_load_the_program_is_told_and_not_asked_again_at_once(
    run: Run,
) -> None:
    cause = "ModuleNotFoundError: No module named 'translearn_core'"
    ray = Ray(where=RayError(f"The actor died\n{cause}\n"))
    placing = Placing(ray)
    for _ in range(5):
        placing.step()
    assert len(ray.actors) == 1
    assert cause in placer.read_view().problem
    assert run.state.state == "queued"


def test_a_machine_that_cannot_start_the_process_ends_the_run_with_the_cause(run: Run) -> None:
    ray = Ray(where="aaaaaa1")
    placing = Placing(ray)
    for _ in range(3):
        placing.step()
    assert run.state.state == "running"
    ray.answers["wait"] = RayTaskError("Traceback\nOSError: No space left on device")
    placing.step()
    assert run.state.state == "failed"
    assert "left" in run.state.reason
    assert "No space left on device" in run.state.reason
    assert all(actor.is_killed for actor in ray.actors.values())


@pytest.mark.parametrize("how", ["ended", "unseen", RayError("lost")])
def test_a_run_that_was_deleted_meanwhile_stays_away(how: object, run: Run) -> None:
    ray = Ray(where="aaaaaa1")
    placing = Placing(ray)
    for _ in range(3):
        placing.step()
    shutil.rmtree(run.folder)
    ray.answers["wait"] = how
    placing.step()
    assert not run.folder.exists()
    assert placing.is_idle
    assert all(actor.is_killed for actor in ray.actors.values())


def test_a_run_that_is_deleted_while_it_gets_its_place_is_not_started(run: Run) -> None:
    ray = Ray()
    placing = Placing(ray)
    placing.step()
    shutil.rmtree(run.folder)
    ray.answers["where"] = "aaaaaa1"
    placing.step()
    (actor,) = ray.actors.values()
    assert actor.is_killed
    assert not actor.started
    assert not run.folder.exists()


def test_a_placed_run_whose_worker_was_not_started_is_started_by_whoever_takes_over(
    run: Run,
) -> None:
    write_placement(run.folder, Placement(token="run-1", node="left", node_id="aaaaaa1"))
    ray = Ray()
    actor = ray.add("run-1")
    placing = Placing(ray)
    placing.step()
    assert actor.started == [str(run.folder)]
    assert not actor.is_killed
    assert run.written_state.state == "running"
    assert run.written_state.node == "left"


def test_a_run_whose_process_ended_while_nobody_looked_is_lost_and_does_not_begin_again(
    run: Run,
) -> None:
    run.update_state(state="running")
    write_placement(run.folder, Placement(token="run-1", node="left", node_id="aaaaaa1"))
    mark_ended(run.folder, "run-0")
    assert may_begin_again(run)
    run.update_state(state="running", restarts=0)
    write_placement(run.folder, Placement(token="run-1", node="left", node_id="aaaaaa1"))
    mark_ended(run.folder, "run-1")
    assert not may_begin_again(run)
    assert run.state.state == "lost"
    assert "left" in run.state.reason


def may_begin_again(run: Run) -> bool:
    """Whether it waits for a place once somebody who places runs has looked at it."""
    Placing(Ray())
    return run.state.state == "queued" and run.state.restarts == 1


def test_the_helpers_of_a_search_are_found_by_whoever_takes_over(run: Run) -> None:
    run.update_state(state="finished")
    search = create_run(
        run.folder, Settings(), folder=spaces.root() / "studies" / "a", kind="search"
    )
    search.update_state(cluster=True, state="running", stage="search", heartbeat=time.time())
    write_placement(search.folder, Placement(token="run-1", node="left", node_id="aaaaaa1"))
    ray = Ray()
    ray.add("run-1")
    here, gone = helpers = [Job(search.folder / study.HELPERS / name) for name in ("1-a", "2-b")]
    for number, helper in enumerate(helpers, 2):
        helper.begin(
            study.TrialsConfig(created=time.time(), study=str(search.folder), number=number),
            cluster=True,
        )
        helper.update_state(state="running", heartbeat=time.time())
        token = f"run-{number}"
        write_placement(helper.folder, Placement(token=token, node="left", node_id="aaaaaa1"))
    ray.add("run-2")
    placing = Placing(ray)
    placing.step()
    assert gone.state.state == "lost"
    assert not any(actor.is_killed for actor in ray.actors.values())
    assert not here.stop_requested
    search.update_state(state="finished", stage="")
    placing.step()
    assert here.stop_requested
    ray.answers["wait"] = "ended"
    placing.step()
    assert here.state.state == "lost"
    assert placing.is_idle


@pytest.mark.parametrize("is_given", [False, True])
def test_a_place_that_nobody_uses_is_given_back(is_given: bool, run: Run) -> None:
    """In a process of its own, which would stay for a minute."""
    write_placement(run.folder, Placement(token="run-1", node="left"))
    program = (
        "import sys, time\n"
        "from translearn_core import __version__\n"
        "from translearn_core.jobs.node_worker import NodeWorker\n"
        "worker = NodeWorker(1, 0, 2.0 if sys.argv[1:] else 0.2)\n"
        "start = dict(worker='none', version=__version__, environment={})\n"
        "if sys.argv[1:]: worker.start(sys.argv[1], 'run-1', **start)\n"
        "time.sleep(60)\n"
        "sys.exit('still there')\n"
    )
    given = [str(run.folder)] if is_given else []
    subprocess.run([sys.executable, "-c", program, *given], check=True)
    told = read_placement(run.folder)
    assert told is not None
    assert told.ended == is_given


def test_a_job_that_was_placed_has_its_usual_priority(workspace: Path) -> None:
    """In a process of its own: a priority cannot be taken back."""
    job = Job(workspace / "runs" / "a")
    job.begin(JobConfig(kind="measure", created=time.time()), cluster=True)
    write_placement(job.folder, Placement(token="run-1", node="left"))
    program = (
        "import sys, psutil\n"
        "from translearn_core import worker\n"
        "worker.main(sys.argv[1:])\n"
        "print(psutil.Process().nice())\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, str(job.folder), "--placed", "run-1"],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    assert int(ran.stdout) == psutil.Process().nice()
    assert job.written_state.started_at, "it had its turn"


def test_a_worker_is_started_once_and_says_why_it_cannot(run: Run) -> None:
    def start(worker: NodeWorker, version: str) -> None:
        worker.start(str(run.folder), "run-1", worker="none", version=version, environment={})

    other = NodeWorker(1, 0)
    start(other, "0")
    start(other, __version__)
    assert other.wait() == "version"
    assert not run.log_path.exists()
    run.log_path.mkdir()
    failing = NodeWorker(1, 0)
    start(failing, __version__)
    with pytest.raises(OSError, match=run.log_path.name):
        failing.wait()
    run.log_path.rmdir()
    ends = NodeWorker(1, 0)
    write_placement(run.folder, Placement(token="run-1"))
    start(ends, __version__)
    assert ends.wait() == "ended"
    assert run.log_path.is_file()


def test_a_disk_that_takes_nothing_does_not_end_who_places_runs(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes on until its time without work is over."""
    monkeypatch.setenv("TRANSLEARN_CLUSTER", json.dumps({"address": "127.0.0.1:1"}))
    placer.folder().write_text("in the way")
    place_until_idle(0.1)
    assert placer.folder().read_text() == "in the way"
