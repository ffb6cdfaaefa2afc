"""The page without a data set: the ways to bring photos in, the demo, and what was opened before.

It is painted before anything heavy (pandas, Pillow) is imported: that is what a newcomer waits for.
"""

from __future__ import annotations

import html
from datetime import datetime

import streamlit as st

from translearn_core import formatting, leftovers
from translearn_core.config import home
from translearn_core.i18n import _
from translearn_ui.components import background_tasks, dataset_list, format, import_task
from translearn_ui.photos import new_dataset, teaching_view
from translearn_ui.shell import frame, signed_in


def show() -> None:
    """The start page."""
    with st.container(key="start_words", gap="small"):
        st.title(_("Teach your computer to tell photos apart"), anchor=False)
        st.markdown(
            _(
                "Show it a few examples of each thing. It learns from them right here "
                "(transfer learning), and then names what is on new photos."
            )
        )
        _show_privacy()
    _show_waiting()
    dataset_list.show(_("Continue"), most=3)
    ways, demo = st.columns([1.75, 1], gap="medium")
    with ways, st.container(border=True, key="start_ways"):
        st.header(_("Your photos"), anchor=False)
        with frame.errors_shown():
            task = new_dataset.show_ways()
            if task is not None:
                import_task.begin(task)
    with demo, st.container(border=True, key="start_demo"):
        st.header(_("No photos yet?"), anchor=False)
        st.markdown(_("Try it with 300 drawn pictures of fruit. Everything works the same."))
        if st.button(
            _("Try the demo photos"),
            key="demo",
            type="secondary" if st.session_state.get("way") in ("classes", "server") else "primary",
            icon=":material/auto_awesome:",
            width="stretch",
        ):
            import_task.begin(new_dataset.start_demo())
        if st.button(
            _("Use the camera"), key="use_camera", icon=":material/videocam:", width="stretch"
        ):
            frame.go("camera")
        if st.button(
            _("Sort unsorted photos"),
            key="use_sort",
            icon=":material/filter_none:",
            width="stretch",
            help=_(
                "Photos that look alike are put together. You name the groups, and the computer "
                "proposes a class for the rest."
            ),
        ):
            frame.go("sort")
        st.html(_shape_of_a_folder())
        teaching_view.show()


def _show_waiting() -> None:
    """The uploads that wait for an answer, each with the way to it."""
    folder = home() / "uploads"
    if not any(folder.glob("*/upload.json")):
        return
    from translearn_core.datasets.kept_upload import waiting_uploads

    for upload in waiting_uploads(folder):
        name = upload.folder.name
        if background_tasks.reads(name):
            continue
        try:
            goes = leftovers.goes_at(upload.folder)
        except OSError:
            continue  # it was taken away
        with st.container(
            key=f"waiting_{name}", border=True, horizontal=True, vertical_alignment="center"
        ):
            text = _("{name} is not brought in yet: it waits for your answer until {day}.")
            day = formatting.day(datetime.fromtimestamp(goes))
            st.markdown(text.format(name=frame.plain(upload.name), day=day), width="stretch")
            st.button(
                _("Continue"), key=f"go_on_{name}", on_click=import_task.go_on_with, args=(name,)
            )


def _show_privacy() -> None:
    classroom = signed_in.classroom()
    if classroom is not None:
        text = _(
            ":material/lock: Your photos stay on your teacher's machine. Your teacher can see them, other "
            "pupils cannot. Everything is deleted after {day}."
        ).format(day=format.when(classroom.deletes))
    elif frame.server_is_here():
        text = _(":material/lock: Your photos stay on this computer. Nothing is sent anywhere.")
    else:
        text = _(
            ":material/lock: Your photos go to the computer that runs TransLearn ({host}) and stay "
            "there. They are sent nowhere else."
        ).format(host=st.context.headers.get("Host", "").rsplit(":", 1)[0])
    st.caption(text)


def _shape_of_a_folder() -> str:
    names = [(_("apples"), 3), (_("pears"), 2)]
    rows = "".join(
        f"<li><b>{html.escape(name)}</b><span>{'<i></i>' * n}</span></li>" for name, n in names
    )
    return (
        f"<div class='tl-tree'><p>{html.escape(_('What your folder looks like'))}</p>"
        f"<div>{html.escape(_('my photos'))}</div><ul>{rows}</ul></div>"
    )
