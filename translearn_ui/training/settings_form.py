"""The settings of a run as widgets, made from the settings table.

Owns: which widget a field gets (from its type and limits), its place in a group, the mark of a
changed setting and the way back to its default, and the words for a setting's choices.
Leaves to others: what the settings are (`translearn_core.config`), the backbone and the freeze
control, which have views of their own (`backbone_choice.py`, `freeze_control.py`).

Unsaved values live in the session under `set_<name>` and survive a change of page.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import streamlit as st
from pydantic.fields import FieldInfo

from translearn_core import datasets
from translearn_core.config import home, setting_fields
from translearn_core.runs import Run, list_runs
from translearn_core.texts import N_, _, ngettext
from translearn_ui.photos import edit_dataset

GROUPS: dict[str, str] = {
    "photos": N_("Photos"),
    "head": N_("The new part (head)"),
    "learning": N_("Learning"),
    "model": N_("The network (backbone)"),
    "techniques": N_("Techniques"),
}
"""Groups of the settings table in the order in which a person meets them."""

OWN_VIEWS = frozenset({"backbone", "freeze", "freeze_layer"})
"""Settings that are not generated here: they have views of their own."""

CHOICES: dict[str, str] = {
    "imagenet": N_("What it knows (ImageNet)"),
    "random": N_("Nothing (random)"),
    "linear": N_("Simple (linear)"),
    "hidden": N_("One hidden layer"),
    "none": N_("Not at all"),
    "light": N_("A little"),
    "strong": N_("A lot"),
    "cosine": N_("Up, then down (cosine)"),
    "constant": N_("Always the same"),
    "auto": N_("Automatic"),
    "batchnorm": N_("Measure anew (BatchNorm)"),
    "coral": N_("Recolour (CORAL)"),
    "dann": N_("Unlearn the place (DANN)"),
    "pseudo": N_("Trust sure guesses"),
    "fgsm": N_("Quick (FGSM)"),
    "pgd": N_("Thorough (PGD)"),
}
"""Words for the values of settings that are a choice."""

PERCENT = frozenset({"dropout", "label_smoothing", "validation_share", "test_share"})
"""Shares: shown as percentages."""


def key_of(name: str) -> str:
    """The key of a setting's widget, also its place in the session."""
    return f"set_{name}"


def value_of(name: str) -> Any:
    """The present value of a generated setting; its default before it was shown."""
    value = st.session_state.get(key_of(name))
    default = setting_fields()[name].default
    if value is None:
        return default
    return value / 100 if name in PERCENT else value


def changed_values() -> dict[str, Any]:
    """The generated settings that differ from their defaults."""
    fields = setting_fields()
    values = {name: value_of(name) for name in fields if name not in OWN_VIEWS}
    return {name: value for name, value in values.items() if value != fields[name].default}


def heading() -> str:
    """The name of the closed box of settings: how many were changed."""
    n = len(changed_values())
    if n == 0:
        return _("More settings")
    return ngettext("More settings · {n} changed", "More settings · {n} changed", n).format(n=n)


def show_group(
    group: str, *, unused: dict[str, str] | None = None, after: dict[str, Callable[[], None]]
) -> None:
    """Show the widgets of one group.

    Args:
        unused: setting -> why it has no effect now; it is shown switched off with that reason.
        after: setting -> what to show right below it.
    """
    names = [
        name
        for name, field in setting_fields().items()
        if _extra(field)["group"] == group and name not in OWN_VIEWS
    ]
    wide = [name for name in names if name in after]
    narrow = [name for name in names if name not in after]
    for name in wide:
        show_setting(name, (unused or {}).get(name, ""))
        after[name]()
    columns = st.columns(2, gap="large")
    for index, name in enumerate(narrow):
        with columns[index % 2]:
            show_setting(name, (unused or {}).get(name, ""))


