"""Choosing a preset: settings that go together, filled in at once.

Owns: the picker and what it writes into the session. Leaves to others: what the presets are
(`translearn_core.presets`), the widgets that show the values (`settings_form.py`,
`backbone_choice.py`, `freeze_control.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from translearn_core import backbones, freezing, recommendation
from translearn_core.config import setting_fields
from translearn_core.presets import PRESETS
from translearn_core.texts import _
from translearn_ui.shell import frame
from translearn_ui.training import backbone_choice, freeze_control, settings_form

KEY = "train_preset"
DEFAULT = "default"


def show() -> None:
    """Show the picker. What is marked is the one whose settings are the present ones, if any."""
    st.session_state[KEY] = _present()
    with st.container(horizontal=True, vertical_alignment="center", key="preset_row"):
        st.segmented_control(
            _("Begin with"),
            [DEFAULT, *PRESETS],
            format_func=_title,
            key=KEY,
            on_change=_fill_in,
            persist_state="session",
            help=_("Fills in the settings below; each can still be changed."),
        )
    chosen = st.session_state.get(KEY)
    if chosen in PRESETS:
        st.caption(_(PRESETS[chosen].sentence))


def _present() -> str | None:
    """The preset whose settings are those that are set up; None where there is none."""
    values = present_values()
    rows: dict[str, Any] = {DEFAULT: {}} | {name: row.settings for name, row in PRESETS.items()}
    return next((name for name, row in rows.items() if _changed(row) == _changed(values)), None)


def present_values() -> dict[str, Any]:
    """The settings that are set up, by the widgets as they stand, drawn yet or not."""
    chosen = st.session_state.get(backbone_choice.KEY)
    backbone = backbones.get_backbone(chosen or recommendation.default_backbone().name)
    values = settings_form.changed_values() | {
        "backbone": backbone.name,
        "freeze": freeze_control.value_of(backbone),
    }
    layer = st.session_state.get(freeze_control.LAYER_KEY)
    return values | {"freeze_layer": layer} if layer else values


def _changed(values: Mapping[str, Any]) -> dict[str, Any]:
    """Those of some settings that differ from what the page begins with."""
    defaults = default_values()
    return {name: value for name, value in values.items() if value != defaults[name]}


def default_values() -> dict[str, Any]:
    """What the page begins with."""
    defaults = {name: field.default for name, field in setting_fields().items()}
    return defaults | {"backbone": recommendation.default_backbone().name}


def _title(name: str) -> str:
    return _(PRESETS[name].title) if name in PRESETS else _("The default")


def _fill_in() -> None:
    with frame.errors_shown():
        chosen = st.session_state[KEY]
        if chosen is not None:  # pressing the marked one changes nothing
            fill_in(PRESETS[chosen].settings if chosen in PRESETS else {})


def fill_in(values: Any) -> None:
    """Put settings into the widgets of the page; what is not named goes back to its default.

    Args:
        values: setting name -> value.
    """
    fields = setting_fields()
    for name in fields:
        if name not in settings_form.OWN_VIEWS:
            settings_form.put(name, values.get(name, fields[name].default))
    backbone = backbones.get_backbone(
        values.get("backbone") or recommendation.default_backbone().name
    )
    st.session_state[backbone_choice.KEY] = backbone.name
    st.session_state.pop(freeze_control.LAYER_KEY, None)
    if values.get("freeze_layer"):
        st.session_state[freeze_control.LAYER_KEY] = values["freeze_layer"]
    choice = freezing.freeze_choice(backbone, values.get("freeze", "all"))
    freeze_control.put(backbone, choice.frozen_blocks)
