"""The network looks at the photos once, before they can be grouped: start, progress, stop, end."""

from __future__ import annotations

import streamlit as st

from translearn_core.datasets import Dataset, WithUnsorted
from translearn_core.errors import TransLearnError
from translearn_core.i18n import _, ngettext
from translearn_core.sorting import job as sort_job
from translearn_ui.shell import frame

POLL_S = 0.7
_TRIED = "sort_started_for"


def show(dataset: Dataset) -> bool:
    """Show where the extraction is; it starts by itself once. Returns whether sorting can go on."""
    state = sort_job.state(dataset)
    found = sort_job.read_features(dataset)
    if state is not None and state.is_live:
        _follow(dataset)
        return found is not None
    if state is not None and state.has_failed:
        st.error(
            _("The photos could not be looked at. {reason}").format(
                reason=frame.plain(state.reason)
            ),
            icon=":material/error:",
        )
    paths = set(WithUnsorted(dataset.folder).photos["path"])
    missing = len(paths - set(found.paths)) if found is not None else len(paths)
    if not missing:
        return True
    key = (dataset.id, len(paths))
    if st.session_state.get(_TRIED) != key:  # once by itself, then by a press
        st.session_state[_TRIED] = key
        if _start(dataset):
            st.rerun()
    text = ngettext(
        "{n:,} photo was not looked at yet.", "{n:,} photos were not looked at yet.", missing
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(text.format(n=missing), width="content")
        if st.button(_("Look at them"), key="sort_look", type="primary") and _start(dataset):
            st.rerun()
    return found is not None


def _start(dataset: Dataset) -> bool:
    """Start it, or show why that is not possible. Whether it was started."""
    try:
        sort_job.start(dataset)
    except TransLearnError as error:
        frame.show_error(error)
        return False
    return True


@st.fragment(run_every=POLL_S)
def _follow(dataset: Dataset) -> None:
    state = sort_job.state(dataset)
    if state is None or not state.is_live:
        st.rerun()
    with st.container(border=True, key="sort_running"):
        if state.total:
            text = _("Looking at photo {done:,} of {total:,}").format(
                done=state.done, total=state.total
            )
        else:
            text = _("Getting the network ready …")
        st.progress(state.done / state.total if state.total else 0.0, text=text)
        st.button(
            _("Stop"),
            key="sort_stop",
            icon=":material/stop_circle:",
            on_click=sort_job.request_stop,
            args=(dataset,),
        )
