"""Keys of clients.

Owns: the key file, making a key, and which client a key belongs to.
Leaves to others: where a request carries its key (`guard.py`).

File: a line a client, `NAME sha256:HEX`; empty lines and lines that begin with `#` are passed over.
The key itself stands nowhere. It is 32 random bytes, so that nobody finds it by trying and a plain
SHA-256 is enough. The file is read again when it changes: a line taken out shuts that client out.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
import secrets
from pathlib import Path

from translearn_core.atomic import write_atomically
from translearn_core.errors import InputError, SettingsError
from translearn_core.i18n import _

logger = logging.getLogger(__name__)

NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_LINE = re.compile(r"([A-Za-z0-9._-]{1,64})\s+sha256:([0-9a-f]{64})")
_BYTES = 32


class Keys:
    """The clients of a key file.

    Raises:
        SettingsError: the file cannot be read, holds no key, or a line of it is none.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._clients = read_keys(path)
        self._read = _mark(path)
        if not self._clients:
            raise SettingsError(
                _("There is no key in {file}. Make one with `serve-key {file} NAME`.").format(
                    file=path
                )
            )

    def client_of(self, key: str) -> str | None:
        """The name of the client with this key; None where there is none.

        Every key of the file is compared, in constant time.

        Raises:
            SettingsError: the file was changed and cannot be read: nobody is let in.
        """
        mark = _mark(self.path)
        if mark != self._read:
            self._clients = read_keys(self.path)
            self._read = mark
        given = _hash(key)
        found = None
        for name, known in self._clients.items():
            if hmac.compare_digest(given, known):
                found = name
        return found


def add_key(path: Path, name: str) -> str:
    """Make a key for a client and add its hash to the file, which is made where there is none.

    Returns:
        The key. It is not kept.

    Raises:
        SettingsError: the name is not usable, or has a key; the file is no key file.
        InputError: it cannot be written.
    """
    if not NAME.fullmatch(name):
        raise SettingsError(
            _(
                "The name of a client has 1 to 64 letters (a to z), digits, dots, hyphens or "
                "underscores. Received: {name}."
            ).format(name=name)
        )
    if path.exists() and name in read_keys(path):
        raise SettingsError(
            _(
                "{file} has a key for {name} already. Take its line out first, or choose another name."
            ).format(file=path, name=name)
        )
    key = secrets.token_urlsafe(_BYTES)
    try:
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        if text and not text.endswith("\n"):
            text += "\n"
        write_atomically(path, f"{text}{name} sha256:{_hash(key)}\n")
        path.chmod(0o600)
    except OSError as error:
        raise InputError(
            _("{file} cannot be written: {cause}. Name another file.").format(
                file=path, cause=error.strerror
            )
        ) from error
    return key


def read_keys(path: Path) -> dict[str, str]:
    """Name of each client -> hash of its key.

    Raises:
        SettingsError: the file cannot be read, or a line is none of a key file.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise SettingsError(
            _(
                "The key file {file} cannot be read: {cause}. Make one with `serve-key {file} NAME`."
            ).format(file=path, cause=getattr(error, "strerror", None) or error)
        ) from error
    clients = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line.strip())
        if match is None:
            raise SettingsError(
                _(
                    "Line {number} of {file} is not `NAME sha256:…` as `serve-key` writes it. Take it "
                    "out, or make the key again."
                ).format(number=number, file=path)
            )
        clients[match[1]] = match[2]
    return clients


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def _mark(path: Path) -> tuple[int, ...]:
    try:
        status = path.stat()
    except OSError:
        return ()
    return status.st_mtime_ns, status.st_size, status.st_ino
