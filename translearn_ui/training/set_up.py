"""The set-up of a run: one button with what it will do; all choices behind *Expert*."""

from __future__ import annotations

import streamlit as st

from translearn_core import backbones
from translearn_core.backbones.weights import weights_status
from translearn_core.datasets import Dataset
from translearn_core.i18n import _, ngettext
from translearn_ui.components import look_ahead_line, run_setup, verdict_note
from translearn_ui.training import (
    backbone_choice,
    before_training,
    draft,
    expert_view,
    plan_words,
    start_button,
    start_from,
)


def show(dataset: Dataset) -> None:
    """The button first, drawn last: it starts what stands below it."""
    draft.restore()
    st.title(_("Train"), anchor=False)
    go = st.container(key="train_go", horizontal=True, vertical_alignment="center", gap="medium")
    plan = st.container(key="train_plan")
    obstacle = before_training.show_warnings(dataset)
    before_training.show_other_run(dataset)
    if not obstacle:
        verdict_note.show_note(dataset, begin=lambda: verdict_note.begin(dataset))
    start_from.show()
    if expert := _is_expert():
        with st.container(key="train_expert_view"):
            status = expert_view.show(dataset)
    else:
        status = _show_what_is_missing()
    draft.keep(expert=expert)
    with go:
        settings = start_button.read_settings()
        start_button.show(dataset, settings, status, obstacle=obstacle)
    if settings is not None and not obstacle:
        with plan:
            plan_words.show(dataset, settings)
            start_button.warn_of_nothing_learned(settings)
    look_ahead_line.show(dataset)


def _is_expert() -> bool:
    """The switch between the simple view and all choices; what was changed is told beside it."""
    with st.container(key="train_switch", horizontal=True, vertical_alignment="center"):
        expert = st.toggle(
            _("Expert: choose everything yourself"),
            key=run_setup.EXPERT_KEY,
            persist_state="session",
        )
        changed = run_setup.changed_from_start()
        if changed and not expert:
            n = len(changed)
            words = ngettext("{n} setting is changed.", "{n} settings are changed.", n)
            st.caption(words.format(n=n), width="content")
            st.button(
                _("Back to the recommended ones"),
                key="train_recommended",
                type="tertiary",
                icon=":material/undo:",
                on_click=run_setup.fill_in,
                args=({},),
            )
    return expert


def _show_what_is_missing() -> str:
    """In the simple view: the way to the weights where they are not here. Returns their state."""
    backbone = backbones.get_backbone(run_setup.present_values()["backbone"])
    needed = run_setup.value_of("weights") != "random"
    if weights_status(backbone).state == "ready":
        return "ready"
    return backbone_choice.show_weights(backbone, needed=needed).state
