"""Step 2: choose a backbone and how much of it to freeze, press Train, watch it learn.

A run named in the URL is shown in whatever state it is; without one, the page sets up a new one.
"""

from __future__ import annotations

import streamlit as st

from translearn_core.i18n import _
from translearn_core.runs import Run
from translearn_ui.components import dataset_list, run_text
from translearn_ui.shell import frame
from translearn_ui.training import draft, live, set_up


def show_run(run: Run) -> None:
    """The live view of a run, under its name."""
    draft.drop()
    st.title(
        frame.plain(run.config.name)
        or _("Training “{name}”").format(name=frame.plain(run.config.dataset_name)),
        anchor=False,
    )
    st.caption(run_text.describe(run.config.settings))
    live.show(run, place)


place = frame.page("train")
run = frame.current_run() if "run" in st.query_params else None
if run is not None:
    show_run(run)
elif (dataset := frame.current_dataset()) is not None:
    set_up.show(dataset)
else:
    dataset_list.empty_state(
        text=_(
            "Training needs photos sorted into classes. Bring your own, or try the demo photos."
        ),
        icon=":material/photo_library:",
        key="train",
        heads=True,
    )
