"""A search for better settings, in whatever state it is, followed while it lives.

Leaves to others: the search (`translearn_core.training.search`), its files (`translearn_core.runs.study`), setting
one up (`search_form.py`), what it tried (`trials_view.py`) and what came of it (`result_view.py`).

While the search lives, the view is a fragment that looks into its folder again every `POLL_S`
seconds; nothing is known here that is not in that folder.
"""

from __future__ import annotations

import time
from typing import Any

import streamlit as st

from translearn_core.i18n import _, ngettext
from translearn_core.runs import LIVE_STATES, Run, study
from translearn_ui.components import (
    format,
    queue_line,
    run_text,
    stage_strip,
)
from translearn_ui.search import result_view, trials_view
from translearn_ui.shell import frame

POLL_S = 1.0


def show(run: Run) -> None:
    """Show a search in whatever state it is, and follow it while it lives."""
    st.caption(frame.plain(run.config.dataset_name))
    if run.state.state in LIVE_STATES:
        _follow(run)
    else:
        result_view.show(run)


@st.fragment(run_every=POLL_S)
def _follow(run: Run) -> None:
    with frame.errors_shown():
        state = run.state
        if state.state not in LIVE_STATES:
            st.rerun()
        trials = study.read_trials(run)
        words, figures = _now(run, state.state, state.stage, trials)
        st.html(stage_strip.headline_html(words, figures))
        frame.tab_title(f"{words} – {run.config.dataset_name}")
        if state.state == "queued":
            queue_line.show(run)
        _show_time(run, state.started_at)
        _show_stop(run)  # above the table, which grows
        trials_view.show(run, trials)


def _show_time(run: Run, started_at: float) -> None:
    """How much of its time a search has used; nothing of it while it waits."""
    total_s = study.read_plan(run).minutes * 60
    spent_s = time.time() - started_at if started_at else 0.0
    st.progress(min(1.0, spent_s / total_s))
    left_s = total_s - spent_s
    if run.stop_requested:
        st.caption(_("What was tried so far is kept."))
    elif not started_at:
        st.caption(_("Then it takes about {time}.").format(time=format.duration(total_s)))
    elif left_s > 0:
        st.caption(_("About {time} left").format(time=format.duration(left_s)))
    else:
        st.caption(_("Almost done: the last trainings."))


def _now(run: Run, state: str, stage: str, trials: list[dict[str, Any]]) -> tuple[str, str]:
    """What the search is doing, in words, and its figures."""
    if run.stop_requested:
        return _("Stopping, keeping the best so far …"), ""
    if state == "queued":
        return run_text.waiting_words(run)
    if stage == "train_best":
        return _("Training the best settings …"), ""
    if stage == "train_default":
        return _("Training the recommended settings, to compare …"), ""
    if stage != "search" or not trials:
        looked = [event for event in run.events()[0] if event["kind"] == "progress"]
        if stage in ("features", "search") and looked and not trials:
            done = _("{done:,} of {total:,}").format(**looked[-1])
            return _("Looking at the photos"), done
        return _("Getting ready …"), ""
    n = len(trials)
    judged = [trial["accuracy"] for trial in trials if trial["accuracy"] is not None]
    best = ""
    if judged:
        best = _("· best so far {share}; the best of many looks better than it is").format(
            share=format.percent(max(judged), 1)
        )
    return ngettext("{n} setting tried", "{n} settings tried", n).format(n=n), best


def _show_stop(run: Run) -> None:
    if run.stop_requested:
        return
    st.button(
        _("Stop"),
        key="search_stop",
        icon=":material/stop_circle:",
        on_click=run.request_stop,
        help=_("Ends the search and keeps the best settings so far."),
    )
