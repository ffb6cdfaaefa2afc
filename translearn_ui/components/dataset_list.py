"""The data sets that were opened before, as cards to go on with.

`datasets` is imported where it is used, so that the first page is there before it.
"""

from __future__ import annotations

import streamlit as st

from translearn_core.config import home
from translearn_core.i18n import _
from translearn_ui.shell import frame

MOST = 6


def any_there() -> bool:
    """Whether there are data sets; nothing heavy is imported to know."""
    return any((home() / "datasets").glob("*/dataset.json"))


def show(title: str, *, most: int = MOST) -> None:
    """The latest data sets under a heading, to be opened on this page; nothing where there is none.

    Args:
        most: how many are shown; the rest is one press away.
    """
    if not any_there():
        return
    from translearn_core import datasets
    from translearn_ui.components import dataset_actions, gallery

    found = datasets.list_datasets()
    if not found:
        return
    st.header(title, anchor=False)
    with st.grid(min_column_width=260, gap="small", border=True) as grid:
        for dataset in found[:most]:
            with grid.cell(), frame.errors_shown():
                gallery.preview(dataset, most=4, key=f"recent_{dataset.id}")
                st.markdown(
                    f"**{frame.plain(dataset.name)}**  \n{dataset_actions.summary(dataset)}"
                )
                st.button(
                    _("Open"),
                    key=f"recent_{dataset.id}",
                    on_click=frame.open_dataset,
                    args=(dataset,),
                )
    if len(found) > most and st.button(
        _("All {n} in My work").format(n=len(found)),
        key="recent_all",
        type="tertiary",
        icon=":material/inventory_2:",
    ):
        frame.go("work")


def empty_state(*, text: str, icon: str, key: str, heads: bool) -> None:
    """What a page says that needs photos and has none in hand: those that are there, or how to begin.

    Args:
        heads: as for `frame.empty_state`.
    """
    frame.empty_state(
        title=_("First you need photos"),
        text=text,
        icon=icon,
        key=key,
        button=_("Choose photos"),
        page="photos",
        heads=heads,
    )
    show(_("Or continue with these"))
