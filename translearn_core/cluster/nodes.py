"""The machines of a cluster.

Owns: `Node`, and listing them from Ray's answer. Leaves to others: what runs on each (the job folders say
so), showing them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

_ACCELERATOR = "accelerator_type:"


class Node(BaseModel):
    """One machine of the cluster.

    Attributes:
        id: Ray's, 56 hexadecimal digits; a machine that comes back has another.
        name: for people, different from that of every other living node.
        processors, gpus: how many runs may share; 0 processors: nothing runs there.
        devices: the kinds of its GPUs, such as `A100`.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    name: str
    address: str
    processors: float = 0.0
    gpus: float = 0.0
    devices: tuple[str, ...] = ()

    @property
    def works(self) -> bool:
        """Whether anything can be placed there."""
        return self.processors > 0


def list_nodes(ray: Any) -> list[Node]:
    """The living nodes of the cluster that this process is connected to, by name."""
    return read_nodes(ray.nodes())


def read_nodes(told: Sequence[Mapping[str, Any]]) -> list[Node]:
    """The living nodes of what `ray.nodes()` returns, by name.

    A node is called by the name it was started with, else by its machine's; where several are called
    alike, with the beginning of its id.
    """
    living = [one for one in told if one.get("Alive")]
    names = [_name_of(one) for one in living]
    many = Counter(names)
    nodes = [
        _node_of(one, name if many[name] == 1 else f"{name} ({one['NodeID'][:6]})")
        for one, name in zip(living, names, strict=True)
    ]
    return sorted(nodes, key=lambda node: (node.name, node.id))


def _name_of(told: Mapping[str, Any]) -> str:
    given, address = told.get("NodeName", ""), told.get("NodeManagerAddress", "")
    return str(given if given and given != address else told.get("NodeManagerHostname") or address)


def _node_of(told: Mapping[str, Any], name: str) -> Node:
    has = told.get("Resources") or {}
    return Node(
        id=told["NodeID"],
        name=name,
        address=told.get("NodeManagerAddress", ""),
        processors=has.get("CPU", 0.0),
        gpus=has.get("GPU", 0.0),
        devices=tuple(
            sorted(key[len(_ACCELERATOR) :] for key in has if key.startswith(_ACCELERATOR))
        ),
    )
