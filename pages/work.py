"""My work: every data set and run with its size, and how this installation is set up."""

from __future__ import annotations

import shutil
from typing import Literal

import streamlit as st

from translearn_core import datasets
from translearn_core.config import home, load_configuration
from translearn_core.datasets import Dataset
from translearn_core.runs import LIVE_STATES, Run, delete_run, list_runs
from translearn_core.texts import _, ngettext
from translearn_ui import edit_dataset, frame

frame.page("work")

_PER_PAGE = 10
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
    tabs = st.tabs(
        [
            _("Data sets · {n}").format(n=len(sets)),
            _("Runs · {n}").format(n=len(runs)),
            _("This installation"),
        ],
        key="work_tabs",
    )
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
        return
    rows = st.container(gap="xsmall")
    part = _page_of(len(runs), "runs_page")
    with rows:
        for run in runs[part]:
            with frame.errors_shown():
                _show_run(run)


def _show_run(run: Run) -> None:
    state, config = run.state.state, run.config
    color, icon = _STATES[state]
    with st.container(
        border=True, horizontal=True, vertical_alignment="center", key=f"row_{run.id}"
    ):
        name = frame.plain(config.name or config.dataset_name or run.id)
        facts = [
            config.settings.backbone,
            edit_dataset.when(config.created),
            frame.size(run.size_bytes()),
        ]
        if run.has_result:
            facts.insert(
                0,
                _("right on {share} of the test photos").format(
                    share=f"{run.metrics['test_accuracy']:.0%}"
                ),
            )
        st.markdown(f"**{name}**  \n:small[{frame.plain(' · '.join(facts))}]", width="stretch")
        with st.container(horizontal=True, width="content", vertical_alignment="center"):
            st.badge(_(state), icon=icon, color=color)
            if st.button(_("Open"), key=f"open_{run.id}"):
                frame.open_run(run)
                frame.go("results" if run.has_result else "train")
            if st.button(
                _("Delete"),
                key=f"delete_{run.id}",
                type="tertiary",
                icon=":material/delete:",
                disabled=state in LIVE_STATES,
                help=_("It is still going on: stop it first.") if state in LIVE_STATES else None,
            ):
                _confirm_delete(run, name)


def _confirm_delete(run: Run, name: str) -> None:
    def delete() -> None:
        delete_run(run)
        if st.query_params.get("run") == run.id:
            frame.open_run(None)
        st.toast(_("The run is deleted."))

    edit_dataset.ask_once(
        _("Delete the run {name}?").format(name=name),
        _("Its model, figures and log go for good ({size}). The photos stay.").format(
            size=frame.size(run.size_bytes())
        ),
        _("Delete for good"),
        delete,
    )


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
