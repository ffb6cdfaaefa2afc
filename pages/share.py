"""Step 5: take the model and its figures away."""

from __future__ import annotations

import streamlit as st

from translearn_core import export
from translearn_core.runs import Run, list_runs
from translearn_core.texts import _
from translearn_ui import edit_dataset, frame

frame.page("share")


def main() -> None:
    """What there is to take away from a finished run."""
    st.title(_("Take it away"), anchor=False)
    runs = [run for run in list_runs() if run.has_result]
    if not runs:
        dataset = frame.current_dataset()
        frame.empty_state(
            title=_("Nothing to take away yet"),
            text=_("Once a run has finished, its model and its figures are yours to keep."),
            icon=":material/download:",
            key="share",
            button=_("Go to training") if dataset else _("Begin with photos"),
            page="train" if dataset else "photos",
        )
        return
    run = edit_dataset.choose_run(runs, _("Which run"), key="share_run")
    model, figures = st.columns(2, gap="medium")
    with model, st.container(border=True, key="share_model"), frame.errors_shown():
        _show_model(run)
    with figures, st.container(border=True, key="share_figures"), frame.errors_shown():
        _show_predictions(run)


def _show_model(run: Run) -> None:
    st.subheader(_("The model"), anchor=False)
    st.markdown(
        _(
            "One zip with the network itself (`model.keras`), the names of its classes "
            "(`labels.json`), and a page on how to use it in a few lines of Python. Photos go in "
            "as they are: the scaling of pixels is part of the model."
        )
    )
    st.download_button(
        _("Download the model ({size})").format(size=frame.size(run.model_path.stat().st_size)),
        lambda: export.model_zip(run),
        file_name=f"translearn-{run.id}.zip",
        mime="application/zip",
        key="download_model",
        type="primary",
        icon=":material/download:",
        on_click="ignore",
    )


def _show_predictions(run: Run) -> None:
    st.subheader(_("The answers on the test photos"), anchor=False)
    st.markdown(
        _(
            "A table (CSV) with one row for each photo kept aside for the test: its true class, "
            "the answer, how sure it was, and the probability of every class. Opens in any "
            "spreadsheet."
        )
    )
    st.download_button(
        _("Download the answers"),
        lambda: export.predictions_csv(run),
        file_name=f"translearn-{run.id}-test.csv",
        mime="text/csv",
        key="download_predictions",
        icon=":material/download:",
        on_click="ignore",
    )


main()
