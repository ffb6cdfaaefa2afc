"""The line above every page of a class: who is signed in, the way out, and what all are to do.

Owns: that line. Leaves to others: who somebody is (`signed_in.py`).
"""

from __future__ import annotations

from html import escape

import streamlit as st

from translearn_core import people
from translearn_core.i18n import _
from translearn_ui.shell import signed_in


def show() -> None:
    """Draw the line; nothing without a class."""
    person = signed_in.person()
    if person is None:
        return
    visited = signed_in.visited()
    links = [(_("Sign out"), "/class/leave")]
    if person.is_teacher:
        links.insert(0, (_("The class"), "/teacher"))
    text = f"<b>{escape(person.name)}</b>"
    if visited is not None:
        text += " · " + escape(_("You are in the space of {name}.").format(name=_names(visited)))
    drawn = "".join(
        f'<a href="{address}" target="_self">{escape(label)}</a>' for label, address in links
    )
    told = _assignment() if not person.is_teacher else ""
    st.html(
        f'<div class="tl-who"><span>{text}</span><span class="tl-ways">{drawn}</span>{told}</div>'
    )


def _assignment() -> str:
    """What the teacher has told all to do, in HTML."""
    classroom = signed_in.classroom()
    if classroom is None or not classroom.assignment:
        return ""
    return f"<p>{escape(_('Assignment: {text}').format(text=classroom.assignment))}</p>"


def _names(space: object) -> str:
    """Who works in a space."""
    found = [one.name for one in people.list_people() if one.folder == space]
    return ", ".join(found) or _("somebody who left")
