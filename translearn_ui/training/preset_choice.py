"""Choosing a preset: settings that go together, filled in at once.

Owns: the picker and what it writes into the session. Leaves to others: what the presets are
(`translearn_core.recipe.presets`), the widgets that show the values (`settings_form.py`,
`backbone_choice.py`, `freeze_control.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from translearn_core.i18n import _
from translearn_core.recipe.presets import PRESETS
from translearn_ui.components import run_setup
from translearn_ui.shell import frame

KEY = "train_preset"
_DRAWN = "train_preset_drawn"
"""In the session: the settings as they stood when the picker was drawn last."""
DEFAULT = "default"


def show() -> None:
    """Show the picker. What is marked is the one whose settings are the present ones, if any."""
    st.session_state[KEY] = _present()
    with st.container(horizontal=True, vertical_alignment="center", key="preset_row"):
        st.segmented_control(
            _("Preset"),
            [DEFAULT, *PRESETS],
            format_func=_title,
            key=KEY,
            on_change=_fill_in,
            persist_state="session",
            help=_("Fills in the settings below; each can still be changed."),
        )
    st.session_state[_DRAWN] = run_setup.present_values()
    chosen = st.session_state.get(KEY)
    if chosen in PRESETS:
        st.caption(_(PRESETS[chosen].sentence))


def _present() -> str | None:
    """The preset whose settings are those that are set up; None where there is none."""
    values = run_setup.present_values()
    rows: dict[str, Any] = {DEFAULT: {}} | {name: row.settings for name, row in PRESETS.items()}
    return next((name for name, row in rows.items() if _changed(row) == _changed(values)), None)


def _changed(values: Mapping[str, Any]) -> dict[str, Any]:
    """Those of some settings that differ from what the page begins with."""
    defaults = run_setup.default_values()
    return {name: value for name, value in values.items() if value != defaults[name]}


def _title(name: str) -> str:
    return _(PRESETS[name].title) if name in PRESETS else _("Recommended")


def _fill_in() -> None:
    """Fill in the preset that was pressed.

    A browser that is ahead of the page, since a setting was changed twice in a row, sends the mark
    that it still shows beside the new value of the setting. That is no press: nobody presses a
    preset and changes a setting at once.
    """
    with frame.errors_shown():
        chosen = st.session_state[KEY]
        if run_setup.present_values() != st.session_state.get(_DRAWN):
            return
        if chosen is not None:  # pressing the marked one changes nothing
            run_setup.fill_in(PRESETS[chosen].settings if chosen in PRESETS else {})
