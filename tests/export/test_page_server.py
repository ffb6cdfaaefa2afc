"""Web pages for phones: served at their address alone, as they lie on the disk, until stopped."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from translearn_core.export.page_server import PageServer, is_open_to_network


@pytest.fixture
def page(tmp_path: Path) -> Path:
    file = tmp_path / "html.html"
    file.write_text("<!doctype html><p>one")
    return file


@pytest.fixture
def server(page: Path) -> Iterator[PageServer]:
    one = PageServer("127.0.0.1", 0)
    one.share(page)
    yield one
    one.unshare(page)


def _open(address: str, method: str = "GET") -> tuple[int, str, dict[str, str]]:
    request = urllib.request.Request(address, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode(), dict(answer.headers)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode(), dict(error.headers)


def test_a_page_is_served_as_it_lies_on_the_disk(server: PageServer, page: Path) -> None:
    address = server.address_of(page, "127.0.0.1")
    assert address is not None
    status, content, headers = _open(address)
    assert (status, content) == (200, "<!doctype html><p>one")
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    page.write_text("<p>another")
    server.share(page)
    assert server.address_of(page, "127.0.0.1") == address
    assert _open(address)[1] == "<p>another"
    assert _open(address + "?x=1")[1] == "<p>another"
    assert _open(address, "HEAD")[:2] == (200, "")


def test_nothing_else_is_served(server: PageServer, page: Path) -> None:
    address = server.address_of(page, "127.0.0.1")
    assert address is not None
    place = address.rpartition("/")[0]
    for path in ("/", f"/{page.name}", f"{page}", "/../html.html", "//", "/%2e%2e/etc/passwd"):
        assert _open(place + path)[0] == 404, path
    assert _open(address, "POST")[0] == 501
    page.unlink()
    assert _open(address)[0] == 404


def test_a_page_is_gone_when_it_is_stopped(server: PageServer, page: Path) -> None:
    other = page.with_name("other.html")
    other.write_text("other")
    server.share(other)
    address, second = (server.address_of(one, "127.0.0.1") for one in (page, other))
    assert address is not None
    assert second is not None
    server.unshare(page)
    assert server.address_of(page, "127.0.0.1") is None
    assert _open(address)[0] == 404
    assert _open(second)[1] == "other"
    server.unshare(other)
    with pytest.raises(urllib.error.URLError):
        _open(second)


def test_a_taken_port_is_no_obstacle(server: PageServer, page: Path) -> None:
    address = server.address_of(page, "::1")
    assert address is not None
    assert address.startswith("http://[::1]:")
    port = int(address.rsplit(":", 1)[1].partition("/")[0])
    second = PageServer("127.0.0.1", port)
    second.share(page)
    found = second.address_of(page, "127.0.0.1")
    assert found is not None
    assert _open(found)[0] == 200
    second.unshare(page)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        *[("127.0.0.1", False), ("127.8.0.1", False), ("localhost", False), ("::1", False)],
        *[("0.0.0.0", True), ("::", True), ("", True), (None, True)],
        *[("192.168.1.7", True), ("school.example", True)],
    ],
)
def test_an_address_tells_whether_others_can_reach_it(address: str | None, expected: bool) -> None:
    assert is_open_to_network(address) == expected
