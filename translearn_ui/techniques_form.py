"""The techniques on the Train page: what each does, its switch, and what it needs.

Owns: the chapters and their cards, made from the table of techniques; choosing unsorted photos
from data sets, allowed folders or an upload.
Leaves to others: the table (`translearn_core.techniques`), the widgets of other settings
(`settings_form.py`).
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import streamlit as st

from translearn_core import datasets
from translearn_core.config import load_configuration, setting_fields
from translearn_core.datasets import Dataset
from translearn_core.techniques import CHAPTERS, TECHNIQUES, Situation, Technique
from translearn_core.texts import _, ngettext
from translearn_ui import frame, settings_form

MOST_FOLDERS = 200


def show(dataset: Dataset, situation: Situation | None) -> None:
    """All techniques, chapter by chapter.

    Args:
        dataset: the sorted photos that are going to be learned from.
        situation: what decides whether a technique makes sense; None where the settings do not
            go together yet.
    """
    st.caption(
        _(
            "Ways to carry more knowledge over than plain training does. Nothing here is needed; "
            "each says when it pays."
        )
    )
    for chapter, title in CHAPTERS.items():
        st.markdown(f"**{_(title)}**")
        columns = st.columns(2, gap="medium")
        rows = [row for row in TECHNIQUES.values() if row.chapter == chapter]
        for place, row in enumerate(rows):
            with columns[place % 2]:
                _show_card(row, dataset, situation)
    settings_form.show_setting("compare_plain", "")


def _show_card(row: Technique, dataset: Dataset, situation: Situation | None) -> None:
    obstacle = row.obstacle(situation) if situation is not None else ""
    on = settings_form.value_of(row.switch) != setting_fields()[row.switch].default
    with st.container(border=True, key=f"technique_{row.name}", gap="small"):
        st.markdown(f"**{_(row.title)}** · {_(row.term)}")
        st.markdown(_(row.plain))
        st.caption(f"[{row.source}]({row.link})")
        if obstacle:
            words = _("Now not possible: {why}") if not on else _("Does not go: {why}")
            st.caption(f":material/block: {frame.plain(words.format(why=obstacle))}")
            if not on:
                return
        for name in row.settings:
            if name != row.switch and not on:
                continue
            if _picks(name) == "photos":
                choose_photos(name, dataset)
            else:
                settings_form.show_setting(name, "")


def _picks(name: str) -> str:
    extra = setting_fields()[name].json_schema_extra
    return str(extra.get("picks", "")) if isinstance(extra, dict) else ""


# --- unsorted photos ---------------------------------------------------------------------------


def choose_photos(name: str, own: Dataset) -> None:
    """Choose a data set or an allowed folder of unsorted photos for a setting, or upload some."""
    field, key = setting_fields()[name], settings_form.key_of(name)
    found = {
        one.id: _("{name} · {n:,} photos").format(name=one.name, n=len(one.photos))
        for one in datasets.list_datasets()
        if one.id != own.id and len(one.photos)
    }
    found |= {folder: folder for folder in _allowed_folders()}
    chosen = st.session_state.setdefault(key, "")
    if chosen and chosen not in found:
        found[chosen] = chosen
    st.selectbox(
        _(field.title or name),
        ["", *found],
        key=key,
        format_func=lambda value: found.get(value) or _("none"),
        help=_("A data set of yours, or a folder of the server that may be read."),
        persist_state="session",
    )
    with st.popover(_("Upload unsorted photos"), key=f"upload_{name}", icon=":material/upload:"):
        files = st.file_uploader(
            _("Photos of it, all together"),
            accept_multiple_files=True,
            type=[suffix[1:] for suffix in sorted(datasets.PHOTO_SUFFIXES)],
            key=f"files_{name}",
        )
        st.button(
            _("Take these photos"),
            key=f"take_{name}",
            disabled=not files,
            on_click=_take,
            args=(name,),
        )
    told = st.session_state.pop(f"told_{name}", None)
    if told is not None:
        st.success(told, icon=":material/check:")


def _allowed_folders() -> list[str]:
    """The folders that pages may read, and those right below them."""
    found: list[str] = []
    for root in load_configuration().source_folders:
        folder = Path(root).expanduser()
        if folder.is_dir():
            inside = sorted(child for child in folder.iterdir() if child.is_dir())
            found += [str(folder), *(str(one) for one in inside if one.name[:1] != ".")]
    return found[:MOST_FOLDERS]


def _take(name: str) -> None:
    """Make a data set of the uploaded photos and choose it."""
    files = st.session_state.get(f"files_{name}") or []
    with frame.errors_shown():
        stamp = datetime.now().strftime("%d.%m. %H:%M")
        unsorted = datasets.create_dataset(_("Unsorted photos, {when}").format(when=stamp))
        report = datasets.add_photos(unsorted, _("unsorted"), [(file.name, file) for file in files])
        settings_form.put(name, unsorted.id)
        st.session_state[f"told_{name}"] = ngettext(
            "{n} photo is here and chosen.", "{n} photos are here and chosen.", report.added
        ).format(n=report.added)
