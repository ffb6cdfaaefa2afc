"""The gate of a class: which request is answered, and to whom.

Owns: the rule of every address, the check of host and origin, and the headers of every answer. What no
rule allows does not exist. Leaves to others: who a person is (`people`), signing in (`doors.py`).

Addresses and their rules:
    /class/*, /static/*, /_stcore/health     everybody: they hold nothing of anybody
    /auth/login, /oauth2callback             everybody, where a school's accounts open the class
    /media/<file>                            who made it, and the teacher
    /_stcore/upload_file/<session>/<file>    whose session it is, while there is room
    /_stcore/stream                          who is signed in; an earlier session only to its owner
    /_stcore/host-config, components, pages  who is signed in; others are led to the door
    everything else                          nobody
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ClientState_pb2 import ClientState

from translearn_core import people
from translearn_core.errors import TransLearnError
from translearn_core.i18n import _, language
from translearn_ui.classroom import school
from translearn_ui.shell import language_choice, signed_in
from translearn_ui.shell.frame import PAGES

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from translearn_core.people import Person
    from translearn_ui.classroom.media import OwnedMedia
    from translearn_ui.classroom.uploads import BoundedUploads

OPEN = re.compile(
    r"/class/[a-z]+|/static/(js|css|media)/[\w.-]+|/_stcore/health|/favicon\.(png|ico)"
)
PAGE = re.compile("/|" + "|".join(f"/{row.name}" for row in PAGES))
SIGNED_IN = re.compile(
    rf"/_stcore/host-config|/_stcore/bidi-components/[^?#]*|/component/[^?#]*|{PAGE.pattern}"
)
MEDIA = re.compile(r"/media/([^/]+)")
UPLOAD = re.compile(r"/_stcore/upload_file/([^/]+)/[^/]+")
READING = ("GET", "HEAD")
_PAGE_ALONE = BackMsg(rerun_script=ClientState()).SerializeToString()
"""What a browser sends to have a page drawn whole, with nothing pressed."""

HEADERS = {
    "content-security-policy": "frame-ancestors 'self'",
    "x-frame-options": "SAMEORIGIN",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(self), microphone=(), geolocation=()",
}
"""Of every answer, unless it says something stricter itself."""


class Gate:
    """Middleware in front of everything that the server answers.

    Args:
        app: what lies behind it.
        hosts: the names under which the server may be addressed, without a port.
        media: whose each file under `/media` is.
        uploads: what rests in memory.
    """

    def __init__(
        self, app: ASGIApp, *, hosts: Sequence[str], media: OwnedMedia, uploads: BoundedUploads
    ) -> None:
        self._app = app
        self._hosts = {host.lower() for host in hosts}
        self._media = media
        self._uploads = uploads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        request = HTTPConnection(scope)
        language.set(language_choice.of_request(request))
        refusal = self._refusal(request)
        upload = UPLOAD.fullmatch(scope["path"])
        if refusal is None and upload and scope.get("method") == "PUT":
            await self._receive(upload[1], scope, receive, _with_headers(send))
        elif refusal is None and scope["type"] == "websocket":
            await self._app(scope, _while_signed_in(request.cookies, receive), send)
        elif refusal is None:
            await self._app(scope, receive, _with_headers(send))
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        else:
            await refusal(scope, receive, _with_headers(send))

    def _refusal(self, request: HTTPConnection) -> Response | None:
        """The answer to who may not have what they ask for; None where they may."""
        scope, path = request.scope, request.scope["path"]
        method = scope.get("method", "GET")
        if not self._is_addressed(request.headers):
            return PlainTextResponse(_("This server has another name."), 421)
        is_reading = scope["type"] == "http" and method in READING
        if not is_reading and not _is_same_origin(request.headers):
            return PlainTextResponse(_("This was asked for by another page."), 403)
        if OPEN.fullmatch(path) and scope["type"] == "http":
            return None
        if path in school.PATHS and is_reading and school.is_offered():
            return None
        person = person_of(request.cookies)
        media, upload = MEDIA.fullmatch(path), UPLOAD.fullmatch(path)
        is_page = is_reading and PAGE.fullmatch(path)
        if is_page and _has_just_signed_in(request.cookies):
            return RedirectResponse(signed_in.DOOR, 303)
        if person is None:
            return RedirectResponse(signed_in.DOOR, 303) if is_page else _nothing()
        if media and is_reading:
            name = PurePosixPath(media[1]).stem
            return None if self._media.is_for(name, person) else _nothing()
        if upload and method in ("PUT", "DELETE"):
            if not signed_in.is_owner(upload[1], person.id):
                return _nothing()
            return None
        if path == "/_stcore/stream":
            if scope["type"] != "websocket":
                return _nothing()
            _forget_session_of_another(scope, person)
            return None
        return None if is_reading and SIGNED_IN.fullmatch(path) else _nothing()

    async def _receive(self, session_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Take an upload in for which there is room in memory, else refuse it."""
        answer: ASGIApp = self._app
        try:
            length = int(Headers(scope=scope).get("content-length", ""))
        except ValueError:
            answer = PlainTextResponse(_("An upload must say how long it is."), 411)
            await answer(scope, receive, send)
            return
        with self._uploads.receiving(session_id, length) as has_room:
            if not has_room:
                text = _("Too much is being uploaded. Try again in a moment.")
                answer = PlainTextResponse(text, 413)
            await answer(scope, receive, send)

    def _is_addressed(self, headers: Headers) -> bool:
        hosts = headers.getlist("host")
        try:
            name = urlsplit(f"//{hosts[0]}").hostname if len(hosts) == 1 else None
        except ValueError:
            return False
        return (name or "").lower() in self._hosts


def person_of(cookies: Mapping[str, str]) -> Person | None:
    """Who is signed in with these cookies."""
    try:
        return people.who_holds(cookies.get(signed_in.COOKIE, ""))
    except TransLearnError:  # the files of the class cannot be read: nobody is let in
        return None


def _has_just_signed_in(cookies: Mapping[str, str]) -> bool:
    """Whether a login of the school waits for the door, which decides who this is from now on: it must
    not stay with the person who was signed in here before."""
    return school.is_offered() and school.claims_in(cookies) is not None


def _nothing() -> Response:
    return PlainTextResponse(_("There is nothing here."), 404)


def _is_same_origin(headers: Headers) -> bool:
    """Whether a request says that it comes from a page of this server, as browsers do."""
    return headers.get("origin") == f"https://{headers.get('host')}"


def _forget_session_of_another(scope: Scope, person: Person) -> None:
    """Let a connection begin anew where the earlier session that it names is not this person's.

    The name is the third entry of the protocols that the browser offers.
    """
    headers = MutableHeaders(scope=scope)
    offered = [part.strip() for part in headers.get("sec-websocket-protocol", "").split(",")]
    if len(offered) > 2 and not signed_in.is_owner(offered[2], person.id):
        headers["sec-websocket-protocol"] = ", ".join(offered[:2])


def _while_signed_in(cookies: Mapping[str, str], receive: Receive) -> Receive:
    """What a page asks for; once its person is signed out, only for the page itself, which says so.

    A page that was left open goes on asking: for its live parts, or when something is pressed.
    """
    person = person_of(cookies)

    async def receiving() -> Message:
        message = await receive()
        now = person_of(cookies)
        is_same = now is not None and person is not None and now.id == person.id
        if message["type"] != "websocket.receive" or is_same:
            return message
        return {"type": "websocket.receive", "bytes": _PAGE_ALONE}

    return receiving


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return sending
