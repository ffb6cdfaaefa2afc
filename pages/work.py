"""My work: every data set and run with its size, and how this installation is set up."""

from __future__ import annotations

import shutil
from typing import Literal

import streamlit as st

from translearn_core import datasets
from translearn_core.adoption.origin import origin_of
from translearn_core.config import home, load_configuration
from translearn_core.datasets import Dataset
from translearn_core.notes import name_of
from translearn_core.runs import Run, list_runs
from translearn_core.texts import _, ngettext
from translearn_ui.components import run_actions
from translearn_ui.photos import edit_dataset
from translearn_ui.shell import frame
from translearn_ui.work import import_view

frame.page("work")

_PER_PAGE = 10
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


def main() -> None:
    """Data sets, runs, installation."""
    st.title(_("My work"), anchor=False)
    sets, runs = datasets.list_datasets(), list_runs()
    # without numbers: a tab whose name changes is left for the first one
    names = [_("Data sets"), _("Runs"), _("This installation")]
    tabs = st.tabs(names, key="tab", bind="query-params")
    with tabs[0], frame.errors_shown():
        _show_datasets(sets)
    with tabs[1], frame.errors_shown():
        _show_runs(runs)
    with tabs[2], frame.errors_shown():
        _show_installation()


def _page_of(n_items: int, key: str) -> slice:
    """Show the page numbers where there are several pages; returns what is on the present one."""
    pages = -(-n_items // _PER_PAGE)
    number = 1
    if pages > 1:
        if st.session_state.get(key, 1) > pages:
            del st.session_state[key]
        number = st.pagination(pages, key=key, max_visible_pages=5)
    return slice((number - 1) * _PER_PAGE, number * _PER_PAGE)


def _show_datasets(sets: list[Dataset]) -> None:
    if not sets:
        frame.empty_state(
            title=_("No photos yet"),
            text=_("What you bring in is listed here, with its size, and can be deleted."),
            icon=":material/photo_library:",
            key="work_sets",
            button=_("Begin with photos"),
        )
        return
    rows = st.container(gap="xsmall")
    part = _page_of(len(sets), "sets_page")
    with rows:
        for dataset in sets[part]:
            with frame.errors_shown():
                _show_dataset(dataset)


def _show_dataset(dataset: Dataset) -> None:
    with st.container(
        border=True, horizontal=True, vertical_alignment="center", key=f"row_{dataset.id}"
    ):
        st.markdown(
            f"**{frame.plain(dataset.name)}**  \n:small[{edit_dataset.summary(dataset)}]",
            width="stretch",
        )
        with st.container(horizontal=True, width="content", vertical_alignment="center"):
            if st.button(_("Open"), key=f"open_{dataset.id}"):
                frame.open_dataset(dataset)
                frame.go("photos")
            if st.button(
                _("Delete"), key=f"delete_{dataset.id}", type="tertiary", icon=":material/delete:"
            ):
                edit_dataset.confirm_delete(dataset)


def _show_runs(runs: list[Run]) -> None:
    if not runs:
        frame.empty_state(
            title=_("No runs yet"),
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
    rows = st.container(gap="xsmall")
    part = _page_of(len(shown), "runs_page")
    with rows:
        for run in shown[part]:
            with frame.errors_shown():
                _show_run(run)
    with bar:
        _show_compare(runs)
    import_view.show()


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
        st.caption(_("Tick the trainings to compare."))


def _show_run(run: Run) -> None:
    state, config = run.state.state, run.config
    color, icon = _STATES[state]
    with st.container(
        border=True, horizontal=True, vertical_alignment="center", key=f"row_{run.id}"
    ):
        text = f"**{frame.plain(name_of(run))}**"
        notes = run_actions.notes_or_none(run)
        text += "".join(f" :gray-badge[{frame.plain(tag)}]" for tag in notes.tags)
        text += f"  \n:small[{frame.plain(' · '.join(_facts(run)))}]"
        if notes.note:
            first = notes.note.splitlines()[0]
            text += f"  \n:small[:material/edit_note: {frame.plain(first[:120])}]"
        with st.container(horizontal=True, wrap=False, vertical_alignment="center"):
            _show_tick(run)
            st.markdown(text, width="stretch")
        with st.container(horizontal=True, width="content", vertical_alignment="center"):
            if origin_of(run) is not None:
                st.badge(_("brought in"), icon=":material/upload:", color="gray")
            else:
                st.badge(_(state), icon=icon, color=color)
            if st.button(_("Open"), key=f"open_{config.id}"):
                frame.open_run(run)
                frame.go(_page_for(run))
            if run_actions.show_menu(run, key=f"menu_{run.id}") == "delete":
                run_actions.confirm_delete(run)


def _show_tick(run: Run) -> None:
    """The box that takes a run into the comparison; where there are no figures, its place."""
    chosen: list[str] = st.session_state.setdefault(_CHOSEN, [])
    ticked = st.checkbox(
        _("Compare {name}").format(name=name_of(run)),
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
    facts = [config.settings.backbone] if config.settings.backbone else []
    facts += [edit_dataset.when(config.created), frame.size(run.size_bytes())]
    if run.has_result and run.metrics["test_accuracy"] is not None:
        share = f"{run.metrics['test_accuracy']:.0%}"
        facts.insert(0, _("right on {share} of the test photos").format(share=share))
    elif origin_of(run) is not None:
        n = len(run.labels)
        facts.insert(0, ngettext("knows {n} class", "knows {n} classes", n).format(n=n))
    return facts


def _page_for(run: Run) -> frame.PageName:
    """Where a run is opened: its results, what can be done with its model, or how it is going."""
    if run.has_result:
        return "results"
    return "try_it" if run.has_model else "train"


def _show_installation() -> None:
    from translearn_core import features

    configuration = load_configuration()
    home().mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(home()).free
    st.markdown(
        _("Everything lies in one folder: `{folder}`. {free} are free on its disk.").format(
            folder=home(), free=frame.size(free)
        )
    )
    st.caption(_("Another place: set `TRANSLEARN_HOME` before the start."))
    with st.container(border=True, horizontal=True, vertical_alignment="center", key="row_cache"):
        used = features.cache_size_bytes()
        st.markdown(
            _(
                "**Features computed before** (cache)  \n:small[{used} of at most {most}. A new run on the same photos starts from here.]"
            ).format(used=frame.size(used), most=frame.size(configuration.cache_bytes)),
            width="stretch",
        )
        if st.button(
            _("Empty"),
            key="cache_empty",
            type="tertiary",
            icon=":material/delete:",
            disabled=not used,
        ):
            edit_dataset.ask_once(
                _("Empty the cache?"),
                _("{size} are freed. The next run computes its features anew.").format(
                    size=frame.size(used)
                ),
                _("Empty"),
                features.empty_cache,
            )
    st.markdown(_("**Settings of this installation**"))
    limits = configuration.limits
    roots = ", ".join(f"`{path}`" for path in configuration.source_folders)
    lines = [
        _("Folders that pages may read photos from: {roots}").format(roots=roots or _("none")),
        ngettext(
            "At most {n} run at a time", "At most {n} runs at a time", configuration.slots
        ).format(n=configuration.slots)
        if configuration.slots
        else _("One run at a time, or one per graphics card"),
        _("Backbones may be downloaded: {yes}").format(
            yes=_("yes") if configuration.allow_downloads else _("no")
        ),
        _("At most {files:,} files and {size} in one import, {photo} in one photo").format(
            files=limits.files,
            size=frame.size(limits.total_bytes),
            photo=frame.size(limits.photo_bytes),
        ),
    ]
    st.markdown("\n".join(f"- {line}" for line in lines))
    st.caption(
        _("To change them, write `{file}` (see the manual) and reload the page.").format(
            file=home() / "config.toml"
        )
    )


main()
