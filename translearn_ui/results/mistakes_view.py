"""Where a model errs: the confusion matrix, and beside it the photos of the cell that is chosen.

Owns: which photos are shown: a cell of the matrix and the two boxes above the photos are one choice.
Leaves to others: the matrix (`components/matrix_view.py`), the photos (`photo_browser.py`).
"""

from __future__ import annotations

import pandas as pd
import streamlit as st

from translearn_core.i18n import _
from translearn_core.runs import Run
from translearn_core.runs.run_metrics import RunMetrics
from translearn_ui.components import class_marks, confusion_chart, matrix_view, scroll
from translearn_ui.results import photo_browser
from translearn_ui.shell import frame

_CLICKED = "results_cell_clicked"
_SENTENCES = "results_photos"


@st.fragment
def show(run: Run, metrics: RunMetrics, predictions: pd.DataFrame) -> None:
    """Truth against answer; a cell that is clicked has its photos beside it."""
    choice = photo_browser.read_choice(predictions)
    if len(metrics.classes) <= matrix_view.MOST_BESIDE:
        left, right = st.columns([1, 1], gap="medium")
    else:
        left, right = st.container(), st.container()
    with left:
        _show_matrix(run, metrics, choice)
    with right, st.container(key=_SENTENCES):
        photo_browser.show(run, predictions, choice)
    scroll.into_view(_SENTENCES, when=st.session_state.pop(_CLICKED, 0))


def _show_matrix(run: Run, metrics: RunMetrics, choice: photo_browser.Choice) -> None:
    names, counts = metrics.classes, metrics.confusion
    frame.heading(
        _("What it mixes up (confusion matrix)"),
        _(
            "Each row holds the photos of one class; the columns say what the model "
            "answered. Right answers stand on the diagonal, in green and bold; what stands "
            "beside it is a mistake. The shade is the share of the row's photos."
        ),
        name="matrix",
        ask=_("how to read it"),
    )
    if metrics.tested_elsewhere:
        st.caption(_("The test photos here are of the source domain."))
    st.markdown(frame.sentence(confusion_chart.confusion_sentence(counts, names)))
    st.caption(_("Click a field to see its photos, or choose the classes in the two boxes."))
    matrix_view.show(
        counts,
        names,
        places=class_marks.of_classes(run.config.dataset, names),
        key="results_matrix",
        chosen=choice.cell,
        on_cell=_take_cell,
    )


def _take_cell(cell: matrix_view.Cell) -> None:
    photo_browser.choose(*cell)
    st.session_state[_CLICKED] = st.session_state.get("results_cell_clicks", 0) + 1
    st.session_state["results_cell_clicks"] = st.session_state[_CLICKED]
