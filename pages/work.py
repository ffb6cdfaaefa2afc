"""My work: every data set and training with its size, and how this installation is set up."""

from __future__ import annotations

import streamlit as st

from translearn_core import datasets, spaces
from translearn_core.i18n import N_, _
from translearn_core.runs import list_runs
from translearn_ui.classroom import own_space
from translearn_ui.components import bin_line, named_tabs
from translearn_ui.shell import frame
from translearn_ui.work import dataset_rows, installation, nodes_view, run_rows, space_used

frame.page("work")


def main() -> None:
    """Data sets, runs, installation."""
    st.title(_("My work"), anchor=False)
    if spaces.is_whole():
        space_used.show()
    sets, runs = datasets.list_datasets(), list_runs()
    # without numbers: a tab whose name changes is left for the first one
    third = N_("This installation") if spaces.is_whole() else N_("My space")
    names = {"Data sets": N_("Data sets"), "Runs": N_("Trainings"), third: third}
    tabs = named_tabs.show(names, key="tab")
    with tabs[0], frame.errors_shown():
        dataset_rows.show(sets)
        bin_line.show_all()
    with tabs[1], frame.errors_shown():
        nodes_view.show()
        run_rows.show(runs)
    with tabs[2], frame.errors_shown():
        if spaces.is_whole():
            installation.show()
        else:
            own_space.show()


main()
