"""Several tasks at once on the pages: the table of labels, each task's figures, each task's answer.

Owns: these three views. Leaves to others: the table (`translearn_core.label_table`), learning
(`translearn_core.tasks`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import streamlit as st

from translearn_core import label_table, testimony
from translearn_core.datasets import Dataset
from translearn_core.texts import _
from translearn_ui.components import charts
from translearn_ui.shell import frame

if TYPE_CHECKING:
    from translearn_core.predict import Prediction


def show_set_up(dataset: Dataset) -> None:
    """More kinds of labels for the photos of a data set: what there is, and a box for a table."""
    kept = label_table.tasks_of(dataset)
    n = len(kept.tasks) if kept else 0
    title = _("More than one question (several tasks)")
    with st.expander(
        f"{title} · {n}" if n else title, key="more_tasks", icon=":material/checklist:"
    ):
        st.markdown(
            _(
                "One look at a photo can answer several questions: what it is, and its colour, its "
                "state, its maker. Bring a table (CSV) with a column `file` and one column for each "
                "further question; a cell may be empty."
            )
        )
        if kept is not None:
            st.markdown(
                _("Will be learned, too: **{tasks}** (labels of {n:,} photos).").format(
                    tasks=frame.listed(kept.tasks), n=len(kept.labels)
                )
            )
            st.button(
                _("Leave them out"),
                key="tasks_forget",
                icon=":material/undo:",
                on_click=label_table.detach,
                args=(dataset,),
            )
        upload = st.file_uploader(_("Table of labels"), type=["csv"], key="tasks_table")
        if upload is not None and st.session_state.get("tasks_taken") != upload.file_id:
            st.session_state["tasks_taken"] = upload.file_id
            with frame.errors_shown():
                note = label_table.attach(dataset, label_table.read_table(upload))
                if note:
                    st.toast(note, icon=":material/info:")
                st.rerun()


def show_results(metrics: Mapping[str, Any]) -> None:
    """How well each task is answered; nothing where there is one only."""
    tasks = metrics.get("tasks") or []
    if len(tasks) < 2:
        return
    st.subheader(_("Question by question (tasks)"), anchor=False)
    st.caption(
        _(
            "One look of the backbone answers all of them. The rest of this page is about the first; "
            "“not sure” below is about all."
        )
    )
    for number, task in enumerate(tasks):
        with st.container(border=True, key=f"task_{number}"):
            st.markdown(_sentence(task))
            if number and task["n_test"]:
                with st.expander(_("What is taken for what"), key=f"task_matrix_{number}"):
                    words = charts.confusion_sentence(task["confusion"], task["classes"])
                    st.markdown(frame.plain(words))
                    charts.show(
                        charts.confusion_matrix(task["confusion"], task["classes"]),
                        key=f"task_confusion_{number}",
                        alt=_("Confusion matrix.") + " " + words,
                    )
                    st.caption(testimony.calibration_sentence(task.get("calibration")))


def _sentence(task: Mapping[str, Any]) -> str:
    name = frame.plain(task["name"])
    if not task["n_test"]:
        return _("**{task}**: no test photo carries such a label.").format(task=name)
    low, high = (100 * float(end) for end in task["test_interval"])
    words = _(
        "**{task}**: right on {correct:,} of {n:,} new photos ({share}; expect {low:.0f} to {high:.0f} "
        "of 100). Always guessing the most frequent gets {guess}."
    ).format(
        task=name,
        correct=task["test_correct"],
        n=task["n_test"],
        share=charts.percent(task["test_accuracy"]),
        low=low,
        high=high,
        guess=charts.percent(task["majority_accuracy"]),
    )
    if task["test_interval"][0] <= task["majority_accuracy"]:
        words += " " + _("That may be no better than guessing.")
    return words


def _share(share: float) -> str:
    """A probability in words; nothing is ever quite certain."""
    return _("over 99 %") if share > 0.99 else charts.percent(share)


def show_answers(prediction: Prediction, *, sure_from: float) -> None:
    """What is said of one photo in each further task."""
    for number, (task, shares) in enumerate((prediction.tasks or {}).items()):
        best, share = next(iter(shares.items()))
        words = _("{task}: **{answer}** ({share})")
        if share < sure_from or prediction.unlike:
            words = _("{task}: **not sure.** If anything, {answer} ({share})")
        st.markdown(
            words.format(task=frame.plain(task), answer=frame.plain(best), share=_share(share))
        )
        colors = {name: charts.class_color(place) for place, name in enumerate(sorted(shares))}
        charts.show(
            charts.probability_bars(shares, colors=colors, most=4),
            key=f"answer_task_{number}",
            alt=", ".join(f"{name} {value:.0%}" for name, value in list(shares.items())[:4]),
        )
