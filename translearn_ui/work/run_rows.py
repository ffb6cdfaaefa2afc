"""Every run with its state, to open, to compare, to delete."""

from __future__ import annotations

from typing import Literal

import streamlit as st

from translearn_core.i18n import _, ngettext
from translearn_core.model_import.provenance import origin_of
from translearn_core.runs import Run, delete_run, list_unreadable_runs
from translearn_core.runs.annotations import display_name
from translearn_core.runs.study import folder_of_studies
from translearn_ui.components import dialogs, format, run_actions, run_text
from translearn_ui.components.paging import page_of
from translearn_ui.shell import frame
from translearn_ui.work import import_view

PER_PAGE = 10
_CHOSEN = "work_chosen"  # ids of the runs that are ticked for a comparison


_Color = Literal["gray", "blue", "green", "orange", "red"]


_STATES: dict[str, tuple[_Color, str]] = {
    "queued": ("gray", ":material/hourglass_empty:"),
    "running": ("blue", ":material/progress_activity:"),
    "finished": ("green", ":material/check:"),
    "stopped": ("orange", ":material/stop_circle:"),
    "failed": ("red", ":material/error:"),
    "lost": ("red", ":material/link_off:"),
}


def show(runs: list[Run]) -> None:
    """The list, filtered by tags, with the way to the comparison."""
    _show_unreadable()
    if not runs:
        frame.empty_state(
            title=_("No trainings yet"),
            text=_("Each training is kept here with its settings, its curves and its model."),
            icon=":material/model_training:",
            key="work_runs",
            button=_("Go to training"),
            page="train",
        )
        import_view.show()
        return
    shown = _filter(runs)
    bar = st.container(horizontal=True, vertical_alignment="center", key="work_compare_bar")
    part, rows = page_of(len(shown), PER_PAGE, key="runs_page")
    with rows:
        for run in shown[part]:
            with frame.errors_shown():
                _show_run(run)
    with bar:
        _show_compare(runs)
    import_view.show()


def _show_unreadable() -> None:
    """The folders of runs and searches that cannot be read, each with its reason and a way out."""
    for entry in [*list_unreadable_runs(), *list_unreadable_runs(folder_of_studies())]:
        with st.container(
            border=True, horizontal=True, vertical_alignment="center", key=f"row_{entry.run.id}"
        ):
            st.markdown(
                f"**{frame.plain(entry.run.id)}**  \n:small[{frame.plain(entry.reason)}]",
                width="stretch",
            )
            st.badge(_("cannot be read"), icon=":material/broken_image:", color="red")
            if st.button(
                _("Delete"),
                key=f"delete_{entry.run.id}",
                type="tertiary",
                icon=":material/delete:",
            ):
                _confirm_delete(entry.run)


def _confirm_delete(run: Run) -> None:
    def delete() -> None:
        delete_run(run)
        st.toast(_("The training is deleted."))

    dialogs.ask_once(
        _("Delete the training {name}?").format(name=frame.plain(run.id)),
        _("Everything in its folder is deleted for good ({size}). The photos stay.").format(
            size=format.size(run.size_bytes())
        ),
        _("Delete for good"),
        delete,
    )


def _filter(runs: list[Run]) -> list[Run]:
    """The runs with the tags that were chosen; all where none was."""
    tags = run_actions.known_tags(runs)
    if not tags:
        return runs
    chosen = st.pills(
        _("Tags"), tags, selection_mode="multi", key="work_tags", format_func=frame.plain
    )
    return [run for run in runs if set(chosen) <= set(run_actions.notes_or_none(run).tags)]


def _show_compare(runs: list[Run]) -> None:
    """The way to the comparison, once there is something to compare."""
    able = [run for run in runs if run.has_result]
    if len(able) < 2:
        return
    ids = {run.id for run in able}
    chosen = [name for name in st.session_state.get(_CHOSEN, []) if name in ids]
    label = _("Compare the {n} chosen").format(n=len(chosen)) if len(chosen) > 1 else _("Compare")
    if st.button(
        label,
        key="work_compare",
        icon=":material/compare_arrows:",
        type="primary" if len(chosen) > 1 else "secondary",
    ):
        st.session_state.pop("compare_runs", None)
        frame.go("compare", runs=",".join(chosen[:8]))
    if len(chosen) < 2:
        st.caption(_("Tick the models to compare."))


def _show_run(run: Run) -> None:
    state = run.state.state
    color, icon = _STATES[state]
    with st.container(
        border=True, horizontal=True, vertical_alignment="center", key=f"row_{run.id}"
    ):
        text = f"**{frame.plain(display_name(run))}**"
        notes = run_actions.notes_or_none(run)
        text += "".join(f" :gray-badge[{frame.plain(tag)}]" for tag in notes.tags)
        text += f"  \n:small[{frame.plain(' · '.join(_facts(run)))}]"
        told = run.problem or (run.state.reason if state in ("queued", "running") else "")
        if told:
            text += f"  \n:small[:material/warning: {frame.plain(told)}]"
        if notes.note:
            first = notes.note.splitlines()[0]
            text += f"  \n:small[:material/edit_note: {frame.plain(first[:120])}]"
        with st.container(
            key=f"run_line_{run.id}", horizontal=True, wrap=False, vertical_alignment="center"
        ):
            _show_tick(run)
            st.markdown(text, width="stretch")
        with st.container(horizontal=True, width="content", vertical_alignment="center"):
            if origin_of(run) is not None:
                st.badge(_("brought in"), icon=":material/upload:", color="gray")
            else:
                st.badge(_(state), icon=icon, color=color)
            if st.button(_("Open"), key=f"open_{run.id}"):
                frame.open_run(run)
                frame.go(_page_for(run))
            if run_actions.show_menu(run, key=f"menu_{run.id}") == "delete":
                run_actions.confirm_delete(run)


def _show_tick(run: Run) -> None:
    """The box that takes a run into the comparison; where there are no figures, its place."""
    chosen: list[str] = st.session_state.setdefault(_CHOSEN, [])
    ticked = st.checkbox(
        _("Compare {name}").format(name=display_name(run)),
        value=run.id in chosen,
        key=f"tick_{run.id}",
        label_visibility="collapsed",
        disabled=not run.has_result,
        width=28,
    )
    if ticked and run.id not in chosen:
        chosen.append(run.id)
    elif not ticked and run.id in chosen:
        chosen.remove(run.id)


def _facts(run: Run) -> list[str]:
    """What stands small below a run's name."""
    config = run.config
    facts = [run_text.describe(config.settings)] if config.settings.backbone else []
    facts += [format.when(config.created), format.size(run.size_bytes())]
    if run.has_result and run.metrics.test_accuracy is not None:
        facts.insert(0, run_text.share_words(run.metrics))
    elif origin_of(run) is not None:
        n = len(run.labels)
        facts.insert(0, ngettext("knows {n} class", "knows {n} classes", n).format(n=n))
    state = run.written_state
    if state.node and state.is_live:
        facts.insert(0, _("on {machine}").format(machine=state.node))
    return facts


def _page_for(run: Run) -> frame.PageName:
    """Where a run is opened: its results, what can be done with its model, or how it is going."""
    if run.has_result:
        return "results"
    return "try_it" if run.has_model else "train"
