"""Handing in photos: files, a folder or a zip, or the camera; what was predicted is kept in the
session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from translearn_core.i18n import _
from translearn_core.runs import Run
from translearn_ui.camera import panel
from translearn_ui.components import background_tasks, sample_tiles, uploads
from translearn_ui.shell import frame
from translearn_ui.try_it import prediction_view, right_class, traps

if TYPE_CHECKING:
    from translearn_core.datasets import Trap

RESULT_KEY = "try_result"
TRUTH_KEY = "try_truth"
"""In the session: the run, the class of the test photo or trap that was asked about, and of a trap the class
that it lures to."""
_ASKED = "try_asked"


def choose_way() -> str:
    """How photos are handed in: photos, camera, folder or zip."""
    return st.segmented_control(
        _("How to hand in photos"),
        ["photos", "camera", "folder", "zip"],
        format_func=lambda name: {
            "photos": _(":material/image: Photos"),
            "camera": _(":material/videocam: Camera"),
            "folder": _(":material/folder_open: Folder"),
            "zip": _(":material/folder_zip: Zip"),
        }[name],
        default="photos",
        required=True,
        key="try_way",
        persist_state="session",
        label_visibility="collapsed",
        on_change=forget_answer,
    )


def asked_mark() -> str:
    """Tells the photo that was asked about last from others."""
    return "|".join(st.session_state.get(_ASKED, ()))


def forget_answer() -> None:
    """Another source is chosen: what was said of the last one goes."""
    for key in (RESULT_KEY, TRUTH_KEY, _ASKED):
        st.session_state.pop(key, None)


def show_camera(run: Run) -> None:
    """Live answers about what the camera sees."""
    panel.show(f"try_{run.id}", dataset=lambda: right_class.dataset_of(run), record=False, run=run)


def show(run: Run, way: str) -> None:
    """The box of a way to hand photos in; what is handed in is asked about at once."""
    box = uploads.Box(f"try_{way}")
    if way == "zip":
        upload = st.file_uploader(
            _("Drop a zip file of photos here"),
            type=["zip", "tar", "gz", "tgz", "bz2", "tbz2", "xz", "txz", "7z"],
            key=box.key,
        )
        if upload is not None:
            _start(prediction_view.start_zip(run, upload), box)
    else:
        given = st.file_uploader(
            _("Drop photos here") if way == "photos" else _("Drop a folder of photos here"),
            accept_multiple_files=True if way == "photos" else "directory",
            key=box.key,
        )
        if way == "photos":
            uploads.want_photos(box)
        if len(given) == 1:
            refused = prediction_view.refuse_large(given[0].name, given[0].size)
            if refused is not None:
                box.empty()  # else it stays in memory
                forget_answer()
                st.session_state[RESULT_KEY] = (run.id, [refused])
                st.rerun()
            if _ask(run, [(given[0].name, given[0].getvalue())], given[0].file_id):
                st.rerun()  # the answer comes first
        elif given:
            _start(prediction_view.start(run, given), box)


def show_samples(run: Run) -> None:
    """Test photos to press: the answer comes with its heat map."""

    def press(row: Mapping[Any, Any], path: Path) -> None:
        photo = (Path(row["file"]).name, path.read_bytes())
        _ask_with_truth(run, photo, f"test photo {row['path']}", str(row["truth"]))

    sample_tiles.show_samples(run, key="try_tiles", press=press)


def show_traps(run: Run) -> None:
    """Pictures that mislead a model of the demo photos."""

    def press(trap: Trap, number: int) -> None:
        name = _("trap {n}").format(n=number)
        _ask_with_truth(run, (f"{name}.jpg", trap.content), name, trap.truth, trap.lure)

    traps.show(run, press=press)


def _ask_with_truth(
    run: Run, photo: tuple[str, bytes], photo_id: str, truth: str, lure: str = ""
) -> None:
    """Ask about a photo whose class is known, and show why."""
    st.session_state[prediction_view.WHY_KEY] = True
    _ask(run, [photo], photo_id)
    st.session_state[TRUTH_KEY] = (run.id, truth, lure)
    box = uploads.Box("try_photos")
    if st.session_state.get(box.key):  # else its photo would be asked about again
        box.empty()
    st.rerun()  # the answer stands above


def _start(task: background_tasks.Task, box: uploads.Box) -> None:
    box.empty()
    st.query_params["task"] = task.id
    st.rerun()


def _ask(run: Run, photos: Sequence[tuple[str, bytes]], photo_id: str) -> bool:
    """Ask about one photo, once. Whether it was asked about now."""
    mark = (run.id, photo_id)
    if st.session_state.get(_ASKED) == mark:
        return False
    st.session_state.pop(TRUTH_KEY, None)
    with st.spinner(_("Looking at it…")):
        st.session_state[RESULT_KEY] = (run.id, prediction_view.ask(run, photos))
    st.session_state[_ASKED] = mark
    return True


def end_task(task: background_tasks.Task, run: Run) -> None:
    """Take over what a batch left: its predictions, or its error."""
    background_tasks.forget(task)
    st.query_params.pop("task", None)
    if task.error is not None:
        frame.show_error(task.error)
    else:
        st.session_state[RESULT_KEY] = (run.id, task.result)
        st.session_state.pop(_ASKED, None)
        st.session_state.pop(TRUTH_KEY, None)
