"""Uploads: boxes that can be emptied, and moving what was uploaded from memory to the disk.

Owns: both, what a browser offers for a box of photos, and handing photos on one by one so that memory is
freed on the way.
Leaves to others: what becomes of the files.

Files: `<workspace>/uploads/<random>/` holds a zip only while it is read.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import streamlit as st
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.scriptrunner import get_script_run_ctx

from translearn_core import leftovers
from translearn_core.config import home
from translearn_core.errors import StorageError
from translearn_core.i18n import _
from translearn_ui.components import background_tasks

_WANTED = Path(__file__).with_name("js") / "wanted_files.js"

if TYPE_CHECKING:
    from streamlit.runtime.uploaded_file_manager import UploadedFile


@cache
def _hint() -> Any:
    return st.components.v2.component(
        "translearn_wanted_files", js=_WANTED.read_text(encoding="utf-8"), isolate_styles=False
    )


def want_photos(box: Box, *, videos: bool = False) -> None:
    """Have the file chooser of the browser, above all of a phone, show photos first.

    Boxes of photos take files of any name, since phones hand over photos without an ending; what is no
    photo is told by its content.
    """
    wanted = "image/*,video/*" if videos else "image/*"
    _hint()(key=f"wanted_{box.key}", data={"key": box.key, "wanted": wanted})


class Box:
    """An upload box that can be emptied: a new key lets Streamlit release the old files."""

    def __init__(self, name: str) -> None:
        self._counter = f"box_{name}"
        self.key = f"upload_{name}_{st.session_state.get(self._counter, 0)}"

    def empty(self) -> None:
        """Let go of what was uploaded; the next run shows an empty box.

        Streamlit itself keeps the files as long as the page is open. Who works with an upload has
        its content until it is closed.
        """
        context = get_script_run_ctx()
        given = st.session_state.get(self.key)
        manager = context.uploaded_file_mgr if context is not None else None
        if context is not None and isinstance(manager, MemoryUploadedFileManager) and given:
            for upload in given if isinstance(given, list) else [given]:
                manager.remove_file(context.session_id, upload.file_id)
        st.session_state[self._counter] = st.session_state.get(self._counter, 0) + 1


@contextmanager
def on_disk(upload: UploadedFile, *, keep: bool = False) -> Iterator[Path]:
    """Move an upload from memory to the workspace, for as long as the block lasts.

    Args:
        keep: whether its content stays in memory, too, for the next run of the page.
    """
    from translearn_core.datasets.file_names import safe_name

    folder = home() / "uploads" / leftovers.own_name("")
    try:
        folder.mkdir(parents=True)
        path = folder / safe_name(upload.name)
        with path.open("wb") as target:
            shutil.copyfileobj(upload, target, 2**20)
        if not keep:
            upload.close()
        yield path
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise StorageError(
                _("The disk is full: {name} does not fit. Make room and drop it again.").format(
                    name=upload.name
                )
            ) from error
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def releasing(uploads: list[UploadedFile]) -> Iterator[tuple[str, Path | BinaryIO]]:
    """The uploads one by one; each is let go once it has been taken over."""
    waiting = uploads[::-1]
    uploads = []
    while waiting:
        upload = waiting.pop()
        yield upload.name.replace(os.sep, "/"), cast(BinaryIO, upload)
        upload.close()


def reporter(task: background_tasks.Task) -> Any:
    """A progress function for the core that reports to the task."""
    return lambda progress: task.report(progress.done, progress.total, progress.what)
