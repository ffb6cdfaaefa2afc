"""What a cluster means where Ray is not installed or nobody answers, and for the states of jobs."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import psutil
import pytest
from filelock import FileLock

from tests.support.app import open_app, words
from translearn_core import cluster, jobs, spaces
from translearn_core.cluster import machine
from translearn_core.cluster.connection import check_answers, namespace
from translearn_core.cluster.nodes import read_nodes
from translearn_core.config import load_configuration
from translearn_core.errors import ClusterError, SettingsError
from translearn_core.jobs import placer
from translearn_core.jobs.machines import machines
from translearn_core.jobs.placing import _environment
from translearn_core.jobs.queue import take_slot
from translearn_core.run_settings import Settings
from translearn_core.runs import Run, create_run, study
from translearn_core.runs.placement import Placement, may_work, write_placement
from translearn_core.runs.state import write_worker

ADDRESS = "10.0.0.5:6379"
OTHER = "other/12345678"


@pytest.fixture
def named(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TRANSLEARN_CLUSTER", json.dumps({"address": ADDRESS}))
    return workspace


def make(workspace: Path) -> Run:
    return create_run(workspace / "datasets" / "a", Settings(), folder=workspace / "runs" / "a")


def test_a_cluster_without_ray_is_refused_with_the_command_and_makes_nothing(named: Path) -> None:
    """In a process of its own, which finds no Ray."""
    program = (
        "import sys; from importlib import metadata\n"
        "from importlib.machinery import PathFinder\n"
        "find = PathFinder.find_spec\n"
        "PathFinder.find_spec = lambda name, *rest: None if name == 'ray' else find(name, *rest)\n"
        "from translearn_core import jobs\n"
        "from translearn_core.errors import ClusterError\n"
        "runner = jobs.current_runner()\n"
        "runner.warm_up()\n"
        "try: runner.check()\n"
        "except ClusterError as error: print(error.message)\n"
        "assert 'ray' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert cluster.INSTALL in done.stdout
    assert not (named / "cluster").exists()


def test_without_a_cluster_in_the_configuration_ray_is_not_imported(workspace: Path) -> None:
    assert isinstance(jobs.current_runner(), jobs.LocalRunner)
    assert not cluster.is_named()
    with pytest.raises(ClusterError, match=r"address.*config\.toml"), cluster.connected():
        pass
    program = "import sys, translearn_core.worker, translearn_core.jobs.placing; sys.exit('ray' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_the_configuration_names_a_cluster(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace.mkdir()
    (workspace / "config.toml").write_text(
        '[cluster]\naddress = "10.0.0.5:6379"\nprocessors = 4\ngpus = 0.5\nfolder = "/srv/shared"\n'
    )
    found = load_configuration().cluster
    assert (found.address, found.processors, found.gpus) == (ADDRESS, 4, 0.5)
    assert isinstance(jobs.current_runner(), jobs.ClusterRunner)
    with pytest.raises(ClusterError, match="/srv/shared"):
        cluster.check_folder()
    monkeypatch.setenv("TRANSLEARN_RUNNER", "local")
    assert isinstance(jobs.current_runner(), jobs.LocalRunner)


@pytest.mark.parametrize(
    "text",
    [
        '{"address": "no port"}',
        '{"address": "host:"}',
        '{"processors": 0}',
        '{"gpus": -1}',
        '{"nodes": 3}',
        "3 nodes",
    ],
)
def test_what_the_configuration_cannot_mean_is_refused_by_name(
    text: str, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRANSLEARN_CLUSTER", text)
    with pytest.raises(SettingsError, match=r"cluster|CLUSTER"):
        load_configuration()


class _Head(grpc.GenericRpcHandler):
    """Answers as the head of a cluster whose token is `token`; None: whoever asks is let in."""

    def __init__(self, token: str | None, method: str = "CheckAlive") -> None:
        self._token, self._method = token, method

    def service(self, call: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        if not call.method.endswith(self._method):
            return None

        def answer(_request: bytes, context: grpc.ServicerContext) -> bytes:
            given = dict(context.invocation_metadata()).get("authorization")
            if self._token is not None and given != f"Bearer {self._token}":
                context.abort(grpc.StatusCode.UNAUTHENTICATED, "no")
            return b""

        return grpc.unary_unary_rpc_method_handler(answer)


@pytest.fixture
def head(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a head node that answers as `request.param` says."""
    server = grpc.server(ThreadPoolExecutor(2), handlers=[request.param])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None).wait()


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (_Head("secret"), ""),
        (_Head("another"), "does not accept our token"),
        (_Head(None), "lets in everybody"),
        (_Head(None, "SomethingElse"), "no Ray cluster of a version"),
    ],
    indirect=["head"],
)
def test_a_head_is_used_only_with_our_token_and_a_lock_on_its_door(
    head: str, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("RAY_AUTH_TOKEN", raising=False)
    (tmp_path / "token").write_text("secret\n")
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "token"))
    if not said:
        check_answers(head)
        return
    with pytest.raises(ClusterError, match=said):
        check_answers(head)


