"""A comparison from top to bottom: verdict, figures, curves, settings, photos, each run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from translearn_core.i18n import _
from translearn_core.runs import Run
from translearn_ui.compare import comparison_view
from translearn_ui.components import run_actions
from translearn_ui.shell import frame

if TYPE_CHECKING:
    from translearn_core.prediction.compare import Comparison


def show(found: Comparison) -> None:
    """Verdict, figures, curves, settings, photos, and what can be done with each run."""
    if len(found.runs) > 2:
        letters = {one.letter: one.title for one in found.runs}
        against = st.selectbox(
            _("Compare the others with"),
            ["", *letters],
            format_func=lambda letter: letters.get(letter, _("the best of them")),
            key="compare_against",
        )
        found = found.with_reference(against or None)
    comparison_view.show_verdict(found)
    comparison_view.show_accuracy(found)
    comparison_view.show_table(found)
    if len(found.runs) > 2:
        comparison_view.show_paired_tests(found)
    if found.tasks:
        comparison_view.show_tasks(found)
    st.header(_("How they learned"), anchor=False)
    comparison_view.show_curves(found)
    st.header(_("What was set differently"), anchor=False)
    comparison_view.show_settings(found)
    st.header(_("What each mixes up (confusion matrix)"), anchor=False)
    comparison_view.show_matrices(found)
    st.header(_("Where they disagree"), anchor=False)
    st.caption(comparison_view.summary(found))
    comparison_view.show_disagreements(found)
    st.header(_("Each model"), anchor=False)
    for one in found.runs:
        _show_run(one.run, one.title)


def _show_run(run: Run, title: str) -> None:
    """One run: its note, and what can be done with it."""
    notes = run_actions.notes_or_none(run)
    with st.container(
        border=True, horizontal=True, vertical_alignment="center", key=f"compare_row_{run.id}"
    ):
        text = f"**{frame.plain(title)}** " + " ".join(
            f":gray-badge[{frame.plain(tag)}]" for tag in notes.tags
        )
        if notes.note:
            text += f"  \n:small[{frame.plain(' '.join(notes.note.split()))}]"
        st.markdown(text, width="stretch")
        with st.container(horizontal=True, width="content", vertical_alignment="center"):
            if st.button(_("Results"), key=f"compare_open_{run.id}"):
                frame.open_run(run)
                frame.go("results")
            run_actions.download_report(run, key=f"compare_report_{run.id}")
            if run_actions.show_menu(run, key=f"compare_menu_{run.id}") == "delete":
                run_actions.confirm_delete(run)
