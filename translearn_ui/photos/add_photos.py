"""More photos for a data set that is there: files of a class, the camera, or a zip.

Owns: the boxes, and handing what they get to a task. Leaves to others: the first photos of a data set
(`new_dataset.py`), what becomes of the files (`translearn_core.datasets`).

Files: `<workspace>/uploads/<random>/` holds a zip of further photos until it was read.
"""

from __future__ import annotations

from typing import Any

import streamlit as st

from translearn_core import datasets
from translearn_core.datasets import Dataset, ImportChoices
from translearn_core.i18n import _, ngettext
from translearn_ui.camera import panel, recording_note
from translearn_ui.components import background_tasks, uploads
from translearn_ui.photos.upload_choices import ARCHIVE_TYPES, show_choices, tell_positions
from translearn_ui.shell import frame

_RECORDED = "recorded_in"


def is_wanted(dataset: Dataset, *, can_sort: bool) -> bool:
    """Whether adding photos is what comes next, or is being done with the camera.

    Args:
        can_sort: whether photos wait to be sorted instead.
    """
    if len(dataset.classes) < 2:
        return bool(dataset.classes) or not can_sort  # one class alone is not enough
    is_camera = st.session_state.get("add_from") == "camera"
    return is_camera and st.session_state.get(_RECORDED) == dataset.id


def show_add(dataset: Dataset) -> background_tasks.Task | None:
    """Show how to add photos to a data set; returns the task that has just been started."""
    from_where = st.segmented_control(
        _("From where"),
        ["files", "camera", "zip"],
        format_func=lambda where: {
            "files": _(":material/add_photo_alternate: Files"),
            "camera": _(":material/videocam: Camera"),
            "zip": _(":material/folder_zip: Zip file"),
        }[where],
        default="files",
        required=True,
        key="add_from",
        persist_state="session",
        label_visibility="collapsed",
    )
    if from_where == "zip":
        return _add_zip(dataset)
    if from_where == "camera":
        _record(dataset)
        return None
    name = st.selectbox(
        _("Class"),
        dataset.classes,
        index=None,
        accept_new_options=True,
        placeholder=_("Choose a class, or type the name of a new one"),
        key="add_class",
        persist_state="session",
    )
    if not name or not name.strip():
        st.caption(_("First say what is on the photos: that is their class."))
        return None
    return _add_files(dataset, name.strip())


def _record(dataset: Dataset) -> None:
    def store() -> Dataset | None:
        st.session_state[_RECORDED] = dataset.id
        return frame.current_dataset()

    panel.show(f"record_{dataset.id}", dataset=frame.current_dataset, store=store)
    recording_note.show(dataset)


def _add_zip(dataset: Dataset) -> background_tasks.Task | None:
    box = uploads.Box("add_zip")
    upload = st.file_uploader(
        _("Drop a zip, tar or 7z file here: inside it, one folder for each class"),
        type=list(ARCHIVE_TYPES),
        key=box.key,
    )
    choose = show_choices("add_zip", archive=True)
    if upload is None:
        return None
    choices = choose()

    def work(task: background_tasks.Task) -> Any:
        with uploads.on_disk(upload) as path:
            return datasets.add_source(
                dataset, path, choices=choices, progress=uploads.reporter(task), stop=task.stop
            )

    task = background_tasks.start(_("Adding {name}").format(name=upload.name), work)
    box.empty()
    return task


def _add_files(dataset: Dataset, name: str) -> background_tasks.Task | None:
    box = uploads.Box("add_files")
    given = st.file_uploader(
        _("Photos or videos of {name}").format(name=name),
        accept_multiple_files=True,
        key=box.key,
    )
    uploads.want_photos(box, videos=True)
    if not ImportChoices.from_text(dataset.record.choices).keep_positions:
        tell_positions()
    if not given:
        return None
    total = len(given)
    files = uploads.releasing(given)
    task = background_tasks.start(
        ngettext("Adding {n} photo to {name}", "Adding {n} photos to {name}", total).format(
            n=total, name=name
        ),
        lambda task: datasets.add_photos(
            dataset, name, files, progress=uploads.reporter(task), stop=task.stop
        ),
    )
    box.empty()
    return task
