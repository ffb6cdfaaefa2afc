"""Which machine this is.

Owns: a name that differs between machines which see the same folder. A process id means something on its
own machine only: `runs/state.py` keeps the name beside it.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from functools import cache
from pathlib import Path

_IDENTITY = Path("/etc/machine-id")


@cache
def machine_name() -> str:
    """The name of this machine in its network; where there is one, with the start of the id that the
    system keeps for it, since machines of a room are often called alike."""
    identity = ""
    with suppress(OSError):
        identity = _IDENTITY.read_text(encoding="ascii", errors="replace").strip()[:8]
    name = socket.gethostname() or "machine"
    return f"{name}/{identity}" if identity else name
