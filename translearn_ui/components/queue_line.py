"""What a waiting training or search waits for, each with a link to it.

Leaves to others: the order (`translearn_core/jobs/queue.py`), how many there are in words
(`run_text.py`).
"""

from __future__ import annotations

import streamlit as st

from translearn_core import jobs, spaces
from translearn_core.i18n import _
from translearn_core.runs import Run
from translearn_core.runs.annotations import display_name
from translearn_ui.components import run_text
from translearn_ui.shell import frame
from translearn_ui.shell.pages import path_of

MOST_SHOWN = 3


def show(run: Run) -> None:
    """Links to what is ahead of a run, the nearest to its end first; others' runs are not named."""
    own = spaces.space_of(run.folder)
    ahead = [job for job in jobs.ahead_of(run) if spaces.space_of(job.folder) == own]
    if not ahead:
        return
    with st.container(key="ahead", horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(_("Ahead of it:"), width="content")
        for job in ahead[:MOST_SHOWN]:
            other = Run(job.folder)
            page, name = ("search", "study") if job.kind == "search" else ("train", "run")
            words = " · ".join(
                filter(None, (display_name(other), run_text.describe(other.config.settings)))
            )
            st.page_link(path_of(page), label=frame.plain(words), query_params={name: other.id})
