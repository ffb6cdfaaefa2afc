"""Connecting to the cluster that the configuration names.

Owns: the check that Ray is installed and new enough, that the workspace lies in the shared folder, that
somebody answers at the address, that our token is let in and nobody is without one; the connection of
this process.
Leaves to others: starting Ray on the machines (docs/cluster.md), what runs there.

Token authentication is always on: `RAY_AUTH_MODE` is `token` in this process and its children. The token
is where Ray looks for it: `RAY_AUTH_TOKEN`, the file that `RAY_AUTH_TOKEN_PATH` names, or
`~/.ray/auth_token`. Ray reports nothing about its use to anybody from here.
"""

from __future__ import annotations

import hashlib
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from translearn_core import spaces
from translearn_core.config import load_configuration
from translearn_core.errors import ClusterError
from translearn_core.i18n import _

INSTALL = "python -m pip install -r requirements-cluster.txt"
OLDEST = (2, 59)
REACH_S = 5.0
"""Whoever does not answer within so many seconds is not waited for."""

_lock = threading.Lock()
_checked: set[str] = set()
"""Addresses that this process has found guarded by a token."""


def is_named() -> bool:
    """Whether the configuration names a cluster."""
    return bool(load_configuration().cluster.address)


def is_installed() -> bool:
    """Whether Ray is there. Does not import it."""
    return find_spec("ray") is not None


def load_ray() -> Any:
    """The module `ray`, with token authentication on.

    Raises:
        ClusterError: it is not installed, or too old.
    """
    if not is_installed():
        raise ClusterError(
            _(
                "The configuration names a cluster, but Ray is not installed here. Install it: {command}"
            ).format(command=INSTALL)
        )
    os.environ["RAY_AUTH_MODE"] = "token"  # read once, when Ray is imported
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray

    found = tuple(int(part) for part in re.findall(r"\d+", ray.__version__)[:2])
    if found < OLDEST:
        raise ClusterError(
            _(
                "Ray {found} is too old for a cluster, which needs {oldest} or newer. Install it: "
                "{command}"
            ).format(found=ray.__version__, oldest=".".join(map(str, OLDEST)), command=INSTALL)
        )
    return ray


def check_folder() -> None:
    """Refuse a workspace that the nodes cannot see.

    Raises:
        ClusterError: a shared folder is named, and the workspace lies elsewhere.
    """
    folder = load_configuration().cluster.folder
    if folder is not None and not spaces.root().is_relative_to(folder.expanduser().resolve()):
        raise ClusterError(
            _(
                "The workspace {workspace} does not lie in {folder}, the shared folder of the cluster, so "
                "its nodes cannot see it. Name a folder in there in TRANSLEARN_HOME."
            ).format(workspace=spaces.root(), folder=folder)
        )


@contextmanager
def connected() -> Iterator[Any]:
    """The module `ray`, connected to the cluster of the configuration while the block runs.

    A process that is connected already stays so: blocks may lie in each other, in one thread or several.
    The machine of this process must be a node of the cluster itself; one without processors is enough.

    Raises:
        ClusterError: no cluster is named, Ray is not installed or too old, nobody answers, our token is
            not accepted, or the cluster lets in who has none.
    """
    address = load_configuration().cluster.address
    if not address:
        raise ClusterError(
            _("No cluster is named. Write its `address` under `[cluster]` into {file}.").format(
                file=spaces.root() / "config.toml"
            )
        )
    ray = load_ray()
    with _lock:
        is_ours = not ray.is_initialized()
        if is_ours:
            check_answers(address)
            _connect(ray, address)
    try:
        yield ray
    finally:
        if is_ours:
            ray.shutdown()


def namespace() -> str:
    """Ray's namespace of this workspace: others on the same cluster do not see what it has there."""
    folder = str(spaces.root()).encode("utf-8", "surrogatepass")
    return f"translearn-{hashlib.sha256(folder).hexdigest()[:12]}"


def _connect(ray: Any, address: str) -> None:
    try:
        ray.init(
            address=address, namespace=namespace(), log_to_driver=False, configure_logging=False
        )
    except (ray.exceptions.RayError, ConnectionError, RuntimeError, ValueError) as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise ClusterError(
            _(
                "The cluster at {address} answers, but this machine cannot join in: {cause}. Start Ray "
                "here, too: ray start --address={address} --num-cpus=0"
            ).format(address=address, cause=first)
        ) from error


def check_answers(address: str) -> None:
    """See that the head node answers, lets us in, and nobody without a token.

    Raises:
        ClusterError: it does not.
    """
    if address in _checked:
        return
    import grpc

    codes = grpc.StatusCode
    with_token = _knock(address, _token())
    if with_token is codes.UNAUTHENTICATED:
        raise ClusterError(
            _(
                "The cluster at {address} does not accept our token. Put the token of its head node into "
                "~/.ray/auth_token here, too (docs/cluster.md)."
            ).format(address=address)
        )
    if with_token in (codes.UNAVAILABLE, codes.DEADLINE_EXCEEDED):
        raise ClusterError(
            _(
                "No Ray cluster answers at {address}. Start Ray there, or correct the address in the "
                "configuration."
            ).format(address=address)
        )
    if with_token is not codes.OK:
        raise ClusterError(
            _(
                "What answers at {address} is no Ray cluster of a version that is known here. Install the "
                "same version on all machines: {command}"
            ).format(address=address, command=INSTALL)
        )
    if _knock(address, "") is codes.OK:
        raise ClusterError(
            _(
                "The cluster at {address} lets in everybody who can reach it, and each of them can run any "
                "program there. Stop it, and start it with RAY_AUTH_MODE=token (docs/cluster.md)."
            ).format(address=address)
        )
    _checked.add(address)


def _knock(address: str, token: str) -> Any:
    """The `grpc.StatusCode` by which the head node answers whether it is alive. Ray itself would retry
    for minutes, and the mode of authentication is fixed for the life of a process."""
    import grpc

    with grpc.insecure_channel(address) as channel:
        ask = channel.unary_unary("/ray.rpc.NodeInfoGcsService/CheckAlive")
        metadata = (("authorization", f"Bearer {token}"),) if token else None
        try:
            ask(b"", timeout=REACH_S, metadata=metadata)
        except grpc.RpcError as error:
            return error.code()
    return grpc.StatusCode.OK


def _token() -> str:
    """The token as Ray finds it; empty where there is none."""
    if token := os.environ.get("RAY_AUTH_TOKEN", "").strip():
        return token
    named = os.environ.get("RAY_AUTH_TOKEN_PATH", "").strip()
    path = Path(named) if named else Path.home() / ".ray" / "auth_token"
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return ""
