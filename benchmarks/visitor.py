"""Somebody in a class without a browser: signs in, opens pages, presses, uploads, sees pictures.

Owns: what the part of Streamlit in the browser does, as far as pages are asked for and answered: the
protobuf messages of its websocket, the cache of large messages, fragments that run again by themselves,
the values of widgets, uploads, and fetching the pictures of a page.
Leaves to others: starting a server, what is pressed, and what is made of the times.

An answer is there when the script of the page has ended. Certificates are not checked: a class makes its
own.
"""

from __future__ import annotations

import asyncio
import http.client
import re
import ssl
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import parse_qs, urlencode

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

ANSWER_S = 120.0
"""So long an answer is waited for."""
FIRST = "photos"
"""The page that answers at `/`."""
_MEDIA = re.compile(r"/media/[\w.-]+")
_ENDED = {
    ForwardMsg.FINISHED_SUCCESSFULLY,
    ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY,
}


class NotThereError(Exception):
    """A page does not hold what was to be pressed."""


def encryption() -> ssl.SSLContext:
    """What a visitor needs to speak with a server whose certificate nobody knows."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@dataclass
class Part:
    """One element of a page: its kind, its message, and the fragment it belongs to."""

    kind: str
    message: Any
    fragment: str
    run: str

    @property
    def id(self) -> str:
        """Of a widget; empty for anything else."""
        return str(getattr(self.message, "id", ""))

    @property
    def text(self) -> str:
        """What stands on it."""
        words = (getattr(self.message, name, "") for name in ("label", "body", "text", "code_text"))
        return next((str(word) for word in words if word), "")


@dataclass
class Visitor:
    """A browser tab of one person.

    Args:
        host, port: the server; `https` and `wss` with `secure`.
        name: who this is, for messages.
        at: where the server really is, as behind something that encrypts for it, under a name that
            this machine need not know.
    """

    host: str
    port: int
    name: str = ""
    secure: bool = True
    at: str = ""
    cookies: dict[str, str] = field(default_factory=dict)
    parts: dict[tuple[int, ...], Part] = field(default_factory=dict)
    query: str = ""
    session_id: str = ""
    closed: str = ""
    """Why the connection ended."""
    automatic: int = 0
    """Fragments that ran again by themselves."""
    received: int = 0
    """Bytes that came over the websocket."""

    def __post_init__(self) -> None:
        self._ssl = encryption() if self.secure else None
        self._web: http.client.HTTPConnection | None = None
        self._web_lock = asyncio.Lock()
        self._socket: ClientConnection | None = None
        self._page_hash = ""
        self._run = ""
        self._busy_at = 0.0
        self._known: dict[str, ForwardMsg] = {}
        self._states: dict[str, WidgetState] = {}
        self._seen: dict[str, int] = {}
        self._timers: dict[str, asyncio.Task[None]] = {}
        self._ends: asyncio.Queue[tuple[str, frozenset[str]]] = asyncio.Queue()
        self._urls: asyncio.Queue[Any] = asyncio.Queue()
        self._reader: asyncio.Task[None] | None = None

    # --- requests beside the websocket ------------------------------------------------------

    @property
    def origin(self) -> str:
        """Where the pages come from."""
        return f"{'https' if self.secure or self.at else 'http'}://{self.host}:{self.port}"

    def _headers(self) -> dict[str, str]:
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        sent = {"Origin": self.origin, "Host": f"{self.host}:{self.port}"}
        return sent | ({"Cookie": cookies} if cookies else {})

    async def ask(
        self,
        path: str,
        method: str = "GET",
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, bytes, Mapping[str, str]]:
        """Send one request, with what cookies there are; redirections are not followed."""
        async with self._web_lock:
            return await asyncio.to_thread(self._ask, path, method, body, dict(headers or {}))

    def _ask(
        self, path: str, method: str, body: bytes | None, headers: dict[str, str]
    ) -> tuple[int, bytes, Mapping[str, str]]:
        for attempt in range(2):
            if self._web is None:
                self._web = (
                    http.client.HTTPSConnection(
                        self.at or self.host, self.port, timeout=ANSWER_S, context=self._ssl
                    )
                    if self.secure
                    else http.client.HTTPConnection(
                        self.at or self.host, self.port, timeout=ANSWER_S
                    )
                )
            try:
                self._web.request(method, path, body=body, headers=self._headers() | headers)
                answer = self._web.getresponse()
                content = answer.read()
                break
            except (http.client.HTTPException, OSError):
                self._web.close()  # the server lets go of connections that nobody uses
                self._web = None
                if attempt:
                    raise
        for line in answer.headers.get_all("set-cookie") or []:
            for name, morsel in SimpleCookie(line).items():
                self.cookies[name] = morsel.value
        return answer.status, content, answer.headers

    async def sign_in(self, door: str, **form: str) -> None:
        """Go through a door of the class (`join`, `teacher`).

        Raises:
            RuntimeError: nobody is let in.
        """
        status, content, _headers = await self.ask(
            f"/class/{door}",
            "POST",
            body=urlencode(form).encode(),
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        )
        if status != 303:
            raise RuntimeError(f"{self.name} is not let in: {status} {content[:300]!r}")

    # --- pages --------------------------------------------------------------------------------

    async def open(self, page: str = "", **query: str) -> float:
        """Open the app on a page, in a new session; seconds until it is there."""
        began = time.monotonic()
        await self.ask(f"/{page}")
        await self.ask("/_stcore/health")
        await self.ask("/_stcore/host-config")
        offered = ["streamlit", self.cookies.get("_streamlit_xsrf", "") or "none"]
        headers = self._headers()
        origin: Any = headers.pop("Origin")
        del headers["Host"]  # told by the address
        subprotocols: Any = offered
        self._socket = await connect(
            f"{'wss' if self.secure else 'ws'}://{self.host}:{self.port}/_stcore/stream",
            ssl=self._ssl,
            host=self.at or self.host,
            origin=origin,
            subprotocols=subprotocols,
            additional_headers=headers,
            max_size=None,
            open_timeout=ANSWER_S,
            proxy=None,
        )
        self._reader = asyncio.create_task(self._read(self._socket))
        self.query, self._page_hash = urlencode(query), ""
        await self._rerun(page=page)
        return time.monotonic() - began

    async def close(self) -> None:
        """Leave: the tab is closed."""
        for timer in self._timers.values():
            timer.cancel()
        if self._socket is not None:
            await self._socket.close()
        if self._reader is not None:
            self._reader.cancel()
            with suppress(asyncio.CancelledError):
                await self._reader
        if self._web is not None:
            self._web.close()

    async def go(self, page: str, **query: str) -> float:
        """Follow a link of the page's head to another page; seconds until it is there."""
        part = self._find(
            lambda one: one.kind == "page_link" and (one.message.page or FIRST) == page,
            f"the link to {page}",
        )
        self.query = urlencode(query) if query else part.message.query_string
        self._page_hash = part.message.page_script_hash
        return await self._rerun()

    async def press(self, key: str, *, label: str = "") -> float:
        """Press a button by its key, or by what stands on it; seconds until the page is there."""
        part = self._find(
            lambda one: (
                one.kind == "button" and (_key_of(one.id) == key if key else one.text == label)
            ),
            f"the button {key or label}",
        )
        pressed = WidgetState(id=part.id, trigger_value=True)
        return await self._rerun(fragment=part.fragment, once=[pressed])

    async def choose(self, key: str, **value: Any) -> float:
        """Give a widget a value (a field of `WidgetState`); seconds until the page is there.

        Args:
            key: of the widget; what its key begins with is enough.
        """
        part = self._find(lambda one: _key_of(one.id).startswith(key), f"the widget {key}")
        state = WidgetState(id=part.id)
        for name, content in value.items():
            if name.endswith("array_value"):
                getattr(state, name).SetInParent()  # an empty list is a value, too
                getattr(state, name).data.extend(content)
            else:
                setattr(state, name, content)
        self._states[part.id] = state
        return await self._rerun(fragment=part.fragment)

    async def choose_pill(self, key: str, words: str) -> float:
        """Press the pill whose words hold these, or the first; seconds until the page is there."""
        part = self._find(lambda one: _key_of(one.id) == key, f"the pills {key}")
        shown = [f"{one.content_icon} {one.content}".strip() for one in part.message.options]
        chosen = [one for one in shown if words in one.replace("\\", "")] or shown[:1]
        return await self.choose(key, string_array_value=chosen[:1])

    async def again(self) -> float:
        """Run the page again as it is; seconds until it is there."""
        return await self._rerun()

    async def upload(self, files: Sequence[tuple[str, bytes]]) -> float:
        """Put files into the box of the page; seconds until the page is there with them.

        Raises:
            RuntimeError: one is refused.
        """
        began = time.monotonic()
        part = self._find(lambda one: one.kind == "file_uploader", "a box for files")
        asked = BackMsg()
        asked.file_urls_request.request_id = uuid.uuid4().hex
        asked.file_urls_request.session_id = self.session_id
        asked.file_urls_request.file_names.extend(name for name, _data in files)
        await self._send(asked)
        told = await asyncio.wait_for(self._urls.get(), ANSWER_S)
        state = WidgetState(id=part.id)
        for (name, data), urls in zip(files, told.file_urls, strict=True):
            status, content, _headers = await self.ask(
                urls.upload_url, "PUT", **_multipart(name, data, self.cookies)
            )
            if status not in (200, 204):
                raise RuntimeError(f"{name} of {self.name} is refused: {status} {content[:200]!r}")
            info = state.file_uploader_state_value.uploaded_file_info.add()
            info.file_id, info.name, info.size = urls.file_id, name, len(data)
            info.file_urls.CopyFrom(urls)
        self._states[part.id] = state
        await self._rerun(fragment=part.fragment)
        return time.monotonic() - began

    async def settle(self, quiet_s: float = 0.5) -> None:
        """Wait until no run of the page has gone on for so long, but for those of fragments."""
        while time.monotonic() - self._busy_at < quiet_s:
            await asyncio.sleep(0.05)

    async def look(self) -> list[int]:
        """Fetch the pictures of the page that this browser does not have yet; their statuses."""
        statuses = []
        for path in sorted({found for part in self.parts.values() for found in _media_of(part)}):
            if path not in self._seen:
                status, _content, _headers = await self.ask(path)
                self._seen[path] = status
                statuses.append(status)
        return statuses

    def told(self, *kinds: str) -> list[str]:
        """What the elements of some kinds say, in order."""
        return [part.text for part in self.parts.values() if not kinds or part.kind in kinds]

    def words(self) -> list[str]:
        """What the page says, but for its HTML."""
        return [part.text[:80] for part in self.parts.values() if part.kind != "html" and part.text]

    @property
    def errors(self) -> list[str]:
        """What the page says in red."""
        return [
            str(part.message.body)
            for part in self.parts.values()
            if (part.kind == "alert" and part.message.format == part.message.ERROR)
            or part.kind == "exception"
        ]

    def asked(self, name: str) -> str:
        """A part of the address of the page."""
        return parse_qs(self.query).get(name, [""])[0]

    def has(self, key: str) -> bool:
        """Whether there is a widget with this key that can be used."""
        return any(
            _key_of(part.id) == key and not getattr(part.message, "disabled", False)
            for part in self.parts.values()
        )

    def widget_keys(self) -> list[str]:
        """The keys of the widgets and charts of the page."""
        return [key for part in self.parts.values() if (key := _key_of(part.id))]

    @property
    def fetched(self) -> Mapping[str, int]:
        """The addresses of pictures that were fetched, with their statuses."""
        return self._seen

    def pictures(self) -> list[str]:
        """The addresses of the pictures of the page."""
        return sorted({found for part in self.parts.values() for found in _media_of(part)})

    # --- the websocket ------------------------------------------------------------------------

    def _find(self, is_it: Any, what: str) -> Part:
        for part in self.parts.values():
            if is_it(part):
                if getattr(part.message, "disabled", False):
                    raise NotThereError(f"{what} of {self.name} cannot be pressed")
                return part
        raise NotThereError(f"{self.name} does not see {what}; but: {self.words()[:40]}")

    async def _send(self, message: BackMsg) -> None:
        assert self._socket is not None
        await self._socket.send(message.SerializeToString())

    async def _ask_to_run(
        self,
        *,
        page: str = "",
        fragment: str = "",
        once: Sequence[WidgetState] = (),
        by_itself: bool = False,
    ) -> None:
        message = BackMsg()
        asked = message.rerun_script
        asked.query_string, asked.page_name = self.query, page
        asked.page_script_hash, asked.fragment_id = self._page_hash, fragment
        asked.is_auto_rerun = by_itself
        asked.cached_message_hashes.extend(self._known)
        asked.context_info.timezone, asked.context_info.locale = "Europe/Berlin", "en-US"
        asked.context_info.url = f"{self.origin}/"
        asked.widget_states.widgets.extend([*self._states.values(), *once])
        await self._send(message)

    async def _rerun(
        self, *, page: str = "", fragment: str = "", once: Sequence[WidgetState] = ()
    ) -> float:
        while not self._ends.empty():
            self._ends.get_nowait()
        began = time.monotonic()
        await self._ask_to_run(page=page, fragment=fragment, once=once)
        while True:
            _run, fragments = await asyncio.wait_for(self._ends.get(), ANSWER_S)
            if self.closed:
                raise RuntimeError(f"the connection of {self.name} ended: {self.closed}")
            if not fragments or fragment in fragments:
                return time.monotonic() - began

    async def _read(self, socket: ClientConnection) -> None:
        try:
            async for data in socket:
                assert isinstance(data, bytes)
                self.received += len(data)
                self._take(ForwardMsg.FromString(data))
        except ConnectionClosed as error:
            self.closed = str(error)
        self.closed = self.closed or "by the server"
        self._ends.put_nowait(("", frozenset()))

    def _take(self, message: ForwardMsg) -> None:
        kind = message.WhichOneof("type")
        metadata = message.metadata
        if kind == "ref_hash":
            known = ForwardMsg()
            known.CopyFrom(self._known[message.ref_hash])
            known.metadata.CopyFrom(metadata)
            message, kind = known, known.WhichOneof("type")
        elif metadata.cacheable and message.hash:
            self._known[message.hash] = message
        if kind == "delta":
            self._take_delta(message)
        elif kind == "new_session":
            self._begin(message)
        elif kind == "script_finished":
            self._end(message)
        elif kind == "navigation":
            self._page_hash = message.navigation.page_script_hash
        elif kind == "page_info_changed":
            self.query = message.page_info_changed.query_string
        elif kind == "file_urls_response":
            self._urls.put_nowait(message.file_urls_response)
        elif kind == "auto_rerun":
            auto = message.auto_rerun
            self._stop_timer(auto.fragment_id)
            self._timers[auto.fragment_id] = asyncio.create_task(
                self._run_again(auto.fragment_id, auto.interval)
            )
        elif kind == "stop_auto_rerun":
            for fragment in message.stop_auto_rerun.fragment_ids:
                self._stop_timer(fragment)

    def _begin(self, message: Any) -> None:
        started = message.new_session
        self.session_id = started.initialize.session_id or self.session_id
        self._run = message.metadata.run.script_run_id
        if not message.metadata.run.fragment_ids:
            self._busy_at = time.monotonic()
            for fragment in list(self._timers):
                self._stop_timer(fragment)

    def _take_delta(self, message: Any) -> None:
        if not message.delta.fragment_id:
            self._busy_at = time.monotonic()
        path = tuple(message.metadata.delta_path)
        delta = message.delta
        if delta.WhichOneof("type") != "new_element":
            if delta.WhichOneof("type") == "add_block":
                self.parts.pop(path, None)
            return
        kind = delta.new_element.WhichOneof("type")
        if kind is not None:
            element = getattr(delta.new_element, kind)
            self.parts[path] = Part(kind, element, delta.fragment_id, self._run)

    def _end(self, message: Any) -> None:
        if message.script_finished not in _ENDED:
            return
        run = message.metadata.run
        fragments = frozenset(run.fragment_ids)
        self.parts = dict(
            sorted(
                (path, part)
                for path, part in self.parts.items()
                if part.run == run.script_run_id or (fragments and part.fragment not in fragments)
            )
        )
        if not fragments:
            there = {part.id for part in self.parts.values()}
            self._states = {key: one for key, one in self._states.items() if key in there}
        self._ends.put_nowait((run.script_run_id, fragments))

    def _stop_timer(self, fragment: str) -> None:
        timer = self._timers.pop(fragment, None)
        if timer is not None:
            timer.cancel()

    async def _run_again(self, fragment: str, every_s: float) -> None:
        with suppress(ConnectionClosed):
            while True:
                await asyncio.sleep(every_s)
                self.automatic += 1
                await self._ask_to_run(fragment=fragment, by_itself=True)


def _key_of(identity: str) -> str:
    """The key that the page gave a widget: `$$ID-<hash>-<key>`."""
    return identity.split("-", 2)[2] if identity.count("-") >= 2 else ""


def _media_of(part: Part) -> Iterator[str]:
    if part.kind == "imgs":
        for image in part.message.imgs:
            yield from _MEDIA.findall(image.url)
    elif part.kind in ("html", "markdown"):
        yield from _MEDIA.findall(part.message.body)
    elif part.kind == "bidi_component":
        yield from _MEDIA.findall(str(part.message))


def _multipart(name: str, data: bytes, cookies: Mapping[str, str]) -> dict[str, Any]:
    border = uuid.uuid4().hex
    head = (
        f'--{border}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    return {
        "body": head.encode() + data + f"\r\n--{border}--\r\n".encode(),
        "headers": {
            "Content-Type": f"multipart/form-data; boundary={border}",
            "X-Xsrftoken": cookies.get("_streamlit_xsrf", ""),
        },
    }
