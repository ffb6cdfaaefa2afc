"""What should be known before training: warnings, and an earlier run on these photos."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from translearn_core import datasets
from translearn_core.datasets import Dataset
from translearn_core.errors import TransLearnError
from translearn_core.i18n import _
from translearn_core.reports import result_text
from translearn_core.runs import LIVE_STATES
from translearn_ui.components import sort_offer, verdict_note
from translearn_ui.shell import frame, sort_next


def show_other_run(dataset: Dataset) -> None:
    """Say that a training on these photos is going on or was made, with the way there."""
    latest = next(iter(frame.runs_of(dataset.id)), None)
    if latest is None:
        return
    lives = latest.state.state in LIVE_STATES
    if not lives and not latest.has_result:
        return
    text = (
        _("A training on these photos is going on.")
        if lives
        else _("The last training on these photos: {result}").format(
            result=result_text.result_sentence(latest.metrics)[0]
        )
    )
    with st.container(
        border=True, horizontal=True, vertical_alignment="center", key="train_other_run"
    ):
        st.markdown(frame.unbroken(text), width="stretch")
        if st.button(_("Watch it") if lives else _("Results"), key="train_other_go"):
            frame.open_run(latest)
            frame.go("train" if lives else "results")


def show_warnings(dataset: Dataset) -> str:
    """What should be known about the photos before training. Returns what forbids it, or ""."""
    obstacle = ""
    try:
        datasets.check_ready(dataset)
    except TransLearnError as error:
        obstacle = error.message
        if not _offers_sorting(dataset):
            st.error(frame.sentence(obstacle), icon=":material/error:")
    judged = verdict_note.assess(dataset)
    few = [judged.sentence] if judged.level == "few" else []
    for text in (*few, *judged.remarks):
        st.warning(frame.sentence(text), icon=":material/info:")
    report = verdict_note.read(dataset)
    if report is not None and report.mirrors and not verdict_note.is_outdated(dataset, report):
        st.info(frame.sentence(report.mirrors), icon=":material/flip:")
    return obstacle


def _offers_sorting(dataset: Dataset) -> bool:
    """Show the way to sort the photos where that comes first; whether it is shown."""
    if not sort_next.is_next(dataset):
        return False
    sort_offer.show(dataset, key="train", kind="primary")
    return True


def first_thumbnail(dataset: Dataset) -> Path | None:
    """A small picture of one of the person's own photos."""
    if dataset.photos.empty:
        return None
    try:
        return dataset.thumbnail(str(dataset.photos["path"].iloc[0]))
    except (TransLearnError, OSError):
        return None
