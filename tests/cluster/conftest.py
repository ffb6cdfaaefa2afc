"""A cluster of this machine for all tests of this process: three nodes of one processor each."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from benchmarks.nodes import Nodes
from benchmarks.nodes import nodes as started
from translearn_core import cluster

SHARED_MEMORY = "/dev/shm"
REFUSED = {errno.EPERM, errno.EACCES, errno.EAGAIN, errno.ENOMEM}
"""What a machine answers that does not permit, or has no room for, processes and memory to share."""


@pytest.fixture(scope="session")
def nodes() -> Iterator[Nodes]:
    """The cluster of this test process: `alpha`, the head, `beta` and `gamma`.

    Skips where Ray is not installed, and where this machine has no memory to share or starts no more
    processes; any other fault is one.
    """
    if not cluster.is_installed():
        pytest.skip(f"Ray is not installed: {cluster.INSTALL}")
    with ExitStack() as stack:
        try:
            found = stack.enter_context(started())
        except OSError as error:
            if error.errno not in REFUSED and error.filename != SHARED_MEMORY:
                raise
            pytest.skip(f"This machine lacks what Ray needs: {error}")
        yield found


@pytest.fixture
def shared(nodes: Nodes, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A workspace of the test's own whose configuration names the cluster; its places are free after it."""
    here = {"TRANSLEARN_HOME": str(workspace)} | nodes.environment
    for name, value in here.items():
        monkeypatch.setenv(name, value)
    yield workspace
    for name, value in here.items():
        monkeypatch.setenv(name, value)  # a test may have gone elsewhere
    with cluster.connected() as ray:
        for name in ray.util.list_named_actors():
            ray.kill(ray.get_actor(name))
