"""Training on the page where the photos came in: the press, its progress, and what it came to.

Owns: what the pages that collect photos (camera, sort) show of a training. Leaves to others: the live view
(`live.py`), the settings (`start_button.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from translearn_core import datasets, jobs
from translearn_core.datasets import Dataset
from translearn_core.errors import SourceError
from translearn_core.i18n import _
from translearn_core.reports import result_text
from translearn_core.runs import LIVE_STATES, Run
from translearn_ui.shell import frame
from translearn_ui.training import ended_view, live, start_button

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

LEAST_CLASSES = 2


def show(dataset: Dataset | None, run: Run | None, place: DeltaGenerator, *, key: str) -> None:
    """The training that goes on, or the button that starts one, with the outcome of the last.

    Args:
        run: the latest one on the data set.
        place: see `live.show`.
        key: of the page.
    """
    if run is not None and (run.state.state in LIVE_STATES or not run.has_result):
        live.show(run, place)
    if run is None or run.state.state not in LIVE_STATES:
        _show_next(dataset, run, key)
        jobs.warm_up()


def show_once_possible(
    dataset: Dataset, run: Run | None, place: DeltaGenerator, *, key: str
) -> None:
    """As `show`, once there are two classes or a run."""
    if run is not None or len(dataset.classes) >= LEAST_CLASSES:
        with st.container(key=f"{key}_training", border=True):
            show(dataset, run, place, key=key)


def _show_next(dataset: Dataset | None, run: Run | None, key: str) -> None:
    """Train, and what the latest training came to."""
    missing = _missing(dataset, key)
    if run is not None and run.has_result:
        frame.tab_title(ended_view.tab_title(run, run.state))
        sentence, rest = result_text.result_sentence(run.metrics)
        st.markdown(f"**{frame.sentence(sentence)}** {frame.sentence(rest)}")
    with st.container(horizontal=True, vertical_alignment="center", key=f"{key}_next"):
        if st.button(
            _("Train again") if run is not None else _("Train"),
            key=f"{key}_train",
            type="primary",
            icon=":material/play_arrow:",
            disabled=bool(missing),
        ):
            settings = start_button.read_settings()
            if dataset is not None and settings is not None:
                with frame.errors_shown():
                    frame.open_run(jobs.start(dataset, settings))
                    st.rerun()
        can_try = run is not None and run.has_model and key != "camera"
        if can_try and st.button(_("Try it"), key=f"{key}_try", icon=":material/photo_camera:"):
            frame.go("try_it")
        if dataset is not None and st.button(_("See all photos"), key=f"{key}_photos"):
            frame.go("photos")
        if run is not None and run.has_result and st.button(_("Results"), key=f"{key}_results"):
            frame.go("results")
        if missing:
            st.caption(missing)


def _missing(dataset: Dataset | None, key: str) -> str:
    """What is still needed before a training, in a sentence."""
    if dataset is None or len(dataset.classes) < LEAST_CLASSES:
        if key == "camera":
            return _("Record two classes, then train.")
        return _("Sort photos into two classes, then train.")
    try:
        datasets.check_ready(dataset)
    except SourceError as error:
        return frame.sentence(error.message)
    return ""
