"""Step 5: export the model and its figures."""

from __future__ import annotations

import streamlit as st

from translearn_core.export import formats
from translearn_core.i18n import _
from translearn_core.runs import Run, list_runs
from translearn_ui.components import run_actions, run_picker
from translearn_ui.share import ask_view, export_view
from translearn_ui.shell import frame, signed_in

frame.page("share")


def main() -> None:
    """What can be exported of a model."""
    st.title(_("Export"), anchor=False)
    runs = [run for run in list_runs() if run.has_model]
    if not runs:
        frame.empty_state(
            title=_("Nothing to export yet"),
            text=_("Train a model first. Then you can download it here, with its figures."),
            icon=":material/download:",
            key="share",
            button=_("Go to training"),
            page="train",
        )
        return
    run = run_picker.choose_run(runs, _("Model"), key="share_run")
    export_view.show(run)
    ask_view.show(run)
    if run.has_result:
        with st.container(border=True, key="share_figures"), frame.errors_shown():
            _show_figures(run)


def _show_figures(run: Run) -> None:
    st.header(_(":material/table_chart: The figures"), anchor=False)
    st.markdown(
        _(
            "The answers on the test photos as a table (CSV) for any spreadsheet: true class, "
            "answer, and the probability of every class. And the report of the whole training."
        )
    )
    with st.container(horizontal=True):
        st.download_button(
            _("Download the answers"),
            signed_in.as_now(lambda: formats.predictions_csv(run)),
            file_name=f"translearn-{run.id}-test.csv",
            mime="text/csv",
            key="download_predictions",
            icon=":material/download:",
            on_click="ignore",
        )
        run_actions.download_report(run, key="share_report")


main()
