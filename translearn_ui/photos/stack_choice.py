"""Which page and channels of a stack are used: shown only where a data set has such files.

Owns: the control. Leaves to others: reading the photos anew (`translearn_core.datasets`).
"""

from __future__ import annotations

import streamlit as st

from translearn_core import datasets
from translearn_core.datasets import Dataset, Stacks
from translearn_core.i18n import _
from translearn_ui.components import background_tasks, import_task, uploads


def show(dataset: Dataset) -> None:
    """The control, in an expander."""
    stacks = datasets.find_stacks(dataset)
    if stacks is None:
        return
    with st.expander(_("Pages and channels"), icon=":material/layers:", key="stacks"):
        page = _ask_page(stacks)
        channels = _ask_channels(stacks)
        if st.button(_("Read the photos this way"), key="stacks_go"):
            if len(channels) in ((0, 1, 3) if stacks.channels else (0, 3)):
                import_task.begin(_begin(dataset, page, channels))
            if stacks.channels:
                st.error(_("Choose one channel (grey), three (red, green and blue), or none."))
            else:
                st.error(_("Choose three pages (red, green and blue), or none."))


def _ask_page(stacks: Stacks) -> int:
    if stacks.pages < 2:
        return stacks.reading.page
    options = [*range(1, stacks.pages + 1), 0]
    now = min(stacks.reading.page, stacks.pages)
    page: int = st.selectbox(
        _("Page"),
        options,
        index=options.index(now),
        format_func=lambda one: str(one) if one else _("the one with the most contrast"),
        key="stacks_page",
    )
    return page


def _ask_channels(stacks: Stacks) -> list[int]:
    if not stacks.choosable:
        return []
    n, of_pages = stacks.choosable, not stacks.channels
    chosen: list[int] = st.multiselect(
        _("Pages as colours, if they are grey") if of_pages else _("Channels"),
        list(range(1, n + 1)),
        default=[one for one in stacks.reading.channels if one <= n],
        max_selections=3,
        placeholder=_("None") if of_pages else _("As in the file"),
        help=_("In this order: three are red, green and blue.")
        if of_pages
        else _("In this order: one is grey, three are red, green and blue."),
        key="stacks_channels",
    )
    return chosen


def _begin(dataset: Dataset, page: int, channels: list[int]) -> background_tasks.Task:
    def work(task: background_tasks.Task) -> Dataset:
        return datasets.choose_stacks(
            dataset,
            page=page,
            channels=channels,
            progress=uploads.reporter(task),
            stop=task.stop,
        )

    return background_tasks.start(_("Reading the photos"), work)
