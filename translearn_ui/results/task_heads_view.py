"""Several tasks at once on the pages: the table of labels, each task's figures, each task's answer.

Owns: these three views. Leaves to others: the table (`translearn_core.datasets.label_table`), learning
(`translearn_core.training.multitask`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from translearn_core.datasets.class_places import places_of
from translearn_core.i18n import _
from translearn_core.reports import model_card_text
from translearn_core.runs.run_metrics import RunMetrics, TaskMetrics
from translearn_ui.components import confusion_chart, format, matrix_view
from translearn_ui.shell import frame

if TYPE_CHECKING:
    pass


def show_results(metrics: RunMetrics) -> None:
    """How well each task is answered; nothing where there is one only."""
    tasks = metrics.tasks
    if len(tasks) < 2:
        return
    st.header(_("Label by label (multi-task)"), anchor=False)
    st.caption(
        _(
            "One model predicts all of them. The rest of this page is about the first; "
            "“not sure” below is about all."
        )
    )
    for number, task in enumerate(tasks):
        with st.container(border=True, key=f"task_{number}"):
            st.markdown(_sentence(task))
            if number and task.n_test:
                with st.expander(_("What it mixes up"), key=f"task_matrix_{number}"):
                    words = confusion_chart.confusion_sentence(task.confusion, task.classes)
                    st.markdown(frame.plain(words))
                    matrix_view.show(
                        task.confusion,
                        task.classes,
                        places=places_of({}, task.classes),
                        key=f"task_confusion_{number}",
                    )
                    st.caption(model_card_text.calibration_sentence(task.calibration))


def _sentence(task: TaskMetrics) -> str:
    name = frame.plain(task.name)
    if not task.n_test:
        return _("**{task}**: no test photo carries such a label.").format(task=name)
    if task.test_accuracy is None:
        return _("**{task}**: right on {correct:,} of {n:,} test photos.").format(
            task=name, correct=task.test_correct, n=task.n_test
        )
    low, high = task.test_interval
    words = _(
        "**{task}**: right on {correct:,} of {n:,} new photos ({share}; 95 % confidence interval "
        "{range}). Always guessing the most frequent gets {guess}."
    ).format(
        task=name,
        correct=task.test_correct,
        n=task.n_test,
        share=format.percent(task.accuracy),
        range=format.percent_range(low, high),
        guess=format.percent(task.guessing),
    )
    if task.test_interval[0] <= task.guessing:
        words += " " + _("That may be no better than guessing.")
    return words
