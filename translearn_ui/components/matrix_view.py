"""The confusion matrix on a page: one figure for results, checks and comparisons.

Owns: the chart with its description, and which cell was clicked. Leaves to others: the figure itself
(`charts.py`), the photos of a cell (`results/mistakes_view.py`, `feasibility/cv_view.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import streamlit as st

from translearn_core.i18n import _
from translearn_ui.components import charts, class_marks, confusion_chart

Cell = tuple[str, str]
"""Truth and answer."""
MOST_BESIDE = 20
"""With more classes than this the matrix takes the whole width."""


def show(
    counts: Sequence[Sequence[int]],
    names: Sequence[str],
    *,
    places: Mapping[str, int],
    key: str,
    chosen: Cell | None = None,
    on_cell: Callable[[Cell], None] | None = None,
) -> None:
    """Put a matrix on the page.

    Args:
        counts: rows are the truth, columns the answer, in the order of `names`.
        places: of the classes' colours.
        chosen: the cell that is outlined.
        on_cell: called with the cell that was clicked.
    """

    def take() -> None:
        points = st.session_state[key]["selection"]["points"]
        if points and on_cell is not None:
            truth, answer = (str(name) for name in points[0]["customdata"][:2])
            on_cell((truth, answer))

    charts.show(
        charts.drawing(
            confusion_chart.confusion_matrix,
            counts,
            names,
            marks=[class_marks.mark_text(places[name]) for name in names],
            chosen=chosen,
        ),
        key=key,
        alt=_("Confusion matrix.") + " " + confusion_chart.confusion_sentence(counts, names),
        on_select=take if on_cell is not None else None,
    )
