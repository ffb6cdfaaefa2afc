"""The test photos with what was predicted: the wrong ones first, filtered by class, a page at a time.

Leaves to others: why a photo got its answer (`explanation_view.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from translearn_core import datasets
from translearn_core.datasets import Dataset
from translearn_core.errors import TransLearnError
from translearn_core.i18n import _
from translearn_core.runs import Run
from translearn_ui.components import explanation_view, format, gallery
from translearn_ui.components.paging import page_of
from translearn_ui.shell import frame

PER_PAGE = 12


def show(run: Run, predictions: pd.DataFrame) -> None:
    """The photos it got wrong, the surest mistake first; right ones on request."""
    st.header(_("Look at the photos"), anchor=False)
    wrong = predictions[~predictions["correct"].astype(bool)]
    right = predictions[predictions["correct"].astype(bool)]
    st.session_state.setdefault("results_which", "wrong")
    names = {
        "wrong": _("Wrong ({n})").format(n=len(wrong)),
        "right": _("Right ({n})").format(n=len(right)),
    }
    classes = sorted({*predictions["truth"], *predictions["label"]})
    with st.container(horizontal=True, vertical_alignment="bottom", key="results_filter"):
        which = st.segmented_control(
            _("Which photos"),
            list(names),
            format_func=names.__getitem__,
            key="results_which",
            required=True,
            label_visibility="collapsed",
        )
        truth = st.selectbox(
            _("Really"),
            [None, *classes],
            format_func=lambda name: _("really: any class") if name is None else name,
            key="results_truth",
            label_visibility="collapsed",
            width=210,
        )
        answer = st.selectbox(
            _("Answered"),
            [None, *classes],
            format_func=lambda name: _("answered: any class") if name is None else name,
            key="results_answer",
            label_visibility="collapsed",
            width=210,
        )
    rows = wrong if which == "wrong" else right
    rows = rows[rows["truth"] == truth] if truth is not None else rows
    rows = rows[rows["label"] == answer] if answer is not None else rows
    rows = rows.sort_values("confidence", ascending=which == "right")
    if rows.empty:
        st.info(_("There are no such photos."), icon=":material/check_circle:")
        return
    st.caption(
        _("The surest mistakes come first: often a photo in the wrong folder.")
        if which == "wrong"
        else _("The least sure ones come first.")
    )
    show_page(run, rows, key="results")


def show_page(run: Run, rows: pd.DataFrame, *, key: str) -> None:
    """Photos with truth, answer and confidence, a page at a time; each can be explained."""
    try:
        dataset = datasets.open_dataset(run.config.dataset)
    except TransLearnError as error:
        st.info(_("The photos are no longer there: {why}").format(why=frame.plain(error.message)))
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
