"""A check that goes on, and how it ended. All is read from the state that its process writes."""

from __future__ import annotations

import time

import streamlit as st

from translearn_core.datasets import Dataset
from translearn_core.feasibility import job as check_job
from translearn_core.feasibility import report as check_report
from translearn_core.i18n import N_, _
from translearn_core.runs import JobState
from translearn_ui.components import format, stage_strip
from translearn_ui.shell import frame

STAGE_TITLES: dict[str, str] = {
    "look": N_("Look"),
    "judge": N_("Cross-validate"),
    "compare": N_("Compare with chance"),
    "curve": N_("Fewer photos"),
    "check": N_("Check each photo"),
    "map": N_("Map"),
}
"""The stages of a check in a word or two, in their order."""


POLL_S = 0.7


def state_of(dataset: Dataset) -> JobState | None:
    """Where the check of a data set is, or how the last one ended; None where there was none."""
    return check_job.state(dataset)


@st.fragment(run_every=POLL_S)
def follow(dataset: Dataset) -> None:
    """Where the check is, with a way to stop; the page runs again when it has ended."""
    with frame.errors_shown():
        state = state_of(dataset)
    if state is None or not state.is_live:
        st.rerun()
    stopping = (check_report.folder_of(dataset) / "stop").exists()
    with st.container(border=True, key="feasible_running"):
        words, figures = _now(state, stopping)
        st.html(stage_strip.headline_html(words, figures))
        st.progress(_share_done(state))
        titles = {name: _(STAGE_TITLES[name]) for name in check_job.STAGES}
        st.html(stage_strip.strip_html(titles, state.stage))
        with st.container(horizontal=True, vertical_alignment="center"):
            st.button(
                _("Stop"),
                key="feasible_stop",
                icon=":material/stop_circle:",
                disabled=stopping,
                on_click=check_job.request_stop,
                args=(dataset,),
            )
            st.caption(_("You can leave this page or reload it; this goes on."))


def _now(state: JobState, stopping: bool) -> tuple[str, str]:
    """What is going on, in words, and its figures."""
    if stopping:
        return _("Stopping …"), ""
    if state.stage not in check_job.STAGES:
        return _("Getting ready …"), ""
    words = _(check_job.STAGES[state.stage])
    if state.stage != "look":
        return words, ""
    if not state.total:
        return _("Getting the network ready …"), ""
    figures = [_("{done:,} of {total:,}").format(done=state.done, total=state.total)]
    if state.per_s > 0:
        figures.append(_("{rate:,.0f} photos/s").format(rate=state.per_s))
        left_s = (state.total - state.done) / state.per_s - (time.time() - state.told_at)
        if left_s >= 1:
            figures.append(_("{time} left").format(time=format.duration(left_s)))
    return words, " · ".join(figures)


def _share_done(state: JobState) -> float:
    """Of the whole: looking is counted as half of it, the other stages alike."""
    names = list(check_job.STAGES)
    if state.stage not in names:
        return 0.0
    if state.stage == "look":
        return 0.5 * state.done / state.total if state.total else 0.0
    return 0.5 + 0.5 * (names.index(state.stage) - 0.5) / (len(names) - 1)


def show_how_it_ended(state: JobState | None) -> None:
    """A check that failed or was stopped, and what to do."""
    if state is not None and state.has_failed:
        st.error(
            _("The check failed. {reason}").format(reason=frame.plain(state.reason)),
            icon=":material/error:",
        )
    elif state is not None and state.state == "stopped":
        st.info(
            _("The check was stopped. What was looked at is remembered; it goes on from there."),
            icon=":material/stop_circle:",
        )
