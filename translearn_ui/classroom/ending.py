"""The results of all on a wall, and the end of the class: take home, delete."""

from __future__ import annotations

import datetime
import time
from html import escape
from pathlib import Path

import streamlit as st

from translearn_core import people, spaces
from translearn_core.i18n import _
from translearn_core.jobs import activity
from translearn_core.people import Classroom
from translearn_ui.classroom.tiles import state_words
from translearn_ui.components import dialogs, format
from translearn_ui.shell import signed_in


def show_wall() -> None:
    """The newest result of each pupil, for the beamer; also while the next training goes on."""
    with_names = st.toggle(_("With names"), value=True, key="class_wall_names")
    found = [(one, activity.newest_result_in(one.folder)) for one in people.list_people()]
    tiles = "".join(
        '<div class="tl-tile">'
        + (f"<b>{escape(person.name)}</b>" if with_names else "")
        + f"<span>{escape(at.run.config.dataset_name)}</span>"
        + f'<span class="tl-now">{escape(state_words(at))}</span></div>'
        for person, at in found
        if at is not None
    )
    if not tiles:
        st.caption(_("There are no results yet."))
        return
    st.html(f'<div class="tl-tiles">{tiles}</div>')


def show_end(classroom: Classroom) -> None:
    """The day of deletion, everything as zips, the end of the class, deletion."""
    today = datetime.date.today()
    day = st.date_input(
        _("Everything that belongs to pupils is deleted after"),
        datetime.date.fromtimestamp(classroom.deletes),
        min_value=today + datetime.timedelta(days=1),
        key="class_day",
    )
    end_of_day = datetime.datetime.combine(day, datetime.time.max).timestamp()  # type: ignore[arg-type]
    if abs(end_of_day - classroom.deletes) > 24 * 3600:
        people.set_deletion(end_of_day)
        st.rerun()
    may_join = st.toggle(_("New names may join"), value=classroom.may_join, key="class_may_join")
    if may_join != classroom.may_join:
        people.forbid_joining(not may_join)
        st.rerun()
    if st.button(_("Write every space as a zip"), key="class_export", icon=":material/archive:"):
        with st.spinner(_("Writing…")):
            folder = _export_all()
        st.success(_("They are in `{folder}`.").format(folder=folder))
    with st.container(horizontal=True):
        if not classroom.is_over(time.time()) and st.button(
            _("End the class"), key="class_end", icon=":material/logout:"
        ):
            dialogs.ask_once(
                _("End the class?"),
                _("All pupils are signed out and nobody can sign in. Their work stays for now."),
                _("End it"),
                _end,
            )
        if st.button(
            _("Delete all pupils and their work"), key="class_delete", icon=":material/delete:"
        ):
            dialogs.ask_once(
                _("Delete all pupils and their work?"),
                _("All pupils, their photos and their models are deleted for good."),
                _("Delete"),
                _delete_all,
            )


def _export_all() -> Path:
    """A zip for each space, in a folder of the teacher's workspace."""
    stamp = format.stamp(time.time()).replace(":", "-").replace(" ", "-")
    folder = spaces.root() / "exported" / stamp
    folder.mkdir(parents=True, exist_ok=True)
    from translearn_core.datasets.file_names import safe_name

    by_space: dict[Path, list[str]] = {}
    for person in people.list_people():
        by_space.setdefault(person.folder, []).append(person.name)
    for space, names in by_space.items():
        people.pack(space, folder / safe_name(f"{', '.join(names)[:80]} {space.name[:4]}.zip"))
    return folder


def _end() -> None:
    signed_in.require_teacher()  # the question may have stood open
    people.end_class()


def _delete_all() -> None:
    signed_in.require_teacher()
    for space in spaces.all_spaces()[1:]:
        activity.end_all_in(space)
    people.delete_all()
