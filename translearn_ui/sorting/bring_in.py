"""Unsorted photos come in: photos, videos, a folder, an archive or the camera, for a new data set or the
current one; or drawn ones.

Owns: the boxes, the camera of this page and the task. Leaves to others: what becomes of the files
(`translearn_core.datasets`), recording (`camera/panel.py`).
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import streamlit as st

from translearn_core import datasets
from translearn_core.datasets import Dataset, NoClasses
from translearn_core.i18n import _, ngettext
from translearn_core.sorting.session import has_decisions
from translearn_ui.camera import panel
from translearn_ui.components import background_tasks, import_task, sort_offer, uploads
from translearn_ui.shell import frame, sort_way

if TYPE_CHECKING:
    from streamlit.runtime.uploaded_file_manager import UploadedFile

_WAYS = ("files", "folder", "zip", "camera")
DEMO_PER_CLASS = 20


def has_any(dataset: Dataset) -> bool:
    """Whether a data set has unsorted photos, or had some that are sorted by now."""
    if len(datasets.read_unsorted(dataset)):
        return True
    return bool(len(dataset.photos)) and has_decisions(dataset)


def show(dataset: Dataset | None) -> None:
    """What sorting is, and the ways photos come in."""
    st.markdown(
        _(
            "Bring photos that nobody has sorted. Photos that look alike are put together; you name a "
            "group, and soon the computer proposes a class for every other photo. You decide."
        )
    )
    if dataset is not None and not is_recording():
        with frame.errors_shown():
            sort_offer.show(dataset, key="sort", kind="primary")
    with st.container(border=True, key="sort_bring"), frame.errors_shown():
        show_boxes(dataset)
    if dataset is None and not is_recording():
        with st.container(horizontal=True, vertical_alignment="center", key="sort_demo_line"):
            st.markdown(_("No photos yet?"), width="content")
            if st.button(
                _("Sort 100 drawn pictures of fruit"),
                key="sort_demo",
                icon=":material/auto_awesome:",
            ):
                import_task.begin(_start_demo())


def is_recording() -> bool:
    """Whether photos come from the camera now, so that this stays on the page."""
    return bool(st.session_state.get(sort_way.WAY) == "camera")


def show_boxes(dataset: Dataset | None) -> None:
    """The boxes, or the camera; photos are added to `dataset` where there is one."""
    way = st.segmented_control(
        _("From where"),
        _WAYS,
        format_func=lambda name: {
            "files": _(":material/add_photo_alternate: Photos and videos"),
            "folder": _(":material/folder_open: Folder"),
            "zip": _(":material/folder_zip: Zip file"),
            "camera": _(":material/videocam: Camera"),
        }[name],
        default="files",
        required=True,
        key=sort_way.WAY,
        persist_state="session",
        label_visibility="collapsed",
    )
    if way == "camera":
        _show_camera(dataset)
        return
    box = uploads.Box(f"sort_{way}")
    label = {
        "files": _("Drop your photos and videos here"),
        "folder": _("Drop a folder here; folders inside it do not count as classes"),
        "zip": _("Drop a zip, tar or 7z file here; folders inside it do not count as classes"),
    }[way]
    if way == "zip":
        one = st.file_uploader(label, type=list(datasets.ARCHIVE_TYPES), key=box.key)
        given = [one] if one is not None else []
    elif way == "folder":
        given = st.file_uploader(label, accept_multiple_files="directory", key=box.key)
    else:
        given = st.file_uploader(label, accept_multiple_files=True, key=box.key)
        uploads.want_photos(box, videos=True)
    if given:
        task = _start(dataset, given, archive=way == "zip")
        box.empty()
        import_task.begin(task)


def _show_camera(dataset: Dataset | None) -> None:
    """Record straight into the unsorted photos."""
    panel.show("sort_camera", dataset=frame.current_dataset, store=panel.dataset_to_fill, pile=True)
    n = len(datasets.read_unsorted(dataset)) if dataset is not None else 0
    if st.button(
        ngettext("Sort {n:,} photo", "Sort {n:,} photos", n).format(n=n) if n else _("Sort photos"),
        key="sort_recorded",
        type="primary",
        icon=":material/arrow_forward:",
        icon_position="right",
        disabled=not n,
        on_click=sort_way.end_camera,
    ):
        st.rerun()


def _start_demo() -> background_tasks.Task:
    return background_tasks.start(
        _("Drawing the pictures"),
        lambda task: datasets.make_demo(
            per_class=DEMO_PER_CLASS, sorted_=False, progress=uploads.reporter(task)
        ),
    )


def _start(
    dataset: Dataset | None, given: list[UploadedFile], *, archive: bool
) -> background_tasks.Task:
    name = PurePosixPath(given[0].name).parts[0]

    def work(task: background_tasks.Task) -> Any:
        report: dict[str, Any] = {"progress": uploads.reporter(task), "stop": task.stop}
        if archive:
            with uploads.on_disk(given[0]) as path:
                if dataset is not None:
                    with datasets.unpacked(path) as folder:
                        found = (
                            (one.relative_to(folder).as_posix(), one)
                            for one in sorted(folder.rglob("*"))
                            if one.is_file()
                        )
                        return datasets.add_unsorted(dataset, found, **report)
                return datasets.import_source(path, labels=NoClasses(), **report)
        files = uploads.releasing(given)
        if dataset is not None:
            return datasets.add_unsorted(dataset, files, **report)
        title = name if len(given) > 1 and "/" in given[0].name else _("My photos")
        return datasets.import_files(files, name=title, labels=NoClasses(), **report)

    return background_tasks.start(_("Bringing in {name}").format(name=name), work)
