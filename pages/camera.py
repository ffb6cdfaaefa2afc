"""From the camera to live answers on one page: record, train, and watch the answers change."""

from __future__ import annotations

import streamlit as st

from translearn_core.datasets import Dataset
from translearn_core.i18n import _
from translearn_core.runs import LIVE_STATES, Run
from translearn_ui.camera import panel, recording_note
from translearn_ui.shell import frame
from translearn_ui.training import train_here

place = frame.page("camera")


def main() -> None:
    """The camera with the classes, the training, and the answers of the latest model."""
    dataset = frame.current_dataset()
    run = frame.current_run()
    st.title(frame.plain(dataset.name) if dataset else _("Teach it with the camera"), anchor=False)
    if run is None:
        st.markdown(
            _(
                "Name each class. Hold its button while you show the thing to the camera, and "
                "turn the thing around. Then press Train."
            )
        )
    answering = _answering(dataset, run)
    panel.show("camera", dataset=frame.current_dataset, store=panel.dataset_to_fill, run=answering)
    if dataset is not None:
        recording_note.show(dataset)
    train_here.show(dataset, run, place, key="camera")


def _answering(dataset: Dataset | None, run: Run | None) -> Run | None:
    """The run that answers: this one, or while it trains the one before."""
    earlier = frame.runs_of(dataset.id) if dataset is not None else []
    for one in [run, *earlier]:
        if one is not None and one.has_model and one.state.state not in LIVE_STATES:
            return one
    return None


main()
