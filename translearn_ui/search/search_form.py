"""Setting up a search: how long it may take, the button, and earlier searches."""

from __future__ import annotations

import streamlit as st

from translearn_core import jobs
from translearn_core.datasets import Dataset
from translearn_core.i18n import _
from translearn_core.jobs import create_study
from translearn_core.run_settings import Settings
from translearn_core.runs import LIVE_STATES, Run, delete_run, study
from translearn_ui.components import format
from translearn_ui.search import study_choice
from translearn_ui.shell import frame

DEFAULT_MINUTES = 3


def show(dataset: Dataset) -> None:
    """How long it may take, and the button."""
    st.markdown(
        _(
            "**{name}**: tries other networks (backbones), heads and learning rates, each "
            "tested on your photos by cross-validation. At the end the best settings and the "
            "recommended ones are trained and compared on the test photos, which the search "
            "never saw."
        ).format(name=frame.plain(dataset.name))
    )
    with st.container(horizontal=True, vertical_alignment="bottom", key="search_go"):
        minutes = st.number_input(
            _("Time limit in minutes"),
            min_value=1,
            max_value=24 * 60,
            value=DEFAULT_MINUTES,
            key="search_minutes",
            persist_state="session",
            width=200,
        )
        pressed = st.button(
            _("Search"), key="search_button", type="primary", icon=":material/manage_search:"
        )
    st.caption(
        _(
            "More time means more tries: a few minutes for a first look, ten or more to also "
            "try fine-tuning the last blocks of the backbone."
        )
    )
    if pressed:
        run = create_study(dataset, minutes=float(minutes), settings=Settings())
        jobs.submit(run)
        st.query_params[study_choice.QUERY] = run.id
        st.rerun()
    _show_earlier(dataset)


def _show_earlier(dataset: Dataset) -> None:
    """Searches on these photos, to look at again."""
    earlier = study.list_studies(dataset.id)
    if not earlier:
        return
    st.header(_("Earlier searches"), anchor=False)
    for run in earlier[:8]:
        result = study.read_result(run)
        words = result.sentence if result else _words_for_state(run)
        with st.container(
            border=True, horizontal=True, vertical_alignment="center", key=f"search_{run.id}"
        ):
            when = format.when(run.config.created)
            st.markdown(f"{frame.plain(words)}  \n:small[{when}]", width="stretch")
            if st.button(_("Look"), key=f"search_open_{run.id}"):
                st.query_params[study_choice.QUERY] = run.id
                st.rerun()
            if run.state.state in LIVE_STATES:
                continue
            with st.popover(_("Delete"), type="tertiary", key=f"search_delete_box_{run.id}"):
                st.markdown(_("Deletes this search. The models that it trained stay in My work."))
                st.button(
                    _("Delete this search"),
                    key=f"search_delete_{run.id}",
                    on_click=delete_run,
                    args=(run,),
                )


def _words_for_state(run: Run) -> str:
    state = run.state
    if state.state in LIVE_STATES:
        return _("This search is going on.")
    return state.reason or _("This search ended without a result.")
