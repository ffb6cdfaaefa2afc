"""The confusion matrix, and the photos of the field that was clicked.

Leaves to others: the figure (`charts.py`), the photos (`photo_browser.py`).
"""

from __future__ import annotations

import pandas as pd
import streamlit as st

from translearn_core.i18n import _, ngettext
from translearn_core.runs import Run
from translearn_core.runs.run_metrics import RunMetrics
from translearn_ui.components import charts
from translearn_ui.results import photo_browser
from translearn_ui.shell import frame


def show(run: Run, metrics: RunMetrics, predictions: pd.DataFrame) -> None:
    """Truth against answer; a field that is clicked opens its photos."""
    names, counts = metrics.classes, metrics.confusion
    frame.heading(
        _("What is taken for what (confusion matrix)"),
        _(
            "Each row holds the photos of one class; the columns say what the model "
            "answered. Right answers stand on the diagonal, in green and bold; what stands "
            "beside it is a mistake. The shade is the share of the row's photos."
        ),
        name="matrix",
        ask=_("how to read it"),
    )
    if metrics.tested_elsewhere:
        st.caption(_("From here on: the test photos, which are of the source domain."))
    sentence = charts.confusion_sentence(counts, names)
    st.markdown(frame.sentence(sentence))
    figure = charts.confusion_matrix(counts, names)
    alt = _("Confusion matrix.") + " " + sentence
    charts.show(figure, key="results_matrix", alt=alt, on_select=take_cell)
    cell = st.session_state.get("results_cell")
    if cell is None or cell[0] != run.id:
        st.caption(_("Click a field to see its photos."))
        return
    show_cell(run, predictions, *cell[1:])


def take_cell() -> None:
    """Remember the field that was clicked."""
    points = st.session_state["results_matrix"]["selection"]["points"]
    run = frame.current_run()
    if not points or run is None:
        return
    truth, answer = (str(name) for name in points[0]["customdata"][:2])
    st.session_state["results_cell"] = (run.id, truth, answer)
    st.session_state.pop("results_cell_page", None)


def show_cell(run: Run, predictions: pd.DataFrame, truth: str, answer: str) -> None:
    """The photos of one field of the matrix."""
    rows = predictions[(predictions["truth"] == truth) & (predictions["label"] == answer)]
    rows = rows.sort_values("confidence", ascending=truth == answer)
    sentence = (
        ngettext("{n} photo of {truth}, found", "{n} photos of {truth}, found", len(rows))
        if truth == answer
        else ngettext(
            "{n} photo of {truth}, taken for {answer}",
            "{n} photos of {truth}, taken for {answer}",
            len(rows),
        )
    )
    with st.container(key="results_cell_box", border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            text = sentence.format(
                n=len(rows), truth=frame.plain(truth), answer=frame.plain(answer)
            )
            st.markdown(f"**{text}**", width="stretch")
            st.button(
                _("Close"),
                key="results_cell_close",
                type="tertiary",
                icon=":material/close:",
                on_click=lambda: st.session_state.pop("results_cell", None),
            )
        photo_browser.show_page(run, rows, key="results_cell")
