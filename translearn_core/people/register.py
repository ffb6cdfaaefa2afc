"""The persons of the class: joining, coming back, and what the teacher changes.

Owns: names and PINs, groups, the teacher's sign-in.
Leaves to others: sessions (`sessions.py`), how wrong guesses are slowed (`attempts.py`).
"""

from __future__ import annotations

import hmac
import secrets
import time
import unicodedata
from collections.abc import Sequence

from translearn_core import quotas, spaces
from translearn_core.errors import AccessError
from translearn_core.i18n import _
from translearn_core.people import attempts
from translearn_core.people.classroom import delete_space
from translearn_core.people.hashing import hash_secret, is_secret
from translearn_core.people.records import (
    Classroom,
    Person,
    locked,
    read_attempts,
    read_class,
    read_people,
    write_people,
)
from translearn_core.people.sessions import close_all
from translearn_core.people.sharing import hand_over

LEAST_PIN, MOST_PIN = 4, 64
NEW_PIN = 6
"""Digits of a PIN that replaces a forgotten one."""
MOST_NAME = 40
LEAST_GROUP, MOST_GROUP = 2, 4


def join(code: str, name: str, pin: str, *, address: str, now: float | None = None) -> Person:
    """Take a new person in.

    Args:
        address: of the device, by which wrong codes are counted.

    Raises:
        AccessError: the code is wrong, the name is taken or none, the PIN is too short, or nobody can
            join.
    """
    now = time.time() if now is None else now
    classroom = _check_code(code, address, now)
    shown = _tidy(name)
    _check_pin(pin, classroom)
    hashed = hash_secret(pin)
    with locked():
        people = read_people()
        if not classroom.may_join:
            raise AccessError(
                _("Nobody new can join just now. Choose “I was here before”, or ask your teacher.")
            )
        if _find(people, shown) is not None:
            raise AccessError(
                _(
                    "There is somebody called “{name}” already. If that is you, choose “I was here "
                    "before”; else add a letter or your family name."
                ).format(name=shown)
            )
        most = quotas.quotas_of(spaces.root()).people
        if len([person for person in people if not person.is_teacher]) >= most:
            raise AccessError(
                _("The class is full: {n} people are in it. Ask your teacher.").format(n=most)
            )
        identity = secrets.token_hex(8)
        person = Person(id=identity, name=shown, pin=hashed, space=identity, joined=now)
        write_people([*people, person])
    hand_over(person.folder)
    return person


def come_back(code: str, name: str, pin: str, *, address: str, now: float | None = None) -> Person:
    """Find a person again, by name and PIN.

    Raises:
        AccessError: code, name or PIN are wrong, or there were too many wrong PINs.
    """
    now = time.time() if now is None else now
    _check_code(code, address, now)
    shown = _tidy(name)
    person = _find(read_people(), shown)
    if person is None:
        raise AccessError(
            _("There is nobody called “{name}” in this class. Choose “I am new” to join.").format(
                name=shown
            )
        )
    guess = f"{attempts.PIN}{person.id}"
    attempts.begin_guess(guess, now)
    if not is_secret(pin, person.pin):
        raise AccessError(_("This PIN does not belong to the name “{name}”.").format(name=shown))
    attempts.right(guess)
    hand_over(person.folder)
    return person


def sign_in_teacher(password: str, *, address: str, now: float | None = None) -> Person:
    """The teacher, by password.

    Raises:
        AccessError: it is wrong, or was too often.
    """
    now = time.time() if now is None else now
    classroom = read_class()
    if classroom is None:
        raise AccessError(_("There is no class on this machine."))
    guess = f"{attempts.PASSWORD}{address}"
    attempts.begin_guess(guess, now)
    if not is_secret(password, classroom.password):
        raise AccessError(_("This is not the password of the teacher."))
    attempts.right(guess)
    return teacher_of_class(now)


def teacher_of_class(now: float) -> Person:
    """The teacher, who is one whoever signs in as such."""
    with locked():
        people = read_people()
        known = next((person for person in people if person.is_teacher), None)
        if known is not None:
            return known
        identity = secrets.token_hex(8)
        teacher = Person(id=identity, name=_("Teacher"), role="teacher", space=identity, joined=now)
        write_people([*people, teacher])
    return teacher


def free_name(people: Sequence[Person], name: str) -> str:
    """A name that nobody has yet: with a number behind it where somebody has it.

    Raises:
        AccessError: it is none.
    """
    shown = _tidy(name)
    number = 2
    while _find(people, shown) is not None:
        shown = f"{_tidy(name)[: MOST_NAME - 4]} {number}"
        number += 1
    return shown


def list_people() -> list[Person]:
    """The pupils, in the order in which they joined."""
    return [person for person in read_people() if not person.is_teacher]


def person_with(identity: str) -> Person:
    """The pupil with this id.

    Raises:
        AccessError: there is none.
    """
    for person in list_people():
        if person.id == identity:
            return person
    raise AccessError(_("This person is not in the class any more."))


