"""What the teacher does for a pupil: look into the space, stop, name, PIN, group, remove; and for all:
an assignment, data sets."""

from __future__ import annotations

import streamlit as st

from translearn_core import people, spaces
from translearn_core.i18n import _, ngettext
from translearn_core.jobs import activity
from translearn_core.people import Person
from translearn_ui.classroom.tiles import EVERY_S
from translearn_ui.components import dialogs
from translearn_ui.shell import frame, signed_in

_TOLD = "class_assignment_told"
"""The assignment that was typed just now, until it is written."""
_SEEN = "class_assignment_seen"
"""The assignment that was stored when the page was last drawn."""


def show() -> None:
    """Choose a pupil, and what to do."""
    by_id = {person.id: person for person in people.list_people()}
    if not by_id:
        return
    chosen = st.selectbox(
        _("Pupil"), list(by_id), format_func=lambda one: by_id[one].name, key="class_pupil"
    )
    person = by_id[str(chosen)]
    with st.container(horizontal=True, key="class_acts"), frame.errors_shown():
        if st.button(_("Open this space"), key="class_open", icon=":material/visibility:"):
            signed_in.visit(person.folder)
            frame.go("work")
        with st.container(width="content"):
            _show_stop(person)
        if st.button(_("New PIN"), key="class_pin", icon=":material/key:"):
            _show_pin(person, people.reset_pin(person.id))
        with st.popover(_("Rename"), icon=":material/edit:"):
            name = st.text_input(_("New name"), person.name, key=f"class_name_{person.id}")
            if st.button(_("Rename"), key="class_rename") and name != person.name:
                people.rename(person.id, name)
                st.rerun()
        _show_group(person, by_id)
        if st.button(_("Remove"), key="class_remove", icon=":material/person_remove:"):
            dialogs.ask_once(
                _("Remove {name}?").format(name=frame.plain(person.name)),
                _("The pupil is signed out, and all their photos and models are deleted for good."),
                _("Remove"),
                lambda: _remove(person),
            )


@st.fragment(run_every=EVERY_S)
def _show_stop(person: Person) -> None:
    """The button that ends what the chosen pupil is at; it waits until there is something."""
    signed_in.require_teacher()
    found = activity.doing_in(person.folder)
    is_live = found is not None and found.state.is_live
    pressed = st.button(
        _("Stop the training"),
        key="class_stop",
        icon=":material/stop_circle:",
        disabled=not is_live,
        help=None if is_live else _("This pupil has nothing running or waiting."),
    )
    if pressed and found is not None and is_live:
        with frame.errors_shown():
            found.run.request_stop()
            st.toast(_("It stops in a moment."), icon=":material/stop_circle:")


def _show_pin(person: Person, pin: str) -> None:
    @st.dialog(_("New PIN"))
    def tell() -> None:
        st.markdown(
            _("{name} signs in with the name and this PIN from now on:").format(
                name=frame.plain(person.name)
            )
        )
        st.code(pin, language=None)
        st.caption(_("It is not stored anywhere. Tell it to the pupil before you close this."))

    tell()


def _show_group(person: Person, by_id: dict[str, Person]) -> None:
    with st.popover(_("Group"), icon=":material/group:"):
        others = [one for one in by_id.values() if one.id != person.id]
        chosen = st.multiselect(
            _("Who else works in the space of {name}").format(name=frame.plain(person.name)),
            [one.id for one in others],
            default=[one.id for one in others if one.space == person.space],
            format_func=lambda one: by_id[one].name,
            max_selections=3,
            key=f"class_group_{person.id}",
        )
        st.caption(_("What they made before stays in their own space."))
        if st.button(_("Save the group"), key="class_group"):
            for one in others:
                if one.space == person.space and one.id not in chosen:
                    # whose space it is stays in it, and the other one leaves
                    people.ungroup(person.id if one.id == person.space else one.id)
            if chosen:
                people.group([person.id, *chosen])
            st.rerun()


def _remove(person: Person) -> None:
    signed_in.require_teacher()  # the question may have stood open
    shared = [one for one in people.list_people() if one.space == person.space]
    if len(shared) == 1:
        activity.end_all_in(person.folder)
    people.remove(person.id)


def show_assignment() -> None:
    """What all pupils are to do, which stands above every page of theirs."""
    told = st.session_state.pop(_TOLD, None)
    if told is not None:
        people.set_assignment(told)
        st.toast(_("All pupils read it above their pages."), icon=":material/assignment:")
    classroom = people.class_of_installation()
    stored = classroom.assignment if classroom is not None else ""
    is_shown = told is None and "class_assignment" in st.session_state
    if not is_shown or st.session_state.get(_SEEN) != stored:  # another tab may have changed it
        st.session_state["class_assignment"] = st.session_state[_SEEN] = stored
    st.text_input(
        _("Assignment for all"),
        max_chars=people.MOST_ASSIGNMENT,
        placeholder=_("Find photos that your model gets wrong."),
        key="class_assignment",
        on_change=_take_assignment,
    )


def _take_assignment() -> None:
    """Keep what was typed for the page, which writes it once it knows that this is the teacher."""
    st.session_state[_TOLD] = st.session_state["class_assignment"]


def show_sharing() -> None:
    """Which of the teacher's data sets the class gets."""
    from translearn_core import datasets

    shared = people.shared_datasets()
    with spaces.everywhere():
        own = datasets.list_datasets()
    if not own:
        st.caption(_("Bring in photos first; then they can be shared with the class here."))
        return
    for dataset in own:
        with st.container(horizontal=True, vertical_alignment="center", key=f"share_{dataset.id}"):
            n = len(dataset.photos)
            photos = ngettext("{n} photo", "{n} photos", n).format(n=n)
            st.markdown(f"**{frame.plain(dataset.name)}** · {photos}", width="stretch")
            if dataset.id in shared:
                st.caption(_("shared"), width="content")
            if st.button(
                _("Share again") if dataset.id in shared else _("Share with all"),
                key=f"class_share_{dataset.id}",
            ):
                given = people.share(dataset.id)
                st.toast(ngettext("{n} pupil got it.", "{n} pupils got it.", given).format(n=given))
                st.rerun()
            if dataset.id in shared and st.button(
                _("Stop sharing with newcomers"), key=f"class_keep_{dataset.id}", type="tertiary"
            ):
                people.stop_sharing(dataset.id)
                st.rerun()
