"""`python3 scripts/run --class`: begins a class and serves it.

Owns: what is asked and printed at the start. Leaves to others: the class (`people`), the server
(`server.py`), the certificate (`certificate.py`).

The password of the teacher is asked once, in the terminal, or taken from `TRANSLEARN_TEACHER_PASSWORD`,
which is then forgotten by this process. Exit codes: 0 when it was ended, 2 when it did not start.
"""

from __future__ import annotations

import argparse
import getpass
import logging
import os
import socket
import sys
from pathlib import Path

import segno

from translearn_core import people, spaces
from translearn_core.errors import AccessError, TransLearnError
from translearn_core.i18n import _
from translearn_core.people import Classroom
from translearn_ui.classroom.addresses import link_to, own_hosts
from translearn_ui.classroom.certificate import check_given, own_certificate

PASSWORD = "TRANSLEARN_TEACHER_PASSWORD"


def main(arguments: list[str] | None = None) -> int:
    """Entry of the process; returns its exit code."""
    chosen = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    try:
        _check_port(chosen.address, chosen.port)
        has_school = people.school_of_installation() is not None
        classroom = people.begin_class(_password(ask_anew=chosen.new_password))
        hosts = own_hosts(chosen.host)
        if chosen.certificate or chosen.key:
            pair = (Path(chosen.certificate or ""), Path(chosen.key or ""))
            check_given(*pair)
        else:
            pair = own_certificate(spaces.root() / "class", hosts)
    except TransLearnError as error:
        _say(error.message)
        return 2
    from translearn_ui.classroom.server import Place, serve  # after the checks: it takes a while

    _tell(classroom, hosts[0], chosen.port, has_school=has_school)
    certificate, key = (path.resolve() for path in pair)
    serve(
        Place(
            address=chosen.address,
            port=chosen.port,
            hosts=hosts,
            certificate=certificate,
            key=key,
        ),
        classroom,
    )
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 scripts/run --class")
    add = parser.add_argument
    add("--port", type=int, default=8501, help="port (default: %(default)s)")
    add("--address", default="0.0.0.0", help="interface to answer at (default: all)")
    add(
        "--host",
        default="",
        help="name or address that pupils open, where it is not found by itself",
    )
    add("--certificate", help="certificate of your own (PEM)")
    add("--key", help="its key (PEM)")
    add("--new-password", action="store_true", help="choose another password of the teacher")
    return parser


def _check_port(address: str, port: int) -> None:
    """Refuse a port that is in use.

    Raises:
        AccessError: it is, or this machine has no such address.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            if os.name != "nt":
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((address, port))
    except OSError as error:
        raise AccessError(
            _("Port {port} cannot be used: {cause}. Choose another one with {option}.").format(
                port=port, cause=error.strerror or error, option="--port"
            )
        ) from error


def _password(*, ask_anew: bool) -> str:
    """The teacher's password where one is needed, else an empty text.

    Raises:
        AccessError: it is needed and there is nobody to ask, or it was typed in differently.
    """
    given = os.environ.pop(PASSWORD, "")
    if people.class_of_installation() is not None and not ask_anew:
        return ""
    if given:
        return given
    if not sys.stdin.isatty():
        raise AccessError(
            _(
                "A class needs a password of the teacher. Start it in a terminal, which asks for one, or "
                "set {variable}."
            ).format(variable=PASSWORD)
        )
    first = getpass.getpass(_("Choose a password for the teacher: "))
    if getpass.getpass(_("Once more: ")) != first:
        raise AccessError(_("These were two different passwords. Start again."))
    return first


def _tell(classroom: Classroom, host: str, port: int, *, has_school: bool) -> None:
    """Print where the class is, and its code as a text and as a picture.

    Args:
        has_school: accounts of a school open the class, under `host` alone.
    """
    link = link_to(host, port)
    with_code = link_to(host, port, classroom.code)
    if sys.stdout.isatty():
        segno.make(with_code, error="m").terminal(compact=True)
    _say(_("Pupils open {link} and type in {code}").format(link=link, code=classroom.code))
    own = link_to(host if has_school else "localhost", port).replace(
        "/class/join", "/class/teacher"
    )
    _say(_("You open    {link}").format(link=own))
    _say(
        _(
            "The browser warns the first time, since it does not know this machine: choose “Advanced”, "
            "then “Continue”. End the class with Ctrl+C."
        )
    )


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
