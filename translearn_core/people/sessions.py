"""Who is signed in.

Owns: opening, finding and closing sessions, and the value of the cookie: a random token and its
signature. Of the token only its hash is kept.
Leaves to others: the cookie itself (the server), who somebody is (`register.py`).
"""

from __future__ import annotations

import secrets
import time

from translearn_core.people.hashing import digest, is_signed, sign
from translearn_core.people.records import (
    Person,
    Session,
    locked,
    read_class,
    read_people,
    read_sessions,
    write_sessions,
)

SESSION_S = 12 * 3600.0
"""So long somebody stays signed in."""


def open_session(person: Person, *, now: float | None = None) -> str:
    """Sign a person in.

    Returns:
        The value of their cookie; empty where there is no class.
    """
    now = time.time() if now is None else now
    token = secrets.token_urlsafe(32)
    with locked():
        classroom = read_class()
        if classroom is None:
            return ""
        kept = [one for one in read_sessions() if one.expires > now]
        kept.append(
            Session(token=digest(token), person=person.id, opened=now, expires=now + SESSION_S)
        )
        write_sessions(kept)
    return f"{token}.{sign(token, classroom.secret)}"


def who_holds(cookie: str, *, now: float | None = None) -> Person | None:
    """The person whose cookie this is; None where it is wrong, too old, or its session has ended."""
    session = _find(cookie, time.time() if now is None else now)
    if session is None:
        return None
    return next((one for one in read_people() if one.id == session.person), None)


def _find(cookie: str, now: float) -> Session | None:
    classroom = read_class()
    token, _dot, signature = cookie.partition(".")
    if classroom is None or not token or not is_signed(token, signature, classroom.secret):
        return None
    wanted = digest(token)
    session = next((one for one in read_sessions() if one.token == wanted), None)
    if session is None or session.expires <= now:
        return None
    if classroom.is_over(now) and not _is_teacher(session.person):
        return None
    return session


def _is_teacher(identity: str) -> bool:
    return any(person.is_teacher for person in read_people() if person.id == identity)


def close_session(cookie: str) -> None:
    """Sign out whoever holds a cookie."""
    wanted = digest(cookie.partition(".")[0])
    with locked():
        write_sessions([one for one in read_sessions() if one.token != wanted])


def close_all(identity: str = "") -> None:
    """Sign out a person everywhere, or, without an id, all pupils."""
    with locked():
        teachers = {person.id for person in read_people() if person.is_teacher}
        write_sessions(
            [
                one
                for one in read_sessions()
                if (one.person != identity if identity else one.person in teachers)
            ]
        )
