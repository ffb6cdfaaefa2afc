"""The confidence threshold of a run as a slider; what is chosen is kept in the run's folder at once.

Leaves to others: what a threshold costs and saves (`results/calibration_view.py`).
"""

from __future__ import annotations

import streamlit as st

from translearn_core.i18n import _
from translearn_core.runs import Run, threshold


def show(run: Run, *, key: str) -> float:
    """Let the person move the threshold of a run; it is kept at once.

    Returns:
        The probability from which on an answer is given.
    """
    st.session_state[key] = 100 * threshold.read_threshold(run.folder).sure_from

    def keep() -> None:
        chosen = float(st.session_state[key]) / 100
        threshold.write_threshold(run.folder, threshold.ConfidenceThreshold(sure_from=chosen))

    st.slider(
        _("Say “not sure” below"), 0.0, 99.0, step=1.0, format="%.0f %%", key=key, on_change=keep
    )
    return threshold.read_threshold(run.folder).sure_from
