"""Groups of like photos: a strip each, strangers dragged or ticked out, a name, split, later."""

from __future__ import annotations

import streamlit as st

from translearn_core.i18n import _, ngettext
from translearn_core.sorting.groups import Group, typical
from translearn_core.sorting.session import Sorting
from translearn_ui.shell import frame
from translearn_ui.sorting import strip
from translearn_ui.sorting import ticked as ticked_row

GROUPS_SHOWN = 4
PHOTOS_SHOWN = 12


def show(sorting: Sorting, groups: list[Group]) -> None:
    """The next groups, the tightest first."""
    if not groups:
        st.info(_("Every group has a name. Go on with the proposals."), icon=":material/info:")
        return
    st.caption(
        _(
            "Say what the photos of a group are. Press those that do not belong to it and choose below; "
            "with a mouse, you can drag them to another group or onto a class. The last photos of a "
            "group are its least typical ones."
        )
    )
    for group in groups[:GROUPS_SHOWN]:
        with st.container(border=True, key=f"sort_group_{group.node}"), frame.errors_shown():
            _show_group(sorting, group)
    if sorting.dataset.classes:
        with st.container(key="sort_classes", horizontal=True, vertical_alignment="center"):
            st.caption(_("Drag photos onto their class:"), width="content")
            strip.show_classes(
                sorting.dataset.classes,
                key=f"sort_targets_{sorting.dataset.id}",
                dropped=lambda paths, name: file_dropped(sorting, paths, name),
            )


def _show_group(sorting: Sorting, group: Group) -> None:
    mark = f"{sorting.dataset.id}_{sorting.mark}_{group.node}"  # no other group's ticks and names
    key = f"sort_strangers_{mark}"
    whole = st.session_state.get(f"{key}_whole", False)
    shown = group.photos if whole else typical(group, PHOTOS_SHOWN)
    paths = [sorting.paths[photo] for photo in shown]
    rows = sorting.rows(paths)
    ticked = strip.show(
        sorting.dataset,
        rows,
        key=key,
        dropped=lambda paths, _value: sorting.regroup(paths, group.node),
    )
    strangers = {sorting.paths[photo] for photo in group.photos}.intersection(ticked)
    n = len(group.photos) - len(strangers)
    if len(group.photos) > PHOTOS_SHOWN:
        st.toggle(
            _("Show all {n:,} photos of this group").format(n=len(group.photos)),
            key=f"{key}_whole",
        )
    if strangers:
        ticked_row.show(sorting, sorted(strangers), key=key, stay=True)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        known = list(sorting.dataset.classes)
        proposed = sorting.proposed_name(group)
        name = st.selectbox(
            ngettext("What is this {n:,} photo?", "What are these {n:,} photos?", n).format(n=n),
            known,
            index=known.index(proposed) if proposed in known else None,
            accept_new_options=True,
            placeholder=_("Choose a class, or type a new name"),
            key=f"sort_name_{mark}",
            width=280,
        )
        kept = [
            sorting.paths[photo] for photo in group.photos if sorting.paths[photo] not in strangers
        ]
        if st.button(
            _("Sort them"),
            key=f"sort_take_{mark}",
            type="primary",
            disabled=not name or not kept,
        ):
            sorting.name_group(group.node, kept, str(name))
            st.rerun()
        can_split = len(group.photos) > 1 and not sorting.tree.is_leaf(group.node)
        if can_split and st.button(
            _("Split"),
            key=f"sort_split_{mark}",
            icon=":material/call_split:",
            help=_("Show it as two groups of photos that are more alike."),
        ):
            sorting.split_group(group.node)
            st.rerun()
        if st.button(
            _("Later"), key=f"sort_later_{mark}", icon=":material/schedule:", type="tertiary"
        ):
            sorting.put_group_off(group.node)
            st.rerun()


def file_dropped(sorting: Sorting, paths: list[str], name: str) -> None:
    """Photos were dropped on a class, or on none of them."""
    if name == strip.ASIDE:
        sorting.put_aside(paths)
    else:
        sorting.move(paths, name)