def test_nobody_at_the_address_is_said() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(ClusterError, match="No Ray cluster answers"):
        check_answers(address)


def test_nodes_have_names_of_their_own_and_only_living_ones_are_listed() -> None:
    told = [
        {"NodeID": "aaaaaa1", "Alive": True, "NodeManagerHostname": "lab", "NodeName": "10.0.0.5",
         "NodeManagerAddress": "10.0.0.5", "Resources": {"CPU": 8.0}},
        {"NodeID": "bbbbbb2", "Alive": True, "NodeManagerHostname": "lab", "NodeName": "10.0.0.6",
         "NodeManagerAddress": "10.0.0.6",
         "Resources": {"CPU": 16.0, "GPU": 2.0, "accelerator_type:A100": 1.0}},
        {"NodeID": "cccccc3", "Alive": True, "NodeManagerHostname": "lab", "NodeName": "desk",
         "NodeManagerAddress": "10.0.0.7", "Resources": {}},
        {"NodeID": "dddddd4", "Alive": False, "NodeManagerHostname": "old", "NodeName": "old",
         "NodeManagerAddress": "10.0.0.8", "Resources": {"CPU": 4.0}},
    ]  # fmt: skip
    found = read_nodes(told)
    assert [node.name for node in found] == ["desk", "lab (aaaaaa)", "lab (bbbbbb)"]
    assert [node.works for node in found] == [False, True, True]
    assert found[2].devices == ("A100",)


def test_a_process_of_another_machine_is_neither_judged_nor_signalled(workspace: Path) -> None:
    """Its number may be that of anything here: of this very process, say."""
    run = make(workspace)
    me = psutil.Process()
    alive = {
        "state": "running",
        "pid": me.pid,
        "pid_started": me.create_time(),
        "heartbeat": time.time() - 10,
    }
    run.update_state(**alive)
    assert run.process() is not None, "without a name it is this machine's, as it always was"
    run.update_state(**alive, host=OTHER)
    assert run.process() is None
    assert run.state.state == "running", "its heartbeat is young enough"
    run.update_state(queued_at=time.time() - 7200, heartbeat=time.time() - 3600)
    assert run.state.state == "lost"
    assert "other" in run.state.reason
    jobs.LocalRunner().force_stop(run)  # this test goes on
    assert run.state.state == "stopped"


def test_a_process_that_was_started_elsewhere_and_told_nothing_is_not_looked_for_here(
    workspace: Path,
) -> None:
    run = make(workspace)
    run.update_state(queued_at=time.time() - 5)
    write_worker(run.folder, os.getpid())
    assert run.process() is not None
    told = json.loads((run.folder / "worker.json").read_text())
    assert told["host"] == cluster.machine_name()
    (run.folder / "worker.json").write_text(json.dumps(told | {"host": OTHER}))
    assert run.process() is None
    assert run.state.state == "queued", "it may just start there"
    run.update_state(queued_at=time.time() - 3600)
    assert run.state.state == "lost"
    assert "other" in run.state.reason


def test_a_machine_is_known_by_its_identity_and_in_a_container_by_its_name_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name, _, identity = cluster.machine_name().partition("/")
    assert machine.is_this_machine(cluster.machine_name())
    assert not machine.is_this_machine(f"{name}/{identity}0")
    monkeypatch.setattr(machine, "machine_name", lambda: "lab/1234abcd")
    for is_container in (False, True):
        monkeypatch.setattr(machine, "_is_container", lambda said=is_container: said)
        assert machine.is_this_machine("lab/1234abcd")
        assert machine.is_this_machine("at-home/1234abcd") != is_container
        assert not machine.is_this_machine("lab/1234abce")
        assert not machine.is_this_machine("at-home")


def test_the_id_of_a_mac_is_read_from_what_its_system_prints() -> None:
    told = (
        "+-o Mac15,6  <class IOPlatformExpertDevice, id 0x100000236>\n    {\n"
        '      "IOPlatformSerialNumber" = "C02XX0"\n'
        '      "IOPlatformUUID" = "0A1B2C3D-4E5F-6071-8293-A4B5C6D7E8F9"\n    }\n'
    )
    assert machine.identity_of_mac(told) == "0A1B2C3D-4E5F-6071-8293-A4B5C6D7E8F9"
    assert machine.identity_of_mac("") == ""


