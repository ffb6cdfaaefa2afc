"""The class: who is here, what each is doing, the queue, sharing, results of all, the end."""

from __future__ import annotations

import streamlit as st

from translearn_core import people
from translearn_core.i18n import _
from translearn_ui.classroom import actions, ending, invitation, quota_form, tiles
from translearn_ui.shell import frame, signed_in

frame.page("teacher")


def main() -> None:
    """For the teacher alone."""
    signed_in.require_teacher()
    classroom = people.class_of_installation()
    assert classroom is not None
    signed_in.visit(None)
    st.title(_("The class"), anchor=False)
    with frame.errors_shown():
        invitation.show(classroom)
    names = [_("Pupils"), _("Queue"), _("Share"), _("Results"), _("End")]
    tabs = st.tabs(names, key="class_tab")
    with tabs[0], frame.errors_shown():
        tiles.show_tiles()
        actions.show()
        quota_form.show()
    with tabs[1], frame.errors_shown():
        tiles.show_queue()
    with tabs[2], frame.errors_shown():
        actions.show_assignment()
        actions.show_sharing()
    with tabs[3], frame.errors_shown():
        ending.show_wall()
    with tabs[4], frame.errors_shown():
        ending.show_end(classroom)


main()
