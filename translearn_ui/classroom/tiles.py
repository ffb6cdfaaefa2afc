"""What each pupil is doing now, and who is next: drawn anew every few seconds, on its own.

Owns: the tiles and the queue. Leaves to others: what can be done about it (`actions.py`).
"""

from __future__ import annotations

from html import escape

import streamlit as st

from translearn_core import people, spaces
from translearn_core.errors import TransLearnError
from translearn_core.i18n import _
from translearn_core.jobs.activity import ORDERS, Doing, doing_in, going_on, subject_of
from translearn_core.runs import Job
from translearn_ui.components import format
from translearn_ui.shell import signed_in

EVERY_S = 4.0


@st.fragment(run_every=EVERY_S)
def show_tiles() -> None:
    """A tile for each pupil."""
    signed_in.require_teacher()
    shown = people.list_people()
    if not shown:
        st.info(_("Nobody has joined yet. The code is above."), icon=":material/group_add:")
        return
    tiles = "".join(
        f'<div class="tl-tile"><b>{escape(person.name)}</b>{_doing(doing_in(person.folder))}</div>'
        for person in shown
    )
    st.html(f'<div class="tl-tiles">{tiles}</div>')


def _doing(doing: Doing | None) -> str:
    if doing is None:
        return f"<span>{escape(_('No training yet'))}</span>"
    data = doing.run.config.dataset_name or doing.run.id
    return f"<span>{escape(data)}</span><span>{escape(state_words(doing))}</span>"


def state_words(doing: Doing) -> str:
    """How a run stands: `waits, 2 ahead`, `training, 40 %`, `82 %`."""
    state = doing.state
    if state.state == "queued":
        ahead = doing.ahead + len(going_on())
        return _("waits, {n} ahead").format(n=ahead) if ahead else _("Starting")
    if state.state == "running":
        share = f" · {format.percent(state.done / state.total)}" if state.total else ""
        return _("running") + share
    if doing.accuracy is not None:
        return _("right on {share} of new photos").format(share=format.percent(doing.accuracy))
    words = {"finished": _("done"), "stopped": _("stopped"), "failed": _("failed")}
    return words.get(state.state, _("ended unexpectedly"))


@st.fragment(run_every=EVERY_S)
def show_queue() -> None:
    """What is at work, and what waits, with the reason for its place."""
    signed_in.require_teacher()
    orders = {name: look() for name, look in ORDERS.items()}
    shown = {name: order for name, order in orders.items() if order.running or order.waiting}
    if not shown:
        st.caption(_("Nothing is running, and nothing is waiting."))
        return
    for name, order in shown.items():
        lines = [f"<li><b>{escape(_('running'))}</b> · {_whose(job)}</li>" for job in order.running]
        lines += [f"<li>{_whose(job)}</li>" for job in order.waiting]
        head = f'<h2 class="tl-queue-name">{escape(_(name))}</h2>'
        st.html(f'{head}<ol class="tl-queue">{"".join(lines)}</ol>')
    st.caption(
        _(
            "Next comes whoever has not trained yet, or whose last training is longest ago. "
            "Among equals, whoever has waited longest."
        )
    )
    if set(shown) != {"Trainings"}:
        st.caption(_("Checks, sorting and exports take turns in the same way, beside trainings."))


def _whose(job: Job) -> str:
    """A job in HTML: whose it is, and what it is about."""
    space = spaces.space_of(job.folder)
    names = [one.name for one in people.list_people() if one.folder.resolve() == space]
    try:
        about = subject_of(job)
    except TransLearnError:  # it went just now
        about = job.id
    return escape(f"{', '.join(names) or _('Teacher')}: {about}")
