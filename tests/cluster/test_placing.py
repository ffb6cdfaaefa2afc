"""Runs on the nodes of a cluster: whose turn it is, stop, force, and a lost node."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from benchmarks.nodes import Nodes
from translearn_core import cluster, jobs, spaces
from translearn_core.jobs import placer
from translearn_core.jobs.machines import machines
from translearn_core.jobs.placing import TICK_S, Placing
from translearn_core.run_settings import Settings
from translearn_core.runs import Job, Run, create_run, list_jobs
from translearn_core.runs.state import ENDED_STATES, LOCK, is_held

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("cluster"), pytest.mark.timeout(180)]

PEOPLE = [f"{n:016x}" for n in range(4)]


def make(space: Path, name: str) -> Run:
    """A queued run that takes as long as it is called; see `pretend_worker`."""
    run = create_run(space, Settings(), name=name, folder=space / "runs" / f"{time.time_ns()}")
    run.update_state(cluster=True)
    return run


@contextmanager
def placing() -> Iterator[Placing]:
    """Jobs are placed while the block runs, as the process does that places them."""
    ended = threading.Event()
    with cluster.connected() as ray:
        placed = Placing(ray, worker="tests.support.pretend_worker")

        def go_on() -> None:
            while not ended.wait(TICK_S):
                placed.step()

        thread = threading.Thread(target=go_on)
        thread.start()
        try:
            yield placed
        finally:
            ended.set()
            thread.join()


def until(holds: Callable[[], bool], *, within_s: float = 60.0) -> bool:
    """Whether something holds soon."""
    end = time.monotonic() + within_s
    while not (said := holds()) and time.monotonic() < end:
        time.sleep(0.1)
    return said


def nodes_that_work() -> list[str]:
    return [node.name.partition(" (")[0] for node in placer.read_view().nodes if node.works]


def state_of(run: Run) -> str:
    return run.state.state


def times_done(run: Run) -> int:
    return len((run.folder / "done").read_text().split())


def is_running(run: Job) -> bool:
    """Whether the worker is at its work."""
    return run.written_state.stage == "head"


def test_runs_of_four_people_end_on_three_nodes_in_fair_turns(shared: Path, nodes: Nodes) -> None:
    nodes.ensure("gamma")
    made = [make(spaces.space_named(PEOPLE[0]), "0.1") for _ in range(2)]
    made += [make(spaces.space_named(one), "0.1") for one in PEOPLE[1:]]
    with placing():
        assert until(lambda: all(state_of(run) in ENDED_STATES for run in made))
        assert until(lambda: nodes_that_work() == ["alpha", "beta", "gamma"]), "none that was lost"
    assert [state_of(run) for run in made] == ["finished"] * 5
    assert [times_done(run) for run in made] == [1] * 5
    last = max(made, key=lambda run: run.state.started_at)
    assert last == made[1], "the second run of somebody comes after the first of everybody"
    # a node that was started again has its name with a mark of its own
    names = {run.state.node.partition(" (")[0] for run in made}
    assert names <= {"alpha", "beta", "gamma"}
    assert len(names) > 1
    assert nodes_that_work() == ["alpha", "beta", "gamma"], (
        "what is left when nothing places any more"
    )
    assert not placer.read_view().problem


def test_a_search_has_the_help_of_machines_that_nobody_waits_for(
    shared: Path, nodes: Nodes
) -> None:
    nodes.ensure("gamma")
    search = create_run(
        shared, Settings(), name="wait", folder=shared / "studies" / "a", kind="search"
    )
    search.update_state(cluster=True)

    def helpers() -> list[Job]:
        return [job for job in list_jobs(search.folder / "helpers") if is_running(job)]

    with placing():
        assert until(lambda: len(helpers()) == 2), "one machine is at the search itself"
        where = [machine for machine in machines(placer.read_view().nodes) if machine.jobs]
        assert [machine.jobs for machine in where] == [[search]] * 3
        run = make(shared, "0.1")
        assert until(lambda: state_of(run) == "finished"), "a helper gave way"
        (search.folder / "go").touch()
        assert until(lambda: state_of(search) == "finished")
        assert until(lambda: not helpers())


def test_a_stop_force_the_end_of_a_process_and_the_loss_of_a_node_reach_runs(
    shared: Path, nodes: Nodes
) -> None:
    nodes.ensure("gamma")
    first = make(shared, "wait")
    with placing():
        assert until(lambda: is_running(first))
    others = [make(shared, "wait") for _ in range(2)]
    waiting = make(shared, "wait")
    with placing():  # another process places now, and finds what runs
        assert until(lambda: all(map(is_running, others)))
        assert state_of(waiting) == "queued"
        waiting.request_stop()
        (lost,) = [one for one in (first, *others) if one.state.node == "gamma"]
        forced, killed = [one for one in (first, *others) if one != lost]
        pids = [run.state.pid for run in (forced, killed)]
        nodes.lose("gamma")
        assert until(lambda: lost.state.restarts == 1)
        jobs.LocalRunner().force_stop(forced)
        assert state_of(forced) == "stopped"
        psutil.Process(pids[1]).kill()
        assert until(lambda: not any(map(psutil.pid_exists, pids)))
        (lost.folder / "go").touch()
        made = (lost, killed, waiting)
        assert until(lambda: all(state_of(run) in ENDED_STATES for run in made))
        assert until(lambda: not is_held(forced.folder / LOCK))
    assert [state_of(run) for run in (forced, waiting)] == ["stopped"] * 2
    assert state_of(killed) == "lost", "as on one machine: it does not begin again"
    assert killed.state.node in killed.state.reason
    assert not killed.state.restarts
    assert state_of(lost) == "finished", "the machine was lost, and it began again"
    assert times_done(lost) == 1
    assert lost.state.node in ("alpha", "beta")
    warnings = [event["text"] for event in lost.events()[0] if event["kind"] == "warning"]
    assert len(warnings) == 1
    assert "gamma" in warnings[0]
