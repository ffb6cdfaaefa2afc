"""What names alone do not decide about photos that come in: widgets, folded away.

Owns: `show_choices`, and which files an upload may hold.
Leaves to others: what the choices do (`translearn_core.datasets`, imported when they are made, so that
the first page is there before it).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import streamlit as st

from translearn_core.i18n import N_, _
from translearn_ui.components import uploads

if TYPE_CHECKING:
    from translearn_core.datasets import ImportChoices

EVERY_S = 0.5
"""As `imaging.video.EVERY_S`, which is not imported for the first page."""
ARCHIVE_TYPES = ("zip", "tar", "gz", "tgz", "bz2", "tbz2", "xz", "txz", "7z")
"""As `datasets.ARCHIVE_TYPES`, which is not imported for the first page."""
TABLE_TYPES = ("csv", "tsv", "txt", "xlsx", "json", "jsonl")
"""As `table_form.TABLE_TYPES`."""

_LEVELS = {
    "": N_("By the folders"),
    "outer": N_("The first level of folders"),
    "inner": N_("The innermost folders"),
}
ENCODINGS = (
    "",
    "utf-8",
    "cp932",
    "gbk",
    "big5",
    "cp949",
    "cp1251",
    "cp866",
    "koi8-r",
    "cp1252",
    "cp437",
    "cp1250",
    "cp852",
    "cp1253",
    "cp737",
    "cp1254",
    "cp857",
    "cp1255",
    "cp862",
    "cp1256",
)
"""As in `datasets/archive_names.py`, which brings pandas in."""
_ROLE_WORDS = {
    "class": N_("Folders that are classes"),
    "train": N_("Folders of training photos"),
    "val": N_("Folders of validation photos"),
    "test": N_("Folders of test photos"),
    "out": N_("Folders to leave out"),
}


def show_choices(key: str, *, archive: bool = False) -> Callable[[], ImportChoices]:
    """What names alone do not decide, folded away; returns a function that makes the choices, for the
    import that begins now: the next one begins without any."""
    box = uploads.Box(f"choices_{key}")
    tell_positions()
    with st.expander(_("How folders are read"), icon=":material/account_tree:", key=f"read_{key}"):
        level = st.selectbox(
            _("Which folders are the classes"),
            list(_LEVELS),
            format_func=lambda name: _(_LEVELS[name]),
            key=f"level_{box.key}",
            persist_state="session",
        )
        named = {
            role: st.text_input(
                _(words),
                placeholder=_("names, with commas between them"),
                key=f"role_{role}_{box.key}",
                persist_state="session",
            )
            for role, words in _ROLE_WORDS.items()
        }
        names = (
            st.selectbox(
                _("Encoding of the names in the archive"),
                list(ENCODINGS),
                format_func=lambda name: name or _("Found out from the names"),
                key=f"names_{box.key}",
                persist_state="session",
            )
            if archive
            else ""
        )

        every_s = st.number_input(
            _("Seconds between two frames of a video"),
            min_value=0.1,
            max_value=60.0,
            value=EVERY_S,
            step=0.1,
            key=f"every_{box.key}",
            persist_state="session",
        )
        keeps = st.checkbox(
            _("Store where photos were taken (GPS), too"),
            key=f"keep_{box.key}",
            persist_state="session",
        )

    def make() -> ImportChoices:
        from translearn_core.datasets import ImportChoices

        box.empty()
        roles = tuple(
            (name.strip(), role)
            for role, text in named.items()
            for name in text.split(",")
            if name.strip()
        )
        return ImportChoices(
            roles=roles, classes=level, names=names, every_s=every_s, keep_positions=keeps
        )

    return make


def tell_positions() -> None:
    """Say that positions are not stored unless somebody wants it."""
    st.caption(_("Where a photo was taken (GPS) is not stored."))
