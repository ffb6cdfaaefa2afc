"""Under which names and addresses other devices reach this machine.

Owns: finding them, and the link that pupils open. Nothing is sent anywhere.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import suppress

import psutil

_NAME = re.compile(r"[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*")


def own_hosts(preferred: str = "") -> list[str]:
    """The names of this machine, the best one for other devices first.

    Args:
        preferred: a name or address that comes before the others.
    """
    found = [preferred, *_addresses(), *_names(), "localhost", "127.0.0.1", "::1"]
    return list(dict.fromkeys(name for name in found if name))


def link_to(host: str, port: int, code: str = "") -> str:
    """The link that a pupil opens, with the code of the class in it where one is given."""
    return f"{origin_of(host, port)}/class/join" + (f"?code={code}" if code else "")


def origin_of(host: str, port: int) -> str:
    """How the address of every page of the server begins."""
    shown = f"[{host}]" if ":" in host else host
    return f"https://{shown}" + ("" if port == 443 else f":{port}")


def _addresses() -> Iterator[str]:
    """The addresses of version 4 in the local network; first the one that leads out of it."""
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # chooses an interface; nothing is sent
        yield probe.getsockname()[0]
    for interface in psutil.net_if_addrs().values():
        for entry in interface:
            if entry.family == socket.AF_INET and not entry.address.startswith("127."):
                yield entry.address


def _names() -> Iterator[str]:
    name = socket.gethostname().partition(".")[0]
    if _NAME.fullmatch(name):
        yield from (name, f"{name}.local")
    full = socket.getfqdn()
    if _NAME.fullmatch(full):
        yield full
