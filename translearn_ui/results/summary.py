"""The result of a run: one sentence, the same as a picture, and the next step.

Leaves to others: the sentence (`run_text.py`), where the model errs (`confusion_view.py` and others).
"""

from __future__ import annotations

import streamlit as st

from translearn_core.i18n import _
from translearn_core.runs import Run, run_caveats
from translearn_core.runs.run_metrics import RunMetrics
from translearn_ui.components import format, run_actions, run_text
from translearn_ui.shell import frame


def show(run: Run, metrics: RunMetrics) -> None:
    """The sentence, and the same as a picture: share, interval, guessing; what must be said beside."""
    gap = run_caveats.gap_of(metrics)
    if gap:
        st.warning(frame.sentence(gap), icon=":material/warning:")
    sentence, rest = run_text.result_sentence(metrics)
    is_headline = metrics.test_accuracy is not None and not metrics.tested_elsewhere
    scale = scale_html(metrics) if is_headline else ""
    st.html(f'<h1 class="tl-verdict">{sentence}</h1>{scale}')
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(rest)
        if is_headline:
            show_why(metrics)
    beside = [text for text in run_caveats.caveats_of(metrics) if text != gap]
    if beside:
        st.markdown("\n".join(f"- {frame.sentence(text)}" for text in beside))
    if run.state.state == "stopped":
        st.caption(_("This training was stopped early; the best so far was kept."))


def show_why(metrics: RunMetrics) -> None:
    """What the interval of the result means."""
    with st.popover(_("why?"), type="tertiary", key="why_interval"):
        st.markdown(
            _(
                "These {n} photos were held out from training and model selection (test set), so "
                "the estimate is unbiased. With other {n} photos it would come out a little "
                "differently; the span says how much (95 % confidence interval, Wilson)."
            ).format(n=metrics.n_test)
        )


def scale_html(metrics: RunMetrics) -> str:
    """A line from 0 to 100 % with the result, its interval and what guessing would get."""
    low, high = (100 * end for end in metrics.test_interval)
    share, guess = 100 * metrics.accuracy, 100 * metrics.guessing
    guessing = _("guessing: {share}").format(share=format.percent(guess / 100))
    label = format.percent_range(*metrics.test_interval)
    middle = min(94.0, (low + high) / 2)
    return (
        f'<div class="tl-scale" aria-hidden="true"><div class="rail"></div>'
        f'<div class="band" style="left:{low:.1f}%;width:{high - low:.1f}%"></div>'
        f'<div class="guess" style="left:{guess:.1f}%"></div>'
        f'<div class="dot" style="left:{share:.1f}%"></div>'
        f'<small class="up" style="left:{middle:.1f}%">{label}</small>'
        f'<small class="down" style="left:{max(9.0, guess):.1f}%">{guessing}</small></div>'
    )


def show_next(run: Run) -> None:
    """The next step, and the way to train once more."""
    with st.container(horizontal=True, key="results_next"):
        if st.button(
            _("Try it on new photos"),
            key="results_try",
            type="primary",
            icon=":material/photo_camera:",
        ):
            frame.open_run(run)
            frame.go("try_it")
        if st.button(
            _("Train again"),
            key="results_train",
            icon=":material/replay:",
            help=_("With the same photos and settings filled in, to change what you like."),
        ):
            run_actions.set_up_like(run)
        if st.button(
            _("Search for better settings"), key="results_search", icon=":material/manage_search:"
        ):
            frame.go("search")
        if run_actions.show_menu(run, key="results_menu", leave_out=("settings",)) == "delete":
            run_actions.confirm_delete(run)
