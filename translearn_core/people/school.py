"""Signing in with the account of a school, where it has an identity provider (OpenID Connect).

Owns: whether it is offered, and who an account is here: a pupil, the teacher, or nobody.
Leaves to others: asking the provider and checking what it says (Streamlit's login, `translearn_ui/classroom/school.py`).

An account is known by the provider and its own id for the person (`iss`, `sub`), never by an address,
which may be given to somebody else later. An address counts for the rules only where the provider says
that it is verified.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from typing import Any

from translearn_core import quotas, spaces
from translearn_core.config import School, load_configuration
from translearn_core.errors import AccessError, SettingsError
from translearn_core.i18n import _
from translearn_core.people.hashing import digest
from translearn_core.people.records import (
    Person,
    locked,
    read_class,
    read_people,
    write_people,
)
from translearn_core.people.register import MOST_NAME, free_name, teacher_of_class
from translearn_core.people.sharing import hand_over

LOGIN_S = 600.0
"""So long after the provider let somebody in that opens the class; then they sign in with it anew."""
_NAMES = ("name", "preferred_username", "given_name", "nickname")


def school_of_installation() -> School | None:
    """How people sign in with their accounts of the school; None where they do not.

    Raises:
        SettingsError: it is begun in the configuration, and something is missing.
    """
    school = load_configuration().school
    if not school.metadata_url:
        return None
    missing = [name for name in ("client_id", "client_secret") if not getattr(school, name)]
    if not (school.domains or school.claims):
        missing.append("domains")  # else everybody in the world with an account may come in
    if missing:
        raise SettingsError(
            _(
                "Signing in with an account of the school needs `{name}`, too: set it in `[school]` of {file}."
            ).format(name=missing[0], file=spaces.root() / "config.toml")
        )
    return school


def enter_by_school(claims: Mapping[str, Any], *, now: float | None = None) -> Person:
    """The person whose account it is; a new pupil where there is none yet.

    Args:
        claims: what the provider said of the account, checked already.

    Raises:
        AccessError: the account is none of this class, or the class is over, closed or full.
    """
    now = time.time() if now is None else now
    school, classroom = school_of_installation(), read_class()
    issuer, subject = (str(claims.get(name) or "") for name in ("iss", "sub"))
    issued = claims.get("iat")
    is_new = isinstance(issued, int | float) and abs(now - issued) < LOGIN_S
    if school is None or classroom is None or not (issuer and subject and is_new):
        raise AccessError(
            _("Signing in with the account of the school did not work. Try it once more.")
        )
    address = _address(claims)
    if address in {one.casefold() for one in school.teachers} or _has_one(
        claims, school.teacher_claims
    ):
        return teacher_of_class(now)
    domain = address.partition("@")[2]
    is_pupil = domain in {one.casefold().lstrip("@") for one in school.domains} if domain else False
    if not (is_pupil or _has_one(claims, school.claims)):
        raise AccessError(
            _(
                "This account does not belong to the class. Sign in with that of your school, or ask your "
                "teacher."
            )
        )
    if classroom.is_over(now):
        raise AccessError(_("The class has ended, so nobody can sign in any more."))
    person = _find_or_add(digest(f"{issuer}\n{subject}"), _name(claims, address), now)
    hand_over(person.folder)
    return person


def _find_or_add(account: str, name: str, now: float) -> Person:
    with locked():
        people = read_people()
        known = next((one for one in people if one.account == account), None)
        if known is not None:
            return known
        classroom = read_class()
        if classroom is None or not classroom.may_join:
            raise AccessError(_("Nobody new can join just now. Ask your teacher."))
        most = quotas.quotas_of(spaces.root()).people
        if len([one for one in people if not one.is_teacher]) >= most:
            raise AccessError(
                _("The class is full: {n} people are in it. Ask your teacher.").format(n=most)
            )
        identity = secrets.token_hex(8)
        person = Person(
            id=identity,
            name=free_name(people, name),
            space=identity,
            joined=now,
            account=account,
        )
        write_people([*people, person])
    return person


def _address(claims: Mapping[str, Any]) -> str:
    """The address of the account, folded; empty where the provider does not say that it is verified."""
    is_verified = str(claims.get("email_verified", "")).casefold() == "true"
    return str(claims.get("email") or "").strip().casefold() if is_verified else ""


def _has_one(claims: Mapping[str, Any], wanted: tuple[str, ...]) -> bool:
    """Whether an account has one of the claims `name=value`; a claim may hold several values."""
    for rule in wanted:
        name, _sign, value = rule.partition("=")
        held = claims.get(name.strip())
        values = held if isinstance(held, list | tuple) else [held]
        if value.strip() and value.strip() in [str(one) for one in values if one is not None]:
            return True
    return False


def _name(claims: Mapping[str, Any], address: str) -> str:
    named = next((str(claims[name]) for name in _NAMES if claims.get(name)), "")
    return (named or address.partition("@")[0] or _("Pupil"))[:MOST_NAME]
