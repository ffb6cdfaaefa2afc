"""Can this work with my photos? The answer before anyone trains, with the evidence beside it.

States: no photos yet, photos that cannot be checked, never checked, a check that goes on, one that
failed or was stopped, a report, and a report about photos that have changed since.
"""

from __future__ import annotations

import streamlit as st

from translearn_core.datasets import Dataset
from translearn_core.i18n import _, ngettext
from translearn_ui.components import dataset_list, verdict_note
from translearn_ui.feasibility import before_check, progress, report_view
from translearn_ui.shell import frame, sort_next


def main(dataset: Dataset) -> None:
    """The page of a data set in whatever state its check is."""
    state, report = progress.state_of(dataset), verdict_note.read(dataset)
    running = state is not None and state.is_live
    if running:
        show_head(dataset)
        progress.follow(dataset)
        if report is not None:
            st.caption(_("Below is the result of the last check."))
    else:
        progress.show_how_it_ended(state)
    if report is not None:
        report_view.show(dataset, report, running=running)
    elif not running:
        show_head(dataset)
        before_check.show(dataset)


def show_head(dataset: Dataset) -> None:
    """What the page is about."""
    st.title(_("Can this work?"), anchor=False)
    n = len(dataset.photos)
    st.caption(
        ngettext("{name} · {n:,} photo", "{name} · {n:,} photos", n).format(
            name=frame.plain(dataset.name), n=n
        )
    )


frame.page("feasible")
chosen = frame.current_dataset()
if chosen is None or not (len(chosen.photos) or sort_next.is_next(chosen)):
    dataset_list.empty_state(
        text=_(
            "The check needs photos sorted into classes. Bring your own, or try the demo photos."
        ),
        icon=":material/photo_library:",
        key="feasible",
        heads=True,
    )
else:
    main(chosen)
