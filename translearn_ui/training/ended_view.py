"""A run that has ended: finished, stopped, failed or lost, and the way on."""

from __future__ import annotations

from html import escape

import streamlit as st

from translearn_core import jobs
from translearn_core.i18n import _
from translearn_core.reports import result_text
from translearn_core.runs import JobState, Run, run_caveats
from translearn_ui.components import curves_view, format, run_actions, sample_tiles
from translearn_ui.components.run_progress import POLL_S, RunProgress
from translearn_ui.shell import frame


def show(run: Run, state: JobState, progress: RunProgress) -> None:
    """How it ended, its warnings and its curves."""
    if state.state in ("finished", "stopped"):
        _show_outcome(run, state)
    else:
        _show_accident(run, state)
    show_warnings(progress)
    if progress.epochs:
        curves_view.show(progress, key="ended")


def _show_outcome(run: Run, state: JobState) -> None:
    """A run that came to an end as it should: its sentence, and the next step."""
    with st.container(key="live_done", gap="small"):
        if run.has_result:
            sentence, rest = result_text.result_sentence(run.metrics)
            if state.state == "stopped":
                rest = _("Stopped early; the best so far was kept.") + " " + rest
            figure = _figure(run)
            big = f"<b>{escape(figure)}</b>" if figure else ""
            said = escape(frame.unbroken(sentence))
            st.html(f'<div class="tl-finish">{big}<p class="tl-now">✓ {said}</p></div>')
            st.caption(frame.unbroken(rest))
        else:
            reason = state.reason or _("Stopped before there was a result.")
            st.info(frame.plain(reason), icon=":material/info:")
            if run.is_being_put_together:
                _wait_for_result(run)
        with st.container(horizontal=True, key="live_next"):
            if not run.has_result:
                _show_again(run)
            else:
                if run.has_model and st.button(
                    _("Try it"), key="live_try", type="primary", icon=":material/photo_camera:"
                ):
                    frame.go("try_it")
                if st.button(_("See the results"), key="live_results", icon=":material/insights:"):
                    frame.go("results")
            _show_set_up_again(run)
        if run.has_result and run.has_model:
            with frame.errors_shown():
                sample_tiles.show_outcome(run, key="live_tiles")


def _figure(run: Run) -> str:
    """The share of right answers, where the test says one; else empty."""
    if not run.has_result:
        return ""
    metrics = run.metrics
    if not metrics.n_test or metrics.tested_elsewhere or run_caveats.same_scene(metrics):
        return ""
    return format.percent(metrics.accuracy)


def tab_title(run: Run, state: JobState) -> str:
    """What the tab of the browser says of a run that has ended."""
    if state.state not in ("finished", "stopped"):
        return _("Training failed")
    figure = _figure(run)
    return _("{figure} · done").format(figure=figure) if figure else _("Training done")


@st.fragment(run_every=POLL_S)
def _wait_for_result(run: Run) -> None:
    """Show the page anew once what a stopped run leaves is there."""
    if not run.is_being_put_together:
        st.rerun()


def _show_accident(run: Run, state: JobState) -> None:
    """A run that failed or was lost: why, what it last said, and the way on."""
    if state.state == "lost":
        st.warning(
            _("**This training is lost.** {reason}").format(reason=frame.plain(state.reason)),
            icon=":material/heart_broken:",
        )
    else:
        reason = state.reason or _("Something unexpected went wrong.")
        st.error(
            _("**The training could not go on.** {reason}").format(reason=frame.plain(reason)),
            icon=":material/error:",
        )
    with st.container(horizontal=True, key="live_next"):
        _show_again(run)
        _show_set_up_again(run)
    tail = run.log_tail()
    with st.expander(_("What it said last (log)"), key="live_log", expanded=state.state == "lost"):
        if tail:
            st.code(tail, language=None, wrap_lines=True, height=260)
        else:
            st.caption(_("The log is empty: the process ended before it said anything."))


def _show_again(run: Run) -> None:
    st.button(
        _("Start again"),
        key="live_again",
        type="primary",
        icon=":material/replay:",
        on_click=_start_again,
        args=(run,),
        help=_("A new training with the same photos and settings."),
    )


def _show_set_up_again(run: Run) -> None:
    st.button(
        _("Train again with other settings"),
        key="live_set_up",
        icon=":material/tune:",
        on_click=_set_up_again,
        args=(run,),
        help=_("Its settings are filled in, to change what you like."),
    )


def _set_up_again(run: Run) -> None:
    with frame.errors_shown():
        run_actions.fill_in(run)


def _start_again(run: Run) -> None:
    with frame.errors_shown():
        frame.open_run(jobs.repeat_run(run))


def show_warnings(progress: RunProgress) -> None:
    """What a run has warned of."""
    for text in progress.warnings:
        st.warning(frame.sentence(text), icon=":material/info:")
