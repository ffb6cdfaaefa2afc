"""The class: its beginning, its end, and the day on which its photos go.

Owns: `begin_class`, `end_class`, and deletion. Leaves to others: who is in it (`register.py`).
"""

from __future__ import annotations

import logging
import secrets
import shutil
import time
from contextlib import suppress

from translearn_core import leftovers, spaces
from translearn_core.errors import AccessError, StorageError
from translearn_core.i18n import _
from translearn_core.people.hashing import hash_secret
from translearn_core.people.records import (
    Classroom,
    locked,
    read_attempts,
    read_class,
    read_people,
    write_attempts,
    write_class,
    write_people,
    write_sessions,
)
from translearn_core.people.sessions import close_all

logger = logging.getLogger(__name__)

LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""Of a join code: none of them looks like another."""
CODE_LENGTH = 6
DELETE_AFTER_S = 30 * 24 * 3600.0
"""So long after a class began everything of the pupils is deleted, unless another day is chosen."""
LEAST_PASSWORD = 8
MOST_ASSIGNMENT = 300
"""Characters of what all pupils are told to do."""


def class_of_installation() -> Classroom | None:
    """The class of this installation; None where there never was one."""
    return read_class()


def begin_class(password: str = "", *, now: float | None = None) -> Classroom:
    """Begin a class, or go on with the one there is; one that had ended gets a new code. Where the day
    of deletion has come meanwhile, everything of the pupils is deleted first.

    Args:
        password: of the teacher; needed the first time, afterwards it replaces the earlier one.

    Raises:
        AccessError: there is no password yet, or it is too short.
    """
    now = time.time() if now is None else now
    if password and len(password) < LEAST_PASSWORD:
        raise AccessError(
            _("The teacher's password must have at least {n} characters.").format(n=LEAST_PASSWORD)
        )
    delete_due(now=now)  # before a later day is chosen
    with locked():
        before = read_class()
        if before is None and not password:
            raise AccessError(_("A class needs a password of the teacher."))
        deletes = now + DELETE_AFTER_S
        if before is None:
            classroom = Classroom(
                code=_new_code(),
                created=now,
                deletes=deletes,
                password=hash_secret(password),
                secret=secrets.token_hex(32),
            )
        else:
            changes: dict[str, object] = {"password": hash_secret(password)} if password else {}
            if before.is_over(now):
                changes |= {"code": _new_code(), "ends": 0.0, "may_join": True, "created": now}
            if before.deletes <= now:
                changes["deletes"] = deletes
            classroom = before.model_copy(update=changes)
        write_class(classroom)
        if password:
            write_sessions([])
    return classroom


def end_class(*, now: float | None = None) -> None:
    """End the class: all pupils are signed out, and nobody can sign in. Their work stays until it is
    deleted."""
    now = time.time() if now is None else now
    with locked():
        write_class(_needed().model_copy(update={"ends": now, "may_join": False}))
    close_all()


def forbid_joining(forbidden: bool = True) -> None:
    """Take in no new names any more, or again."""
    with locked():
        write_class(_needed().model_copy(update={"may_join": not forbidden}))


def set_assignment(text: str) -> None:
    """Tell all pupils what to do, in so many characters at most; an empty text takes it away."""
    with locked():
        told = " ".join(text.split())[:MOST_ASSIGNMENT]
        write_class(_needed().model_copy(update={"assignment": told}))


def set_deletion(deletes: float, *, now: float | None = None) -> None:
    """Choose the moment, in unix seconds, after which everything of the pupils is deleted.

    Raises:
        AccessError: it lies in the past.
    """
    if deletes <= (time.time() if now is None else now):
        raise AccessError(_("The day of deletion must lie in the future."))
    with locked():
        write_class(_needed().model_copy(update={"deletes": deletes}))


def deletion_is_due(*, now: float | None = None) -> bool:
    """Whether the day has come on which everything of the pupils goes, and there is something."""
    classroom = read_class()
    if classroom is None or classroom.deletes > (time.time() if now is None else now):
        return False
    return bool(read_people()) or len(spaces.all_spaces()) > 1


def delete_due(*, now: float | None = None) -> bool:
    """Delete everything of the pupils where its day has come. Whether it had."""
    classroom = read_class()
    if classroom is None or not deletion_is_due(now=now):
        return False
    delete_all()
    if not classroom.is_over(time.time() if now is None else now):
        end_class(now=now)  # whoever joined now would be deleted at the next look
    return True


def delete_all() -> None:
    """Delete all pupils and everything of theirs for good, with the cache of features of all photos.

    Raises:
        StorageError: something is held by another program; the rest is deleted.
    """
    close_all()
    with locked():
        write_people([person for person in read_people() if person.is_teacher])
        write_attempts({key: one for key, one in read_attempts().items() if key[:4] != "pin:"})
    kept = [space.name for space in spaces.all_spaces()[1:] if not delete_space(space.name)]
    shutil.rmtree(spaces.root() / "cache" / "features", ignore_errors=True)  # made of their photos
    if kept:
        raise StorageError(
            _("Some files of the pupils are in use. Stop their runs, then delete again.")
        )


def delete_space(identity: str) -> bool:
    """Delete a space for good. Whether nothing of it is left."""
    folder = spaces.space_named(identity)
    hidden = folder.with_name(leftovers.own_name(leftovers.DELETED))
    with suppress(FileNotFoundError):
        try:
            folder.replace(hidden)
        except OSError:
            logger.exception("A space cannot be deleted")
            return not folder.exists()
        shutil.rmtree(hidden, ignore_errors=True)
    return not hidden.exists()


def _needed() -> Classroom:
    classroom = read_class()
    if classroom is None:
        raise AccessError(_("There is no class on this machine."))
    return classroom


def _new_code() -> str:
    return "".join(secrets.choice(LETTERS) for _n in range(CODE_LENGTH))
