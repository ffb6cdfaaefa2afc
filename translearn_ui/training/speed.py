"""Seeing to it that this machine's speed with a backbone is known.

Owns: when it is measured. Leaves to others: measuring (`jobs.measure`), what follows from it
(`features/costs.py`).
"""

from __future__ import annotations

import streamlit as st

from translearn_core import jobs, runs
from translearn_core.backbones import Backbone
from translearn_core.config import load_configuration
from translearn_core.features import costs
from translearn_ui.shell import frame


def is_coming(backbone: Backbone) -> bool:
    """Whether the speed is being measured; that begins here where it was not done yet."""
    known = costs.measured(backbone.name)
    if known is None or not known.get("train_all_per_s"):
        _begin(backbone)
    return jobs.is_measuring(backbone.name)


def something_runs() -> bool:
    """Whether a training goes on, beside which nothing is measured."""
    return any(run.state.state in runs.LIVE_STATES for run in runs.list_runs())


def _begin(backbone: Backbone) -> None:
    """Measure once a session, and not beside a training, which would falsify both."""
    asked: set[str] = st.session_state.setdefault("train_measured", set())
    wanted = load_configuration().measure_speed
    if not wanted or backbone.name in asked or something_runs():
        return
    asked.add(backbone.name)
    with frame.errors_shown():
        jobs.measure(backbone.name)
