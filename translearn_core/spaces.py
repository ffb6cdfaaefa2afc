"""Spaces: the workspace of the installation, and the part of it that whoever acts may reach.

Owns: the folder of the workspace (`root`), whose space is acted in (`current`), the refusal to
reach out of it (`reach`), and finding all spaces. Leaves to others: who a person is (`people/`), and
what lies in a space.

Without a class there is one space, the whole workspace, and nothing here refuses anything. In a class
each pupil, or group, has `<workspace>/people/<id>/`, laid out like a workspace; the teacher's space is
the whole workspace. The server then asks `require_identity` to find the space of whoever acts; where
that finds nobody, no space is acted in: every access is refused.

Environment: `TRANSLEARN_HOME` names the workspace.
"""

from __future__ import annotations

import contextvars
import os
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from contextvars import ContextVar
from functools import lru_cache
from pathlib import Path

from translearn_core.errors import AccessError
from translearn_core.i18n import _

PEOPLE = "people"
"""In the workspace: the spaces of pupils and groups, by their ids."""
_ID = re.compile(r"[0-9a-f]{16}")

_acting: ContextVar[Path | None] = ContextVar("acting", default=None)
_find: Callable[[], Path | None] | None = None
_of_process: Path | None = None


def root() -> Path:
    """The workspace of this installation: `TRANSLEARN_HOME`, else `TransLearn` in the home
    directory."""
    named = os.environ.get("TRANSLEARN_HOME")
    if not named:
        return Path.home() / "TransLearn"
    return _resolved(named, Path.cwd())


@lru_cache(maxsize=4)
def _resolved(named: str, _folder: Path) -> Path:
    """Pages ask for it many times; it may be relative to a folder."""
    return Path(named).expanduser().resolve()


def current() -> Path:
    """The space that is acted in.

    Raises:
        AccessError: there is a class, and nobody is signed in.
    """
    chosen = _acting.get()
    if chosen is not None:
        return chosen
    if _find is not None:
        found = _find()
        if found is None:
            raise AccessError(
                _("You are not signed in any more. Load this page anew and sign in again.")
            )
        return found
    return _of_process or root()


def act_in(space: Path) -> None:
    """Act in a space for the rest of this context: a task or thread that was handed a copy of one."""
    _acting.set(space)


def is_whole() -> bool:
    """Whether whoever acts may reach the whole workspace: the teacher, or anybody without a class."""
    return (_acting.get() is None and _find is None and _of_process is None) or (
        current().resolve() == root().resolve()
    )


def reach(folder: Path) -> Path:
    """A folder, resolved, of the space that is acted in.

    Raises:
        AccessError: it lies elsewhere, or nobody is signed in.
    """
    resolved = folder.resolve()
    if is_whole() or resolved.is_relative_to(current().resolve()):
        return resolved
    raise AccessError(_("{name} is not among your own things.").format(name=folder.name))


@contextmanager
def acting_in(space: Path) -> Iterator[None]:
    """Act in a space while the block runs, and in threads that its context is handed to."""
    token = _acting.set(space)
    try:
        yield
    finally:
        _acting.reset(token)


def everywhere() -> AbstractContextManager[None]:
    """Act in the whole workspace while the block runs: for what concerns all, such as the queue."""
    return acting_in(root())


def own_context() -> contextvars.Context:
    """A copy of the context, for another thread, in which the present space is acted in.

    Raises:
        AccessError: nobody is signed in.
    """
    space = None if _acting.get() is None and _find is None else current()
    context = contextvars.copy_context()
    context.run(_acting.set, space)
    return context


def require_identity(find: Callable[[], Path | None] | None) -> None:
    """From now on the space of whoever acts is what `find` returns; where that is None, none.

    Args:
        find: None: nobody is asked any more.
    """
    global _find
    _find = find


def act_for(job_folder: Path | None) -> None:
    """Let this process act in the space that a folder lies in, for as long as it lives.

    Args:
        job_folder: None: in the whole workspace again.
    """
    global _of_process
    space = space_of(job_folder) if job_folder is not None else root()
    _of_process = None if space == root() else space


def is_id(text: str) -> bool:
    """Whether a text can be the id of a person or a group: 16 hexadecimal digits."""
    return _ID.fullmatch(text) is not None


def space_named(identity: str) -> Path:
    """The folder of a pupil's or a group's space; it need not exist yet.

    Raises:
        AccessError: this cannot be an id.
    """
    if not is_id(identity):
        raise AccessError(_("There is nobody with the id {id}.").format(id=repr(identity)))
    return root() / PEOPLE / identity


def space_of(folder: Path) -> Path:
    """The space that a folder lies in; the whole workspace for what lies elsewhere."""
    people = (root() / PEOPLE).resolve()
    resolved = folder.resolve()
    if resolved.is_relative_to(people) and resolved != people:
        return people / resolved.relative_to(people).parts[0]
    return root()


def all_spaces() -> list[Path]:
    """The whole workspace, and the space of every pupil and group."""
    spaces = [root()]
    with suppress(OSError):  # there never was a class
        spaces += sorted(child for child in (root() / PEOPLE).iterdir() if is_id(child.name))
    return spaces


class Folder:
    """A folder of a space as an object: a data set, a job. Equal where the folder is.

    Args:
        folder: it need not exist yet.

    Raises:
        AccessError: it lies in the space of somebody else.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = reach(Path(folder))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.folder)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Folder) and other.folder == self.folder

    def __hash__(self) -> int:
        return hash(self.folder)

    @property
    def id(self) -> str:
        """The folder's name."""
        return self.folder.name
