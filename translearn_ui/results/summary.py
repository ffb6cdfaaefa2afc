"""The head of a result: one sentence, the same as a picture, the next step, what must be said beside.

Leaves to others: the sentence (`components/run_text.py`), where the model errs (`mistakes_view.py` and others).
"""

from __future__ import annotations

from html import escape

import streamlit as st

from translearn_core.i18n import _
from translearn_core.reports import result_text
from translearn_core.runs import Run, run_caveats
from translearn_core.runs.annotations import display_name
from translearn_core.runs.run_metrics import RunMetrics
from translearn_ui.components import format, run_actions, run_picker, run_text, sample_tiles
from translearn_ui.shell import frame

WIDE_INTERVAL = 0.25
"""A share with a wider interval is said to be uncertain."""


def show(run: Run, metrics: RunMetrics) -> None:
    """The sentence, and the same as a picture: share, interval, guessing; of which model it is."""
    sentence, rest = result_text.result_sentence(metrics)
    is_headline = metrics.test_accuracy is not None and not metrics.tested_elsewhere
    scale = scale_html(metrics) if is_headline else ""
    low, high = metrics.test_interval
    uncertain = is_headline and high - low > WIDE_INTERVAL
    kind = "tl-verdict uncertain" if uncertain else "tl-verdict"
    with st.container(key="results_head", horizontal=True, vertical_alignment="top"):
        with st.container(width="stretch", gap="xsmall"):
            st.html(f'<h1 class="{kind}">{escape(frame.unbroken(sentence))}</h1>{scale}')
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                st.caption(_about(run), width="content")
                if is_headline:
                    show_why(metrics)
        run_picker.switch_result(run)
    if uncertain:
        rest += " " + _("So few test photos say little. Add photos to know more.")
    st.markdown(frame.unbroken(rest))


def _about(run: Run) -> str:
    """Which model this is: its name, its settings in a line, when it was made."""
    config = run.config
    parts = [
        f"**{frame.plain(display_name(run))}**",
        frame.plain(run_text.describe(config.settings)),
        format.when(config.created),
    ]
    return " · ".join(filter(None, parts))


def show_caveats(run: Run, metrics: RunMetrics) -> None:
    """What must be said beside the figure, and what the training warned of."""
    gap = run_caveats.gap_of(metrics)
    if gap:
        st.warning(frame.sentence(gap), icon=":material/warning:")
    beside = [text for text in run_caveats.caveats_of(metrics) if text != gap]
    if beside:
        st.markdown("\n".join(f"- {frame.sentence(text)}" for text in beside))
    if run.state.state == "stopped":
        st.caption(_("This training was stopped early; the best so far was kept."))
    for text in metrics.warnings:
        st.warning(frame.sentence(text), icon=":material/info:")


def show_tiles(run: Run) -> None:
    """Some photos that it got right, and some that it got wrong."""
    if run.has_model:
        with frame.errors_shown():
            sample_tiles.show_outcome(run, key="results_tiles")


def show_why(metrics: RunMetrics) -> None:
    """What the interval of the result means."""
    with st.popover(_("why?"), type="tertiary", key="why_interval"):
        st.markdown(
            _(
                "The model never saw these {n} photos while it learned (test set), so the figure "
                "is fair. Another {n} photos would give a slightly different one; the band says "
                "by how much (Wilson's 95 % confidence interval)."
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
            _("Compare"),
            key="results_compare",
            icon=":material/compare_arrows:",
            help=_("Compare this model with another one, on the same photos."),
        ):
            frame.go("compare")
        if st.button(
            _("Search for better settings"), key="results_search", icon=":material/manage_search:"
        ):
            frame.go("search")
        if run_actions.show_menu(run, key="results_menu", leave_out=("settings",)) == "delete":
            run_actions.confirm_delete(run)
