"""What was predicted last, and the threshold below which the answer is “not sure”."""

from __future__ import annotations

import streamlit as st

from translearn_core.i18n import _, ngettext
from translearn_core.runs import Run
from translearn_core.runs.threshold import read_threshold
from translearn_ui.components import threshold_slider
from translearn_ui.shell import frame
from translearn_ui.try_it import photo_input, prediction_view


def show(run: Run) -> None:
    """One photo in full, or the batch; where nothing was asked yet, what to do."""
    from translearn_core.prediction.predict import open_predictor

    asked, rows = st.session_state.get(photo_input.RESULT_KEY, (None, []))
    if asked != run.id or not rows:
        frame.empty_state(
            title=_("Show it something new"),
            text=_("Best a photo that it has not learned from. It knows: {classes}.").format(
                classes=frame.listed(run.labels)
            ),
            icon=":material/image_search:",
            key="try_result",
        )
        return
    for notice in open_predictor(run).notices:
        st.warning(frame.sentence(notice), icon=":material/warning:")
    sure = read_threshold(run.folder).sure_from
    if len(rows) == 1:
        prediction_view.show_one(rows[0], sure_from=sure, run=run)
        _show_truth(run)
    else:
        st.header(
            ngettext("{n:,} photo", "{n:,} photos", len(rows)).format(n=len(rows)), anchor=False
        )
        prediction_view.show_many(rows, sure_from=sure, name=run.id)
    with st.popover(_("Not sure?"), icon=":material/help:", type="tertiary", key="try_sure_box"):
        st.markdown(
            _(
                "A model always finds some class most likely, even for a photo of something "
                "else. Below this probability we call its answer *not sure*. The value is kept "
                "with this training; *Results* shows what it costs and what it saves."
            )
        )
        threshold_slider.show(run, key="try_sure")


def _show_truth(run: Run) -> None:
    """The class of a test photo that was asked about."""
    of, truth = st.session_state.get(photo_input.TRUTH_KEY, ("", ""))
    if of == run.id:
        st.caption(_("In your photos it is **{truth}**.").format(truth=frame.plain(truth)))