def show_setting(
    name: str,
    unused: str,
    *,
    fitting: Callable[[Run], bool] | None = None,
    described: bool = True,
) -> None:
    """One setting: its widget, its sentence, and, where it was changed, the way back.

    Args:
        fitting: whether a run may be chosen, for a setting that names one; None: any with a model.
        described: whether its sentence is shown; not where the same stands above it.
    """
    field = setting_fields()[name]
    with st.container(key=f"setting_{name}", gap="xxsmall"):
        _show_widget(name, field, disabled=bool(unused), fitting=fitting)
        if unused or described:
            st.caption(unused or _(field.description or name))
        if name in changed_values():
            st.button(
                _("Changed · back to {default}").format(default=words_for(name, field.default)),
                key=f"reset_{name}",
                type="tertiary",
                icon=":material/undo:",
                on_click=_reset,
                args=(name,),
            )


def _show_widget(
    name: str, field: FieldInfo, *, disabled: bool, fitting: Callable[[Run], bool] | None
) -> None:
    """The widget that fits the field's type and limits."""
    kind = _plain_type(field.annotation)
    st.session_state.setdefault(key_of(name), _for_widget(name, field.default))
    low, high = _limits(field)
    common: dict[str, Any] = {
        "label": _(field.title or name),
        "key": key_of(name),
        "help": _(_extra(field)["expert"]),
        "disabled": disabled,
        "persist_state": "session",
    }
    if kind is bool:
        st.toggle(**common)
    elif get_origin(kind) is Literal:
        st.segmented_control(
            **common,
            options=list(get_args(kind)),
            format_func=lambda value: words_for(name, value),
            required=True,
        )
    elif name in PERCENT:
        low, high = round(100 * low), round(100 * high)
        st.slider(**common, min_value=low, max_value=high, step=1, format="%d %%")
    elif kind is str and _extra(field).get("picks") == "run":
        runs = {
            run.id: edit_dataset.describe_run(run)
            for run in list_runs()
            if run.has_model and (fitting is None or fitting(run))
        }
        chosen = st.session_state[key_of(name)]
        options = ["", *runs] if chosen in ("", *runs) else ["", chosen, *runs]
        st.selectbox(
            **common, options=options, format_func=lambda value: runs.get(value, value) or _("none")
        )
    elif kind is str:
        st.text_input(**common, placeholder=_("none"))
    elif kind is int:
        st.number_input(**common, min_value=int(low), max_value=int(high), step=1)
    else:
        smallest = low if field.default == 0 else max(low, 1e-7)
        step = field.default / 10 or 0.1
        st.number_input(**common, min_value=smallest, max_value=high, step=step, format="%g")


def _for_widget(name: str, value: Any) -> Any:
    return round(100 * value) if name in PERCENT else value


def put(name: str, value: Any) -> None:
    """Give a setting's widget a value; for callbacks, before the widget is drawn."""
    st.session_state[key_of(name)] = _for_widget(name, value)


def _reset(name: str) -> None:
    put(name, setting_fields()[name].default)


def words_for(name: str, value: Any) -> str:
    """A setting's value as a person reads it."""
    if isinstance(value, bool):
        return _("on") if value else _("off")
    if name in PERCENT:
        return f"{value * 100:.0f} %"
    if isinstance(value, str):
        picks = _extra(setting_fields()[name]).get("picks", "")
        named = _what_is_named(picks, value) if value else ""
        return named or _(CHOICES.get(value, value)) if value else _("none")
    return f"{value:g}"


def _what_is_named(picks: str, value: str) -> str:
    """The run or the photos that a setting names, in words; an empty text where there are none."""
    if picks == "run":
        run = Run(home() / "runs" / Path(value).name)
        return edit_dataset.describe_run(run) if run.folder.is_dir() else ""
    if picks == "photos":
        sets = datasets.list_datasets()
        return next((one.name for one in sets if one.id == value), "")
    return ""


def _extra(field: FieldInfo) -> dict[str, str]:
    extra = field.json_schema_extra
    return {str(k): str(v) for k, v in extra.items()} if isinstance(extra, dict) else {}


def _plain_type(annotation: Any) -> Any:
    """The type of a field, of a union the first part."""
    if get_origin(annotation) in (Union, UnionType):
        return get_args(annotation)[0]
    return annotation


def _limits(field: FieldInfo) -> tuple[float, float]:
    """Lowest and highest allowed value, from the field's constraints."""
    low, high = 0.0, float(2**31 - 1)
    for limit in field.metadata:
        low = float(getattr(limit, "ge", getattr(limit, "gt", low)))
        high = float(getattr(limit, "le", getattr(limit, "lt", high)))
    return low, high
