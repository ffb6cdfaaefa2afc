"""What was predicted last, and the threshold below which the answer is “not sure”."""

from __future__ import annotations

import streamlit as st

from translearn_core.i18n import _, ngettext
from translearn_core.prediction.predict import open_predictor
from translearn_core.runs import Run
from translearn_core.runs.threshold import read_threshold
from translearn_ui.components import scroll, threshold_slider
from translearn_ui.shell import frame
from translearn_ui.try_it import photo_input, prediction_view, right_class, traps
from translearn_ui.try_it.prediction_view import Answer


def show(run: Run) -> None:
    """One photo in full, or the batch; where nothing was asked yet, what to do."""
    if not has_answer(run):
        frame.empty_state(
            title=_("Show me something new"),
            text=_("Use a photo that I have never seen. I know: {classes}.").format(
                classes=frame.listed(run.labels)
            ),
            icon=":material/image_search:",
            key="try_result",
        )
        return
    rows = st.session_state[photo_input.RESULT_KEY][1]
    for notice in open_predictor(run).notices:
        st.warning(frame.sentence(notice), icon=":material/warning:")
    sure = read_threshold(run.folder).sure_from
    if len(rows) == 1:
        _show_one(rows[0], run, sure)
    else:
        st.header(
            ngettext("{n:,} photo", "{n:,} photos", len(rows)).format(n=len(rows)), anchor=False
        )
        doubtful = [
            (one.prediction.file, one.content)
            for one in rows
            if one.content is not None and not one.prediction.error and not one.is_sure(sure)
        ]
        right_class.show_many(run, doubtful)
        prediction_view.show_many(rows, sure_from=sure, name=run.id)
    with st.popover(_("Not sure?"), icon=":material/help:", type="tertiary", key="try_sure_box"):
        st.markdown(
            _(
                "A model always finds some class most likely, even for a photo of something else."
                " When it is less sure than this, its answer is *not sure*. The value is kept "
                "with this model; *Results* shows what it costs and what it saves."
            )
        )
        threshold_slider.show(run, key="try_sure")


def has_answer(run: Run) -> bool:
    """Whether there is something to show."""
    asked, rows = st.session_state.get(photo_input.RESULT_KEY, (None, []))
    return bool(asked == run.id and rows)


def _show_one(answer: Answer, run: Run, sure_from: float) -> None:
    """One photo: the answer, what it really is where that is known, and why."""
    scroll.into_view("try_answer", when=photo_input.asked_mark())
    with st.container(key="try_answer"):
        prediction_view.show_answer(answer, sure_from=sure_from, run=run)
    if answer.prediction.error:
        return
    is_known = _show_truth(run, answer.prediction.label or "")
    prediction_view.show_shares(answer, sure_from=sure_from, run=run)
    if answer.content is not None and not is_known:
        right_class.show(run, answer.prediction.file, answer.content)
    prediction_view.show_why(answer, run=run)


def _show_truth(run: Run, answer: str) -> bool:
    """The class of a test photo that was asked about, or what a trap teaches. Whether it is the former."""
    of, truth, lure = st.session_state.get(photo_input.TRUTH_KEY, ("", "", ""))
    if of != run.id:
        return False
    if lure:
        st.info(traps.sentence(truth, lure, answer), icon=":material/lightbulb:")
        return False
    st.markdown(_("In your photos it is **{truth}**.").format(truth=frame.plain(truth)))
    return True