def test_a_run_on_a_cluster_is_not_lost_by_silence(
    named: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make(named)
    run.update_state(cluster=True, queued_at=time.time() - 3600)
    assert run.state.state == "queued", "it waits for a place, however long"
    run.update_state(state="running", pid=1, host=OTHER, node="gpu-2", heartbeat=time.time() - 3600)
    assert run.state.state == "running"
    assert "gpu-2" in run.state.reason
    monkeypatch.delenv("TRANSLEARN_CLUSTER")
    assert run.state.state == "lost", "nobody places it any more"
    run.update_state(heartbeat=time.time() - 10)
    assert run.state.state == "running", "its machine goes on with it"


@pytest.mark.parametrize("runner", ["cluster", "local"])
def test_a_run_that_waits_for_a_cluster_keeps_none_of_this_machine_waiting(
    runner: str, named: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRANSLEARN_RUNNER", runner)
    run = make(named)
    run.update_state(cluster=True, queued_at=time.time() - 3600)
    assert run.state.state == ("queued" if runner == "cluster" else "lost")
    assert bool(run.state.reason) == (runner == "local")
    here = create_run(named / "datasets" / "a", Settings(), folder=named / "runs" / "b")
    timer = threading.Timer(20.0, here.request_stop)
    timer.start()
    with take_slot(here, poll_s=0.02) as has_turn:
        assert has_turn
    timer.cancel()


def test_who_may_work_at_a_run_is_told_by_its_placement(workspace: Path) -> None:
    run = make(workspace)
    assert not may_work(run.folder, "run-1")
    write_placement(run.folder, Placement(token="run-1", node="a"))
    assert may_work(run.folder, "run-1")
    write_placement(run.folder, Placement(token="run-2", node="b"))
    assert not may_work(run.folder, "run-1")
    run.update_state(cluster=True)
    jobs.LocalRunner().force_stop(run)
    assert not may_work(run.folder, "run-2")
    assert run.state.state == "stopped"


def test_a_cluster_that_cannot_be_reached_is_shown_as_such(named: Path) -> None:
    assert not placer.read_view().is_fresh
    placer.write_view(placer.ClusterView(at=time.time(), address=ADDRESS, problem="Nobody there."))
    assert placer.read_view().is_fresh
    assert placer.read_view().problem == "Nobody there."


def test_my_work_shows_the_machines_and_what_runs_where(named: Path) -> None:
    names = ("desk", "left", "right")
    nodes = [
        cluster.Node(id=name, name=name, address="10.0.0.6", processors=8.0 * n, gpus=2.0)
        for n, name in enumerate(names)
    ]
    run = create_run(named, Settings(), name="Flowers", folder=named / "runs" / "a")
    run.update_state(cluster=True, state="running", node="right", heartbeat=time.time())
    waits = create_run(named, Settings(), name="Trees", folder=named / "runs" / "b")
    waits.update_state(cluster=True)
    view = placer.ClusterView(at=time.time(), problem="One is slow.", nodes=tuple(nodes))
    placer.write_view(view)
    with FileLock(placer.lock_path()):  # as whoever places jobs holds it
        app = open_app("work", tab="Runs")
    assert not app.exception
    said = words(app)
    if not cluster.is_installed():
        assert cluster.INSTALL in app.error[0].value.replace("\\", "")  # signs of Markdown
        return
    assert all(name in said for name in names)
    assert "8 processors, 2 GPUs" in said
    assert "runs nothing" in said
    assert "on right" in said
    assert "1 training or search waits" in said
    assert app.warning[0].value.startswith("One is slow")


def test_workspaces_on_one_cluster_do_not_see_each_others_runs(
    workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = namespace()
    assert first == namespace()
    monkeypatch.setenv("TRANSLEARN_HOME", str(tmp_path / "another"))
    assert namespace() != first


def test_no_secret_is_told_to_other_machines(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRANSLEARN_SCHOOL", '{"client_secret": "hidden"}')
    monkeypatch.setenv("TRANSLEARN_TEACHER_PASSWORD", "hidden")
    monkeypatch.setenv("TRANSLEARN_SLOTS", "2")
    told = _environment()
    assert told["TRANSLEARN_SLOTS"] == "2"
    assert told["TRANSLEARN_HOME"] == str(workspace)
    assert "hidden" not in str(told)


def test_a_pupil_sees_where_runs_go_on_while_machines_help_somebody_else(named: Path) -> None:
    space = spaces.space_named("1" * 16)
    search = create_run(
        space / "datasets" / "a", Settings(), folder=space / "studies" / "a", kind="search"
    )
    helper = Run(search.folder / study.HELPERS / "1-a")
    helper.begin(study.TrialsConfig(created=time.time(), study=str(search.folder), number=1))
    for job, node in ((search, "left"), (helper, "right")):
        job.update_state(cluster=True, state="running", node=node, heartbeat=time.time())
    nodes = [cluster.Node(id=name, name=name, address="10.0.0.6") for name in ("left", "right")]
    with spaces.acting_in(spaces.space_named("2" * 16)):
        assert [one.jobs for one in machines(nodes)] == [[search], [search]]
