"""The settings of a run as widgets, made from the settings table.

Owns: which widget a field gets (from its type and limits), its place in a group, the mark of a
changed setting and the way back to its default, and the words for a setting's choices.
Leaves to others: what the settings are (`translearn_core.config`), the backbone and the freeze
control, which have views of their own (`backbone_choice.py`, `freeze_control.py`).

Unsaved values live in the session under `set_<name>` and survive a change of page.
"""

from __future__ import annotations

from collections.abc import Callable
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import streamlit as st
from pydantic.fields import FieldInfo

from translearn_core.i18n import N_, _, ngettext
from translearn_core.run_settings import setting_fields
from translearn_core.runs import Run, list_runs
from translearn_ui.components import run_picker, run_setup, setting_words

GROUPS: dict[str, str] = {
    "photos": N_("Photos"),
    "head": N_("The new part (head)"),
    "learning": N_("Learning"),
    "model": N_("The network (backbone)"),
    "techniques": N_("Techniques"),
}
"""Groups of the settings table in the order in which a person meets them."""


def heading() -> str:
    """The name of the closed box of settings: how many were changed."""
    n = len(run_setup.changed_values())
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
        if setting_words.extra_of(field)["group"] == group and name not in run_setup.OWN_VIEWS
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
        if name in run_setup.changed_values():
            st.button(
                _("Changed · back to {default}").format(
                    default=setting_words.words_for(name, field.default)
                ),
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
    st.session_state.setdefault(run_setup.key_of(name), run_setup.for_widget(name, field.default))
    low, high = _limits(field)
    common: dict[str, Any] = {
        "label": _(field.title or name),
        "key": run_setup.key_of(name),
        "help": _(setting_words.extra_of(field)["expert"]),
        "disabled": disabled,
        "persist_state": "session",
    }
    if kind is bool:
        st.toggle(**common)
    elif get_origin(kind) is Literal:
        st.segmented_control(
            **common,
            options=list(get_args(kind)),
            format_func=lambda value: setting_words.words_for(name, value),
            required=True,
        )
    elif name in setting_words.PERCENT:
        low, high = round(100 * low), round(100 * high)
        st.slider(**common, min_value=low, max_value=high, step=1, format="%d %%")
    elif kind is str and setting_words.extra_of(field).get("picks") == "run":
        runs = {
            run.id: run_picker.describe_run(run)
            for run in list_runs()
            if run.has_model and (fitting is None or fitting(run))
        }
        chosen = st.session_state[run_setup.key_of(name)]
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


def _reset(name: str) -> None:
    run_setup.put(name, setting_fields()[name].default)


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
