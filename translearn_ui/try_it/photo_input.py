"""Handing in photos: files, webcam, a folder or a zip; what was predicted is kept in the session."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from translearn_core.i18n import _
from translearn_core.runs import Run
from translearn_ui.components import background_tasks, uploads
from translearn_ui.shell import frame
from translearn_ui.try_it import prediction_view

RESULT_KEY = "try_result"


def show(run: Run) -> None:
    """The ways to hand photos in; what is handed in is asked about at once."""
    way = st.segmented_control(
        _("How to hand in photos"),
        ["photos", "camera", "folder", "zip"],
        format_func=lambda name: {
            "photos": _(":material/image: Photos"),
            "camera": _(":material/photo_camera: Webcam"),
            "folder": _(":material/folder_open: Folder"),
            "zip": _(":material/folder_zip: Zip"),
        }[name],
        default="photos",
        required=True,
        key="try_way",
        persist_state="session",
        label_visibility="collapsed",
    )
    box = uploads.Box(f"try_{way}")
    if way == "camera":
        photo = st.camera_input(_("Hold it in front of the camera"), key=box.key, width=480)
        if photo is None:
            return
        _ask(run, [(_("webcam photo"), photo.getvalue())], photo.file_id)
    elif way == "zip":
        upload = st.file_uploader(
            _("A zip file of photos"),
            type=["zip", "tar", "gz", "tgz", "bz2", "tbz2", "xz", "txz", "7z"],
            key=box.key,
        )
        if upload is not None:
            _start(prediction_view.start_zip(run, upload), box)
    else:
        given = st.file_uploader(
            _("One photo or many") if way == "photos" else _("A folder of photos"),
            type=uploads.photo_types() if way == "photos" else None,
            accept_multiple_files=True if way == "photos" else "directory",
            key=box.key,
        )
        if len(given) == 1:
            _ask(run, [(given[0].name, given[0].getvalue())], given[0].file_id)
        elif given:
            _start(prediction_view.start(run, given), box)


def _start(task: background_tasks.Task, box: uploads.Box) -> None:
    box.empty()
    st.query_params["task"] = task.id
    st.rerun()


def _ask(run: Run, photos: Sequence[tuple[str, bytes]], photo_id: str) -> None:
    """Ask about one photo, once."""
    mark = (run.id, photo_id)
    if st.session_state.get("try_asked") == mark:
        return
    with st.spinner(_("Looking at it…")):
        st.session_state[RESULT_KEY] = (run.id, prediction_view.ask(run, photos))
    st.session_state["try_asked"] = mark


def end_task(task: background_tasks.Task, run: Run) -> None:
    """Take over what a batch left: its predictions, or its error."""
    background_tasks.forget(task)
    st.query_params.pop("task", None)
    if task.error is not None:
        frame.show_error(task.error)
    else:
        st.session_state[RESULT_KEY] = (run.id, task.result)
        st.session_state.pop("try_asked", None)
