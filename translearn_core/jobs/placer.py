"""The process that places jobs on a cluster: starting it, and what it last told.

Owns: starting one where there is none, `ClusterView` (the picture of the cluster that pages show).
Leaves to others: what the process does (`placing.py`). Imports neither Ray nor TensorFlow: the web process
uses this module.

Files, in `<workspace>/cluster/`:
    placer.lock   held by the process
    placer.log    its output
    nodes.json    `ClusterView`, a few times a minute; a picture, never a record
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from translearn_core import spaces
from translearn_core.atomic import write_atomically
from translearn_core.cluster import Node
from translearn_core.jobs import launch
from translearn_core.runs.file_cache import read_cached
from translearn_core.runs.state import is_held

FRESH_S = 15.0
"""An older picture is shown as that of a cluster nobody looks at."""

_started: subprocess.Popen[bytes] | None = None


class ClusterView(BaseModel):
    """How the cluster looked at `at`, in unix seconds.

    Attributes:
        problem: why nothing can be placed, as a sentence; empty: it can.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    at: float = 0.0
    address: str = ""
    problem: str = ""
    nodes: tuple[Node, ...] = ()

    @property
    def is_fresh(self) -> bool:
        """Whether somebody looks at the cluster just now."""
        return abs(time.time() - self.at) < FRESH_S


def folder() -> Path:
    """The folder of what concerns the cluster as a whole."""
    return spaces.root() / "cluster"


def lock_path() -> Path:
    """Held by the process that places jobs."""
    return folder() / "placer.lock"


def ensure() -> None:
    """Start the process that places jobs, unless there is one."""
    global _started
    if (_started is not None and _started.poll() is None) or is_held(lock_path()):
        return
    folder().mkdir(parents=True, exist_ok=True)
    with (folder() / "placer.log").open("ab") as log:
        _started = launch.spawn([sys.executable, "-m", "translearn_core.jobs.placing"], log)


def read_view() -> ClusterView:
    """The last picture of the cluster; an empty one where there is none."""
    try:
        return read_cached(folder() / "nodes.json", ClusterView.model_validate_json)
    except (OSError, ValueError):
        return ClusterView()


def write_view(view: ClusterView) -> None:
    """Replace the picture of the cluster."""
    folder().mkdir(parents=True, exist_ok=True)
    write_atomically(folder() / "nodes.json", view.model_dump_json(indent=1), durable=False)
