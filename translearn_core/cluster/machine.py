"""Which machine this is.

Owns: a name that differs between machines which see the same folder, and whether a name is this machine's.
A process id means something on its own machine only: `runs/state.py` keeps the name beside it.

A name is `<host name>/<identity>`. The host name is for people: a laptop changes it from one network to the
next. Only in a container does it count, too, since those of one image may have one identity.
"""

from __future__ import annotations

import socket
import uuid
from contextlib import suppress
from functools import cache
from pathlib import Path

_IDENTITY = Path("/etc/machine-id")
_NUMBERS = Path("/proc/self/ns/pid")
_NUMBERS_OF_MACHINE = 0xEFFFFFFC
"""Linux: the numbers of processes are the machine's own, not those of a container."""
_INVENTED = 1 << 40
"""Set in a network address that Python invents, another one in each process."""


@cache
def machine_name() -> str:
    """The name of this machine in its network, with the start of the id that the system keeps for it,
    else with the address of its network card; without either the name alone."""
    identity = ""
    with suppress(OSError):
        identity = _IDENTITY.read_text(encoding="ascii", errors="replace").strip()[:8]
    card = 0 if identity else uuid.getnode()
    if card and not card & _INVENTED:
        identity = f"{card:012x}"
    name = socket.gethostname() or "machine"
    return f"{name}/{identity}" if identity else name


def is_this_machine(name: str) -> bool:
    """Whether a name that `machine_name` gave, now or earlier, is this machine's."""
    if name == machine_name():
        return True
    identity, own = name.partition("/")[2], machine_name().partition("/")[2]
    return bool(identity) and identity == own and not _is_container()


@cache
def _is_container() -> bool:
    """Whether the processes of this machine that can be seen from here are those of a container."""
    with suppress(OSError):
        return _NUMBERS.stat().st_ino != _NUMBERS_OF_MACHINE
    return False
