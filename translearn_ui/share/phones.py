"""The web page on phones: its link and QR code, where the app can be reached from the network.

Owns: which address a phone opens, and the part of the page Export that shows it. Leaves to others:
serving the page (`translearn_core.export.page_server`).
"""

from __future__ import annotations

from functools import cache
from html import escape
from pathlib import Path

import segno
import streamlit as st

from translearn_core.errors import StorageError
from translearn_core.export.page_server import PageServer, is_open_to_network, network_address
from translearn_core.i18n import _
from translearn_ui.shell import frame

COMMAND = "python3 scripts/run --server.address 0.0.0.0"


@cache
def server() -> PageServer:
    """The server of this app: beside its port, at the address that the app listens at."""
    address = st.get_option("server.address") or ""
    files = [st.get_option("server.sslCertFile"), st.get_option("server.sslKeyFile")]
    certificate = (Path(files[0]), Path(files[1])) if all(files) else None
    port = int(st.get_option("server.port")) + 1
    return PageServer(address, port, certificate=certificate)


def show(page: Path) -> None:
    """Offer a finished page to phones, or say what it takes.

    Args:
        page: the file.
    """
    if not is_open_to_network(st.get_option("server.address")):
        st.caption(
            _(
                ":material/qr_code_2: For a QR code that opens the page on phones, start the app with "
                "`{command}`: now it can be reached from this machine alone."
            ).format(command=COMMAND)
        )
        return
    host = _host()
    if host is None:
        st.caption(
            _(
                ":material/qr_code_2: No QR code for phones: this machine is in no network, or the app "
                "is behind another server. Put the file on a web server instead."
            )
        )
        return
    address = server().address_of(page, host)
    if address is None:
        st.button(
            _("Show it on phones"),
            key="share_to_phones",
            icon=":material/qr_code_2:",
            help=_("Everybody in this network who has the link can open it until you stop it."),
            on_click=_share,
            args=(page,),
        )
        return
    _show_code(page, address)


def _share(page: Path) -> None:
    with frame.errors_shown():
        try:
            server().share(page)
        except OSError as error:
            raise StorageError(
                _(
                    "The page cannot be served to phones: {cause}. Put the file on a web server."
                ).format(cause=error.strerror or error)
            ) from error


def _show_code(page: Path, address: str) -> None:
    code = segno.make(address, error="m")
    words = _("QR code of {address}").format(address=address)
    image = code.svg_data_uri(border=3, dark="#1f2d2a", light="#ffffff", scale=5)
    st.html(f'<img class="tl-qr" alt="{escape(words, quote=True)}" src="{escape(image)}">')
    st.markdown(f"[{frame.plain(address)}]({address})")
    words = _("Scan it with a phone in the same network.")
    if not address.startswith("https:"):
        words += " " + _("The page takes photos there; a live camera needs https.")
    st.caption(words)
    st.button(
        _("Stop showing it"),
        key="share_no_more",
        icon=":material/stop_circle:",
        on_click=server().unshare,
        args=(page,),
    )


def _host() -> str | None:
    """The name under which phones find this machine; None where that is not known."""
    headers = st.context.headers
    if any(headers.get(name) for name in ("X-Forwarded-For", "Forwarded", "X-Real-Ip")):
        return None
    host = headers.get("Host", "").rsplit(":", 1)[0].strip("[]")
    if host and host != "localhost" and is_open_to_network(host):
        return host
    listening = st.get_option("server.address") or ""
    return network_address() if listening in ("", "0.0.0.0", "::") else listening
