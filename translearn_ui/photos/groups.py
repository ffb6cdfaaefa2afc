"""Which photos belong together: of one site, one camera, one person.

Owns: the choice on the Photos page. Leaves to others: groups (`translearn_core.datasets.grouping`),
what they do to a split (`translearn_core.datasets.split`).
"""

from __future__ import annotations

import streamlit as st

from translearn_core import datasets
from translearn_core.datasets import Dataset, FolderLevel
from translearn_core.i18n import _, ngettext
from translearn_ui.shell import frame

_SHOWN = 3
NONE = "none"


def show(dataset: Dataset) -> None:
    """The choice, where folders or names offer one or groups are named already."""
    offers = {
        row.by: row for row in (*_recordings(dataset), *_levels(dataset), *_beginnings(dataset))
    }
    current = dataset.record.grouped_by if datasets.named_groups(dataset) is not None else ""
    if not offers and not current:
        return
    title = _("Photos that belong together")
    with st.expander(title, icon=":material/workspaces:", key="groups", expanded=bool(current)):
        st.caption(
            _(
                "Photos of one place, camera, animal or person look alike for reasons of their "
                "own. Keep them together: then they are either learned from or tested on, never "
                "both, and the accuracy holds for new ones."
            )
        )
        choices = [NONE, *offers, *([current] if current and current not in offers else [])]
        key = f"group_by_{dataset.id}_{dataset.fingerprint}"
        st.selectbox(
            _("What shows that they belong together"),
            choices,
            index=choices.index(current or NONE),
            format_func=lambda by: _words(by, offers.get(by)),
            key=key,
            on_change=_choose,
            args=(dataset, key),
        )
        if current:
            _show_count(dataset)


def _show_count(dataset: Dataset) -> None:
    names = datasets.named_groups(dataset)
    if names is not None:
        n = names[names != ""].nunique()
        st.caption(
            ngettext(
                ":material/check: {n:,} group. No split tears it apart.",
                ":material/check: {n:,} groups. No split tears one apart.",
                n,
            ).format(n=n)
        )


def _choose(dataset: Dataset, key: str) -> None:
    with frame.errors_shown():
        datasets.group_by_folders(dataset, str(st.session_state[key]))


def _words(by: str, offer: FolderLevel | None) -> str:
    if by == NONE:
        return _("Nothing: each photo stands alone")
    if by == datasets.RECORDINGS:
        return _("The recording or the video that they are frames of")
    if offer is None and datasets.means_folders(by):
        return _("Folders or names: {level}").format(level=by)
    if offer is None:
        return _("{column} (a column of the table)").format(column=by)
    shown = ", ".join(offer.names[:_SHOWN]) + (" …" if len(offer.names) > _SHOWN else "")
    n = len(offer.names)
    if by.startswith("name:"):
        words = _("The beginning of the file name: {names} ({n:,})")
    elif by.startswith("level:-"):
        words = _("The folder around the class: {names} ({n:,})")
    else:
        words = _("The folder inside the class: {names} ({n:,})")
    return words.format(names=shown, n=n)


@st.cache_data(max_entries=8, show_spinner=False)
def _levels_of(folder: str, fingerprint: str) -> list[FolderLevel]:
    return datasets.folder_levels(datasets.open_dataset(folder))


def _levels(dataset: Dataset) -> list[FolderLevel]:
    return _levels_of(str(dataset.folder), dataset.fingerprint)


def _recordings(dataset: Dataset) -> list[FolderLevel]:
    """The recordings, where some photos are frames."""
    files = dataset.photos["file"]
    names = tuple(sorted({name for name in map(datasets.recording_of, files) if name}))
    return [FolderLevel(datasets.RECORDINGS, names, 0, 0)] if names else []


@st.cache_data(max_entries=8, show_spinner=False)
def _beginnings_of(folder: str, fingerprint: str) -> list[FolderLevel]:
    return datasets.name_beginnings(datasets.open_dataset(folder))


def _beginnings(dataset: Dataset) -> list[FolderLevel]:
    return _beginnings_of(str(dataset.folder), dataset.fingerprint)
