"""What every request passes before it reaches a path: who asks, and how much may be sent.

Owns: `Guard`, an ASGI middleware: the name that the service is called by, the key of the client, keeping
the bounds on a body and on all bodies together, and the figures of a request.
Leaves to others: how large these bounds are (`request_bounds.py`), what is in a body (`photo_requests.py`,
`open_inference.py`), keys (`keys.py`).

Bounds: a body longer than `Bounds.body_bytes` gets 413. All bodies that are read or answered at a
time take `Bounds.total_bytes` at most; a request that does not fit waits, the rest of its body unread.
What counts is what has come, so a client that announces much and sends slowly holds up nobody. A client
that sends nothing for `Bounds.idle_s`, after these less than `Bounds.least_per_s`, or not the whole
within `Bounds.body_s`, gets 408; while the service makes it wait, its time stands still.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

from fastapi.responses import Response

from translearn_core.errors import SettingsError
from translearn_core.i18n import _
from translearn_core.service.figures import Figures
from translearn_core.service.keys import Keys
from translearn_core.service.refusals import RequestError
from translearn_core.service.request_bounds import DRAIN_BYTES, LEAST_HELD, Bounds

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

OPEN_PATHS = ("/", "/docs", "/openapi.json", "/v2/health/live", "/v2/health/ready")
"""What is answered without a key: nothing of it says anything about a model."""


class Guard:
    """Lets requests in.

    Args:
        app: what answers them.
        keys: the clients; None lets everybody in.
        hosts: names that the service may be called by, in small letters, without a port; None: any.
            A web page that a browser shows can be made to call this machine by another name.
    """

    def __init__(
        self,
        app: App,
        *,
        figures: Figures,
        keys: Keys | None,
        hosts: frozenset[str] | None,
        bounds: Bounds,
    ) -> None:
        self._app, self._figures, self._keys, self._hosts = app, figures, keys, hosts
        self._bounds = bounds
        self._budget = _Budget(bounds.total_bytes, longest=max(bounds.body_bytes, LEAST_HELD))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.monotonic(), 500

        async def sent(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        client = ""
        try:
            client = self._let_in(scope)
            await self._pass_on(scope, receive, sent)
        except RequestError as error:
            await respond(error)(scope, receive, sent)
        finally:
            path = getattr(scope.get("route"), "path", "other")
            self._figures.request(path, status, client, time.monotonic() - began)

    def _let_in(self, scope: Scope) -> str:
        """The name of the client; empty where nobody needs a key.

        Raises:
            RequestError: it is not let in.
        """
        headers = _headers(scope)
        if self._hosts is not None and _host(headers.get("host", "")) not in self._hosts:
            raise RequestError(
                _(
                    "This service answers without a key, and therefore only under the name of this "
                    "machine ({names}). To be asked under other names, it must be started with keys."
                ).format(names=", ".join(sorted(self._hosts))),
                status=403,
            )
        if self._keys is None or scope["path"] in OPEN_PATHS:
            return ""
        try:
            client = self._keys.client_of(_key(headers))
        except SettingsError as error:
            raise RequestError(error.message, status=503) from error
        if client is None:
            raise RequestError(
                _(
                    "This service answers clients that it knows: send your key as the header "
                    "`Authorization: Bearer KEY`."
                ),
                status=401,
            )
        return client

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        length = self._length(scope)
        if length is not None and length > self._bounds.body_bytes:
            if "expect" not in _headers(scope):  # who waits for a word sends nothing
                await _drain(receive, self._bounds.idle_s)
            raise self._too_long()
        if length == 0:
            await self._app(scope, receive, send)
            return
        async with self._budget.part() as part:
            await self._app(scope, self._bounded(receive, part), send)

    def _length(self, scope: Scope) -> int | None:
        """Bytes of the body as the header says; None where it comes in chunks."""
        headers = _headers(scope)
        if "transfer-encoding" in headers:
            return None
        text = headers.get("content-length", "0")
        return int(text) if text.isascii() and text.isdigit() else None

    def _bounded(self, receive: Receive, part: _Part) -> Receive:
        """`receive` that ends where too much comes, or nothing more; it waits for room in `part`."""
        bounds = self._bounds
        came, is_whole, waited_s = 0, False, 0.0

        async def bounded() -> Message:
            nonlocal came, is_whole, waited_s
            if is_whole:
                return await receive()
            began = time.monotonic()
            left_s = min(bounds.idle_s + came / bounds.least_per_s, bounds.body_s) - waited_s
            try:
                message = await asyncio.wait_for(receive(), min(bounds.idle_s, max(left_s, 0.0)))
            except TimeoutError as error:
                raise RequestError(
                    _("The rest of the request did not come in time. Send it again."),
                    status=408,
                    close=True,
                ) from error
            waited_s += time.monotonic() - began
            came += len(message.get("body", b""))
            is_whole = not message.get("more_body", False)
            if came > bounds.body_bytes:
                if not is_whole:
                    await _drain(receive, bounds.idle_s)
                raise self._too_long()
            await part.grow(max(came, LEAST_HELD) if is_whole else came)
            return message

        return bounded

    def _too_long(self) -> RequestError:
        return RequestError(
            _("A request may have {most} MB at most. Send fewer photos at once.").format(
                most=f"{self._bounds.body_bytes / 2**20:g}"
            ),
            status=413,
            close=True,
        )


class Json(Response):
    """A JSON answer. Half a character, which a name in a request may hold, becomes a question mark."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """The bytes."""
        text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return text.encode("utf-8", "replace")


def respond(error: RequestError) -> Json:
    """What a client gets instead of an answer."""
    headers = {"connection": "close"} if error.close else {}
    if error.status == 401:
        headers["www-authenticate"] = "Bearer"
    if error.status == 503:
        headers["retry-after"] = "10"
    return Json({"error": error.message, **error.more}, status_code=error.status, headers=headers)


class _Budget:
    """Bytes that requests share.

    All take from the total but the `longest` that one may need. Where that is used up, one request at
    a time takes beyond it until it is answered, so that there is always one that goes on.
    """

    def __init__(self, total: int, *, longest: int) -> None:
        self.free = max(total - longest, 0)
        self.beyond: _Part | None = None
        self.condition = asyncio.Condition()

    @asynccontextmanager
    async def part(self) -> AsyncIterator[_Part]:
        """The part of a request, given back after the block."""
        part = _Part(self)
        try:
            yield part
        finally:
            async with self.condition:
                self.free += part.n_bytes
                if self.beyond is part:
                    self.beyond = None
                self.condition.notify_all()


class _Part:
    """What one request holds of a budget."""

    def __init__(self, budget: _Budget) -> None:
        self.n_bytes = 0
        self._budget = budget

    async def grow(self, n_bytes: int) -> None:
        """Hold this many bytes, once there is room."""
        budget, more = self._budget, n_bytes - self.n_bytes
        if more <= 0:
            return
        async with budget.condition:
            await budget.condition.wait_for(
                lambda: budget.free >= more or budget.beyond in (None, self)
            )
            if budget.free < more:
                budget.beyond = self
            budget.free -= more
            self.n_bytes = n_bytes


async def _drain(receive: Receive, seconds: float) -> None:
    """Read on and keep nothing, for a while."""
    left, until = DRAIN_BYTES, time.monotonic() + seconds
    while left > 0:
        try:
            message = await asyncio.wait_for(receive(), max(until - time.monotonic(), 0.0))
        except TimeoutError:
            return
        left -= len(message.get("body", b""))
        if message["type"] != "http.request" or not message.get("more_body", False):
            return


def _headers(scope: Scope) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


def _host(header: str) -> str:
    """The name in a Host header, without its port."""
    name = header.strip().lower()
    if name.startswith("["):
        return name[: name.find("]") + 1]
    return name.partition(":")[0]


def _key(headers: dict[str, str]) -> str:
    kind, _sign, key = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer" and key.strip():
        return key.strip()
    return headers.get("x-api-key", "")
