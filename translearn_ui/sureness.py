"""How sure is sure enough: the threshold of a run, what it does, and whether confidence is true.

Owns: the slider whose value is kept in the run's folder, and the words and charts around it.
Leaves to others: the figures (`translearn_core.decision`, `calibration`, metrics.json).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import pandas as pd
import streamlit as st

from translearn_core import calibration, decision
from translearn_core.runs import Run
from translearn_core.texts import _, ngettext
from translearn_ui import charts

_MOST_BINS = 10
_FEWEST_TO_JUDGE = 30


def slider(run: Run, *, key: str) -> float:
    """Let the person move the threshold of a run; it is kept at once.

    Returns:
        The probability from which on an answer is given.
    """
    st.session_state[key] = 100 * decision.read_decision(run.folder).sure_from

    def keep() -> None:
        chosen = float(st.session_state[key]) / 100
        decision.write_decision(run.folder, decision.Decision(sure_from=chosen))

    st.slider(_("“Not sure” below"), 0.0, 99.0, step=1.0, format="%.0f %%", key=key, on_change=keep)
    return decision.read_decision(run.folder).sure_from


def show_threshold(run: Run, predictions: pd.DataFrame) -> None:
    """The threshold over the test photos: what it refuses, and which mistakes it avoids."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader(_("When to say “not sure”"), anchor=False, width="content")
        with st.popover(_("why?"), type="tertiary", key="why_sure"):
            st.markdown(
                _(
                    "A model always finds some class most likely. Refusing the answers that it is "
                    "least sure of avoids mistakes and costs answers (reject option; what is still "
                    "answered is its coverage). The value is kept with this training: *Try it*, "
                    "the command line and everything you take away go by it."
                )
            )
    if predictions.empty:
        st.caption(_("No photos were left for a test."))
        return
    _show_trade(run, predictions)


@st.fragment
def _show_trade(run: Run, predictions: pd.DataFrame) -> None:
    confidence = predictions["confidence"].to_numpy(float)
    right = predictions["correct"].to_numpy(bool)
    sure_from = slider(run, key="results_sure")
    sentence = trade_sentence(decision.trade_at(confidence, right, sure_from))
    st.markdown(sentence)
    charts.show(
        charts.confidence_histogram(list(confidence), list(right), sure_from=sure_from),
        key="results_sure_chart",
        alt=_("How sure right and wrong answers were.") + " " + sentence,
    )


def trade_sentence(trade: decision.Trade) -> str:
    """What a threshold would have done with the test photos, for Markdown."""
    wrong = trade.wrong + trade.avoided
    if not trade.refused:
        return _("All {n} test photos get an answer; {wrong} of them a wrong one.").format(
            n=trade.n, wrong=wrong
        )
    sentence = ngettext(
        "**{refused}** of {n} test photos would be refused, ",
        "**{refused}** of {n} test photos would be refused, ",
        trade.refused,
    ).format(refused=trade.refused, n=trade.n)
    sentence += ngettext(
        "which avoids **{avoided}** of {wrong} mistake and gives up {lost} right answers.",
        "which avoids **{avoided}** of {wrong} mistakes and gives up {lost} right answers.",
        wrong,
    ).format(avoided=trade.avoided, wrong=wrong, lost=trade.lost)
    if trade.accuracy is not None:
        sentence += " " + _("Of the others, {share} are right.").format(
            share=charts.percent(trade.accuracy)
        )
    return sentence


def show_reliability(metrics: Mapping[str, Any], predictions: pd.DataFrame) -> None:
    """Accuracy against confidence, on demand, with what calibration did."""
    if predictions.empty:
        return
    confidence = predictions["confidence"].to_numpy(float)
    right = predictions["correct"].to_numpy(bool)
    bins = calibration.reliability_of(
        confidence, right, bins=min(_MOST_BINS, max(3, len(right) // 12))
    )
    with st.expander(
        _("Is its confidence true? (calibration)"),
        key="results_reliability",
        icon=":material/scale:",
    ):
        sentence = _(
            "On average it was {sure} sure of its answers on the test photos, and {right} of them "
            "were right."
        ).format(sure=charts.percent(confidence.mean()), right=charts.percent(right.mean()))
        st.markdown(sentence)
        st.markdown(calibration_sentence(metrics.get("calibration")))
        charts.show(
            charts.reliability([asdict(bin_) for bin_ in bins]),
            key="results_reliability_chart",
            alt=_("How often answers were right against how sure they were.") + " " + sentence,
        )
        st.caption(
            _(
                "Each dot holds equally many answers; the lines are 95 % intervals. Below the dashed "
                "line it promised too much, above it too little."
            )
        )


def calibration_sentence(figures: Mapping[str, Any] | None) -> str:
    """What was done to make confidence true, and how well it worked, for Markdown."""
    if not figures:
        return _("The confidence of this training was not calibrated.")
    if figures["fitted_on"] < calibration.FEWEST_PHOTOS:
        return _("There were too few validation photos to calibrate the confidence.")
    words = {
        "validation": _(
            "Confidence is calibrated: scaled so that it fits what {n} validation photos showed "
            "(temperature {t:.2f})."
        ),
        "out_of_fold": _(
            "Confidence is calibrated: scaled so that it fits what {n} photos showed while they "
            "were kept aside in turn (cross-validation; temperature {t:.2f})."
        ),
    }
    sentence = words[figures["how"]].format(n=figures["fitted_on"], t=figures["temperature"])
    if figures.get("error") is None:
        return sentence
    sentence += " " + _(
        "On the test photos it is off by {after} points on average; without it, {before} "
        "(expected calibration error, {bins} bins)."
    ).format(
        after=round(100 * figures["error"]),
        before=round(100 * figures["error_before"]),
        bins=figures["bins"],
    )
    return (
        sentence
        + " "
        + _(
            "With so few photos even perfect confidence would look {chance} points off by chance."
        ).format(chance=round(100 * figures["error_by_chance"]))
    )


def show_unlike(metrics: Mapping[str, Any]) -> None:
    """How well photos of something else are told, on demand."""
    figures = metrics.get("unlike")
    if not figures or figures.get("threshold") is None:
        return
    with st.expander(
        _("Photos of something else"), key="results_unlike", icon=":material/help_center:"
    ):
        st.markdown(unlike_sentence(figures))


def unlike_sentence(figures: Mapping[str, Any]) -> str:
    """What the threshold for unlike photos does, in words, for Markdown."""
    parts = [
        _(
            "A new photo is held against {n:,} photos that it learned from. Where even the nearest "
            "ones are far away, it says **this looks like nothing I was shown** (distance in "
            "feature space)."
        ).format(n=figures["photos"])
    ]
    if figures.get("refused") is not None and figures["n_test"] >= _FEWEST_TO_JUDGE:
        low, high = figures["refused_interval"]
        parts.append(
            _(
                "It says so, wrongly, of **{share}** of the test photos, which are all of known "
                "kinds (false refusals; 95 % interval {low} to {high})."
            ).format(
                share=charts.percent(figures["refused"]),
                low=charts.percent(low),
                high=charts.percent(high),
            )
        )
    if figures.get("accepted") is not None:
        parts.append(
            _(
                "And of photos of an unknown kind it still takes about **{share}** for a known one "
                "(false accepts). That was measured by leaving out each class in turn and showing "
                "its photos; the more a strange thing differs from your classes, the better it is "
                "told."
            ).format(share=charts.percent(figures["accepted"]))
        )
    return "\n\n".join(parts)
