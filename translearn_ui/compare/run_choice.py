"""Which runs are compared: chosen, kept in the URL."""

from __future__ import annotations

import streamlit as st

from translearn_core.errors import RunError
from translearn_core.i18n import _
from translearn_core.runs import Run
from translearn_ui.components import run_picker
from translearn_ui.shell import frame

_RUNS, _CHOSEN = "runs", "compare_runs"
MOST_RUNS = 8
LEAST_COMMON = 2
"""Classes that runs must have in common to be held against each other unasked."""


def choose(runs: list[Run]) -> list[Run]:
    """The runs to compare, in the order in which they were chosen; kept in the URL."""
    by_id = {run.id: run for run in runs}
    given = dict.fromkeys(st.query_params.get(_RUNS, "").split(","))
    named = [name for name in given if name in by_id]
    if st.session_state.get(_CHOSEN) is None:
        st.session_state[_CHOSEN] = named or [run.id for run in _first_guess(runs)]
    st.session_state[_CHOSEN] = [name for name in st.session_state[_CHOSEN] if name in by_id]
    ids: list[str] = st.multiselect(
        _("Models"),
        list(by_id),
        format_func=lambda name: run_picker.describe_run(by_id[name]),
        key=_CHOSEN,
        max_selections=MOST_RUNS,
        placeholder=_("Choose two or more"),
    )
    st.query_params[_RUNS] = ",".join(ids)
    return [by_id[name] for name in ids]


def _first_guess(runs: list[Run]) -> list[Run]:
    """The current run, or the newest that has a partner, and the newest other one that fits it: best
    on the same photos, else with classes in common. Alone where none fits."""
    current = frame.current_run()
    for first in [current] if current is not None and current in runs else runs:
        others = [run for run in runs if run.id != first.id]
        same = [run for run in others if run.config.dataset == first.config.dataset]
        fitting = same or [run for run in others if _fits(first, run)]
        if fitting:
            return [first, fitting[0]]
    return [current] if current is not None and current in runs else []


def _fits(one: Run, other: Run) -> bool:
    """Whether both tell some classes in common apart."""
    try:
        return len({*one.labels} & {*other.labels}) >= LEAST_COMMON
    except RunError:
        return False
