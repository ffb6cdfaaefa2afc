"""The files of a class: who is in it, its sessions, its wrong guesses.

Owns: `<workspace>/class/` and its files, each replaced in one step, and the lock under which they are
changed.
    class.json      `Classroom`
    people.json     `Person`, a list
    sessions.json   `Session`, a list
    attempts.json   `Attempt`, by what was guessed at
    .lock
Leaves to others: what they mean.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal, TypeVar

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from translearn_core import spaces
from translearn_core.atomic import disk_errors, write_atomically
from translearn_core.errors import StorageError
from translearn_core.i18n import _

SCHEMA = 1
LOCK_WAIT_S = 30.0
Role = Literal["teacher", "pupil"]


class Classroom(BaseModel):
    """class.json. Times are unix seconds; 0 stands for none."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    schema_version: int = SCHEMA
    code: str
    """What a pupil types in to join."""
    created: float
    ends: float = 0.0
    """After this moment nobody but the teacher is signed in."""
    deletes: float
    """After this moment the spaces of all pupils are deleted."""
    password: str = Field(repr=False)
    """Hash of the teacher's password."""
    secret: str = Field(repr=False)
    """What cookies and exported spaces are signed with, in hexadecimal."""
    may_join: bool = True
    """Whether new names are taken in."""
    assignment: str = ""
    """What every pupil reads above every page; empty: nothing."""

    def is_over(self, now: float) -> bool:
        """Whether the class has ended."""
        return 0 < self.ends <= now


class Person(BaseModel):
    """One person of the class."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    name: str
    role: Role = "pupil"
    pin: str = Field(default="", repr=False)
    """Hash of the PIN; empty for the teacher, who has a password."""
    space: str
    """The id of the space that is acted in: the person's own, or that of a group."""
    joined: float
    account: str = Field(default="", repr=False)
    """SHA-256 of provider and id of an account of the school; empty for who has a PIN."""

    @property
    def is_teacher(self) -> bool:
        """Whether this is the teacher, who may see and do everything."""
        return self.role == "teacher"

    @property
    def folder(self) -> Path:
        """The space that this person acts in."""
        return spaces.root() if self.is_teacher else spaces.space_named(self.space)


class Session(BaseModel):
    """Somebody who is signed in. Of the token only its hash is kept."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    token: str
    """SHA-256 of the token, in hexadecimal."""
    person: str
    opened: float
    expires: float


class Attempt(BaseModel):
    """Wrong guesses at one thing."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    wrong: int = 0
    at: float = 0.0
    """When the last one was made."""


T = TypeVar("T")
_parsed: dict[Path, tuple[tuple[int, int, int], Any]] = {}
"""What was read of a file, until it is replaced: each access to a space asks who acts."""
_class = TypeAdapter(Classroom)
_people = TypeAdapter(list[Person])
_sessions = TypeAdapter(list[Session])
_attempts = TypeAdapter(dict[str, Attempt])


def folder() -> Path:
    """The folder of these files."""
    return spaces.root() / "class"


@contextmanager
def locked() -> Iterator[None]:
    """Read, change and write under one lock.

    Raises:
        StorageError: the disk cannot be written, or another process holds the lock too long.
    """
    with disk_errors():
        folder().mkdir(parents=True, exist_ok=True)
        folder().chmod(0o700)
    try:
        with FileLock(folder() / ".lock", timeout=LOCK_WAIT_S):
            yield
    except Timeout as error:
        raise StorageError(
            _("The list of the class is being changed elsewhere. Try again in a moment.")
        ) from error


def read_class() -> Classroom | None:
    """The class; None where there never was one.

    Raises:
        StorageError: its file is damaged.
    """
    return _read_as("class.json", _class)


def write_class(classroom: Classroom) -> None:
    """Replace class.json. Call it under the lock."""
    _write("class.json", classroom.model_dump_json(indent=1).encode())


def read_people() -> list[Person]:
    """Everybody of the class, in the order in which they joined.

    Raises:
        StorageError: their file is damaged.
    """
    people = _read_as("people.json", _people)
    return list(people or [])


def write_people(people: list[Person]) -> None:
    """Replace people.json. Call it under the lock."""
    _write("people.json", _people.dump_json(people, indent=1))


def read_sessions() -> list[Session]:
    """All sessions.

    Raises:
        StorageError: their file is damaged.
    """
    sessions = _read_as("sessions.json", _sessions)
    return list(sessions or [])


def write_sessions(sessions: list[Session]) -> None:
    """Replace sessions.json. Call it under the lock."""
    _write("sessions.json", _sessions.dump_json(sessions))


def read_attempts() -> dict[str, Attempt]:
    """Wrong guesses, by what was guessed at.

    Raises:
        StorageError: their file is damaged.
    """
    attempts = _read_as("attempts.json", _attempts)
    return dict(attempts or {})


def write_attempts(attempts: dict[str, Attempt]) -> None:
    """Replace attempts.json. Call it under the lock."""
    _write("attempts.json", _attempts.dump_json(attempts))


def _read_as(name: str, kind: TypeAdapter[T]) -> T | None:
    path = folder() / name
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _damaged(name) from error
    mark = (status.st_mtime_ns, status.st_size, status.st_ino)
    kept = _parsed.get(path)
    if kept is not None and kept[0] == mark:
        known: T = kept[1]
        return known
    try:
        content = kind.validate_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise _damaged(name) from error
    _parsed[path] = (mark, content)
    return content


def _write(name: str, data: bytes) -> None:
    path = folder() / name
    with disk_errors():
        write_atomically(path, data)
        with suppress(OSError):  # a file system without permissions
            path.chmod(0o600)


def _damaged(name: str) -> StorageError:
    return StorageError(
        _(
            "The file {file} of the class cannot be read, so nobody can sign in. Put back a copy of it, "
            "or delete the folder to begin a new class; the pupils' work lies elsewhere."
        ).format(file=folder() / name)
    )
