"""The settings that are being set up, kept in the address: a reload loses none of them.

Owns: the part `set` of the Train page's URL, a JSON object of the settings that differ from their
defaults, and `expert=1`, where all choices are shown. Leaves to others: the widgets that hold the values (`settings_form.py` and its siblings).

An address may come from anywhere: values are checked like any settings, and runs and photos are
taken only where the page itself would offer them.
"""

from __future__ import annotations

import json
from typing import Any

import streamlit as st

from translearn_core import runs
from translearn_core.errors import TransLearnError
from translearn_core.run_settings import make_settings, setting_fields
from translearn_ui.components import run_setup
from translearn_ui.training import unlabelled_photos

PART = "set"
EXPERT = "expert"
_READ = "draft_read"


def restore() -> None:
    """Put the settings of the address into the widgets, once in a session, before they are drawn.

    What does not hold (any more) is left out: the page then begins with its defaults.
    """
    if st.session_state.get(_READ):
        return
    st.session_state[_READ] = True
    if EXPERT in st.query_params:
        st.session_state[run_setup.EXPERT_KEY] = True
    try:
        values = json.loads(st.query_params.get(PART, "{}"))
        chosen = {name: value for name, value in values.items() if _is_offered(name, value)}
        make_settings(chosen)
        if chosen:
            run_setup.fill_in(chosen)
    except (ValueError, AttributeError, TransLearnError):
        st.query_params.pop(PART, None)


def _is_offered(name: str, value: Any) -> bool:
    """Whether the page would offer this value of a setting that names a run or photos."""
    field = setting_fields().get(name)
    extra = field.json_schema_extra if field is not None else None
    picks = extra.get("picks") if isinstance(extra, dict) else None
    if picks == "run":
        return any(run.id == value for run in runs.list_runs())
    if picks == "photos":
        return value in unlabelled_photos.offered()
    return field is not None


def keep(*, expert: bool) -> None:
    """Write what is chosen into the address, as far as it differs from what the page begins with."""
    changed = run_setup.changed_from_start()
    if changed:
        st.query_params[PART] = json.dumps(changed, separators=(",", ":"))
    else:
        st.query_params.pop(PART, None)
    if expert:
        st.query_params[EXPERT] = "1"
    else:
        st.query_params.pop(EXPERT, None)


def drop() -> None:
    """Take the settings out of the address: it is about a run from now on."""
    st.query_params.pop(PART, None)
    st.query_params.pop(EXPERT, None)
