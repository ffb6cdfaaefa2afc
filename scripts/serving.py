"""Under which names the app may be opened, when it is served to other machines.

Owns: the options that `scripts/run` adds to those it was given. Used by it alone; needs Python alone.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Sequence

LOOPBACK = ("localhost", "127.0.0.1", "::1")


def host_options(options: Sequence[str]) -> list[str]:
    """Options that let the app be opened under the names of this machine.

    None where it is served to this machine alone, or the names are among `options`.
    """
    address = ""
    for option, following in zip(options, [*options[1:], ""], strict=False):
        name, equals, value = option.partition("=")
        if name == "--server.allowedHosts":
            return []
        if name == "--server.address":
            address = value if equals else following
    if not address or address in LOOPBACK:
        return []
    names = dict.fromkeys([*LOOPBACK, *_names_of_this_machine(), address])
    return [part for name in names for part in ("--server.allowedHosts", name)]


def _names_of_this_machine() -> list[str]:
    """Its names and addresses in the local network."""
    name = socket.gethostname()
    names = [name, name.partition(".")[0], f"{name.partition('.')[0]}.local", socket.getfqdn()]
    with contextlib.suppress(OSError):
        names += [str(found[4][0]) for found in socket.getaddrinfo(name, None)]
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # chooses an interface; nothing is sent
        names.append(probe.getsockname()[0])
    return [found for found in names if found]
