"""A cluster of machines by Ray: whether it can be used, connecting to it, its nodes.

Owns: the one place where Ray is imported (`connection.py`), the machines of the cluster (`nodes.py`),
which machine this is (`machine.py`).
Leaves to others: what is done there (`jobs/` places runs, `features/` maps passes over photos), and the
values of the configuration (`config.Cluster`). Nothing here is imported by Ray, and Ray is not imported
before `connected` or `load_ray` is called.

Ray's own state is never a record: what has to last stands in job folders on the shared folder.
"""

from translearn_core.cluster.connection import (
    INSTALL,
    check_folder,
    connected,
    is_installed,
    is_named,
    load_ray,
)
from translearn_core.cluster.machine import machine_name
from translearn_core.cluster.nodes import Node, list_nodes

__all__ = [
    "INSTALL",
    "Node",
    "check_folder",
    "connected",
    "is_installed",
    "is_named",
    "list_nodes",
    "load_ray",
    "machine_name",
]
