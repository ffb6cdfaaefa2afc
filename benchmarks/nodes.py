"""A cluster of this machine, by `ray.cluster_utils`: nodes of one processor each, the first of which is its head.

Owns: starting it and ending it whatever happens, a node added and lost. For the benchmarks, and for the
tests of `tests/cluster`. The nodes share the processors of this machine, so that they tell nothing about
the speed of a cluster.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from translearn_core import cluster

ROOT = Path(__file__).resolve().parent.parent
NAMES = ("alpha", "beta", "gamma")
TOKEN = secrets.token_hex(16)
"""Of all clusters of this process: Ray reads it once."""
LITTLE = {"include_dashboard": False, "include_log_monitor": False, "no_monitor": True}
"""A head without what nobody looks at here: pages, logs of workers, adding nodes by itself."""
STORE_BYTES = 120 * 2**20
"""Memory of a node for what goes from process to process: a converted network, a shard of features."""


class Nodes:
    """The nodes of a cluster by name.

    Attributes:
        address: of the head.
        environment: what a process needs, beside the environment of this one, to use the cluster.
    """

    def __init__(self, made: Any, head: str) -> None:
        self._made = made
        self._nodes: dict[str, Any] = {head: made.head_node}
        self.address: str = made.address
        self.environment = {"TRANSLEARN_CLUSTER": json.dumps({"address": made.address})}

    def ensure(self, name: str) -> None:
        """Start a node, unless it is there."""
        if name not in self._nodes:
            self._nodes[name] = self._made.add_node(node_name=name, **_size())

    def lose(self, name: str) -> None:
        """End a node at once, as when its plug is pulled; not the head."""
        self._made.remove_node(self._nodes.pop(name), allow_graceful=False)


@contextmanager
def nodes(names: Sequence[str] = NAMES) -> Iterator[Nodes]:
    """A cluster while the block runs. Its token is in the environment for as long.

    Raises:
        ClusterError: Ray is not installed, or too old.
    """
    before = dict(os.environ)
    os.environ |= {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": TOKEN,
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_prestart_worker_first_driver": "0",  # no process before it is asked for
        "RAY_worker_niceness": "0",  # by default 15, behind everything else on this machine
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
    }
    made = None
    try:
        cluster.load_ray()  # the mode of authentication was chosen before
        from ray.cluster_utils import Cluster

        head, *others = names
        made = Cluster()
        made.add_node(node_name=head, **_size(), **LITTLE)
        started = Nodes(made, head)
        for name in others:
            started.ensure(name)
        yield started
    finally:
        if made is not None:
            made.shutdown()
        os.environ.clear()
        os.environ |= before


def _size() -> dict[str, Any]:
    return {"num_cpus": 1, "object_store_memory": STORE_BYTES}
