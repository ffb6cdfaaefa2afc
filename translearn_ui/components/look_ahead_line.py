"""The quiet line about photos that are looked at before anybody asks for it.

Owns: starting that, and the line. Leaves to others: the work (`jobs/look_ahead.py`).
"""

from __future__ import annotations

import streamlit as st

from translearn_core import jobs
from translearn_core.datasets import Dataset
from translearn_core.i18n import _

LOOK_EVERY_S = 2.0


def show(dataset: Dataset) -> None:
    """Have the photos looked at in the background and a worker wait, and say so while it goes on."""
    jobs.warm_up()
    jobs.look_ahead(dataset)
    if jobs.looking(dataset) is not None:
        _follow(dataset)


@st.fragment(run_every=LOOK_EVERY_S)
def _follow(dataset: Dataset) -> None:
    state = jobs.looking(dataset)
    if state is None:
        st.empty()
    elif state.total:
        st.caption(
            _(
                "In the background, so that training begins at once: {done:,} of {total:,} photos "
                "looked at."
            ).format(done=state.done, total=state.total)
        )
    else:
        st.caption(
            _("In the background, photos are being looked at, so that training begins at once.")
        )
