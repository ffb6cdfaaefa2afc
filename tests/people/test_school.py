"""Who signs in with the account of a school, by a provider that the test starts."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.people import provider, server
from tests.people.provider import CLIENT, SECRET, Provider
from tests.people.server import HOST, OTHER, Answer, Browser, Served
from translearn_core import people
from translearn_core.errors import AccessError, SettingsError
from translearn_ui.shell import signed_in

ADA: dict[str, Any] = {
    "sub": "17",
    "name": "Ada L.",
    "email": "ada@school.example",
    "email_verified": True,
}


def _configure(monkeypatch: pytest.MonkeyPatch, **values: Any) -> None:
    monkeypatch.setenv("TRANSLEARN_SCHOOL", json.dumps(values))


def _school(url: str = "https://id.example/.well-known/openid-configuration") -> dict[str, Any]:
    return {
        "metadata_url": url,
        "client_id": CLIENT,
        "client_secret": SECRET,
        "domains": ["school.example"],
        "claims": ["groups=7b"],
        "teachers": ["Teacher@school.example"],
        "teacher_claims": ["role=staff"],
    }


@pytest.fixture(scope="module")
def school() -> Iterator[Provider]:
    with provider.providing() as started:
        yield started


@pytest.fixture(scope="module")
def app(home: Path, school: Provider) -> Iterator[Served]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")
        _configure(environment, **_school(school.metadata_url))
        with server.serving() as app:
            yield app


def _sign_in(
    app: Served, school: Provider, claims: dict[str, Any], browser: Browser | None = None
) -> tuple[Browser, Answer]:
    """The whole way from the door to the provider and back, as a browser goes it."""
    browser = browser or app.browser()
    _come_back(browser, school, claims)
    at_page = browser.ask("/")
    assert at_page.headers["location"] == signed_in.DOOR
    return browser, browser.ask(signed_in.DOOR)


def _come_back(browser: Browser, school: Provider, claims: dict[str, Any]) -> None:
    """To the provider and back to where it leads, no further."""
    school.claims = claims
    begin = browser.ask("/class/school")
    assert begin.status == 303
    there = browser.ask(begin.headers["location"])
    assert there.headers["location"].startswith(f"{school.issuer}/authorize?")
    back = urlsplit(provider.follow(there.headers["location"]))
    assert f"{back.scheme}://{back.netloc}{back.path}" == f"{browser.origin}/oauth2callback"
    answer = browser.ask(f"{back.path}?{back.query}")
    assert answer.headers["location"] == "/"


def _person(browser: Browser) -> people.Person:
    found = people.who_holds(browser.cookies.get(signed_in.COOKIE, ""))
    assert found is not None
    return found


def test_a_pupil_comes_in_and_is_the_same_again(app: Served, school: Provider) -> None:
    assert "/class/school" in app.browser().ask(signed_in.DOOR).text
    browser, answer = _sign_in(app, school, ADA)
    assert (answer.status, answer.headers["location"]) == (303, "/")
    assert browser.cookies.get("_streamlit_user", "") in ("", '""'), "nothing else says who it is"
    assert browser.ask("/").status == 200
    first = _person(browser)
    assert (first.name, first.role, first.pin) == ("Ada L.", "pupil", "")
    moved = ADA | {"email": "else@school.example", "name": "Ada M."}
    assert _person(_sign_in(app, school, moved)[0]).id == first.id, "known by the provider's id"
    namesake = _person(_sign_in(app, school, ADA | {"sub": "18"})[0])
    assert (namesake.name, namesake.id != first.id) == ("Ada L. 2", True)
    assert {"/token", "/keys"} <= set(school.asked)


def test_the_teacher_is_who_the_configuration_says(app: Served, school: Provider) -> None:
    teacher = ADA | {"sub": "1", "email": "teacher@SCHOOL.example"}
    browser, answer = _sign_in(app, school, teacher)
    assert answer.headers["location"] == "/teacher"
    assert _person(browser).is_teacher


def test_a_login_on_the_device_of_a_pupil_is_not_left_to_the_pupil(
    app: Served, school: Provider
) -> None:
    teacher = ADA | {"sub": "1", "email": "teacher@school.example"}
    browser, answer = _sign_in(app, school, teacher, app.join("Bea"))
    assert answer.headers["location"] == "/teacher"
    assert _person(browser).is_teacher
    assert browser.cookies["_streamlit_user"] in ("", '""')
    code = people.class_of_installation().code  # type: ignore[union-attr]
    form = {"code": code, "who": "back", "name": "Bea", "pin": "4711"}
    for path, sent in (("/class/leave", {}), ("/class/join", form), ("/class/teacher", {})):
        pupil = app.join("Cem")
        _come_back(pupil, school, teacher)
        pupil.ask(path, "POST", form=sent)
        assert pupil.cookies["_streamlit_user"] in ("", '""'), path
        assert pupil.ask(signed_in.DOOR).headers.get("location") is None, path
        people.remove(next(one.id for one in people.list_people() if one.name == "Cem"))


def test_a_login_begins_under_the_name_that_the_provider_leads_back_to(app: Served) -> None:
    browser = app.browser()
    own = f"{browser.origin}/class/school"
    for host in (OTHER, f"{OTHER}:{app.port}", HOST):
        asked = browser.ask("/class/school", host=host, origin=f"https://{host}")
        assert asked.headers["location"] == own, host
    capital = browser.ask("/class/school", host=f"{HOST.upper()}:{app.port}")
    assert capital.headers["location"].startswith("/auth/login")


def test_who_does_not_belong_to_the_class_stays_out(app: Served, school: Provider) -> None:
    stranger = ADA | {"sub": "2", "email": "eve@evil.example"}
    browser, answer = _sign_in(app, school, stranger)
    assert answer.status == 403
    assert "does not belong to the class" in answer.text
    assert signed_in.COOKIE not in browser.cookies


def test_an_answer_that_another_key_signed_opens_nothing(app: Served, school: Provider) -> None:
    school.signs_with = rsa.generate_private_key(65537, 2048)
    try:
        browser, answer = _sign_in(app, school, ADA)
    finally:
        school.signs_with = school.key
    assert answer.status == 200, "the door, as for anybody"
    assert signed_in.COOKIE not in browser.cookies


def test_a_made_up_cookie_or_a_code_of_nobody_opens_nothing(app: Served) -> None:
    browser = app.browser()
    browser.cookies["_streamlit_user"] = json.dumps(ADA | {"is_logged_in": True})
    assert browser.ask(signed_in.DOOR).status == 200
    assert signed_in.COOKIE not in browser.cookies
    assert browser.ask("/oauth2callback?code=1&state=2").headers["location"] == "/"
    assert browser.ask("/auth/logout").status == 404


@pytest.mark.parametrize(
    ("claims", "is_in"),
    [
        ({}, True),
        ({"email_verified": "true"}, True),
        ({"email_verified": False}, False),
        ({"email_verified": None}, False),
        ({"email": "ada@school.example.evil"}, False),
        ({"email": "school.example"}, False),
        ({"email": "", "groups": ["7a", "7b"]}, True),
        ({"email": "", "groups": "7b"}, True),
        ({"email": "", "groups": "7a"}, False),
        ({"email_verified": False, "email": "teacher@school.example"}, False),
        ({"sub": ""}, False),
        ({"iat": 0}, False),
    ],
)
def test_the_rules_for_an_account(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, claims: dict[str, Any], is_in: bool
) -> None:
    _configure(monkeypatch, **_school())
    people.begin_class("a long password")
    account = ADA | {"iss": "https://id.example", "iat": time.time()} | claims
    if is_in:
        assert people.enter_by_school(account).name == "Ada L."
        return
    with pytest.raises(AccessError):
        people.enter_by_school(account)
    assert people.list_people() == []


def test_who_is_staff_is_the_teacher_also_when_the_class_is_over(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _configure(monkeypatch, **_school())
    people.begin_class("a long password")
    account = ADA | {"iss": "https://id.example", "iat": time.time()}
    people.forbid_joining()
    with pytest.raises(AccessError, match="Nobody new can join"):
        people.enter_by_school(account)
    people.end_class()
    with pytest.raises(AccessError, match="has ended"):
        people.enter_by_school(account)
    assert people.enter_by_school(account | {"role": ["staff"]}).is_teacher


@pytest.mark.parametrize("missing", ["client_id", "client_secret", "domains"])
def test_half_a_configuration_is_refused_at_the_start(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    values = _school()
    for name in (missing, *(["claims"] if missing == "domains" else [])):
        del values[name]
    _configure(monkeypatch, **values)
    with pytest.raises(SettingsError, match=f"needs `{missing}`"):
        people.school_of_installation()
