"""Which machine this is.

Owns: a name that differs between machines which see the same folder, and whether a name is this machine's.
A process id means something on its own machine only: `runs/state.py` keeps the name beside it.

A name is `<host name>/<identity>`. The host name is for people: a laptop changes it from one network to the
next. Only in a container does it count, too, since those of one image may have one identity.

The identity is the one that the system keeps for the machine. The address of the network card stands in
where there is none: it changes with a dock or a setting.
"""

from __future__ import annotations

import re
import socket
import string
import subprocess
import sys
import uuid
from contextlib import suppress
from functools import cache
from pathlib import Path

_IDENTITY = Path("/etc/machine-id")
_REGISTRY = r"SOFTWARE\Microsoft\Cryptography"
_ONCE_BY_CARD = ("win32", "darwin")
"""Where earlier versions took the network card in any case."""
_NUMBERS = Path("/proc/self/ns/pid")
_NUMBERS_OF_MACHINE = 0xEFFFFFFC
"""Linux: the numbers of processes are the machine's own, not those of a container."""
_DIGITS = 8
"""Digits of the system's id that a name has."""
_INVENTED = 1 << 40
"""Set in a network address that Python invents, another one in each process."""


@cache
def machine_name() -> str:
    """The name of this machine in its network, with the start of the id that the system keeps for it,
    else with the address of its network card; without either the name alone."""
    identity = kept_identity()[:_DIGITS] or _card()
    name = socket.gethostname() or "machine"
    return f"{name}/{identity}" if identity else name


def kept_identity() -> str:
    """The id that the system keeps for the machine, hexadecimal digits in small letters; empty where it
    keeps none or does not tell it."""
    told = ""
    with suppress(OSError, subprocess.SubprocessError):
        if sys.platform == "win32":
            import winreg

            with winreg.OpenKey(
                winreg.HKEY_LOCAL_MACHINE,
                _REGISTRY,
                access=winreg.KEY_READ | winreg.KEY_WOW64_64KEY,
            ) as key:
                told = str(winreg.QueryValueEx(key, "MachineGuid")[0])
        elif sys.platform == "darwin":
            command = ["/usr/sbin/ioreg", "-rd1", "-c", "IOPlatformExpertDevice"]
            done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
            told = identity_of_mac(done.stdout)
        else:
            told = _IDENTITY.read_text(encoding="ascii", errors="replace")
    digits = "".join(letter for letter in told.lower() if letter in string.hexdigits)
    return digits if len(digits) >= _DIGITS else ""  # an image may hold a word instead


def identity_of_mac(told: str) -> str:
    """The id of the hardware in what `ioreg` prints; empty where it is not there."""
    found = re.search(r'"IOPlatformUUID"\s*=\s*"([^"]+)"', told)
    return found[1] if found else ""


def _card() -> str:
    """The address of the network card; empty where Python finds none."""
    card = uuid.getnode()
    return "" if not card or card & _INVENTED else f"{card:012x}"


def is_this_machine(name: str) -> bool:
    """Whether a name that `machine_name` gave, now or earlier, is this machine's."""
    if name == machine_name():
        return True
    identity, own = name.partition("/")[2], machine_name().partition("/")[2]
    is_same = identity == own or (sys.platform in _ONCE_BY_CARD and identity == _card())
    return bool(identity) and is_same and not _is_container()


@cache
def _is_container() -> bool:
    """Whether the processes of this machine that can be seen from here are those of a container."""
    with suppress(OSError):
        return _NUMBERS.stat().st_ino != _NUMBERS_OF_MACHINE
    return False
