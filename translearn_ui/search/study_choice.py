"""Which search is looked at: the one that the URL names."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from translearn_core.i18n import _
from translearn_core.runs import Run
from translearn_core.runs.study import folder_of_studies, is_study
from translearn_ui.shell import frame

QUERY = "study"


def current_study() -> Run | None:
    """The search that the URL names; None when it names none, or it is gone."""
    name = st.query_params.get(QUERY)
    if not name:
        return None
    run = Run(folder_of_studies() / Path(name).name)
    if is_study(run):
        return run
    st.query_params.pop(QUERY, None)
    frame.tell_now(
        _(
            "The address of this page names a search that is not here. It was deleted, or the link is wrong."
        )
    )
    return None
