"""How sure is sure enough: the threshold of a run, what it does, and whether confidence is true.

Owns: the slider whose value is kept in the run's folder, and the words and charts around it.
Leaves to others: the figures (`translearn_core.runs.threshold`, `calibration`, metrics.json).
"""

from __future__ import annotations

from dataclasses import asdict

import pandas as pd
import streamlit as st

from translearn_core.evaluation import calibration
from translearn_core.i18n import _
from translearn_core.reports import model_card_text
from translearn_core.runs import Run, threshold
from translearn_core.runs.predictions import read_task_predictions
from translearn_core.runs.run_metrics import RunMetrics
from translearn_ui.components import charts, format, threshold_slider
from translearn_ui.shell import frame

_MOST_BINS = 10


def show_threshold(run: Run, predictions: pd.DataFrame) -> None:
    """The threshold over the test photos: what it refuses, and which mistakes it avoids."""
    frame.heading(
        _("When to say “not sure”"),
        _(
            "A model always finds some class most likely. Refusing the answers that it is "
            "least sure of avoids mistakes and costs answers (reject option; what is still "
            "answered is its coverage). The value is kept with this model: *Try it*, the "
            "command line and all exports use it."
        ),
        name="sure",
    )
    if predictions.empty:
        st.caption(_("No photos were left for a test."))
        return
    _show_trade(run, predictions)


@st.fragment
def _show_trade(run: Run, predictions: pd.DataFrame) -> None:
    confidence = predictions["confidence"].to_numpy(float)
    right = predictions["correct"].to_numpy(bool)
    sure_from = threshold_slider.show(run, key="results_sure")
    share = not run.metrics.tested_on_known_scenes
    sentence = model_card_text.trade_sentence(
        threshold.threshold_effect(confidence, right, sure_from), share=share
    )
    st.markdown(sentence)
    for task in run.metrics.further_tasks:
        answers = read_task_predictions(run, task.name)
        if not answers.empty:
            said, true = answers["confidence"].to_numpy(float), answers["correct"].to_numpy(bool)
            words = model_card_text.trade_sentence(
                threshold.threshold_effect(said, true, sure_from), share=share
            )
            st.markdown(f"{frame.plain(task.name)}: {words}")
    charts.show(
        charts.drawing(
            charts.confidence_histogram,
            confidence.tolist(),
            right.tolist(),
            sure_from=sure_from,
        ),
        key="results_sure_chart",
        alt=_("How sure right and wrong answers were.") + " " + sentence,
    )


def show_reliability(metrics: RunMetrics, predictions: pd.DataFrame) -> None:
    """Accuracy against confidence, on demand, with what calibration did."""
    if predictions.empty or metrics.tested_on_known_scenes:
        return
    confidence = predictions["confidence"].to_numpy(float)
    right = predictions["correct"].to_numpy(bool)
    bins = calibration.reliability_bins(
        confidence, right, bins=min(_MOST_BINS, max(3, len(right) // 12))
    )
    with st.expander(
        _("Can you trust its percentages? (calibration)"),
        key="results_reliability",
        icon=":material/scale:",
    ):
        sentence = _(
            "On average it was {sure} sure of its answers on the test photos, and {right} of them "
            "were right."
        ).format(sure=format.percent(confidence.mean()), right=format.percent(right.mean()))
        st.markdown(sentence)
        st.markdown(model_card_text.calibration_sentence(metrics.calibration))
        charts.show(
            charts.drawing(charts.reliability, [asdict(bin_) for bin_ in bins]),
            key="results_reliability_chart",
            alt=_("How often answers were right against how sure they were.") + " " + sentence,
        )
        st.caption(
            _(
                "Each dot stands for the same number of answers; the lines are 95 % intervals. "
                "Below the dashed line it promised too much, above it too little."
            )
        )


def show_unlike(metrics: RunMetrics) -> None:
    """How well photos of something else are told, on demand."""
    figures = metrics.unlike
    with st.expander(
        _("Photos of something else"), key="results_unlike", icon=":material/help_center:"
    ):
        if figures is not None and figures.threshold is not None:
            st.markdown(model_card_text.unlike_sentence(figures))
            return
        st.markdown(
            model_card_text.strange_photos(figures)
            + " "
            + _(
                "To notice such photos takes more photos to compare with. Add some, and train again."
            )
        )
