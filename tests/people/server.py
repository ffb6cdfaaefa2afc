"""A class served by a thread of this process, and browsers without a window that look at it.

Without encryption, which changes no answer: a certificate is served in `tests/browser/test_class.py`.
"""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import uvicorn
from streamlit import config
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime import Runtime
from streamlit.runtime.secrets import secrets_singleton
from websockets.sync.client import ClientConnection, connect

from translearn_core import people, spaces
from translearn_ui.classroom import school
from translearn_ui.classroom.server import ClassApp, Place, make_app, options
from translearn_ui.shell import signed_in

HOST, OTHER = "class.test", "class.local"
"""The names of the server; the first one is printed."""
MOST_MESSAGES = 1000
PASSWORD = "correct horse"


@dataclass
class Answer:
    """What the server answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()


@dataclass
class Browser:
    """Keeps cookies, and says where it comes from as browsers do."""

    port: int
    cookies: dict[str, str] = field(default_factory=dict)

    @property
    def origin(self) -> str:
        """Where its pages come from."""
        return f"https://{HOST}:{self.port}"

    def ask(
        self,
        path: str,
        method: str = "GET",
        *,
        body: bytes | None = None,
        form: Mapping[str, str] | None = None,
        **headers: str,
    ) -> Answer:
        """Send one request; redirections are not followed."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        sent = self._headers() | {name.replace("_", "-"): one for name, one in headers.items()}
        if form is not None:
            body = urlencode(form).encode()
            sent["content-type"] = "application/x-www-form-urlencoded"
        try:
            connection.putrequest(method, path, skip_host=True)
            for name, value in sent.items():
                connection.putheader(name, value)
            if body is not None:
                connection.putheader("content-length", str(len(body)))
            connection.endheaders(body)
            answer = connection.getresponse()
            for line in answer.headers.get_all("set-cookie") or []:
                for name, morsel in SimpleCookie(line).items():
                    self.cookies[name] = morsel.value
            return Answer(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def _headers(self) -> dict[str, str]:
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        given = {"host": f"{HOST}:{self.port}", "origin": self.origin}
        return given | ({"cookie": cookies} if cookies else {})

    @contextmanager
    def stream(self, *, earlier: str = "", **headers: str) -> Iterator[ClientConnection]:
        """The connection over which pages come.

        Args:
            earlier: the session that it wants to go on with.
            headers: instead of those of a browser.
        """
        offered = ["streamlit", self.cookies.get("_streamlit_xsrf", "") or "none"]
        sent = self._headers() | headers
        host, origin = sent.pop("host"), sent.pop("origin")
        raw = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        raw.settimeout(None)
        with connect(
            f"ws://{host or 'nobody'}/_stcore/stream",
            sock=raw,
            origin=origin,  # type: ignore[arg-type]
            subprotocols=[*offered, *([earlier] if earlier else [])],  # type: ignore[list-item]
            additional_headers=sent,
            max_size=None,
            proxy=None,
        ) as connection:
            yield connection

    def show(self, page: str = "", **query: str) -> bytes:
        """Everything that comes when a page is opened, until its script has ended."""
        with self.stream() as connection:
            return run_page(connection, page, **query)


def run_page(connection: ClientConnection, page: str = "", **query: str) -> bytes:
    """Ask for a page over a connection; everything that comes until its script has ended."""
    return b"".join(
        message.SerializeToString() for message in messages_of(connection, page, **query)
    )


def messages_of(connection: ClientConnection, page: str = "", **query: str) -> list[Any]:
    """The messages of a page, until its script has ended."""
    asked = BackMsg()
    asked.rerun_script.query_string = urlencode(query)
    asked.rerun_script.page_name = page
    connection.send(asked.SerializeToString())
    received = []
    for _message in range(MOST_MESSAGES):
        data = connection.recv(timeout=60)
        assert isinstance(data, bytes)
        message: Any = ForwardMsg.FromString(data)
        received.append(message)
        ended = message.WhichOneof("type") == "script_finished"
        if ended and message.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY:
            return received
    raise AssertionError(f"the page {page} does not end")


@dataclass
class Served:
    """A class that is served."""

    app: ClassApp
    port: int

    def browser(self) -> Browser:
        """A browser with which nobody has signed in."""
        return Browser(self.port)

    def join(self, name: str, pin: str = "4711") -> Browser:
        """A browser with which a new pupil has joined."""
        classroom = people.class_of_installation()
        assert classroom is not None
        browser = self.browser()
        form = {"code": classroom.code, "who": "new", "name": name, "pin": pin}
        answer = browser.ask("/class/join", "POST", form=form)
        assert (answer.status, answer.headers["location"]) == (303, "/"), answer.text
        return browser

    def teacher(self) -> Browser:
        """A browser with which the teacher has signed in."""
        browser = self.browser()
        answer = browser.ask("/class/teacher", "POST", form={"password": PASSWORD})
        assert answer.status == 303, answer.text
        return browser


@contextmanager
def serving() -> Iterator[Served]:
    """A new class in the present workspace, with its server."""
    classroom = people.begin_class(PASSWORD)
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        port = int(chosen.getsockname()[1])
    place = Place(hosts=[HOST, OTHER], certificate=Path("made.pem"), key=Path("key.pem"))
    origin = f"https://{HOST}:{port}"
    chosen_options = options(place, school.prepare(classroom, origin))
    before = {name: config.get_option(name) for name in chosen_options}
    for name, value in chosen_options.items():
        config.set_option(name, value)
    secrets_singleton._reset()
    app = make_app(place.hosts, classroom)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            host="127.0.0.1",
            port=port,
            log_level="critical",
            ws="websockets-sansio",
        )
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            thread.join(0.02)
        yield Served(app, port)
    finally:
        server.should_exit = True
        thread.join(20)
        spaces.require_identity(None)
        signed_in._is_class = False
        Runtime._instance = None
        for name, value in before.items():
            config.set_option(name, value)
