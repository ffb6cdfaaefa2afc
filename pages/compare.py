"""Trainings side by side, on photos that none of them learned from."""

from __future__ import annotations

import streamlit as st

from translearn_core.i18n import _
from translearn_core.runs import ENDED_STATES, list_runs
from translearn_ui.compare import comparing, comparison_page, run_choice
from translearn_ui.shell import frame

frame.page("compare")


def main() -> None:
    """Choose runs, and see them side by side."""
    st.title(_("Compare"), anchor=False)
    runs = [run for run in list_runs() if run.has_result and run.state.state in ENDED_STATES]
    if len(runs) < 2:
        frame.empty_state(
            title=_("Nothing to compare yet"),
            text=_(
                "Train twice, for example with more photos or another network (backbone). Then "
                "see which model is better."
            ),
            icon=":material/compare_arrows:",
            key="compare",
            button=_("Go to training"),
            page="train",
        )
        return
    chosen = run_choice.choose(runs)
    if chosen and not frame.kept():
        frame.open_run(chosen[0])  # the bar names what the page is about
        st.rerun()
    if len(chosen) < 2:
        st.info(_("Choose two models or more."), icon=":material/compare_arrows:")
        return
    with frame.errors_shown():
        comparison = comparing.compare_runs(chosen)
        if comparison is not None:
            comparison_page.show(comparison)


main()
