"""Choosing unlabelled photos for a technique: a data set, an allowed folder, or an upload.

Owns: the box, the upload and what became of it. Leaves to others: uploads on the disk
(`components/uploads.py`), what the technique does with the photos.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import streamlit as st

from translearn_core import datasets
from translearn_core.datasets import Dataset
from translearn_core.errors import SourceError
from translearn_core.i18n import _, ngettext
from translearn_core.run_settings import setting_fields
from translearn_ui.components import background_tasks, format, run_setup, uploads
from translearn_ui.shell import frame

if TYPE_CHECKING:
    from streamlit.runtime.uploaded_file_manager import UploadedFile


MOST_FOLDERS = 200


def choose(name: str, own: Dataset) -> None:
    """Choose a data set or an allowed folder of unlabelled photos for a setting, or upload some."""
    field, key = setting_fields()[name], run_setup.key_of(name)
    found = offered()
    found.pop(own.id, None)
    if f"chosen_{name}" in st.session_state:  # by an upload, before the widget is drawn
        run_setup.put(name, st.session_state.pop(f"chosen_{name}"))
        st.rerun()  # what stands above this counts the changed settings
    chosen = st.session_state.setdefault(key, "")
    if chosen and chosen not in found:
        found[chosen] = chosen
    st.selectbox(
        _(field.title or name),
        ["", *found],
        key=key,
        format_func=lambda value: found.get(value) or _("none"),
        help=_("A data set of yours, or a folder of the server that may be read."),
        persist_state="session",
    )
    if name == "adapt_to":
        st.caption(
            _(
                "Photos from there that are sorted into the same classes work, too: one in five is"
                " kept to measure the gain, and their classes are used for nothing else."
            )
        )
    _show_upload(name)
    _tell_taken(name)


def offered() -> dict[str, str]:
    """What may be chosen as unlabelled photos: id of a data set or path of a folder -> its words."""
    found = {}
    for one in datasets.list_datasets():
        with suppress(SourceError):  # a damaged one is listed in My work
            if len(one.photos):
                n = len(one.photos)
                words = ngettext("{name} · {n:,} photo", "{name} · {n:,} photos", n)
                found[one.id] = words.format(name=one.name, n=n)
    return found | {folder: folder for folder in _allowed_folders()}


def _show_upload(name: str) -> None:
    """The box for unlabelled photos, or the photos of it on their way to the disk."""
    task = _task_of(name)
    if task is not None and not task.finished:
        background_tasks.show(task)
        return
    if task is not None:
        background_tasks.forget(task)
        _take_over(name, task)
    with st.popover(_("Upload unlabelled photos"), key=f"upload_{name}", icon=":material/upload:"):
        box = uploads.Box(name)
        files = st.file_uploader(
            _("Photos of it, all together"),
            accept_multiple_files=True,
            key=box.key,
        )
        uploads.want_photos(box)
        st.button(
            _("Take these photos"),
            key=f"take_{name}",
            disabled=not files,
            on_click=_begin_upload,
            args=(name, box),
        )


def _begin_upload(name: str, box: uploads.Box) -> None:
    """Move the uploaded photos to the disk, in a task that a change of page does not end."""
    task = _take(st.session_state.get(box.key) or [])
    st.session_state[f"uploading_{name}"] = task.id
    st.query_params["task"] = f"{name}.{task.id}"
    box.empty()


def _task_of(name: str) -> background_tasks.Task | None:
    """The upload for a setting that goes on or has just ended, after a reload, too."""
    whose, _dot, task_id = st.query_params.get("task", "").partition(".")
    return background_tasks.find(
        st.session_state.get(f"uploading_{name}") or (task_id if whose == name else None)
    )


def _take_over(name: str, task: background_tasks.Task) -> None:
    """Choose the photos that a task brought in, and say what was left out."""
    st.session_state.pop(f"uploading_{name}", None)
    st.query_params.pop("task", None)
    if task.error is not None:
        if not task.cancelled:
            frame.show_error(task.error)
        return
    added, report = task.result
    st.session_state[f"told_{name}"] = (added.id, report)
    st.session_state[f"chosen_{name}"] = added.id
    st.rerun()


def _tell_taken(name: str) -> None:
    """What became of the photos that were uploaded, for as long as they are chosen."""
    chosen, report = st.session_state.get(f"told_{name}", ("", None))
    if report is None or chosen != st.session_state.get(run_setup.key_of(name)):
        return
    st.success(
        ngettext(
            "{n} photo is here and chosen.", "{n} photos are here and chosen.", report.added
        ).format(n=report.added),
        icon=":material/check:",
    )
    if report.left_out:
        file, reason = report.left_out[0]
        st.caption(
            frame.plain(
                ngettext(
                    "{n} file was left out: {file}: {reason}",
                    "{n} files were left out, the first: {file}: {reason}",
                    len(report.left_out),
                ).format(n=len(report.left_out), file=file, reason=reason)
            )
        )


def _allowed_folders() -> list[str]:
    """The folders that pages may read, and those right below them."""
    found: list[str] = []
    for folder in datasets.source_folders():
        if folder.is_dir():
            inside = sorted(child for child in folder.iterdir() if child.is_dir())
            found += [str(folder), *(str(one) for one in inside if one.name[:1] != ".")]
    return found[:MOST_FOLDERS]


def _take(given: list[UploadedFile]) -> background_tasks.Task:
    """Start making a data set of unlabelled photos.

    The task's result is the data set and the report of what was left out; it fails where no photo
    could be read, and then leaves nothing.
    """
    total = len(given)
    files = uploads.releasing(given)
    stamp = format.stamp(time.time())

    def work(task: background_tasks.Task) -> Any:
        added = datasets.create_dataset(_("Unlabelled photos, {when}").format(when=stamp))
        try:
            report = datasets.add_photos(
                added, _("unlabelled"), files, progress=uploads.reporter(task), stop=task.stop
            )
            if not report.added:
                file, reason = report.left_out[0]
                raise SourceError(
                    _(
                        "None of these files is a photo that can be read. {file}: {reason} Choose "
                        "other files."
                    ).format(file=file, reason=reason)
                )
        except Exception:
            datasets.delete_dataset(added)
            raise
        return added, report

    return background_tasks.start(
        ngettext("Bringing in {n} photo", "Bringing in {n} photos", total).format(n=total), work
    )
