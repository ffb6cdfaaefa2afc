"""The bar at the top of every page, which stays while the page scrolls.

Owns: the line with the brand, the five steps with the present one marked, and My work; below it the
photos and the model in hand, each a link, and the next action.
Leaves to others: what is in hand (`tab_state.py`), what a page puts in the place of the next action.

Every part is there on every page and has its place, so that nothing moves from page to page.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from translearn_core.backbones import BACKBONES
from translearn_core.errors import RunError, SourceError
from translearn_core.formatting import percent
from translearn_core.i18n import _
from translearn_core.runs import LIVE_STATES, Run, run_caveats
from translearn_core.runs.annotations import read_notes
from translearn_ui.shell import tab_state
from translearn_ui.shell.pages import PAGES, PageName, PageRow, path_of
from translearn_ui.shell.text import plain

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from translearn_core.datasets import Dataset


@dataclass(frozen=True)
class Step:
    """The next action: a button that leads to a page; `anew`: without the model in hand."""

    page: PageName
    label: str
    enabled: bool = True
    anew: bool = False


def show(
    here: PageRow, dataset: Dataset | None, run: Run | None
) -> tuple[DeltaGenerator, Step | None]:
    """Draw the bar.

    Returns:
        The place of the next action, empty where this page shows its own; and the action, once it
        was pressed.
    """
    with st.container(key="frame_head", horizontal=True, vertical_alignment="center", gap="medium"):
        with st.container(key="frame_brand", width="content"):
            st.page_link(path_of("photos"), label="TransLearn", query_params=tab_state.kept())
        with st.container(key="frame_path", horizontal=True, gap=None, width="stretch"):
            for row in PAGES:
                if row.step:
                    _show_step(row, here)
            with st.container(
                key="frame_work_now" if here.place == "work" else "frame_work", width="content"
            ):
                st.page_link(
                    path_of("work"),
                    label=_("My work"),
                    icon=":material/inventory_2:",
                    query_params=tab_state.kept(),
                )
        with st.container(key="frame_hand", horizontal=True, gap="small", width="stretch"):
            _show_photos(dataset)
            _show_model(run)
        place = st.container(key="frame_next", width="content")
    with place:
        wanted = _show_next(here, dataset, run)
    return place, wanted


def _show_step(row: PageRow, here: PageRow) -> None:
    now = row.name == here.place
    with st.container(key=f"frame_step_{row.name}{'_now' if now else ''}", width="content"):
        st.page_link(
            path_of(row.name),
            label=_(row.title),
            icon=f":material/counter_{row.step}:",
            query_params=tab_state.kept(),
        )


def _show_photos(dataset: Dataset | None) -> None:
    with st.container(key="frame_photos", width="content"):
        if dataset is None:
            st.caption(_(":material/photo_library: No photos chosen"))
            return
        st.page_link(
            path_of("photos"),
            label=plain(dataset.name),
            icon=":material/photo_library:",
            query_params=tab_state.kept(),
        )


def _show_model(run: Run | None) -> None:
    with st.container(key="frame_model", width="content"):
        if run is None:
            st.caption(_(":material/neurology: No model yet"))
            return
        st.page_link(
            path_of("results" if run.has_result else "train"),
            label=plain(model_words(run)),
            icon=":material/neurology:",
            query_params=tab_state.kept() | {tab_state.RUN: run.id},
        )


def model_words(run: Run) -> str:
    """A model in a few words: `95 % · EfficientNet-Lite0`, or the name that a person gave it."""
    config = run.config
    try:
        name = read_notes(run).name or config.name
    except RunError:
        name = config.name
    backbone = BACKBONES.get(config.settings.backbone)
    name = name or (_(backbone.title) if backbone is not None else config.dataset_name or run.id)
    if run.state.state in LIVE_STATES:
        return _("training … · {name}").format(name=name)
    share = run_caveats.told_share(run.metrics) if run.has_result else None
    return name if share is None else f"{percent(share)} · {name}"


def _show_next(here: PageRow, dataset: Dataset | None, run: Run | None) -> Step | None:
    """The button; returns the action, once it was pressed."""
    step = _next(here.name, dataset, run)
    if step is None:
        return None
    pressed = st.button(
        step.label,
        key="train" if here.name == "photos" and step.page == "train" else f"next_{step.page}",
        type="primary",
        icon=":material/arrow_forward:",
        icon_position="right",
        disabled=not step.enabled,
    )
    return step if pressed else None


def _next(here: PageName, dataset: Dataset | None, run: Run | None) -> Step | None:
    """What comes next on a page with these photos and this model; None where the page shows it."""
    lives = run is not None and run.state.state in LIVE_STATES
    has_model = run is not None and run.has_model and not lives
    shows_run = here == "train" and tab_state.RUN in st.query_params
    if here in ("camera", "sort") or (here == "train" and not (shows_run and has_model)):
        return None
    if lives:
        return Step("train", _("Watch it learn"))
    if (here == "results" or shows_run) and has_model:
        return Step("try_it", _("Try it"))
    if here == "try_it" and has_model:
        return Step("share", _("Export"))
    if dataset is None:
        return None if here == "photos" else Step("photos", _("Choose photos"))
    if here in ("work", "compare", "share") and has_model:
        return Step("try_it", _("Try it"))
    from translearn_ui.shell import sort_next  # brings pandas in, as the photos do

    if sort_next.is_next(dataset):
        return Step("sort", _("Sort photos"), anew=True)
    return Step("train", _("Train"), enabled=_is_ready(dataset), anew=True)


def _is_ready(dataset: Dataset) -> bool:
    from translearn_core import datasets

    try:
        datasets.check_ready(dataset)
    except SourceError:
        return False
    return True
