"""Proposals: one photo at a time with a key for each class, and accepting all above a confidence."""

from __future__ import annotations

import hashlib

import streamlit as st

from translearn_core.formatting import percent
from translearn_core.i18n import _, ngettext
from translearn_core.sorting.session import Estimate, Question, Sorting
from translearn_ui.components import class_marks, gallery
from translearn_ui.shell import frame
from translearn_ui.sorting import strip
from translearn_ui.sorting import ticked as ticked_row

_ORDERS = ("doubtful", "different")


def show(sorting: Sorting) -> None:
    """The next question, and what could be accepted."""
    with frame.errors_shown():
        _show_question(sorting)
    if sorting.proposals is None:
        st.info(
            _(
                "Proposals begin once two classes have 3 photos each. Name groups, or answer a few "
                "photos above."
            ),
            icon=":material/info:",
        )
        return
    with st.container(border=True, key="sort_accept"), frame.errors_shown():
        _show_accept(sorting)


def _show_question(sorting: Sorting) -> None:
    order = st.segmented_control(
        _("Which photo comes next"),
        _ORDERS,
        format_func=lambda name: {
            "doubtful": _("The most doubtful"),
            "different": _("The most different"),
        }[name],
        default="doubtful",
        required=True,
        key="sort_order",
        help=_(
            "The most doubtful: where two classes are about as likely (margin sampling). The "
            "most different: far from everything sorted so far (core-set). Every eighth photo"
            " is drawn at random, and its proposal is hidden, so that the figures below are "
            "honest."
        ),
    )
    asked = sorting.questions(order="different" if order == "different" else "doubtful", most=1)
    if not asked:
        return
    question = asked[0]
    rows = sorting.rows([question.path])
    with st.container(horizontal=True, key="sort_question"):
        with st.container(width=320):
            file = str(rows["file"].iloc[0])
            gallery.show_photo(sorting.dataset.thumbnail(question.path, 640), file=file)
            st.caption(frame.plain(file))
        with st.container(width="stretch"):
            _show_answers(sorting, question)


def _show_answers(sorting: Sorting, question: Question) -> None:
    if question.blind:
        st.markdown(_("What is this? *(The proposal is hidden, to measure how good they are.)*"))
    elif question.proposed:
        st.markdown(
            _("Proposed: **{name}** ({share})").format(
                name=frame.plain(question.proposed), share=percent(question.confidence)
            )
        )
    # A press is an answer to the photo that was shown: a key that is pressed twice answers no other.
    told = f"{sorting.dataset.id}\n{question.path}"
    mark = hashlib.sha256(told.encode()).hexdigest()[:12]
    with st.container(horizontal=True, key="sort_answers"):
        for number, name in enumerate(sorting.dataset.classes, 1):
            is_proposed = name == question.proposed and not question.blind
            if st.button(
                frame.plain(name),
                key=f"sort_answer_{number}_{mark}",
                type="primary" if is_proposed else "secondary",
                shortcut=str(number) if number < 10 else None,
            ):
                sorting.answer(question, name)
                st.rerun()
    with st.form(f"sort_new_class_{mark}", border=False, clear_on_submit=True):
        name = st.text_input(_("Another class"), placeholder=_("Type a new name"))
        if st.form_submit_button(_("Sort it there")) and name.strip():
            sorting.answer(question, name.strip())
            st.rerun()
    if st.button(
        _("None of them: put it aside"),
        key=f"sort_aside_{mark}",
        type="tertiary",
        icon=":material/block:",
    ):
        sorting.put_aside([question.path], asked=question)
        st.rerun()


def _show_accept(sorting: Sorting) -> None:
    st.header(_("Accept proposals"), anchor=False)
    bar = st.slider(
        _("Accept proposals that are at least this sure"),
        0,
        100,
        90,
        format="%d %%",
        key="sort_confidence",
    )
    estimate = sorting.estimate(bar / 100)
    st.markdown(_sentence(estimate))
    waiting = len(sorting.groups())
    if waiting and estimate.photos:
        st.caption(
            ngettext(
                "{n} group has no name yet. Photos of a class that you have not named are proposed as "
                "another class.",
                "{n} groups have no name yet. Photos of a class that you have not named are proposed "
                "as another class.",
                waiting,
            ).format(n=waiting)
        )
    if estimate.photos:
        _show_proposed(sorting, bar / 100)
    if st.button(
        ngettext("Accept {n:,} photo", "Accept {n:,} photos", estimate.photos).format(
            n=estimate.photos
        ),
        key="sort_accept_all",
        type="primary",
        disabled=not estimate.photos,
    ):
        sorting.accept(bar / 100)
        st.rerun()


def _show_proposed(sorting: Sorting, bar: float) -> None:
    """The photos that would go to a class, with a way to say which of them are wrong.

    Args:
        bar: the least confidence of a proposal, in [0, 1].
    """
    places = class_marks.of_dataset(sorting.dataset)
    class_marks.mark_options("sort_look_at", list(places.values()))
    name = st.pills(
        _("Look at those of"),
        list(places),
        format_func=frame.plain,
        key="sort_look_at",
    )
    if not name:
        return
    paths = [one.path for one in sorting.proposed(str(name), bar=bar)]
    if not paths:
        st.caption(_("There are no such photos."))
        return
    key = f"sort_wrong_{sorting.dataset.id}_{name}"
    ticked = strip.show(sorting.dataset, sorting.rows(paths), key=key, dropped=None)
    if wrong := [path for path in ticked if path in paths]:
        ticked_row.show(sorting, wrong, key=key, stay=False)
    else:
        st.caption(_("Press those that are wrong, then say what they are."))


def _sentence(estimate: Estimate) -> str:
    """What accepting would bring, and how that is known."""
    if not estimate.photos:
        return _("No proposal is that sure yet.")
    text = ngettext(
        "{n:,} photo would be sorted, about {wrong} of them wrongly.",
        "{n:,} photos would be sorted, about {wrong} of them wrongly.",
        estimate.photos,
    ).format(n=estimate.photos, wrong=round(estimate.wrong))
    if not estimate.measured:
        return text + " " + _("Not measured yet: answer some photos above.")
    told = _("Measured: {right} of {n} hidden proposals that were this sure were right.")
    return text + " " + told.format(right=estimate.measured_right, n=estimate.measured)
