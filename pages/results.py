"""Step 3: how good is it? One sentence, then where it errs, then how it got there."""

from __future__ import annotations

import streamlit as st

from translearn_core.i18n import _
from translearn_core.runs import ENDED_STATES, Run
from translearn_ui.components import run_picker, sample_tiles
from translearn_ui.results import (
    attack_view,
    calibration_view,
    class_table,
    confusion_view,
    learning_view,
    photo_browser,
    settings_table,
    slices_view,
    summary,
    task_heads_view,
    techniques_view,
)
from translearn_ui.shell import frame


def show_result(run: Run) -> None:
    """Everything about one run with a result."""
    metrics = run.metrics
    summary.show(run, metrics)
    for text in metrics.warnings:
        st.warning(frame.sentence(text), icon=":material/info:")
    summary.show_next(run)
    techniques_view.show(run.config.settings, metrics)
    attack_view.show(run, metrics)
    task_heads_view.show_results(metrics)
    predictions = sample_tiles.read_predictions(run)
    confusion_view.show(run, metrics, predictions)
    class_table.show(metrics)
    slices_view.show(metrics)
    photo_browser.show(run, predictions)
    calibration_view.show_threshold(run, predictions)
    calibration_view.show_reliability(metrics, predictions)
    calibration_view.show_unlike(metrics)
    learning_view.show(run)
    settings_table.show(run, metrics)


frame.page("results")
run = frame.current_run()
if run is not None and run.has_result and run.state.state in ENDED_STATES:
    run_picker.switch_result(run)
    show_result(run)
elif run is not None:
    frame.empty_state(
        title=_("No result yet"),
        text=frame.plain(run.problem) or _("This training has not come to an end with a result."),
        icon=":material/hourglass_top:",
        key="results_wait",
        button=_("See how it is going"),
        page="train",
    )
else:
    frame.empty_state(
        title=_("No result yet"),
        text=_("Train once; here you then see how good it is and where it errs."),
        icon=":material/insights:",
        key="results",
        button=_("Train"),
        page="train",
    )
