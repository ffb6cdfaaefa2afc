"""Choosing a preset: settings that go together, filled in at once.

Owns: the picker and what it writes into the session. Leaves to others: what the presets are
(`translearn_core.presets`), the widgets that show the values (`settings_form.py`,
`backbone_choice.py`, `freeze_control.py`).
"""

from __future__ import annotations

from typing import Any

import streamlit as st

from translearn_core import backbones, freezing, recommendation
from translearn_core.config import setting_fields
from translearn_core.presets import PRESETS
from translearn_core.texts import _
from translearn_ui import backbone_choice, frame, freeze_control, settings_form

KEY = "train_preset"
DEFAULT = "default"


def show() -> None:
    """Show the picker, and what the chosen preset is about."""
    with st.container(horizontal=True, vertical_alignment="center", key="preset_row"):
        st.segmented_control(
            _("Begin with"),
            [DEFAULT, *PRESETS],
            format_func=_title,
            key=KEY,
            default=DEFAULT,
            required=True,
            on_change=_fill_in,
            persist_state="session",
            help=_("Fills in the settings below; each can still be changed."),
        )
    chosen = st.session_state.get(KEY)
    if chosen in PRESETS:
        st.caption(_(PRESETS[chosen].sentence))


def _title(name: str) -> str:
    return _(PRESETS[name].title) if name in PRESETS else _("The default")


def _fill_in() -> None:
    with frame.errors_shown():
        chosen = st.session_state[KEY]
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
