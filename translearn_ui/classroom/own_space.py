"""For a pupil: how full their space is, taking it home as a zip, and bringing it back."""

from __future__ import annotations

import tempfile
from pathlib import Path

import streamlit as st

from translearn_core import people, quotas
from translearn_core.config import home
from translearn_core.i18n import _
from translearn_ui.components import format
from translearn_ui.shell import frame

MOST_BYTES = 200 * 10**6
"""A zip for the browser rests in memory, so it is no larger."""


def show() -> None:
    """For a pupil: how full their space is, taking it home, and bringing it back."""
    most = quotas.quotas_of(home())
    used = quotas.space_bytes(home())
    st.markdown(
        _("You have {photos:,} of at most {most:,} photos, and {used} of at most {room}.").format(
            photos=quotas.count_photos(home()),
            most=most.photos,
            used=format.size(used),
            room=format.size(most.space_bytes),
        )
    )
    if used > MOST_BYTES:
        st.caption(_("It is too large for a browser. Your teacher can write it as a zip."))
    elif st.button(_("Make a zip of everything"), key="space_out", icon=":material/archive:"):
        with tempfile.TemporaryDirectory(dir=_uploads()) as folder, st.spinner(_("Writing…")):
            target = Path(folder) / "space.zip"
            people.pack(home(), target)
            st.download_button(
                _("Download"),
                target.read_bytes(),
                "translearn.zip",
                "application/zip",
                type="primary",
                key="space_download",
            )
    given = st.file_uploader(_("Bring a zip of everything back"), "zip", key="space_in")
    if given is not None and st.button(_("Bring it back"), key="space_back"):
        with tempfile.TemporaryDirectory(dir=_uploads()) as folder, st.spinner(_("Reading…")):
            source = Path(folder) / "space.zip"
            source.write_bytes(given.getbuffer())
            taken = people.unpack(source, home())
        st.success(_("{n} data sets and trainings came back.").format(n=len(taken)))
    st.caption(frame.plain(_("Only zips that were made in this class come back.")))


def _uploads() -> Path:
    folder = home() / "uploads"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
