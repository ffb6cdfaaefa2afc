"""Step 4: ask a trained model about new photos."""

from __future__ import annotations

import streamlit as st

from translearn_core.i18n import _
from translearn_core.runs import Run, list_runs
from translearn_ui.components import background_tasks, run_picker
from translearn_ui.shell import frame
from translearn_ui.try_it import photo_input, result_view

frame.page("try_it")


def main() -> None:
    """Choose a run, hand in photos, see answers."""
    run = _choose_run()
    if run is None:
        frame.empty_state(
            title=_("Nothing to try yet"),
            text=_("Train a model first. Then you can show it new photos here."),
            icon=":material/photo_camera:",
            key="try",
            button=_("Go to training"),
            page="train",
        )
        return
    task = background_tasks.find(st.query_params.get("task"))
    if task is not None and not task.finished:
        background_tasks.show(task)
        return
    if task is not None:
        photo_input.end_task(task, run)
    way = photo_input.choose_way()
    if way == "camera":
        with frame.errors_shown():
            photo_input.show_camera(run)
        return
    answered = result_view.has_answer(run)  # then the answer comes first, also on a phone
    first, second = st.columns([1.25, 1] if answered else [1, 1.25], gap="large")
    see, give = (first, second) if answered else (second, first)
    with give, st.container(key="try_give"), frame.errors_shown():
        photo_input.show(run, way)
        if way == "photos":
            photo_input.show_samples(run)
            photo_input.show_traps(run)
    with see, frame.errors_shown():
        result_view.show(run)


def _choose_run() -> Run | None:
    st.title(_("Try it"), anchor=False)
    runs = [run for run in list_runs() if run.has_model]
    if not runs:
        return None
    return run_picker.choose_run(runs, _("Model"), key="try_run")


main()
