"""The task that brings photos in: begun, found again after a reload, and taken over at its end."""

from __future__ import annotations

import streamlit as st

from translearn_core.config import home
from translearn_core.errors import SourceError
from translearn_core.i18n import _, ngettext
from translearn_ui.components import background_tasks
from translearn_ui.shell import frame, sort_way

UPLOAD = "upload"
"""In the URL: the folder of an upload that is being read or waits for an answer."""
ASKED = "import_asked"
"""Of the session: the upload that cannot be read before something is answered, and why."""
TRIED = "import_tried"
"""Of the session: the answers that the page shows when `ASKED` is first told; with others it is told
no more."""


_RUNNING = "import_running"
_WAITING = "import_waiting"
"""Of the session: the task, and the upload in the URL, for who comes back from another page."""


def take_up() -> None:
    """Take up again what this session was bringing in before it went to another page."""
    task = background_tasks.find(st.session_state.get(_RUNNING))
    if task is not None and "task" not in st.query_params:
        st.query_params["task"] = task.id
    upload = st.session_state.get(_WAITING, "")
    if upload and UPLOAD not in st.query_params and (home() / "uploads" / upload).is_dir():
        st.query_params[UPLOAD] = upload


def go_on_with(upload: str) -> None:
    """Ask about an upload that waits."""
    st.session_state[_WAITING] = st.query_params[UPLOAD] = upload


def let_go() -> None:
    """The upload is read, or wanted no more."""
    st.query_params.pop(UPLOAD, None)
    st.session_state.pop(_WAITING, None)


def begin(task: background_tasks.Task) -> None:
    """Keep the task in the URL and show the page anew."""
    st.session_state[_RUNNING] = st.query_params["task"] = task.id
    if UPLOAD in st.query_params:
        st.session_state[_WAITING] = st.query_params[UPLOAD]
    st.rerun()


def is_shown() -> bool:
    """Show the task of this tab while it goes on, or take over its end. Whether it goes on."""
    task = background_tasks.find(st.query_params.get("task"))
    if task is None:
        if st.query_params.pop("task", None):
            frame.tell_now(
                _(
                    "What was being brought in here has ended, or the app was started anew. What came in "
                    "is listed in My work; bring in the rest again."
                )
            )
        return False
    if not task.finished:
        background_tasks.show(task)
        return True
    end(task)
    return False


def end(task: background_tasks.Task) -> None:
    """Take over what a task left: a data set to open, an error to show."""
    from translearn_core import datasets
    from translearn_core.datasets import Dataset

    background_tasks.forget(task)
    st.query_params.pop("task", None)
    st.session_state.pop(_RUNNING, None)
    upload = st.query_params.get(UPLOAD)
    if upload and (task.error is None or not (home() / "uploads" / upload).is_dir()):
        let_go()
    if task.error is not None:
        if task.cancelled:
            st.toast(_("Stopped. Nothing was kept."), icon=":material/stop_circle:")
        elif isinstance(task.error, SourceError) and UPLOAD in st.query_params:
            st.session_state[ASKED] = (upload, task.error.message)
            st.session_state.pop(TRIED, None)
        else:
            frame.show_error(task.error)
    elif isinstance(task.result, Dataset):
        frame.open_dataset(task.result)
        st.toast(_("Your photos are in."), icon=":material/check_circle:")
        if n := len(task.result.left_out):
            text = ngettext(
                "{n:,} file was left out; *Photos* says why.",
                "{n:,} files were left out; *Photos* says why.",
                n,
            )
            st.toast(text.format(n=n), icon=":material/filter_alt:")
        if not len(task.result.photos) and len(datasets.read_unsorted(task.result)):
            sort_way.end_camera()
            frame.go("sort")
        st.rerun()  # the links of the head line take the data set along
    elif task.result is not None:
        report = task.result
        added = ngettext("{n} photo added.", "{n} photos added.", report.added)
        st.toast(added.format(n=report.added), icon=":material/check_circle:")
        for sentence in report.notices:
            st.info(frame.sentence(sentence), icon=":material/info:")
        _show_refused(list(report.left_out))


def _show_refused(left_out: list[tuple[str, str]]) -> None:
    if left_out:
        lines = [
            f"- **{frame.plain(file)}**: {frame.sentence(reason)}" for file, reason in left_out[:8]
        ]
        if len(left_out) > 8:
            lines.append(_("- and {n} more, listed under *Photos*").format(n=len(left_out) - 8))
        st.warning(_("Left out:") + "\n" + "\n".join(lines), icon=":material/filter_alt:")
