"""Choosing one of several runs.

Owns: the boxes, and how a run is written in one line.
Leaves to others: which run is the current one (`shell/frame.py`).
"""

from __future__ import annotations

import streamlit as st

from translearn_core.backbones import BACKBONES
from translearn_core.i18n import _
from translearn_core.runs import ENDED_STATES, Run, list_runs, run_caveats
from translearn_core.runs.annotations import display_name
from translearn_ui.components import format
from translearn_ui.shell import frame


def describe_run(run: Run) -> str:
    """A run in a list: `leaves · 93 % · MobileNetV2 · today 14:05`."""
    config = run.config
    share = run_caveats.told_share(run.metrics) if run.has_result else None
    known = "" if share is None else format.percent(share)
    backbone = config.settings.backbone
    title = _(BACKBONES[backbone].title) if backbone in BACKBONES else backbone
    parts = [display_name(run), known, title, format.when(config.created)]
    return " · ".join(filter(None, parts))


def choose_run(runs: list[Run], label: str, *, key: str) -> Run:
    """A box to choose one of `runs` (at least one); what is chosen becomes the current run.

    Args:
        key: begins the widget's key, which changes with the current run so that the box follows it.
    """
    ids = [run.id for run in runs]
    current = frame.current_run()
    index = ids.index(current.id) if current is not None and current.id in ids else 0
    chosen = st.selectbox(
        label, runs, index=index, format_func=describe_run, key=f"{key}_{ids[index]}"
    )
    if chosen.id != st.query_params.get("run"):
        frame.open_run(chosen)
    return chosen


def switch_result(here: Run) -> None:
    """A box to switch between the runs that have ended with a result, newest first."""
    runs = [run for run in list_runs() if run.state.state in ENDED_STATES and run.has_result]
    if len(runs) < 2:
        return
    labels = {run.id: describe_run(run) for run in runs}
    if here.id in labels and st.session_state.get("results_run") != here.id:
        st.session_state["results_run"] = here.id

    def switch() -> None:
        chosen = st.session_state["results_run"]
        frame.open_run(next(run for run in runs if run.id == chosen))

    st.selectbox(
        _("Model"),
        list(labels),
        format_func=labels.__getitem__,
        key="results_run",
        on_change=switch,
    )
