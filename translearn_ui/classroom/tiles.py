"""What each pupil is doing now, and who is next: drawn anew every few seconds, on its own.

Owns: the tiles and the queue. Leaves to others: what can be done about it (`actions.py`).
"""

from __future__ import annotations

from html import escape

import streamlit as st

from translearn_core import people, spaces
from translearn_core.i18n import _
from translearn_core.jobs.doing import Doing, doing_in, going_on, waiting_order
from translearn_core.runs import Job, Run
from translearn_core.runs.annotations import display_name
from translearn_ui.components import format
from translearn_ui.shell import who

EVERY_S = 4.0


@st.fragment(run_every=EVERY_S)
def show_tiles() -> None:
    """A tile for each pupil."""
    who.require_teacher()
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
        return _("waits, {n} ahead").format(n=doing.ahead + len(going_on()))
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
    who.require_teacher()
    running, waiting = going_on(), waiting_order()
    if not running and not waiting:
        st.caption(_("Nothing is running, and nothing is waiting."))
        return
    lines = [f"<li><b>{escape(_('running'))}</b> · {escape(_whose(job))}</li>" for job in running]
    lines += [f"<li>{escape(_whose(job))}</li>" for job in waiting]
    st.html(f'<ol class="tl-queue">{"".join(lines)}</ol>')
    st.caption(
        _(
            "Next comes whoever has not trained yet, or whose last training is longest ago. "
            "Among equals, whoever has waited longest."
        )
    )


def _whose(job: Job) -> str:
    space = spaces.space_of(job.folder)
    names = [one.name for one in people.list_people() if one.folder.resolve() == space]
    with spaces.everywhere():
        name = display_name(Run(job.folder))
    return f"{', '.join(names) or _('Teacher')}: {name}"
