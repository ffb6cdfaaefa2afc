"""What was moved to the bin last, with Undo; and everything that is in the bin.

Leaves to others: moving it there (`dataset_actions.py`, `run_actions.py`), the bin itself
(`translearn_core.trash`).
"""

from __future__ import annotations

import streamlit as st

from translearn_core import trash
from translearn_core.config import home
from translearn_core.i18n import _, ngettext
from translearn_ui.components import dialogs, format, undo_bar
from translearn_ui.shell import frame

_LAST = "bin_last"
_KINDS = {"dataset": ":material/photo_library:", "run": ":material/neurology:"}


def what_happens() -> str:
    """What deleting means, for the question before it."""
    days = round(trash.KEEP_S / 86_400)
    return ngettext(
        "It stays in the bin (My work) for {n} day and can be put back; then it is gone for good.",
        "It stays in the bin (My work) for {n} days and can be put back; then it is gone for good.",
        days,
    ).format(n=days)


def remember(entry: trash.Entry) -> None:
    """Offer to take this back, on the next pages of this session."""
    st.session_state[_LAST] = entry


def show_undo() -> None:
    """What this session moved to the bin last, with a way back; it stays in view."""
    entry: trash.Entry | None = st.session_state.get(_LAST)
    if entry is None or not entry.folder.is_relative_to(home() / "bin"):
        return  # of another space
    if not (entry.folder / "content").is_dir():
        return
    words = _(":material/delete: {name} is in the bin.").format(name=frame.plain(entry.name))
    undo_bar.show(words, key="bin_bar", button="bin_undo", undo=_put_back, args=(entry,))


def show_all() -> None:
    """Everything in the bin, to put back or to delete for good; nothing where it is empty."""
    found = trash.entries()
    if not found:
        return
    st.header(_("Bin"), anchor=False)
    size = sum(entry.size_bytes() for entry in found)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(
            _("{size}. What is older than {n} days is deleted for good.").format(
                size=format.size(size), n=round(trash.KEEP_S / 86_400)
            ),
            width="content",
        )
        if st.button(
            _("Empty the bin"), key="bin_empty", type="tertiary", icon=":material/delete:"
        ):
            _confirm_empty(found, size)
    for entry in found:
        _show_entry(entry)


def _show_entry(entry: trash.Entry) -> None:
    key = entry.folder.name
    with st.container(
        border=True, horizontal=True, vertical_alignment="center", key=f"bin_row_{key}"
    ):
        facts = f"{format.size(entry.size_bytes())} · {format.when(entry.thrown_at)}"
        st.markdown(
            f"{_KINDS[entry.kind]} **{frame.plain(entry.name)}**  \n:small[{facts}]",
            width="stretch",
        )
        st.button(
            _("Put back"),
            key=f"bin_back_{key}",
            icon=":material/undo:",
            on_click=_put_back,
            args=(entry,),
        )


def _put_back(entry: trash.Entry) -> None:
    st.session_state.pop(_LAST, None)
    with frame.errors_shown():
        trash.put_back(entry)
        st.toast(_("{name} is back.").format(name=frame.plain(entry.name)), icon=":material/undo:")


def _confirm_empty(found: list[trash.Entry], size: int) -> None:
    def empty() -> None:
        for entry in found:
            trash.delete(entry)

    dialogs.ask_once(
        _("Empty the bin?"),
        _(
            "{size} are deleted for good. Photos that were taken here with the camera, and models, exist "
            "nowhere else."
        ).format(size=format.size(size)),
        _("Delete for good"),
        empty,
    )
