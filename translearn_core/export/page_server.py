"""Serves web pages in one file to phones in the same network, beside the app.

Owns: a small HTTP server in a thread of the app, and under which addresses it hands out which file.
Leaves to others: making the pages (`make.py`), when one is served and to whom (the page Export).

A page is under an address that cannot be guessed, and nothing else is served: no folder, no list. It
is read from the disk at each request, so an export that is made again is served from then on.
"""

from __future__ import annotations

import ipaddress
import logging
import secrets
import shutil
import socket
import ssl
import threading
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)

_IDLE_S = 30.0
"""A connection that says nothing for so long is closed."""


class PageServer:
    """Serves pages from the first `share` until the last `unshare`; the links end with the process.

    Args:
        host: the address to listen at; "" is every one of this machine.
        port: the port to listen at; any free one where it is taken.
        certificate: files of a certificate and its key, for https.
    """

    def __init__(
        self, host: str, port: int, *, certificate: tuple[Path, Path] | None = None
    ) -> None:
        self._host = host
        self._wanted_port = port
        self._certificate = certificate
        self._pages: dict[str, Path] = {}
        self._lock = threading.Lock()
        self._server: ThreadingHTTPServer | None = None

    @property
    def scheme(self) -> str:
        """`https` with a certificate, else `http`."""
        return "https" if self._certificate else "http"

    def share(self, page: Path) -> None:
        """Serve a page from now on, unless it is served already.

        Raises:
            OSError: no port could be opened.
        """
        with self._lock:
            if page not in self._pages.values():
                self._pages[secrets.token_urlsafe(9)] = page
            if self._server is None:
                self._server = self._start()

    def unshare(self, page: Path) -> None:
        """Serve a page no longer."""
        with self._lock:
            self._pages = {key: one for key, one in self._pages.items() if one != page}
            server = None
            if not self._pages:
                server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()

    def address_of(self, page: Path, host: str) -> str | None:
        """The address of a page on `host`, a name or an IP address; None where it is not served."""
        with self._lock:
            key = next((key for key, one in self._pages.items() if one == page), None)
            if key is None or self._server is None:
                return None
            place = f"[{host}]" if ":" in host else host
            return f"{self.scheme}://{place}:{self._server.server_port}/{key}"

    def _start(self) -> ThreadingHTTPServer:
        context = None
        if self._certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*self._certificate)
        server_class = _IPv6Server if ":" in self._host else ThreadingHTTPServer
        try:
            server = server_class((self._host, self._wanted_port), self._handler())
        except OSError:
            server = server_class((self._host, 0), self._handler())
        server.daemon_threads = True
        if context is not None:
            # the handshake is done by the thread of a request, so that nobody holds up the others
            server.socket = context.wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
        threading.Thread(target=server.serve_forever, name="pages", daemon=True).start()
        return server

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        def find(path: str) -> Path | None:
            with self._lock:
                return self._pages.get(path.partition("?")[0].removeprefix("/"))

        class Handler(BaseHTTPRequestHandler):
            timeout = _IDLE_S
            server_version = "TransLearn"
            sys_version = ""

            def do_GET(self) -> None:
                self._answer(with_content=True)

            def do_HEAD(self) -> None:
                self._answer(with_content=False)

            def _answer(self, *, with_content: bool) -> None:
                page = find(self.path)
                try:
                    file = None if page is None else page.open("rb")
                except OSError:
                    file = None
                if file is None:
                    self.send_error(HTTPStatus.NOT_FOUND, "This page is not here (any more)")
                    return
                with file, suppress(ConnectionError, TimeoutError):
                    size = file.seek(0, 2)
                    file.seek(0)
                    self.send_response(HTTPStatus.OK)
                    self.send_header("Content-Type", "text/html; charset=utf-8")
                    self.send_header("Content-Length", str(size))
                    self.send_header("Cache-Control", "no-store")
                    self.send_header("X-Content-Type-Options", "nosniff")
                    self.send_header("X-Frame-Options", "DENY")
                    self.send_header("Referrer-Policy", "no-referrer")
                    self.end_headers()
                    if with_content:
                        shutil.copyfileobj(file, self.wfile)

            def log_message(self, format: str, *args: Any) -> None:
                logger.debug(format, *args)

        return Handler


class _IPv6Server(ThreadingHTTPServer):
    address_family = socket.AF_INET6


def is_open_to_network(address: str | None) -> bool:
    """Whether a server that listens at `address` can be reached from other machines."""
    if not address or address == "localhost":
        return not address
    try:
        return not ipaddress.ip_address(address).is_loopback
    except ValueError:
        return True


def network_address() -> str | None:
    """The address of this machine in its network; None without a network."""
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # chooses an interface; nothing is sent
        found = str(probe.getsockname()[0])
        if not ipaddress.ip_address(found).is_loopback:
            return found
    return None
