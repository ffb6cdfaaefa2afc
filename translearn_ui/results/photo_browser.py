"""The test photos with what was predicted: the wrong ones first, filtered by class, a page at a time.

Leaves to others: why a photo got its answer (`components/explanation_view.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from translearn_core import datasets
from translearn_core.datasets import Dataset
from translearn_core.datasets.file_names import natural_key
from translearn_core.errors import TransLearnError
from translearn_core.i18n import _, ngettext
from translearn_core.runs import Run
from translearn_ui.components import explanation_view, format, gallery
from translearn_ui.components.paging import page_of
from translearn_ui.shell import frame

PER_PAGE = 12
_WHICH, _TRUTH, _ANSWER = "results_which", "results_truth", "results_answer"
_ANY = ""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Which photos are shown: wrong or right ones, of which class, answered how (None: any)."""

    which: str
    truth: str | None
    answer: str | None

    @property
    def cell(self) -> tuple[str, str] | None:
        """The cell of the confusion matrix that is chosen."""
        if self.truth is None or self.answer is None:
            return None
        return self.truth, self.answer


def read_choice(predictions: pd.DataFrame) -> Choice:
    """The choice as it stands; classes of another model are let go."""
    state = st.session_state
    known = {_ANY, *predictions["truth"], *predictions["label"]}
    state.setdefault(_WHICH, "wrong")
    for key in (_TRUTH, _ANSWER):
        if state.get(key) not in known:
            state[key] = _ANY
    return Choice(which=state[_WHICH], truth=state[_TRUTH] or None, answer=state[_ANSWER] or None)


def choose(truth: str, answer: str) -> None:
    """Choose the photos of one class, or of one cell of the matrix; empty: of any class."""
    state = st.session_state
    state[_TRUTH], state[_ANSWER] = truth, answer
    state.pop("results_page", None)
    if truth and answer:
        state[_WHICH] = "right" if truth == answer else "wrong"


def _take_boxes() -> None:
    choose(st.session_state[_TRUTH], st.session_state[_ANSWER])


def _take_which() -> None:
    """Let go of a cell that holds no such photos."""
    state = st.session_state
    if state[_TRUTH] and state[_ANSWER]:
        state[_ANSWER] = _ANY
    state.pop("results_page", None)


def show(run: Run, predictions: pd.DataFrame, choice: Choice) -> None:
    """The photos it got wrong, the surest mistake first; right ones on request."""
    st.header(_("Look at the photos"), anchor=False)
    if predictions.empty:
        st.caption(_("No photos were left for a test."))
        return
    _show_boxes(predictions)
    rows = rows_of(predictions, choice)
    if rows.empty:
        st.info(_("There are no such photos."), icon=":material/check_circle:")
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(_sentence(len(rows), choice), width="stretch")
        if choice.truth is not None or choice.answer is not None:
            st.button(
                _("Show all"),
                key="results_cell_close",
                type="tertiary",
                icon=":material/close:",
                on_click=choose,
                args=(_ANY, _ANY),
            )
    show_page(run, rows, key="results")


def _show_boxes(predictions: pd.DataFrame) -> None:
    """Right or wrong, and the classes: with the keyboard what a click in the matrix does."""
    n_right = int(predictions["correct"].astype(bool).sum())
    names = {
        "wrong": _("Wrong ({n})").format(n=len(predictions) - n_right),
        "right": _("Right ({n})").format(n=n_right),
    }
    classes = sorted({*predictions["truth"], *predictions["label"]}, key=natural_key)
    st.segmented_control(
        _("Which photos"),
        list(names),
        format_func=names.__getitem__,
        key=_WHICH,
        required=True,
        label_visibility="collapsed",
        on_change=_take_which,
    )
    with st.container(horizontal=True, key="results_filter"):
        st.selectbox(
            _("Really"),
            [_ANY, *classes],
            format_func=lambda name: name or _("really: any class"),
            key=_TRUTH,
            label_visibility="collapsed",
            width="stretch",
            on_change=_take_boxes,
        )
        st.selectbox(
            _("Answered"),
            [_ANY, *classes],
            format_func=lambda name: name or _("answered: any class"),
            key=_ANSWER,
            label_visibility="collapsed",
            width="stretch",
            on_change=_take_boxes,
        )


def rows_of(predictions: pd.DataFrame, choice: Choice) -> pd.DataFrame:
    """The photos of a choice: the surest mistakes, and the least sure right answers, first."""
    is_right = predictions["correct"].astype(bool)
    rows = predictions[is_right if choice.which == "right" else ~is_right]
    rows = rows[rows["truth"] == choice.truth] if choice.truth is not None else rows
    rows = rows[rows["label"] == choice.answer] if choice.answer is not None else rows
    return rows.sort_values("confidence", ascending=choice.which == "right")


def _sentence(n: int, choice: Choice) -> str:
    """What is shown, in words."""
    if choice.cell is None:
        if choice.which == "wrong":
            return _("The surest mistakes come first: hard photos, or photos in the wrong class.")
        return _("The least sure ones come first.")
    sentence = (
        ngettext("{n} photo of {truth}, found", "{n} photos of {truth}, found", n)
        if choice.which == "right"
        else ngettext(
            "{n} photo of {truth}, taken for {answer}",
            "{n} photos of {truth}, taken for {answer}",
            n,
        )
    )
    truth, answer = (frame.plain(name) for name in choice.cell)
    return f"**{sentence.format(n=n, truth=truth, answer=answer)}**"


def show_page(run: Run, rows: pd.DataFrame, *, key: str) -> None:
    """Photos with truth, answer and confidence, a page at a time; each can be explained."""
    try:
        dataset = datasets.open_dataset(run.config.dataset)
    except TransLearnError:
        st.info(
            _(
                "The photos of this model were deleted, so they cannot be shown. Its figures remain."
            ),
            icon=":material/info:",
        )
        return
    part, place = page_of(len(rows), PER_PAGE, key=f"{key}_page")
    shown = rows.iloc[part]
    with place, st.grid(min_column_width=150, gap="small") as grid:
        for row in shown.astype(object).to_dict("records"):
            with grid.cell():
                show_photo(run, dataset, row, key=key)


def show_photo(run: Run, dataset: Dataset, row: Mapping[Any, Any], *, key: str) -> None:
    """One photo with what it is and what was answered, and a way to ask why."""
    try:
        gallery.show_photo(
            dataset.thumbnail(row["path"]), file=row["file"], class_name=row["truth"]
        )
    except (TransLearnError, OSError):
        st.caption(_("{file} can no longer be read.").format(file=frame.plain(row["file"])))
    sure = format.percent(row["confidence"])
    if row["correct"]:
        st.caption(f":green[✓] **{frame.plain(row['truth'])}** · {sure}")
    else:
        st.caption(
            _(":red[✗] said **{label}** ({sure})  \nreally **{truth}**").format(
                label=frame.plain(row["label"]), sure=sure, truth=frame.plain(row["truth"])
            )
        )
    if st.button(
        _("Why?"),
        key=f"{key}_why_{row['path']}",
        type="tertiary",
        icon=":material/center_focus_strong:",
    ):
        title = (
            _("Why {label}?") if row["correct"] else _("Why {label}? It is really {truth}")
        ).format(label=frame.plain(row["label"]), truth=frame.plain(row["truth"]))
        path = dataset.photo_path(row["path"])
        explanation_view.offer_dialog(run, path, title=title, name=row["file"])
