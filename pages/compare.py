"""Trainings side by side, on photos that none of them learned from."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import streamlit as st

from translearn_core.notes import name_of
from translearn_core.runs import ENDED_STATES, Run, list_runs
from translearn_core.texts import _
from translearn_ui.components import background_tasks, run_actions
from translearn_ui.photos import edit_dataset
from translearn_ui.shell import frame

if TYPE_CHECKING:
    from translearn_core.compare import Comparison

frame.page("compare")

MOST_RUNS = 8
PATIENCE_S = 1.2  # so long the page waits before it shows that it is asking the models
_RESULT, _TASK, _RUNS, _CHOSEN = "compare_result", "compare_task", "runs", "compare_runs"


def main() -> None:
    """Choose runs, and see them side by side."""
    st.title(_("Compare"), anchor=False)
    runs = [run for run in list_runs() if run.has_result and run.state.state in ENDED_STATES]
    if len(runs) < 2:
        frame.empty_state(
            title=_("Nothing to compare yet"),
            text=_(
                "Train twice, say with another backbone or more photos; then see which is better."
            ),
            icon=":material/compare_arrows:",
            key="compare",
            button=_("Go to training"),
            page="train",
        )
        return
    chosen = _choose(runs)
    if len(chosen) < 2:
        st.info(_("Choose two trainings or more."), icon=":material/compare_arrows:")
        return
    with frame.errors_shown():
        comparison = _compare(chosen)
        if comparison is not None:
            _show(comparison)


def _choose(runs: list[Run]) -> list[Run]:
    """The runs to compare, in the order in which they were chosen; kept in the URL."""
    by_id = {run.id: run for run in runs}
    named = [name for name in st.query_params.get(_RUNS, "").split(",") if name in by_id]
    if st.session_state.get(_CHOSEN) is None:
        st.session_state[_CHOSEN] = named or [run.id for run in _first_guess(runs)]
    st.session_state[_CHOSEN] = [name for name in st.session_state[_CHOSEN] if name in by_id]
    ids: list[str] = st.multiselect(
        _("Which trainings"),
        list(by_id),
        format_func=lambda name: _label(by_id[name]),
        key=_CHOSEN,
        max_selections=MOST_RUNS,
        placeholder=_("Choose two or more"),
    )
    st.query_params[_RUNS] = ",".join(ids)
    return [by_id[name] for name in ids]


def _first_guess(runs: list[Run]) -> list[Run]:
    """The current run, or the newest, and the newest other one on the same photos, if any."""
    first = frame.current_run()
    first = first if first is not None and first in runs else runs[0]
    others = [run for run in runs if run.id != first.id]
    same = [run for run in others if run.config.dataset == first.config.dataset]
    return [first, (same or others)[0]]


def _label(run: Run) -> str:
    share = run.metrics.get("test_accuracy")
    parts = [f"{share:.0%}"] if share is not None else []
    parts += [name_of(run), run.config.settings.backbone, edit_dataset.when(run.config.created)]
    return " · ".join(parts)


def _compare(runs: list[Run]) -> Comparison | None:
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
        from translearn_core import compare

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


def _show(found: Comparison) -> None:
    """Verdict, figures, curves, settings, photos, and what can be done with each run."""
    from translearn_ui.compare import comparison_view as views

    if len(found.runs) > 2:
        letters = {one.letter: one.title for one in found.runs}
        against = st.selectbox(
            _("Hold the others against"),
            ["", *letters],
            format_func=lambda letter: letters.get(letter, _("the best of them")),
            key="compare_against",
        )
        found = found.held_against(against or None)
    views.show_verdict(found)
    views.show_accuracy(found)
    views.show_table(found)
    if len(found.runs) > 2:
        views.show_duels(found)
    if found.tasks:
        views.show_tasks(found)
    st.subheader(_("How they learned"), anchor=False)
    views.show_curves(found)
    st.subheader(_("What was set differently"), anchor=False)
    views.show_settings(found)
    st.subheader(_("Where they disagree"), anchor=False)
    st.caption(views.summary(found))
    views.show_disagreements(found)
    st.subheader(_("Each training"), anchor=False)
    for one in found.runs:
        _show_run(one.run, one.title)


def _show_run(run: Run, title: str) -> None:
    """One run: its note, and what can be done with it."""
    notes = run_actions.notes_or_none(run)
    with st.container(
        border=True, horizontal=True, vertical_alignment="center", key=f"compare_row_{run.id}"
    ):
        text = f"**{frame.plain(title)}** " + " ".join(
            f":gray-badge[{frame.plain(tag)}]" for tag in notes.tags
        )
        if notes.note:
            text += f"  \n:small[{frame.plain(' '.join(notes.note.split()))}]"
        st.markdown(text, width="stretch")
        with st.container(horizontal=True, width="content", vertical_alignment="center"):
            if st.button(_("Results"), key=f"compare_open_{run.id}"):
                frame.open_run(run)
                frame.go("results")
            run_actions.download_report(run, key=f"compare_report_{run.id}")
            if run_actions.show_menu(run, key=f"compare_menu_{run.id}") == "delete":
                run_actions.confirm_delete(run)


main()
