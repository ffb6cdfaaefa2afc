"""Signing in and out: pages of plain HTML that need neither Streamlit nor JavaScript.

Owns: the addresses under `/class`, and the cookie.
Leaves to others: who a person is (`people`), the look of the pages (`assets/door.html`).

The cookie holds a random token and its signature; it is HttpOnly, Secure and SameSite, so that no script
reads it, it goes over https alone, and no other site makes use of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from jinja2 import Environment, FileSystemLoader
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route
from streamlit import config

from translearn_core import people
from translearn_core.errors import TransLearnError
from translearn_core.i18n import LANGUAGES, _, language, matching, tag
from translearn_ui.classroom import school
from translearn_ui.classroom.gate import person_of
from translearn_ui.components import format
from translearn_ui.shell import language_choice, signed_in

if TYPE_CHECKING:
    from starlette.requests import Request

    from translearn_core.people import Person

MOST_BYTES = 4096
"""Of a form that is sent here."""
_YEAR_S = 31_536_000
COLOURS = (
    "primaryColor",
    "backgroundColor",
    "secondaryBackgroundColor",
    "textColor",
    "borderColor",
    "linkColor",
)
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
_pages = Environment(loader=FileSystemLoader(Path(__file__).parent / "assets"), autoescape=True)


@dataclass(frozen=True)
class Form:
    """What somebody typed in."""

    fields: dict[str, str]

    def __getitem__(self, name: str) -> str:
        return self.fields.get(name, "")


def routes() -> list[Route]:
    """The addresses of this module."""
    return [
        Route("/class/join", _join, methods=["GET", "POST"]),
        Route("/class/teacher", _teacher, methods=["GET", "POST"]),
        Route("/class/leave", _leave, methods=["GET", "POST"]),
        Route("/class/school", _school, methods=["GET"]),
    ]


async def _join(request: Request) -> Response:
    claims = school.claims_in(request.cookies) if school.is_offered() else None
    if request.method == "GET" and claims is not None:
        return await _enter(request, "join", Form({}), lambda: people.enter_by_school(claims))
    if request.method != "POST":
        return _show(request, "join", code=request.query_params.get("code", "")[:40])
    form = await _read(request)
    enter = people.join if form["who"] == "new" else people.come_back
    return await _enter(
        request,
        "join",
        form,
        lambda: enter(form["code"], form["name"], form["pin"], address=_address_of(request)),
    )


async def _teacher(request: Request) -> Response:
    if request.method != "POST":
        return _show(request, "teacher")
    form = await _read(request)
    return await _enter(
        request,
        "teacher",
        form,
        lambda: people.sign_in_teacher(form["password"], address=_address_of(request)),
    )


async def _school(request: Request) -> Response:
    """Lead to the provider of the school, who leads back to the door.

    The provider leads back to one name of this server; under another one, the browser would not send
    there what it keeps of the login. So a login begins under that name.
    """
    if not school.is_offered():
        return RedirectResponse(signed_in.DOOR, 303)
    origin = school.origin()
    asked = f"https://{request.headers.get('host', '')}"
    if origin and asked.casefold() != origin.casefold():
        return RedirectResponse(f"{origin}/class/school", 303)
    return RedirectResponse(school.login_address(), 303)


async def _leave(request: Request) -> Response:
    if request.method != "POST":
        return _show(request, "leave")
    await run_in_threadpool(people.close_session, request.cookies.get(signed_in.COOKIE, ""))
    response = RedirectResponse(signed_in.DOOR, 303)
    response.delete_cookie(signed_in.COOKIE, path="/", secure=True, httponly=True, samesite="lax")
    school.forget(request.cookies, response)
    return response


async def _enter(request: Request, door: str, form: Form, enter: Callable[[], Person]) -> Response:
    """Let somebody in, or show the door again with the reason; what a login of the school found out
    is used up by either."""
    try:
        person = await run_in_threadpool(enter)
        cookie = await run_in_threadpool(people.open_session, person)
    except TransLearnError as error:
        typed = {name: form[name][:100] for name in ("code", "name", "who")}
        refusal = _show(request, door, status=403, reason=error.message, **typed)
        school.forget(request.cookies, refusal)
        return refusal
    response = RedirectResponse("/teacher" if person.is_teacher else "/", 303)
    response.set_cookie(
        signed_in.COOKIE,
        cookie,
        max_age=int(people.SESSION_S),
        path="/",
        secure=True,
        httponly=True,
        samesite="lax",
    )
    school.forget(request.cookies, response)
    return response


async def _read(request: Request) -> Form:
    """The fields of a form; an empty one where it is too long or no form."""
    data = b""
    async for part in request.stream():
        data += part
        if len(data) > MOST_BYTES:
            return Form({})
    text = data.decode("utf-8", "replace")
    try:
        return Form(dict(parse_qsl(text, keep_blank_values=True, max_num_fields=10)))
    except ValueError:
        return Form({})


def _show(request: Request, door: str, *, status: int = 200, **typed: Any) -> Response:
    classroom = people.class_of_installation()
    person = person_of(request.cookies)
    is_over = classroom is None or classroom.is_over(time.time())
    text = _pages.get_template("door.html").render(
        _=_,
        language=tag(language.get()),
        languages={tag(code): name for code, name in LANGUAGES.items()},
        light=_colours("light"),
        dark=_colours("dark"),
        door=door,
        person=person,
        is_over=is_over,
        deletes=format.when(classroom.deletes) if classroom else "",
        may_join=classroom.may_join if classroom else False,
        has_school=school.is_offered(),
        typed_code=typed.get("code", ""),
        **typed,
    )
    headers = {"content-security-policy": POLICY, "cache-control": "no-store"}
    response = HTMLResponse(text, status, headers)
    chosen = matching([request.query_params.get(language_choice.QUERY)])
    if chosen:  # read by a script of the pages, too
        response.set_cookie(
            language_choice.COOKIE, chosen, max_age=_YEAR_S, path="/", secure=True, samesite="lax"
        )
    return response


def _colours(theme: str) -> dict[str, str]:
    """The colours of a theme, from the one place that has them."""
    return {name: str(config.get_option(f"theme.{theme}.{name}") or "") for name in COLOURS}


def _address_of(request: Request) -> str:
    return request.client.host if request.client else ""
