"""Under which names the app may be opened; asked without a browser."""

from __future__ import annotations

import base64
import os
import socket
from urllib.parse import urlsplit

import pytest

from scripts.serving import LOOPBACK, host_options
from tests.browser.conftest import Server

pytestmark = pytest.mark.xdist_group("browser")  # they share a server


def upgrade(server: Server, host: str, origin: str) -> int:
    """The status of the answer to a request to open the app's WebSocket."""
    address = urlsplit(server.url)
    host = host.format(port=address.port)
    head = (
        f"GET /_stcore/stream HTTP/1.1\r\nHost: {host}\r\n"
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\n"
    )
    head += f"Origin: {origin.format(host=host)}\r\n" if origin else ""
    with socket.create_connection((str(address.hostname), int(address.port or 0)), 20) as pipe:
        pipe.sendall(f"{head}\r\n".encode())
        return int(pipe.recv(100).split()[1])


@pytest.mark.parametrize("host", ["localhost:{port}", "127.0.0.1:{port}", "[::1]:{port}"])
def test_this_machine_opens_the_app(host: str, server: Server) -> None:
    assert upgrade(server, host, "http://{host}") == 101


@pytest.mark.parametrize("origin", ["http://{host}", "http://localhost:9999", ""])
@pytest.mark.parametrize("host", ["evil.example:{port}", "evil.example", "127.0.0.1.evil.example"])
def test_a_page_of_another_name_does_not(host: str, origin: str, server: Server) -> None:
    assert upgrade(server, host, origin) == 403


def test_a_class_room_opens_it_under_the_names_of_the_machine() -> None:
    added = host_options(["--server.address", "0.0.0.0"])
    names = added[1::2]
    assert set(added[::2]) == {"--server.allowedHosts"}
    assert {*LOOPBACK, socket.gethostname()} <= set(names)
    assert host_options(["--server.address=192.0.2.7"])[-1] == "192.0.2.7"
    assert "*" not in names


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--server.port", "8502"],
        ["--server.address=127.0.0.1"],
        ["--server.address", "0.0.0.0", "--server.allowedHosts", "school.example"],
    ],
)
def test_else_the_list_is_left_as_it_is(options: list[str]) -> None:
    assert host_options(options) == []
