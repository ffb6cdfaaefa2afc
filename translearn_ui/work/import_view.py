"""Bringing a model from elsewhere back: the upload, the questions that it leaves open, the task.

Owns: the form. Leaves to others: what is taken and what is refused (`translearn_core.model_import`).
"""

from __future__ import annotations

import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from translearn_core.config import home
from translearn_core.errors import InputError, StopRequestedError
from translearn_core.i18n import _, ngettext
from translearn_core.imaging.square import FITS, Fit
from translearn_core.model_import import adopt
from translearn_core.model_import.inspect import Candidate, check_classes, inspect_model
from translearn_core.runs import Run
from translearn_ui.components import background_tasks, setting_words, uploads
from translearn_ui.shell import frame

if TYPE_CHECKING:
    from streamlit.runtime.uploaded_file_manager import UploadedFile

_SEEN = "bring_back_seen"
_TASK = "bring_back"


@dataclass(frozen=True)
class _Seen:
    """An upload on the disk, and what it turned out to be."""

    file_id: str
    name: str
    path: Path
    candidate: Candidate | None
    problem: str


def show() -> None:
    """The box with the upload; shows the task while a model is being brought in."""
    task = background_tasks.find(st.query_params.get(_TASK))
    if task is not None and not task.finished:
        background_tasks.show(task)
        return
    if task is not None:
        _end(task)
    with st.expander(
        _("Import a model"),
        icon=":material/upload:",
        key="bring_back",
        expanded=_SEEN in st.session_state,
    ):
        _show_upload()


def _show_upload() -> None:
    st.markdown(
        _(
            "A `.keras` file, or a zip that TransLearn made, from another machine: it becomes a "
            "training here that you can try. Files are opened in a closed process that runs no "
            "code of theirs."
        )
    )
    box = uploads.Box("model")
    upload = st.file_uploader(_("A model file"), key=box.key)
    if upload is None:
        _forget()
        return
    with frame.errors_shown():
        seen = _look(upload)
        if seen.candidate is None:
            st.error(frame.plain(seen.problem), icon=":material/block:")
            return
        _ask(seen, seen.candidate, box)


def _look(upload: UploadedFile) -> _Seen:
    """Keep the upload on the disk, once, and look at it from outside."""
    seen: _Seen | None = st.session_state.get(_SEEN)
    if seen is not None and seen.file_id == upload.file_id:
        return seen
    _forget()
    folder = home() / "uploads" / secrets.token_hex(4)
    folder.mkdir(parents=True)
    path = folder / "upload"
    with path.open("wb") as target:
        shutil.copyfileobj(upload, target, 2**20)
    candidate, problem = None, ""
    try:
        candidate = inspect_model(path)
    except InputError as error:
        problem = error.message.replace(str(path), upload.name)
        if problem.startswith("upload "):
            problem = upload.name + problem.removeprefix("upload")
    seen = _Seen(upload.file_id, upload.name, path, candidate, problem)
    st.session_state[_SEEN] = seen
    return seen


def _forget() -> None:
    seen: _Seen | None = st.session_state.pop(_SEEN, None)
    if seen is not None:
        shutil.rmtree(seen.path.parent, ignore_errors=True)


def _ask(seen: _Seen, candidate: Candidate, box: uploads.Box) -> None:
    """What the file does not say, and the button."""
    if candidate.classes:
        n = len(candidate.classes)
        st.markdown(
            ngettext("It knows {n} class: {names}.", "It knows {n} classes: {names}.", n).format(
                n=n, names=frame.listed(candidate.classes)
            )
        )
    with st.form("bring_back_form", border=False):
        name = st.text_input(_("Name"), Path(seen.name).stem, key="bring_back_name")
        text = ""
        if not candidate.classes:
            text = st.text_area(
                _("Names of the classes, one in a line, in the order of the outputs"),
                key="bring_back_classes",
                placeholder=_("{n} names").format(n=candidate.outputs) if candidate.outputs else "",
            )
        size = candidate.image_size
        if not size:
            size = st.number_input(
                _("Side of the photos in pixels"), 32, 1024, 224, key="bring_back_size"
            )
        pixels: adopt.Pixels = "0..255"
        fit: Fit | None = None  # as its labels.json says
        if not candidate.ours:
            pixels = st.radio(
                _("What numbers the model expects for a pixel"),
                list(adopt.PIXELS),
                format_func=lambda value: _(adopt.PIXELS[value]),
                key="bring_back_pixels",
                help=_(
                    "Look into the code that trained it. With the wrong choice it opens, but answers "
                    "badly."
                ),
            )
        if not (candidate.ours and candidate.classes):  # else its labels.json says it
            fit = st.radio(
                _("How photos that are not square were made square for it"),
                FITS,
                FITS.index(candidate.labels.fit),
                format_func=lambda value: setting_words.words_for("fit", value),
                key="bring_back_fit",
                help=_(
                    "Look into the code that prepared its photos. With another way things look "
                    "squeezed or cut off to it."
                ),
            )
        if st.form_submit_button(
            _("Bring it in"), type="primary", key="bring_back_go", icon=":material/upload:"
        ):
            classes = [line.strip() for line in text.splitlines() if line.strip()]
            classes = check_classes(classes, candidate)  # refused here, the file stays
            task = _start(seen, classes, name, int(size), pixels, fit)
            box.empty()
            st.query_params[_TASK] = task.id
            st.rerun()


def _start(
    seen: _Seen, classes: list[str], name: str, size: int, pixels: adopt.Pixels, fit: Fit | None
) -> background_tasks.Task:
    st.session_state.pop(_SEEN, None)  # the task owns the file from now on

    def work(task: background_tasks.Task) -> Run:
        try:
            return adopt.adopt_model(
                seen.path,
                classes=classes,
                name=name,
                image_size=size,
                pixels=pixels,
                fit=fit,
                file_name=seen.name,
                tell=lambda words: task.report(0, 0, words),
                stop=task.stop,
            )
        finally:
            shutil.rmtree(seen.path.parent, ignore_errors=True)

    return background_tasks.start(_("Bringing in {name}").format(name=seen.name), work)


def _end(task: background_tasks.Task) -> None:
    background_tasks.forget(task)
    st.query_params.pop(_TASK, None)
    if isinstance(task.error, StopRequestedError):
        st.info(_("Not brought in."), icon=":material/info:")
    elif task.error is not None:
        frame.show_error(task.error)
    else:
        run: Run = task.result
        frame.open_run(run)
        st.success(
            _("{name} is here and can be tried.").format(name=frame.plain(run.config.name)),
            icon=":material/check_circle:",
        )
