"""The process of the service.

Owns: `serve`: opening the models, the address, who may ask, running the server to its end.
Leaves to others: the paths (`app.py`), the command (`cli/serve.py`).
"""

from __future__ import annotations

import ipaddress
import logging
import os
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from fastapi.middleware.cors import CORSMiddleware

from translearn_core.errors import InputError
from translearn_core.i18n import _
from translearn_core.service.app import make_app
from translearn_core.service.figures import Figures
from translearn_core.service.guard import App, Guard
from translearn_core.service.keys import Keys
from translearn_core.service.models import Models
from translearn_core.service.request_bounds import Bounds

HERE = ("localhost", "127.0.0.1", "[::1]")
"""Names of this machine."""
END_S = 20
"""How long requests are waited for at the end."""
_WAITING = 512
"""Connections that may wait to be accepted."""


@dataclass(frozen=True, kw_only=True)
class Door:
    """Where the service is asked, and by whom. Without keys, and not open, it answers under names of
    this machine only.

    Attributes:
        keys: file of keys; None where nobody needs one.
        is_open: answer anybody without a key.
        origins: addresses of web pages whose scripts may ask.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    keys: Path | None = None
    is_open: bool = False
    origins: Sequence[str] = ()


def serve(
    folders: dict[str, Path],
    door: Door,
    bounds: Bounds,
    *,
    ready: Callable[[str, Models], None],
) -> None:
    """Serve runs until the process is told to end (Ctrl-C, SIGTERM); requests are then finished.

    Args:
        folders: name -> folder of a run.
        ready: called with the address and the models when requests are answered.

    Raises:
        SettingsError: the key file is none.
        InputError: the address cannot be used.
        RunError: a run cannot be served.
    """
    logging.getLogger("translearn_core.service").setLevel(logging.INFO)  # versions
    logging.getLogger("python_multipart").setLevel(logging.ERROR)  # the client is told
    keys = Keys(door.keys) if door.keys is not None else None
    with _listening(door) as listening:
        figures = Figures()
        models = Models(folders, figures)
        app = _with_door(
            make_app(models, figures=figures, bounds=bounds), door, keys, figures, bounds
        )
        config = uvicorn.Config(
            app,
            lifespan="off",
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=END_S,
        )
        with models.watched(), _ending_quietly():
            ready(_address(listening), models)
            uvicorn.Server(config).run(sockets=[listening])
        models.close()


def _with_door(app: App, door: Door, keys: Keys | None, figures: Figures, bounds: Bounds) -> App:
    is_bare = keys is None and not door.is_open
    hosts = frozenset({*HERE, door.host.lower()}) if is_bare else None
    guarded: App = Guard(app, figures=figures, keys=keys, hosts=hosts, bounds=bounds)
    if not door.origins:
        return guarded
    return CORSMiddleware(
        guarded,  # type: ignore[arg-type]
        allow_origins=list(door.origins),
        allow_methods=["GET", "POST"],
        allow_headers=["*"],
    )


def is_here(host: str) -> bool:
    """Whether only this machine can ask under this name."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


@contextmanager
def _listening(door: Door) -> Iterator[socket.socket]:
    """A socket that listens there; nobody is answered before the models are open."""
    try:
        listening = _bind(door.host.strip("[]"), door.port)
    except (OSError, OverflowError, UnicodeError) as error:
        raise InputError(
            _("{host} port {port} cannot be used: {cause}. Choose another port.").format(
                host=door.host, port=door.port, cause=getattr(error, "strerror", None) or error
            )
        ) from error
    with listening:
        yield listening


def _bind(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Its protocol is named: asyncio switches Nagle's algorithm off only where it is TCP by name, and with
    it an answer waits 40 ms.
    """
    found = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP, flags=socket.AI_PASSIVE
    )
    family, kind, protocol, _name, place = found[0]
    listening = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":  # a port whose last connections are just ending can be used
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(place)
        listening.listen(_WAITING)
    except BaseException:
        listening.close()
        raise
    return listening


def _address(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    if host in ("0.0.0.0", "::"):
        host = socket.gethostname()
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@contextmanager
def _ending_quietly() -> Iterator[None]:
    """The server raises the signal that ended it once more, when all is done; that is no failure."""

    def ignore(_number: int, _frame: object) -> None:
        pass

    before = {name: signal.signal(name, ignore) for name in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)
