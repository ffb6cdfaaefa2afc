"""The start of a class: what is refused, the certificate, the addresses."""

from __future__ import annotations

import io
import socket
import ssl
import stat
import sys
from pathlib import Path

import pytest
from cryptography import x509

from translearn_core import people, spaces
from translearn_ui.classroom import addresses, begin
from translearn_ui.classroom.certificate import check_given, own_certificate
from translearn_ui.classroom.server import Place, options


@pytest.fixture(autouse=True)
def nobody_types(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    monkeypatch.delenv(begin.PASSWORD, raising=False)


def test_without_a_password_no_class_begins(capsys: pytest.CaptureFixture[str]) -> None:
    assert begin.main(["--port", "0"]) == 2
    assert "needs a password" in capsys.readouterr().out
    assert people.class_of_installation() is None
    assert not (spaces.root() / "class" / "key.pem").exists()


def test_a_short_password_is_refused_and_forgotten(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(begin.PASSWORD, "short")
    assert begin.main(["--port", "0"]) == 2
    told = capsys.readouterr().out
    assert "at least 8" in told
    assert "short" not in told.replace("too short", "")
    assert begin.PASSWORD not in begin.os.environ


def test_a_port_in_use_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert begin.main(["--address", "127.0.0.1", "--port", str(port)]) == 2
    assert f"Port {port} cannot be used" in capsys.readouterr().out


def test_the_certificate_is_made_once_and_its_key_is_private(tmp_path: Path) -> None:
    hosts = ["10.0.0.5", "::1", "laptop.local"]
    certificate, key = own_certificate(tmp_path, hosts)
    first = certificate.read_bytes()
    if sys.platform != "win32":
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
    names = x509.load_pem_x509_certificate(first).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    assert [str(name.value) for name in names.value] == hosts
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
    check_given(certificate, key)
    assert own_certificate(tmp_path, hosts)[0].read_bytes() == first
    key.unlink()
    assert own_certificate(tmp_path, hosts)[0].read_bytes() != first


def test_a_certificate_that_cannot_be_served_stops_the_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, _key = own_certificate(tmp_path / "a", ["a.test"])
    _other, key = own_certificate(tmp_path / "b", ["b.test"])
    for pair, said in (
        ((certificate, key), "does not belong"),
        ((tmp_path / "none", key), "cannot be read"),
        ((key, certificate), "cannot be read"),
    ):
        monkeypatch.setenv(begin.PASSWORD, "correct horse")
        given = ["--certificate", str(pair[0]), "--key", str(pair[1])]
        assert begin.main(["--port", "0", *given]) == 2
        assert said in capsys.readouterr().out


def test_the_names_of_this_machine_are_the_only_hosts() -> None:
    hosts = addresses.own_hosts("school.example")
    assert hosts[0] == "school.example"
    assert {"localhost", "127.0.0.1", "::1"} <= set(hosts)
    assert "*" not in hosts
    place = Place(hosts=hosts, certificate=Path("c"), key=Path("k"))
    assert options(place)["server.allowedHosts"] == hosts
    assert options(place)["server.enableXsrfProtection"] is True


@pytest.mark.parametrize(("has_school", "host"), [(False, "localhost"), (True, "10.0.0.5")])
def test_the_teacher_s_link_has_the_name_that_a_school_leads_back_to(
    capsys: pytest.CaptureFixture[str], has_school: bool, host: str
) -> None:
    classroom = people.begin_class("a long password")
    begin._tell(classroom, "10.0.0.5", 8501, has_school=has_school)
    assert f"https://{host}:8501/class/teacher" in capsys.readouterr().out


def test_links_are_written_so_that_a_browser_opens_them() -> None:
    assert addresses.link_to("10.0.0.5", 8501, "AB") == "https://10.0.0.5:8501/class/join?code=AB"
    assert addresses.link_to("::1", 443) == "https://[::1]/class/join"
