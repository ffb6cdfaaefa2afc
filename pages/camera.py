"""From the camera to live answers on one page: record, train, and watch the answers change."""

from __future__ import annotations

import streamlit as st

from translearn_core import datasets, jobs
from translearn_core.datasets import Dataset
from translearn_core.errors import SourceError
from translearn_core.i18n import _
from translearn_core.runs import LIVE_STATES, Run
from translearn_ui.camera import panel, recording_note
from translearn_ui.components import run_text
from translearn_ui.shell import frame
from translearn_ui.training import ended_view, live, start_button

place = frame.page("camera")


def main() -> None:
    """The camera with the classes, the training, and the answers of the latest model."""
    dataset = frame.current_dataset()
    run = frame.current_run()
    st.title(frame.plain(dataset.name) if dataset else _("Teach it with the camera"), anchor=False)
    if run is None:
        st.markdown(
            _(
                "Name each class, hold its button while the camera sees it, and turn the thing about. "
                "Then press Train."
            )
        )
    answering = _answering(dataset, run)
    panel.show("camera", dataset=frame.current_dataset, store=_store, run=answering)
    if dataset is not None:
        recording_note.show(dataset)
    if run is not None and (run.state.state in LIVE_STATES or not run.has_result):
        live.show(run, place)
    if run is None or run.state.state not in LIVE_STATES:
        _show_next(dataset, run)
        jobs.warm_up()


def _answering(dataset: Dataset | None, run: Run | None) -> Run | None:
    """The run that answers: this one, or while it trains the one before."""
    earlier = frame.runs_of(dataset.id) if dataset is not None else []
    for one in [run, *earlier]:
        if one is not None and one.has_model and one.state.state not in LIVE_STATES:
            return one
    return None


def _store() -> Dataset:
    """The data set that photos go to: a new one with the first photo."""
    dataset = frame.current_dataset()
    if dataset is None:
        dataset = datasets.create_dataset(_("From the camera"))
        frame.open_dataset(dataset)
    return dataset


def _show_next(dataset: Dataset | None, run: Run | None) -> None:
    """Train, and what the latest training came to."""
    missing = _missing(dataset)
    if run is not None and run.has_result:
        frame.tab_title(ended_view.tab_title(run, run.state))
        sentence, rest = run_text.result_sentence(run.metrics)
        st.markdown(f"**{frame.plain(sentence)}** {frame.plain(rest)}")
    with st.container(horizontal=True, vertical_alignment="center", key="camera_next"):
        if st.button(
            _("Train again") if run is not None else _("Train"),
            key="camera_train",
            type="primary",
            icon=":material/play_arrow:",
            disabled=bool(missing),
        ):
            settings = start_button.read_settings()
            if dataset is not None and settings is not None:
                with frame.errors_shown():
                    frame.open_run(jobs.start(dataset, settings))
                    st.rerun()
        if dataset is not None and st.button(_("See all photos"), key="camera_photos"):
            frame.go("photos")
        if run is not None and run.has_result and st.button(_("Results"), key="camera_results"):
            frame.go("results")
        if missing:
            st.caption(missing)


def _missing(dataset: Dataset | None) -> str:
    """What is still needed before a training, in a sentence."""
    if dataset is None or len(dataset.classes) < panel.LEAST_CLASSES:
        return _("Record two classes, then train.")
    try:
        datasets.check_ready(dataset)
    except SourceError as error:
        return frame.sentence(error.message)
    return ""


main()
