"""Who looks at a page, where there is a class.

Owns: the person behind a session of Streamlit, found by the cookie of its connection, and whose space
that session acts in. Leaves to others: who a person is (`translearn_core.people`), the cookie and the
connection (`classroom/`).

Without a class, nobody is asked: there is one workspace, and no person.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from translearn_core import people, spaces
from translearn_core.errors import AccessError
from translearn_core.i18n import _, language
from translearn_core.people import Classroom, Person

COOKIE = "__Host-translearn"
"""Of a browser that somebody signed in with. A name like this is kept for https and one host alone."""
DOOR = "/class/join"
"""The address at which somebody signs in."""

_is_class = False
_owners: dict[str, str] = {}
"""Whose each session of Streamlit is, by their ids, from the first run of a page on."""
_visits: dict[str, Path] = {}
"""The space that the teacher looks into, by the id of the session."""


def begin_class() -> None:
    """From now on every access to a space asks who is signed in."""
    global _is_class
    _is_class = True
    spaces.require_identity(_space)


def is_class() -> bool:
    """Whether this server serves a class."""
    return _is_class


def person() -> Person | None:
    """Who looks at the page; None where nobody is signed in (any more), or there is no class."""
    context = get_script_run_ctx() if _is_class else None
    if context is None:
        return None
    found = people.who_holds(st.context.cookies.get(COOKIE, ""))
    if found is None:
        return None
    if _owners.setdefault(context.session_id, found.id) != found.id:
        return None  # a session that was somebody else's
    return found


def classroom() -> Classroom | None:
    """The class that whoever looks at the page is in; None without one."""
    return people.class_of_installation() if _is_class else None


def is_teacher() -> bool:
    """Whether the teacher of the class looks at the page."""
    found = person()
    return found is not None and found.is_teacher


def require_teacher() -> None:
    """Refuse whoever is not the teacher.

    Raises:
        AccessError: it is somebody else.
    """
    if not is_teacher():
        raise AccessError(_("This page is for the teacher of a class alone."))


def is_owner(session_id: str, identity: str) -> bool:
    """Whether a session of Streamlit is known to be this person's."""
    return bool(session_id) and _owners.get(session_id) == identity


def visit(space: Path | None) -> None:
    """Let the teacher act in the space of a pupil, or in their own again.

    Raises:
        AccessError: somebody else asks.
    """
    require_teacher()
    context = get_script_run_ctx()
    assert context is not None
    if space is None:
        _visits.pop(context.session_id, None)
    else:
        _visits[context.session_id] = spaces.space_named(space.name)


def visited() -> Path | None:
    """The space that the teacher looks into; None where it is their own."""
    context = get_script_run_ctx() if _is_class else None
    return _visits.get(context.session_id) if context is not None else None


def _space() -> Path | None:
    found = person()
    if found is None:
        return None
    return (visited() if found.is_teacher else None) or found.folder


def as_now(make: Callable[[], bytes]) -> Callable[[], bytes]:
    """What a download makes once it is asked for, in the space and the language of this page.

    Streamlit calls it in a context of its own, which knows no session.
    """
    space, code = spaces.current() if _is_class else None, language.get()

    def made() -> bytes:
        if space is not None:
            spaces.act_in(space)
        language.set(code)
        return make()

    return made


@contextmanager
def acting() -> Iterator[None]:
    """Act in the space of whoever looks at the page while the block runs.

    Raises:
        AccessError: there is a class, and nobody is signed in.
    """
    if not _is_class:
        yield
        return
    with spaces.acting_in(spaces.current()):
        yield
