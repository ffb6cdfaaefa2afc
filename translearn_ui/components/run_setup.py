"""The settings of the next run as they stand in the session, before it is started.

Owns: the keys under which the widgets of the Train page keep their values (`set_<name>`), reading and
writing them, and filling in the settings of a preset or of another run.
Leaves to others: the widgets (`translearn_ui/training/`), what the settings are
(`translearn_core.config`).

Unsaved values survive a change of page.
"""

from __future__ import annotations

from typing import Any, Literal

import streamlit as st

from translearn_core import backbones
from translearn_core.backbones import Backbone, freezing
from translearn_core.backbones.default import default_backbone
from translearn_core.run_settings import setting_fields
from translearn_ui.components import setting_words

BACKBONE_KEY = "set_backbone"
LAYER_KEY = "set_freeze_layer"
EXPERT_KEY = "train_expert"
"""In the session: whether all choices are shown."""


def freeze_key(backbone: Backbone) -> str:
    """The key of the handle of a backbone, also its place in the session."""
    return f"set_freeze_{backbone.name}"


def put_freeze(backbone: Backbone, frozen_blocks: int) -> None:
    """Set the handle; for callbacks, before it is drawn."""
    st.session_state[freeze_key(backbone)] = frozen_blocks


def freeze_value(backbone: Backbone) -> int | Literal["all", "none"]:
    """The setting as the handle stands, drawn yet or not."""
    blocks = len(freezing.blocks_of(backbone).blocks)
    stands = st.session_state.get(freeze_key(backbone), blocks)
    return "all" if stands == blocks else "none" if stands == 0 else int(stands)


OWN_VIEWS = frozenset({"backbone", "freeze", "freeze_layer"})
"""Settings that are not generated here: they have views of their own."""


def key_of(name: str) -> str:
    """The key of a setting's widget, also its place in the session."""
    return f"set_{name}"


def value_of(name: str) -> Any:
    """The present value of a generated setting; its default before it was shown."""
    value = st.session_state.get(key_of(name))
    default = setting_fields()[name].default
    if value is None:
        return default
    return value / 100 if name in setting_words.PERCENT else value


def changed_values() -> dict[str, Any]:
    """The generated settings that differ from their defaults."""
    fields = setting_fields()
    values = {name: value_of(name) for name in fields if name not in OWN_VIEWS}
    return {name: value for name, value in values.items() if value != fields[name].default}


def put(name: str, value: Any) -> None:
    """Give a setting's widget a value; for callbacks, before the widget is drawn."""
    st.session_state[key_of(name)] = for_widget(name, value)


def for_widget(name: str, value: Any) -> Any:
    """A value as the widget of its setting holds it: shares as percentages."""
    return round(100 * value) if name in setting_words.PERCENT else value


def present_values() -> dict[str, Any]:
    """The settings that are set up, by the widgets as they stand, drawn yet or not."""
    chosen = st.session_state.get(BACKBONE_KEY)
    backbone = backbones.get_backbone(chosen or default_backbone().name)
    values = changed_values() | {
        "backbone": backbone.name,
        "freeze": freeze_value(backbone),
    }
    layer = st.session_state.get(LAYER_KEY)
    return values | {"freeze_layer": layer} if layer else values


def default_values() -> dict[str, Any]:
    """What the page begins with."""
    defaults = {name: field.default for name, field in setting_fields().items()}
    return defaults | {"backbone": default_backbone().name}


def changed_from_start() -> dict[str, Any]:
    """The settings that are set up otherwise than the page begins."""
    defaults = default_values()
    return {name: value for name, value in present_values().items() if value != defaults[name]}


def fill_in(values: Any) -> None:
    """Put settings into the widgets of the page; what is not named goes back to its default.

    Where anything is otherwise than the page begins, all choices are shown.

    Args:
        values: setting name -> value.
    """
    fields = setting_fields()
    for name in fields:
        if name not in OWN_VIEWS:
            put(name, values.get(name, fields[name].default))
    backbone = backbones.get_backbone(values.get("backbone") or default_backbone().name)
    st.session_state[BACKBONE_KEY] = backbone.name
    st.session_state.pop(LAYER_KEY, None)
    if values.get("freeze_layer"):
        st.session_state[LAYER_KEY] = values["freeze_layer"]
    choice = freezing.freeze_choice(backbone, values.get("freeze", "all"))
    put_freeze(backbone, choice.frozen_blocks)
    if changed_from_start():
        st.session_state[EXPERT_KEY] = True