def locked_people() -> list[Person]:
    """The pupils whose PIN is locked by wrong guesses."""
    kept = read_attempts()
    return [
        person
        for person in list_people()
        if (attempt := kept.get(f"{attempts.PIN}{person.id}")) and attempts.is_locked(attempt)
    ]


def unlock(identity: str) -> None:
    """Let the PIN of a pupil be tried again."""
    attempts.right(f"{attempts.PIN}{person_with(identity).id}")


def reset_pin(identity: str) -> str:
    """Give a pupil a new PIN, and sign them out everywhere.

    Returns:
        The PIN, which is kept nowhere: the teacher tells it to the pupil.
    """
    pin = f"{secrets.randbelow(10**NEW_PIN):0{NEW_PIN}}"
    _change(person_with(identity).id, pin=hash_secret(pin))
    attempts.right(f"{attempts.PIN}{identity}")
    close_all(identity)
    return pin


def rename(identity: str, name: str) -> Person:
    """Give a pupil another name.

    Raises:
        AccessError: it is taken, or none.
    """
    shown = _tidy(name)
    other = _find(read_people(), shown)
    if other is not None and other.id != identity:
        raise AccessError(
            _("There is somebody called “{name}” already. Choose another name.").format(name=shown)
        )
    return _change(person_with(identity).id, name=shown)


def remove(identity: str) -> bool:
    """Take a pupil out of the class and delete what is theirs, unless a group has it, too.

    Returns:
        Whether nothing of it is left.
    """
    person = person_with(identity)
    close_all(identity)
    with locked():
        people = [one for one in read_people() if one.id != identity]
        write_people(people)
    attempts.right(f"{attempts.PIN}{identity}")
    used = {one.space for one in people}
    return all([delete_space(one) for one in {person.id, person.space} if one not in used])


def group(identities: Sequence[str]) -> None:
    """Let two to four pupils share the space of the first of them.

    Raises:
        AccessError: they are too few or too many.
    """
    chosen = [person_with(identity) for identity in dict.fromkeys(identities)]
    first = chosen[0].space if chosen else ""
    members = {person.id for person in list_people() if person.space == first}
    size = len(members | {person.id for person in chosen})
    if not LEAST_GROUP <= size <= MOST_GROUP:
        raise AccessError(
            _("A group has {least} to {most} members. These would be {n}.").format(
                least=LEAST_GROUP, most=MOST_GROUP, n=size
            )
        )
    for person in chosen:
        _change(person.id, space=first)


def ungroup(identity: str) -> None:
    """Let a pupil act in their own space again. What the group has made stays with the others."""
    person = person_with(identity)
    others = [one for one in list_people() if one.space == person.id and one.id != person.id]
    if person.space == person.id and others:
        raise AccessError(
            _(
                "The group works in the space of {name}. Take the others out of the group instead."
            ).format(name=person.name)
        )
    _change(person.id, space=person.id)


def _check_code(code: str, address: str, now: float) -> Classroom:
    classroom = read_class()
    if classroom is None:
        raise AccessError(_("There is no class on this machine."))
    guess = f"{attempts.CODE}{address}"
    attempts.begin_guess(guess, now)
    given = "".join(sign for sign in code.upper() if sign.isalnum())
    if not hmac.compare_digest(given.encode(), classroom.code.encode()):
        raise AccessError(_("This is not the code of the class. It is on the teacher's screen."))
    attempts.right(guess)
    if classroom.is_over(now):
        raise AccessError(_("The class has ended, so nobody can sign in any more."))
    return classroom


def _check_pin(pin: str, classroom: Classroom) -> None:
    if not LEAST_PIN <= len(pin) <= MOST_PIN:
        raise AccessError(
            _("A PIN has {least} to {most} characters. Choose another one.").format(
                least=LEAST_PIN, most=MOST_PIN
            )
        )
    if len(set(pin)) == 1 or pin in "0123456789876543210" or pin.upper() == classroom.code:
        raise AccessError(_("This PIN is too easy to guess. Choose another one."))


def _tidy(name: str) -> str:
    """A name as it is kept.

    Raises:
        AccessError: nothing is left of it, or it is too long.
    """
    visible = "".join(
        sign if unicodedata.category(sign)[0] not in "CZ" else " "
        for sign in unicodedata.normalize("NFC", name)
    )
    shown = " ".join(visible.split())
    if not shown or len(shown) > MOST_NAME:
        raise AccessError(
            _("A name has 1 to {most} characters. Choose another one.").format(most=MOST_NAME)
        )
    return shown


def _find(people: Sequence[Person], name: str) -> Person | None:
    """The pupil of that name, however it is written."""
    wanted = _folded(name)
    return next((one for one in people if not one.is_teacher and _folded(one.name) == wanted), None)


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()


def _change(identity: str, **changes: str) -> Person:
    with locked():
        people = [
            one.model_copy(update=changes) if one.id == identity else one for one in read_people()
        ]
        write_people(people)
    return next(one for one in people if one.id == identity)
