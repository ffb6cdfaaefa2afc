"""Files at addresses (`s3://bucket/cats/1.jpg`): read where they lie, through fsspec.

Owns: what an address is, `RemotePhoto`, reading and looking at files at addresses, and the sentence
where a package is missing. Leaves to others: decoding (`decode.py`), which photos a data set has
(`datasets/photo_manifest.py`).

fsspec, and the package of each protocol, are extra: nothing here is imported before an address is used.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any, Generic, TypeVar, overload
from urllib.parse import unquote

from translearn_core.config import load_configuration
from translearn_core.errors import PhotoError, SourceError, UnreachableError
from translearn_core.i18n import _

Name = TypeVar("Name")
_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]+)://", re.IGNORECASE)
READERS = 32
"""Files at addresses that are looked at at a time: what takes the time is the way there and back."""


class MissingPackageError(SourceError):
    """What reads addresses of a protocol is not installed."""


@dataclass(frozen=True)
class RemotePhoto:
    """A photo at an address."""

    address: str

    def __str__(self) -> str:
        return self.address

    @property
    def name(self) -> str:
        """The last part of the address."""
        return PurePosixPath(self.address).name

    def read_bytes(self) -> bytes:
        """The bytes of the file, as `read` with the configuration's limit."""
        return self.read(load_configuration().limits.photo_bytes)

    def read(self, most_bytes: int) -> bytes:
        """The bytes of the file; of a larger one, one more than `most_bytes`.

        Raises:
            FileNotFoundError: there is no such file.
            UnreachableError: it cannot be read.
        """
        try:
            system, path = open_system(self.address)
            with system.open(path, "rb", block_size=2**22) as file:
                data: bytes = file.read(most_bytes + 1)
        except SourceError as error:
            raise UnreachableError(error.message) from error
        except FileNotFoundError:
            raise
        except Exception as error:  # what the package of the protocol raises is its own
            raise UnreachableError(_cannot_read(self.address, error)) from error
        return data


PhotoFile = Path | RemotePhoto


class PhotoFiles(Sequence[PhotoFile], Generic[Name]):
    """Where photos are, made as they are asked for.

    Args:
        names: a path of the manifest, a row or the like of each.
        find: the file of a name.
    """

    def __init__(self, names: Sequence[Name], find: Callable[[Name], PhotoFile]) -> None:
        self._names, self._find = names, find

    def __len__(self) -> int:
        return len(self._names)

    @overload
    def __getitem__(self, index: int) -> PhotoFile: ...

    @overload
    def __getitem__(self, index: slice) -> list[PhotoFile]: ...

    def __getitem__(self, index: int | slice) -> PhotoFile | list[PhotoFile]:
        if isinstance(index, slice):
            return [self._find(name) for name in self._names[index]]
        return self._find(self._names[index])


"""Where a photo is."""


def is_address(text: str) -> bool:
    """Whether a text is an address rather than a path."""
    return _ADDRESS.match(text) is not None


def is_local(address: str) -> bool:
    """Whether an address names a file of this machine."""
    return protocol_of(address) in ("file", "local")


def local_path(address: str) -> str:
    """The path that a `file://` address names, as it is written or with `%20` for a space."""
    path = address.partition("://")[2]
    if re.match(r"/[A-Za-z]:", path):
        path = path[1:]
    return path if "%" not in path or os.path.lexists(path) else unquote(path)


def protocol_of(address: str) -> str:
    """`s3` of `s3://bucket/key`."""
    found = _ADDRESS.match(address)
    return found[1].lower() if found else ""


def open_system(address: str) -> tuple[Any, str]:
    """The file system that an address is of, and the address as it knows it.

    Raises:
        MissingPackageError: fsspec, or the package of the protocol, is not installed.
        SourceError: there is no such protocol, or the access is refused.
    """
    protocol = protocol_of(address)
    if importlib.util.find_spec("fsspec") is None:
        raise _missing(address, "fsspec")
    import fsspec

    try:
        found: tuple[Any, str] = fsspec.core.url_to_fs(address)
    except ImportError as error:
        raise _missing(address, protocol) from error
    except ValueError as error:
        raise SourceError(
            _(
                "The protocol `{protocol}` of {address} is not known. Give a path, or an address like "
                "s3://bucket/photos/1.jpg."
            ).format(protocol=protocol, address=address)
        ) from error
    except Exception as error:  # what the package of the protocol raises is its own
        raise SourceError(_cannot_read(address, error)) from error
    return found


def read_address(address: str, most_bytes: int) -> bytes:
    """The bytes of a file at an address.

    Raises:
        SourceError: it cannot be read, or is larger than `most_bytes`.
    """
    try:
        data = RemotePhoto(address).read(most_bytes)
    except FileNotFoundError as error:
        raise SourceError(
            _("There is no file {address}. Check the address.").format(address=address)
        ) from error
    except PhotoError as error:
        raise SourceError(error.message) from error
    if len(data) > most_bytes:
        raise SourceError(
            _("{address} has more than {limit} MB, and is not read.").format(
                address=address, limit=most_bytes // 2**20
            )
        )
    return data


@dataclass(frozen=True)
class Facts:
    """What is known of a file before it is read: bytes, and a number that changes with its content,
    as far as the protocol tells one; `problem` is the reason why there is nothing."""

    size_bytes: int = 0
    stamp: int = 0
    problem: str = ""


def is_there(address: str) -> bool:
    """Whether there is a file at an address, as far as can be told now."""
    try:
        return not _facts(address).problem
    except SourceError:
        return False


def look_at(addresses: Iterable[str]) -> Iterator[Facts]:
    """The facts of files at addresses, in their order, many at a time.

    Raises:
        MissingPackageError: as `open_system`.
    """
    rest = iter(addresses)
    with ThreadPoolExecutor(READERS, thread_name_prefix="look") as pool:
        while some := list(islice(rest, 64 * READERS)):
            yield from pool.map(_facts, some)


def _facts(address: str) -> Facts:
    try:
        system, path = open_system(address)
        found = system.info(path)
    except MissingPackageError:
        raise
    except SourceError as error:
        return Facts(problem=error.message)
    except FileNotFoundError:
        return Facts(problem=_("There is no such file."))
    except Exception as error:  # noqa: BLE001 - what the package of the protocol raises is its own
        return Facts(problem=_cannot_read(address, error))
    if found.get("type") == "directory":
        return Facts(problem=_("It is a folder, not a photo."))
    return Facts(int(found.get("size") or 0), _stamp(found))


def _stamp(found: dict[str, Any]) -> int:
    """A number that changes with a file: its time of change in ns, or a hash of what stands for it."""
    for name in ("mtime", "LastModified", "last_modified", "updated", "created", "ETag", "etag"):
        value = found.get(name)
        if isinstance(value, datetime):
            return int(value.timestamp() * 1e9)
        if isinstance(value, int | float):
            return int(value * 1e9)
        if value:
            return int(hashlib.sha256(str(value).encode()).hexdigest()[:15], 16)
    return 0


def _missing(address: str, package: str) -> MissingPackageError:
    return MissingPackageError(
        _(
            "{address} lies elsewhere, and what reads it is missing ({package}). Install it: pip "
            "install -r requirements-remote.txt, or for other addresses than s3:// the package that "
            "fsspec names for them."
        ).format(address=address, package=package)
    )


def _cannot_read(address: str, error: Exception) -> str:
    cause = " ".join(str(error).split())[:200] or type(error).__name__
    return _("{address} cannot be read: {cause}.").format(address=address, cause=cause.rstrip("."))
