"""A cluster of this machine: three nodes of one processor each, the first of which is its head."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from translearn_core import cluster

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "0123456789abcdef0123456789abcdef"
STORE_BYTES = 80 * 2**20


class Nodes:
    """The cluster: `alpha`, `beta`, `gamma`."""

    def __init__(self, made: Any) -> None:
        self._made = made
        self._nodes: dict[str, Any] = {}
        self.address: str = made.address

    def add(self, name: str) -> None:
        """Start a node of one processor."""
        self._nodes[name] = self._made.add_node(
            node_name=name, num_cpus=1, object_store_memory=STORE_BYTES
        )

    def ensure(self, name: str) -> None:
        """Start a node where a test before has ended it."""
        if name not in self._nodes:
            self.add(name)

    def lose(self, name: str) -> None:
        """End a node at once, as when its plug is pulled; not the head."""
        self._made.remove_node(self._nodes.pop(name), allow_graceful=False)


@pytest.fixture(scope="session")
def nodes() -> Iterator[Nodes]:
    """The cluster of this test process."""
    if not cluster.is_installed():
        pytest.skip(f"Ray is not installed: {cluster.INSTALL}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "token")
        patch.setenv("RAY_AUTH_TOKEN", TOKEN)
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
        cluster.load_ray()
        from ray.cluster_utils import Cluster

        head = {
            "num_cpus": 1,
            "object_store_memory": STORE_BYTES,
            "include_dashboard": False,
            "node_name": "alpha",
        }
        made = Cluster(initialize_head=True, head_node_args=head)
        try:
            found = Nodes(made)
            for name in ("beta", "gamma"):
                found.add(name)
            yield found
        finally:
            made.shutdown()


@pytest.fixture
def shared(nodes: Nodes, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A workspace of the test's own whose configuration names the cluster; its places are free after it."""
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", TOKEN)
    here = {
        "TRANSLEARN_HOME": os.environ["TRANSLEARN_HOME"],
        "TRANSLEARN_CLUSTER": json.dumps({"address": nodes.address}),
    }
    monkeypatch.setenv("TRANSLEARN_CLUSTER", here["TRANSLEARN_CLUSTER"])
    yield workspace
    for name, value in here.items():
        monkeypatch.setenv(name, value)  # a test may have gone elsewhere
    with cluster.connected() as ray:
        for name in ray.util.list_named_actors():
            ray.kill(ray.get_actor(name))
