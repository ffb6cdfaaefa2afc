"""Beside the path: let the computer look for better settings, within a time that is named."""

from __future__ import annotations

import streamlit as st

from translearn_core.i18n import _
from translearn_ui.components import dataset_list
from translearn_ui.search import search_form, search_view, study_choice
from translearn_ui.shell import frame

frame.page("search")


st.title(_("Search for better settings"), anchor=False)
found = study_choice.current_study()
dataset = frame.current_dataset()
if found is not None:
    search_view.show(found)
elif dataset is not None:
    with frame.errors_shown():
        search_form.show(dataset)
else:
    dataset_list.empty_state(
        text=_("A search needs photos sorted into classes."),
        icon=":material/manage_search:",
        key="search",
        heads=False,
    )
