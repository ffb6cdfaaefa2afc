"""The photos that were removed from a data set, with the way back and the way out for good.

Leaves to others: removing photos (the pages), the changes themselves (`translearn_core.datasets`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import streamlit as st

from translearn_core import datasets
from translearn_core.errors import PhotoError
from translearn_core.i18n import _, ngettext
from translearn_ui.components import dataset_actions, dialogs
from translearn_ui.shell import frame

if TYPE_CHECKING:
    from translearn_core.datasets import Dataset

_MOST_SHOWN = 36


def show(dataset: Dataset, *, then: Callable[[], None] = lambda: None) -> None:
    """The list, closed at first; nothing where no photo was removed.

    Args:
        then: called when all were put back or deleted.
    """
    rows = datasets.read_excluded(dataset)
    n = len(rows)
    if not n:
        return
    title = ngettext("{n:,} photo removed", "{n:,} photos removed", n).format(n=n)
    box = st.expander(title, icon=":material/delete:", key="excluded", on_change="rerun")
    if not box.open:
        return
    with box:
        st.caption(_("They are not used any more, and none is deleted until you say so."))
        head = rows.head(_MOST_SHOWN).astype(object)
        shown: list[Mapping[str, Any]] = [dict(row) for _place, row in head.iterrows()]
        with st.container(horizontal=True, gap="xxsmall", key="strip_excluded"):
            for row in shown:
                _show_photo(dataset, row)
        if n > len(shown):
            st.caption(_("and {n:,} more").format(n=n - len(shown)))
        with st.container(horizontal=True):
            st.button(
                _("Put all back"),
                key="excluded_back",
                icon=":material/undo:",
                on_click=_put_all_back,
                args=(dataset, then),
            )
            if st.button(_("Delete for good"), key="excluded_delete", type="tertiary"):
                _confirm_delete(dataset, n, then)


def _show_photo(dataset: Dataset, row: Mapping[str, Any]) -> None:
    try:
        file = datasets.excluded_file(dataset, str(row["path"]))
        picture = datasets.make_thumbnail(file, side=128, how=dataset.reading)
    except (PhotoError, OSError):
        st.caption(frame.plain(str(row["file"])))
        return
    alt = _("Photo {file} of the class {name}")
    st.image(picture, width=72, alt=alt.format(file=row["file"], name=row["class_name"]))


def _put_all_back(dataset: Dataset, then: Callable[[], None]) -> None:
    with frame.errors_shown():
        datasets.restore_excluded(dataset, datasets.read_excluded(dataset)["path"])
        then()


def _confirm_delete(dataset: Dataset, n: int, then: Callable[[], None]) -> None:

    def delete() -> None:
        datasets.delete_excluded(dataset, datasets.read_excluded(dataset)["path"])
        then()

    dialogs.ask_once(
        ngettext("Delete {n:,} removed photo?", "Delete {n:,} removed photos?", n).format(n=n),
        dataset_actions.where_photos_go(dataset),
        _("Delete for good"),
        delete,
    )
