"""Sort photos that nobody has sorted: name groups of like photos, then correct and accept proposals.

States: no unsorted photos yet, features being extracted, groups to name, proposals, all sorted; and a
training on what is sorted.
"""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from translearn_core.i18n import _
from translearn_ui.components import import_task, sort_offer
from translearn_ui.shell import frame
from translearn_ui.sorting import bring_in, extracting, sort_view
from translearn_ui.training import train_here

place = frame.page("sort")


def main() -> None:
    """The page in whatever state the current data set is."""
    if import_task.is_shown():
        return
    dataset = frame.current_dataset()
    st.title(_("Sort photos"), anchor=False)
    if dataset is not None and (task := sort_offer.begin_copy(dataset)) is not None:
        import_task.begin(task)
    has_any = dataset is not None and bring_in.has_any(dataset)
    if dataset is not None and has_any:
        with frame.errors_shown():
            sort_offer.show_taken(dataset)
    if dataset is None or not has_any or bring_in.is_recording():
        bring_in.show(dataset)
        return
    run = frame.current_run()
    if run is not None and Path(run.config.dataset).name != dataset.id:
        run = None
    if extracting.show(dataset):
        sort_view.show(
            dataset, then=lambda: train_here.show_once_possible(dataset, run, place, key="sort")
        )


main()
