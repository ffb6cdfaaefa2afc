"""Where the class is: link, code and QR code, for the beamer; who may join, and the place on the disk."""

from __future__ import annotations

import io
import shutil
import time
from pathlib import Path

import psutil
import segno
import streamlit as st

from translearn_core import people, spaces
from translearn_core.i18n import _, ngettext
from translearn_core.people import Classroom
from translearn_ui.classroom.addresses import link_to
from translearn_ui.components import format
from translearn_ui.shell import frame

_WARNING = Path(__file__).parent / "assets" / "warning.svg"


def show(classroom: Classroom) -> None:
    """The link and the code, with a picture of both; or that the class has ended."""
    if classroom.is_over(time.time()):
        st.info(_("The class has ended, so nobody can sign in any more."), icon=":material/logout:")
    else:
        _show_way_in(classroom)
    n = len(people.list_people())
    there = ngettext("{n} pupil has joined.", "{n} pupils have joined.", n).format(n=n)
    free = shutil.disk_usage(spaces.root()).free
    memory = psutil.virtual_memory()
    st.caption(
        _(
            "{there} Free: {disk} of disk, {memory} of memory. Everything of the pupils is deleted after {day}."
        ).format(
            there=there,
            disk=format.size(free),
            memory=format.size(memory.available),
            day=format.when(classroom.deletes),
        )
    )
    for person in people.locked_people():
        st.warning(
            _(
                "The PIN of {name} was guessed wrong ten times, so it is locked. Give a new one below."
            ).format(name=frame.plain(person.name)),
            icon=":material/lock:",
        )


def _show_way_in(classroom: Classroom) -> None:
    """The link and the code, with a picture of both."""
    host = str(st.get_option("browser.serverAddress"))
    port = int(st.get_option("server.port"))
    with st.container(border=True, horizontal=True, vertical_alignment="center", key="class_head"):
        address = link_to(host, port, classroom.code)
        words = _("QR code of {address}").format(address=address)
        st.image(_picture(address), width=150, alt=words)
        with st.container(width="stretch"):
            st.markdown(_("Pupils open"))
            st.code(link_to(host, port), language=None, wrap_lines=True)
            st.markdown(_("and type in the code"))
            st.header(frame.plain(classroom.code), anchor=False)
            with st.popover(_("The browser warns?"), type="tertiary"):
                words = _("The warning of a browser: first Advanced, then Continue")
                st.image(_WARNING, width=240, alt=words)
                st.markdown(
                    _(
                        "It does not know this machine, which made its certificate itself. Press "
                        "*Advanced*, then *Continue*."
                    )
                )


@st.cache_data(max_entries=4, show_spinner=False)
def _picture(link: str) -> bytes:
    target = io.BytesIO()
    segno.make(link, error="m").save(target, kind="png", scale=6, border=3)
    return target.getvalue()
