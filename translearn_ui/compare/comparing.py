"""Making a comparison in a background task, once for each state of the runs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import streamlit as st

from translearn_core.i18n import _
from translearn_core.runs import Run
from translearn_ui.components import background_tasks

if TYPE_CHECKING:
    from translearn_core.prediction.compare import Comparison

_RESULT, _TASK = "compare_result", "compare_task"
PATIENCE_S = 1.2  # so long the page waits before it shows that it is asking the models


def compare_runs(runs: list[Run]) -> Comparison | None:
    """The comparison, from the session or anew; None while the models are being asked."""
    mark = tuple((run.id, _changed(run)) for run in runs)
    kept = st.session_state.get(_RESULT)
    if kept is None or kept[0] != mark:
        task = _task_of(runs, mark)
        if not task.finished:
            background_tasks.show(task)
            return None
        background_tasks.forget(task)
        st.session_state.pop(_TASK, None)
        if task.error is not None:
            raise task.error
        st.session_state[_RESULT] = kept = (mark, task.result)
    comparison: Comparison = kept[1]
    return comparison


def _changed(run: Run) -> tuple[int, ...]:
    """Times of the files that a comparison reads; they change when it has to be made anew."""
    files = [run.model_path, run.folder / "metrics.json", run.folder / "notes.json"]
    return tuple(file.stat().st_mtime_ns if file.is_file() else 0 for file in files)


def _task_of(runs: list[Run], mark: object) -> background_tasks.Task:
    """The task that compares these runs; short ones are waited for."""
    kept = st.session_state.get(_TASK)
    task = background_tasks.find(kept[1]) if kept is not None and kept[0] == mark else None
    if task is None:
        from translearn_core.prediction import compare

        def work(task: background_tasks.Task) -> Comparison:
            return compare.compare(runs, progress=task.report, stop=task.stop)

        task = background_tasks.start(
            _("Asking the models about photos that are new to them"), work
        )
        st.session_state[_TASK] = (mark, task.id)
        until = time.monotonic() + PATIENCE_S
        while not task.finished and time.monotonic() < until:
            time.sleep(0.02)
    return task
