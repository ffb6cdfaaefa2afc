"""All further settings of a run, in groups, closed at first."""

from __future__ import annotations

import streamlit as st

from translearn_core.backbones import Backbone, freezing
from translearn_core.datasets import Dataset
from translearn_core.errors import TransLearnError
from translearn_core.i18n import _
from translearn_core.recipe import resolve
from translearn_core.recipe.resolve import ResolvedSettings
from translearn_core.run_settings import make_settings, setting_fields
from translearn_ui.components import run_setup
from translearn_ui.training import (
    augmentation_preview,
    fit_preview,
    settings_form,
    techniques_form,
)


def show(dataset: Dataset, backbone: Backbone, freeze: int | str) -> None:
    """All other settings, in groups."""
    unused = {}
    if run_setup.value_of("head") == "linear":
        unused["hidden_units"] = _("Only with one hidden layer.")
    if freeze == "all" and not st.session_state.get(run_setup.LAYER_KEY):
        nothing = _("Only when some blocks are not frozen.")
        unused |= {"fine_tune_epochs": nothing, "fine_tune_learning_rate": nothing}
        if run_setup.value_of("adversarial") == "none":
            unused["cutmix"] = nothing
    if run_setup.value_of("adversarial") == "none":
        unused["strength"] = _("Only with adversarial training.")
    with st.expander(settings_form.heading(), key="more_settings", icon=":material/tune:"):
        tabs = st.tabs([_(title) for title in settings_form.GROUPS.values()])
        for tab, group in zip(tabs, settings_form.GROUPS, strict=True):
            with tab:
                if group == "techniques":
                    techniques_form.show(dataset, settings_so_far())
                    continue
                settings_form.show_group(
                    group,
                    unused=unused,
                    after={
                        "fit": lambda: fit_preview.show(dataset),
                        "augmentation": lambda: augmentation_preview.show(dataset),
                    }
                    if group == "photos"
                    else {},
                )
                if group == "model":
                    show_layer_choice(backbone)


def settings_so_far() -> ResolvedSettings | None:
    """What decides whether a technique makes sense; None where settings do not go together."""
    try:
        return resolve.fill_in(make_settings(run_setup.present_values()))
    except TransLearnError:
        return None


def show_layer_choice(backbone: Backbone) -> None:
    """For the expert: the last frozen layer by its name."""
    field = setting_fields()["freeze_layer"]
    graph = freezing.blocks_of(backbone)
    stored = st.session_state.get(run_setup.LAYER_KEY)
    if stored and stored not in graph.names:
        del st.session_state[run_setup.LAYER_KEY]
    st.selectbox(
        _(field.title or ""),
        graph.names,
        index=None,
        key=run_setup.LAYER_KEY,
        placeholder=_("as the blocks above say"),
        help=_("Snaps to the nearest cut point at or before that layer; overrides the blocks."),
        persist_state="session",
    )
    st.caption(_(field.description or ""))
