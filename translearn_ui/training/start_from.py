"""Which run the next one begins from (warm start), and the way back."""

from __future__ import annotations

import streamlit as st

from translearn_core.i18n import _
from translearn_core.runs import list_runs
from translearn_core.runs.annotations import display_name
from translearn_ui.components import run_setup
from translearn_ui.shell import frame


def show() -> None:
    """On the training page: which run the next one begins from, and the way back."""
    named = str(run_setup.value_of("start_from"))
    if not named:
        return
    name = next((display_name(run) for run in list_runs() if run.id == named), named)
    with st.container(
        border=True, horizontal=True, vertical_alignment="center", key="train_start_from"
    ):
        st.markdown(
            _(":material/redo: It begins with what **{name}** has learned.").format(
                name=frame.plain(name)
            ),
            width="stretch",
        )
        st.button(
            _("Start from scratch instead"),
            key="train_start_anew",
            type="tertiary",
            on_click=run_setup.put,
            args=("start_from", ""),
        )
