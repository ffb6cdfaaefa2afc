"""What the checks of the photos found: one check at a time, the surest findings first.

Owns: the cards with their buttons. Leaves to others: which findings are still open
(`open_findings.py`), what a finding means (`datasets.CHECKS`), what the buttons
do (`photo_actions.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import streamlit as st

from translearn_core import datasets
from translearn_core.feasibility.label_errors import strength_of
from translearn_core.i18n import N_, _, ngettext
from translearn_ui.components.paging import page_of
from translearn_ui.feasibility import photo_actions
from translearn_ui.feasibility.open_findings import IN_SETS, Found, Set
from translearn_ui.shell import frame

if TYPE_CHECKING:
    from translearn_core.datasets import Dataset

PER_PAGE = 12
SETS_PER_PAGE = 6
MOST_OF_A_SET = 12
MOST_CLASSES, STRIP = 8, 12
"""Classes that are shown with some of their photos, and how many of those."""
CHECK_KEY, ALL_KEY = "feasible_check", "feasible_all_suspects"

COPIES = {"exact_copies", "near_copies"}
URGENT = (
    "leak",
    "shortcut",
    "giveaway",
    "cross_class_copies",
    "wrong_label",
    "exact_copies",
    "near_copies",
)
"""What is shown first: what makes the figures themselves doubtful, then what helps most."""
SURE: tuple[tuple[float, str], ...] = (
    (0.9, N_("almost certain")),
    (0.7, N_("likely")),
    (0.0, N_("perhaps")),
)
"""How sure a finding is, in words, from which score."""

Row = Mapping[str, Any]


def show(dataset: Dataset, found: Sequence[Found]) -> None:
    """Choose a check; see what it means, what to do, and its photos."""
    if not found:
        st.success(
            _("The checks found no single photo to look at."), icon=":material/check_circle:"
        )
        photo_actions.show_bar(dataset)
        return
    one = _choose(found)
    with st.container(key="finding_words", gap="xsmall"):
        st.header(_(one.check.title), anchor=False)
        st.markdown(f"{_(one.check.sentence)}  \n:material/lightbulb: {_(one.check.advice)}")
    rows = rows_of(dataset)
    if not one.open:
        st.success(_("You have looked at all of these."), icon=":material/check_circle:")
    elif any(path in rows for path in one.open[0].paths):
        _show_bulk(dataset, one, rows)
        (_show_sets if one.check.name in IN_SETS else _show_photos)(dataset, one, rows)
    else:
        _show_words(dataset, one)
    _show_held_back(dataset, one)
    _show_rest(dataset, one)
    photo_actions.show_bar(dataset)


def rows_of(dataset: Dataset) -> dict[str, Row]:
    """Manifest rows by path."""
    photos = dataset.photos
    columns = ["path", "file", "class_name", "width", "height", "bytes", "brightness", "split"]
    records = photos[columns].astype(object).to_dict("records")
    return {str(row["path"]): {str(k): v for k, v in row.items()} for row in records}


def _choose(found: Sequence[Found]) -> Found:
    names = [one.check.name for one in found]
    by_name = dict(zip(names, found, strict=True))
    if st.session_state.get(CHECK_KEY) not in by_name:
        first = min(found, key=lambda one: (not one.open, _urgency(one.check.name)))
        st.session_state[CHECK_KEY] = first.check.name

    def label(name: str) -> str:
        n = by_name[name].photos
        return f"{_(by_name[name].check.title)} · {f'{n:,}' if n else '✓'}"

    chosen = st.pills(
        _("What was found"),
        names,
        format_func=label,
        required=True,
        key=CHECK_KEY,
        persist_state="session",
        label_visibility="collapsed",
    )
    return by_name[str(chosen)]


def _urgency(name: str) -> int:
    """Its place among what is looked at first; the rest comes after, as the table has it."""
    return URGENT.index(name) if name in URGENT else len(URGENT)


def _show_held_back(dataset: Dataset, one: Found) -> None:
    """That a weak model suspects more, for those who want to see them all."""
    n = one.held_back
    if not n:
        return

    def show_all() -> None:
        st.session_state[ALL_KEY] = dataset.id

    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(
            ngettext(
                "It is unsure about {n:,} more photo. It is often wrong itself, so the label is "
                "probably right.",
                "It is unsure about {n:,} more photos. It is often wrong itself, so their labels are "
                "probably right.",
                n,
            ).format(n=n),
            width="content",
        )
        st.button(_("Show them too"), key="findings_all", type="tertiary", on_click=show_all)


def _show_rest(dataset: Dataset, one: Found) -> None:
    """What was handled or kept before."""
    if not one.kept and not one.handled:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        parts = []
        if one.handled:
            parts.append(ngettext("{n:,} handled", "{n:,} handled", one.handled))
            parts[-1] = parts[-1].format(n=one.handled)
        if one.kept:
            n = len(one.kept)
            parts.append(ngettext("{n:,} photo kept", "{n:,} photos kept", n).format(n=n))
        st.caption(":material/check: " + " · ".join(parts), width="content")
        if one.kept:
            st.button(
                _("Show the kept ones again"),
                key=f"unkeep_{one.check.name}",
                type="tertiary",
                on_click=_show_kept_again,
                args=(dataset, one),
            )


def _show_kept_again(dataset: Dataset, one: Found) -> None:
    with frame.errors_shown():
        datasets.restore_dismissed(dataset, [(one.check.name, path) for path in one.kept])


def _show_words(dataset: Dataset, one: Found) -> None:
    """Findings about no single photo: a class, with some of its photos; a broken file."""
    if one.check.name == "shortcut":
        for item in one.open[:MOST_CLASSES]:
            st.markdown(frame.plain(item.note))
            _show_whole(dataset, item.paths[0])
        return
    lines = []
    for item in one.open[:50]:
        text = item.note or ", ".join(item.paths)
        if one.check.name == "unreadable":  # here the path is a file's name, and the note its fault
            text = f"{item.paths[0]}: {item.note}"
        lines.append(f"- {frame.sentence(text)}")
    st.markdown("\n".join(lines))
    if len(one.open) > 50:
        st.caption(_("and {n:,} more").format(n=len(one.open) - 50))
    if st.button(_("Go to the photos"), key="findings_to_photos", icon=":material/photo_library:"):
        frame.go("photos")


def _show_whole(dataset: Dataset, class_name: str) -> None:
    """Some photos of a class, not cut to squares: what gives it away may lie near the rim."""
    photos = dataset.photos
    own = [str(path) for path in photos.loc[photos["class_name"] == class_name, "path"]]
    paths = own[:: max(1, len(own) // STRIP)][:STRIP]
    rows, pictures = rows_of(dataset), photo_actions.thumbnails(dataset, paths)
    with st.grid(min_column_width=150, gap="small") as grid:
        for path in paths:
            with grid.cell():
                photo_actions.show_thumbnail(rows[path], pictures[path])


# --- all at once -----------------------------------------------------------------------------------


def _show_bulk(dataset: Dataset, one: Found, rows: Mapping[str, Row]) -> None:
    """What can be done with everything that this check found."""
    name, kept = one.check.name, [path for item in one.open for path in item.paths]
    with st.container(horizontal=True, key="bulk"):
        if name in COPIES:
            extra = [path for item in one.open for path in _but_one(item, rows)]
            n = len(extra)
            st.button(
                ngettext(
                    "Remove all copies but one ({n:,} photo)",
                    "Remove all copies but one ({n:,} photos)",
                    n,
                ).format(n=n),
                key=f"bulk_exclude_{name}",
                icon=":material/content_copy:",
                on_click=photo_actions.exclude,
                args=(dataset, extra),
            )
        elif one.check.excludable:
            n = len(kept)
            st.button(
                ngettext("Remove it", "Remove all {n:,}", n).format(n=n),
                key=f"bulk_exclude_{name}",
                icon=":material/block:",
                on_click=photo_actions.exclude,
                args=(dataset, kept),
            )
        if len(one.open) > 1:
            st.button(
                _("All of them are fine"),
                key=f"bulk_keep_{name}",
                type="tertiary",
                icon=":material/done_all:",
                on_click=photo_actions.keep,
                args=(dataset, [(name, path) for path in kept]),
            )


def _but_one(item: Set, rows: Mapping[str, Row]) -> list[str]:
    """All photos of a set of copies but one of each class: the largest."""
    here = [path for path in item.paths if path in rows]
    here.sort(key=lambda path: (-_pixels(rows[path]), -int(rows[path]["bytes"]), path))
    seen: set[str] = set()
    extra = []
    for path in here:
        name = str(rows[path]["class_name"])
        if name in seen:
            extra.append(path)
        seen.add(name)
    return extra


def _pixels(row: Row) -> int:
    return int(row["width"]) * int(row["height"])


# --- photos one by one -------------------------------------------------------------------------------


def _show_photos(dataset: Dataset, one: Found, rows: Mapping[str, Row]) -> None:
    name = one.check.name
    items = [item for item in one.open if item.paths[0] in rows]
    part, place = page_of(len(items), PER_PAGE, key=f"page_{name}")
    shown = items[part]
    pictures = photo_actions.thumbnails(dataset, [item.paths[0] for item in shown])
    with place, st.grid(min_column_width=168, gap="small") as grid:
        for item in shown:
            with grid.cell(), st.container(key=f"card_{name}_{item.paths[0]}"):
                row = rows[item.paths[0]]
                photo_actions.show_thumbnail(row, pictures[item.paths[0]])
                _show_card(dataset, name, item, row)


def _show_card(dataset: Dataset, check: str, item: Set, row: Row) -> None:
    """What is said of one photo, and its buttons: the likeliest first."""
    path, given = item.paths[0], frame.plain(str(row["class_name"]))
    suggested = item.suggested if item.suggested != row["class_name"] else ""
    is_label = check == "wrong_label"
    gentle = is_label and strength_of(item.score) != "almost_certain"
    if suggested:
        text = (
            _("In **{given}**; the model saw **{suggested}** · {sure}")
            if gentle
            else _("In **{given}**, looks like **{suggested}** · {sure}")
        ).format(
            given=given,
            suggested=frame.plain(suggested),
            sure=label_words(item.score) if is_label else sure(item.score),
        )
    else:
        text = f"**{given}** · {sure(item.score)}"
    st.caption(text + (f"  \n{frame.plain(item.note)}" if item.note else ""))
    key = f"act_{check}"
    with st.container(horizontal=True, gap="xxsmall", vertical_alignment="center"):

        def change(kind: Literal["secondary", "tertiary"]) -> None:
            if suggested:
                st.button(
                    _("Move to {name}").format(name=frame.plain(suggested)),
                    key=f"{key}_move_{path}",
                    type=kind,
                    on_click=photo_actions.move,
                    args=(dataset, [path], suggested),
                )
            else:
                st.button(
                    _("Remove"),
                    key=f"{key}_exclude_{path}",
                    type=kind,
                    on_click=photo_actions.exclude,
                    args=(dataset, [path]),
                )

        def keep(kind: Literal["secondary", "tertiary"]) -> None:
            st.button(
                _("Keep as {name}").format(name=given) if suggested else _("Keep"),
                key=f"{key}_keep_{path}",
                type=kind,
                on_click=photo_actions.keep,
                args=(dataset, [(check, path)]),
            )

        first, second = (keep, change) if gentle else (change, keep)
        first("secondary")
        second("tertiary")
        photo_actions.show_menu(dataset, row, key=key, note=frame.plain(item.note))


def label_words(score: float) -> str:
    """What the evidence for a wrong label is worth, in words."""
    return _("almost certain") if strength_of(score) == "almost_certain" else _("worth a look")


def sure(score: float) -> str:
    """How sure a finding is, in words."""
    return _(next(words for least, words in SURE if score >= least))


# --- photos side by side -------------------------------------------------------------------------------


def _show_sets(dataset: Dataset, one: Found, rows: Mapping[str, Row]) -> None:
    name = one.check.name
    part, place = page_of(len(one.open), SETS_PER_PAGE, key=f"page_{name}")
    shown = one.open[part]
    everything = [path for item in shown for path in item.paths[:MOST_OF_A_SET] if path in rows]
    pictures = photo_actions.thumbnails(dataset, everything)
    with place, st.grid(min_column_width=340, gap="small") as grid:
        for item in shown:
            with grid.cell(), st.container(border=True, key=f"set_{name}_{item.paths[0]}"):
                _show_set(dataset, name, item, rows, pictures)


def _show_set(
    dataset: Dataset,
    check: str,
    item: Set,
    rows: Mapping[str, Row],
    pictures: Mapping[str, Future[Path]],
) -> None:
    """Copies side by side, each to be the one that stays; or all stay."""
    here = [path for path in item.paths if path in rows]
    with st.grid(min_column_width=132, gap="small") as grid:
        for path in here[:MOST_OF_A_SET]:
            row = rows[path]
            with grid.cell(), st.container(key=f"card_{check}_{path}"):
                photo_actions.show_thumbnail(row, pictures[path])
                st.caption(_copy_words(check, row))
                _show_only_this(dataset, check, row, [other for other in here if other != path])
    if len(here) > MOST_OF_A_SET:
        st.caption(_("and {n:,} more").format(n=len(here) - MOST_OF_A_SET))
    if item.note:
        st.caption(frame.plain(item.note))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            _("Keep them all"),
            key=f"act_{check}_keep_{item.paths[0]}",
            type="tertiary",
            on_click=photo_actions.keep,
            args=(dataset, [(check, path) for path in item.paths]),
        )
        st.caption(sure(item.score))


def _show_only_this(dataset: Dataset, check: str, row: Row, others: Sequence[str]) -> None:
    label = (
        _("It is {name}").format(name=frame.plain(str(row["class_name"])))
        if check == "cross_class_copies"
        else _("Only this one")
    )
    path = str(row["path"])
    st.button(
        label,
        key=f"act_{check}_only_{path}",
        on_click=photo_actions.exclude,
        args=(dataset, list(others)),
        help=_("Removes the others of this set."),
        width="stretch",
    )


def _copy_words(check: str, row: Row) -> str:
    parts = [f"**{frame.plain(str(row['class_name']))}**"]
    if check == "leak" and row["split"]:
        splits = {"train": _("to learn from"), "val": _("validation"), "test": _("test")}
        parts.append(splits.get(str(row["split"]), str(row["split"])))
    if row["width"]:
        parts.append(f"{row['width']:,} × {row['height']:,}")
    name = str(row["file"]).rsplit("/", 1)[-1]
    return " · ".join(parts) + f"  \n{frame.plain(name)}"
