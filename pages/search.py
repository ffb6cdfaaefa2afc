"""Beside the path: let the computer look for better settings, within a time that is named."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from translearn_core.runs import Run
from translearn_core.study import folder_of_studies, is_study
from translearn_core.texts import _
from translearn_ui.search import search_view
from translearn_ui.shell import frame

frame.page("search")


def current_study() -> Run | None:
    """The search that the URL names; None when it names none, or it is gone."""
    name = st.query_params.get(search_view.QUERY)
    if not name:
        return None
    run = Run(folder_of_studies() / Path(name).name)
    if is_study(run):
        return run
    st.query_params.pop(search_view.QUERY, None)
    st.toast(_("That search is no longer there."), icon=":material/info:")
    return None


st.title(_("Search for better settings"), anchor=False)
found = current_study()
dataset = frame.current_dataset()
if found is not None:
    search_view.show(found)
elif dataset is not None:
    with frame.errors_shown():
        search_view.show_set_up(dataset)
else:
    frame.empty_state(
        title=_("First some photos"),
        text=_("A search needs photos sorted into classes."),
        icon=":material/manage_search:",
        key="search",
        button=_("Choose photos"),
        page="photos",
    )
