"""Step 4: ask a trained model about new photos."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from translearn_core.decision import read_decision
from translearn_core.runs import Run, list_runs
from translearn_core.texts import _, ngettext
from translearn_ui.components import background_tasks
from translearn_ui.photos import add_photos, edit_dataset
from translearn_ui.results import calibration_view
from translearn_ui.shell import frame
from translearn_ui.try_it import prediction_view

if TYPE_CHECKING:
    from collections.abc import Sequence

frame.page("try_it")

_RESULT = "try_result"


def main() -> None:
    """Choose a run, hand in photos, see answers."""
    run = _choose_run()
    if run is None:
        frame.empty_state(
            title=_("Nothing to try yet"),
            text=_("Once a run has finished, you can show it new photos here."),
            icon=":material/photo_camera:",
            key="try",
            button=_("Go to training") if frame.current_dataset() else _("Begin with photos"),
            page="train" if frame.current_dataset() else "photos",
        )
        return
    task = background_tasks.find(st.query_params.get("task"))
    if task is not None and not task.finished:
        background_tasks.show(task)
        return
    if task is not None:
        _end_task(task, run)
    give, see = st.columns([1, 1.25], gap="large")
    with give, frame.errors_shown():
        _take_photos(run)
    with see, frame.errors_shown():
        _show_result(run)


def _choose_run() -> Run | None:
    st.title(_("Try it"), anchor=False)
    runs = [run for run in list_runs() if run.has_model]
    if not runs:
        return None
    return edit_dataset.choose_run(runs, _("Which one shall answer"), key="try_run")


def _take_photos(run: Run) -> None:
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
    box = add_photos.Box(f"try_{way}")
    if way == "camera":
        photo = st.camera_input(_("Hold it in front of the camera"), key=box.key, width=480)
        if photo is None:
            return
        _ask(run, [(_("webcam photo"), photo.getvalue())], photo.file_id)
    elif way == "zip":
        upload = st.file_uploader(_("A zip file of photos"), type=["zip"], key=box.key)
        if upload is not None:
            _start(prediction_view.start_zip(run, upload), box)
    else:
        uploads = st.file_uploader(
            _("One photo or many") if way == "photos" else _("A folder of photos"),
            type=add_photos.photo_types() if way == "photos" else None,
            accept_multiple_files=True if way == "photos" else "directory",
            key=box.key,
        )
        if len(uploads) == 1:
            _ask(run, [(uploads[0].name, uploads[0].getvalue())], uploads[0].file_id)
        elif uploads:
            _start(prediction_view.start(run, uploads), box)


def _start(task: background_tasks.Task, box: add_photos.Box) -> None:
    box.empty()
    st.query_params["task"] = task.id
    st.rerun()


def _ask(run: Run, photos: Sequence[tuple[str, bytes]], photo_id: str) -> None:
    """Ask about one photo, once."""
    mark = (run.id, photo_id)
    if st.session_state.get("try_asked") == mark:
        return
    with st.spinner(_("Looking at it…")):
        st.session_state[_RESULT] = (run.id, prediction_view.ask(run, photos))
    st.session_state["try_asked"] = mark


def _end_task(task: background_tasks.Task, run: Run) -> None:
    background_tasks.forget(task)
    st.query_params.pop("task", None)
    if task.error is not None:
        frame.show_error(task.error)
    else:
        st.session_state[_RESULT] = (run.id, task.result)
        st.session_state.pop("try_asked", None)


def _show_result(run: Run) -> None:
    asked, rows = st.session_state.get(_RESULT, (None, []))
    if asked != run.id or not rows:
        frame.empty_state(
            title=_("Show it something new"),
            text=_("Best a photo that it has not learned from. It knows: {classes}.").format(
                classes=frame.listed(run.labels)
            ),
            icon=":material/image_search:",
            key="try_result",
        )
        return
    sure = read_decision(run.folder).sure_from
    if len(rows) == 1:
        prediction_view.show_one(rows[0], sure_from=sure, run=run)
    else:
        st.subheader(
            ngettext("{n:,} photo", "{n:,} photos", len(rows)).format(n=len(rows)), anchor=False
        )
        prediction_view.show_many(rows, sure_from=sure, name=run.id)
    with st.popover(_("Not sure?"), icon=":material/help:", type="tertiary", key="try_sure_box"):
        st.markdown(
            _(
                "A model always finds some class most likely, even for a photo of something "
                "else. Below this probability we call its answer *not sure*. The value is kept "
                "with this training; *Results* shows what it costs and what it saves."
            )
        )
        calibration_view.slider(run, key="try_sure")


main()
