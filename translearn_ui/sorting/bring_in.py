"""Unsorted photos come in: an archive, files or a folder, for a new data set or the current one.

Owns: the boxes and the task. Leaves to others: what becomes of the files (`translearn_core.datasets`).
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import streamlit as st

from translearn_core import datasets
from translearn_core.datasets import Dataset, NoClasses
from translearn_core.i18n import _
from translearn_ui.components import background_tasks, import_task, uploads
from translearn_ui.shell import frame

if TYPE_CHECKING:
    from streamlit.runtime.uploaded_file_manager import UploadedFile

_WAYS = ("files", "folder", "zip")


def has_any(dataset: Dataset) -> bool:
    """Whether a data set has unsorted photos, or had some that are sorted by now."""
    if len(datasets.read_unsorted(dataset)):
        return True
    return bool(len(dataset.photos)) and (dataset.folder / "sorting").is_dir()


def show(dataset: Dataset | None) -> None:
    """What sorting is, and the boxes for the photos."""
    st.markdown(
        _(
            "Bring photos that nobody has sorted. Photos that look alike are put together; you name a "
            "group, and soon the computer proposes a class for every other photo. You decide."
        )
    )
    with st.container(border=True, key="sort_bring"), frame.errors_shown():
        show_boxes(dataset)


def show_boxes(dataset: Dataset | None) -> None:
    """The boxes; photos are added to `dataset` where there is one."""
    way = st.segmented_control(
        _("From where"),
        _WAYS,
        format_func=lambda name: {
            "files": _(":material/add_photo_alternate: Photos"),
            "folder": _(":material/folder_open: Folder"),
            "zip": _(":material/folder_zip: Zip file"),
        }[name],
        default="files",
        required=True,
        key="sort_way",
        persist_state="session",
        label_visibility="collapsed",
    )
    box = uploads.Box(f"sort_{way}")
    label = {
        "files": _("Drop your photos here"),
        "folder": _("Drop a folder here; the folders in it mean nothing"),
        "zip": _("Drop a zip, tar or 7z file here; the folders in it mean nothing"),
    }[way]
    if way == "zip":
        one = st.file_uploader(label, type=list(datasets.ARCHIVE_TYPES), key=box.key)
        given = [one] if one is not None else []
    elif way == "folder":
        given = st.file_uploader(label, accept_multiple_files="directory", key=box.key)
    else:
        given = st.file_uploader(
            label, type=uploads.photo_types(), accept_multiple_files=True, key=box.key
        )
    if given:
        task = _start(dataset, given, archive=way == "zip")
        box.empty()
        import_task.begin(task)


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
                            (one.name, one) for one in sorted(folder.rglob("*")) if one.is_file()
                        )
                        return datasets.add_unsorted(dataset, found, **report)
                return datasets.import_source(path, labels=NoClasses(), **report)
        files = uploads.releasing(given)
        if dataset is not None:
            return datasets.add_unsorted(dataset, files, **report)
        title = name if len(given) > 1 and "/" in given[0].name else _("My photos")
        return datasets.import_files(files, name=title, labels=NoClasses(), **report)

    return background_tasks.start(_("Bringing in {name}").format(name=name), work)
