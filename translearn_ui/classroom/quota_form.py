"""The limits of a space: for all, or for one pupil and their group.

Owns: asking for them. Leaves to others: what they bound (`translearn_core.quotas`).
"""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from translearn_core import people, quotas
from translearn_core.config import load_configuration
from translearn_core.i18n import N_, _
from translearn_ui.shell import signed_in

_MB = 10**6
_WORDS = {
    "photos": N_("Photos"),
    "space_bytes": N_("Room in MB"),
    "runs": N_("Trainings that are kept"),
    "waiting": N_("Places in the queue"),
}


def show() -> None:
    """Choose whose limits, and how much they are."""
    by_id = {person.id: person for person in people.list_people()}
    with st.popover(_("Limits"), icon=":material/speed:"):
        chosen = st.selectbox(
            _("Limits of"),
            ["", *by_id],
            format_func=lambda one: by_id[one].name if one else _("All"),
            key="limits_of",
        )
        space = by_id[chosen].folder if chosen else None
        now, usual = _figures(space), _figures(None, usual=space is None)
        given = {}
        for name, words in _WORDS.items():
            unit = _MB if name == "space_bytes" else 1
            value = st.number_input(
                _(words),
                min_value=1,
                value=max(1, now[name] // unit),
                key=f"limit_{name}_{chosen}_{now[name]}",
            )
            given[name] = now[name] if value == now[name] // unit else int(value) * unit
        if st.button(_("Save"), key="limits_set"):
            _choose({name: one for name, one in given.items() if one != usual[name]}, space)
        if given != usual and st.button(_("As usual again"), key="limits_usual", type="tertiary"):
            _choose({}, space)


def _figures(space: Path | None, *, usual: bool = False) -> dict[str, int]:
    """The figures of a space, or of all; `usual`: those of the configuration."""
    if usual:
        held = load_configuration().quotas
    elif space is not None:
        held = quotas.quotas_of(space)
    else:
        held = load_configuration().quotas.model_copy(update=quotas.chosen_quotas()["all"])
    return {name: int(getattr(held, name)) for name in _WORDS}


def _choose(figures: dict[str, int], space: Path | None) -> None:
    signed_in.require_teacher()
    kept = {} if space is not None else quotas.chosen_quotas()["all"]
    others = {name: one for name, one in kept.items() if name not in _WORDS}
    quotas.choose_quotas({**others, **figures}, space=space)
    st.rerun()
