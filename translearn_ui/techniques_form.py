"""The techniques on the Train page: what each does, its switch, and what it needs.

Owns: the chapters and their cards, made from the table of techniques; choosing unsorted photos
from data sets, allowed folders or an upload.
Leaves to others: moving uploads to the disk (`add_photos.py`), the table (`translearn_core.techniques`), the widgets of other settings
(`settings_form.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import streamlit as st

from translearn_core import datasets
from translearn_core.config import load_configuration, setting_fields
from translearn_core.datasets import Dataset
from translearn_core.errors import TransLearnError
from translearn_core.resolve import ResolvedSettings
from translearn_core.runs import Run, list_runs
from translearn_core.techniques import CHAPTERS, TECHNIQUES, TechniqueRow
from translearn_core.texts import _, ngettext
from translearn_ui import add_photos, frame, settings_form, tasks

MOST_FOLDERS = 200


def show(dataset: Dataset, resolved: ResolvedSettings | None) -> None:
    """All techniques, chapter by chapter.

    Args:
        dataset: the sorted photos that are going to be learned from.
        resolved: what decides whether a technique makes sense; None where the settings do not
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
                _show_card(row, dataset, resolved)
    settings_form.show_setting("compare_plain", "")


def _show_card(row: TechniqueRow, dataset: Dataset, resolved: ResolvedSettings | None) -> None:
    obstacle = row.obstacle(resolved.settings, resolved.freeze) if resolved is not None else ""
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
            elif _picks(name) == "run":
                _choose_run(name, dataset, resolved)
            else:
                settings_form.show_setting(name, "")


def _choose_run(name: str, dataset: Dataset, resolved: ResolvedSettings | None) -> None:
    """Choose one of the runs that this setting can name, or say which would be one."""
    fits: dict[str, tuple[Callable[[Run], bool], str]] = {
        "distill_from": (
            lambda run: _knows(run, dataset.classes),
            _("None of your trainings fits yet: it takes one on the same classes."),
        ),
    }
    if resolved is not None:
        backbone = resolved.backbone
        fits["start_from"] = (
            lambda run: run.config.settings.backbone == backbone.name,
            _("None of your trainings fits yet: it takes one that is built on {backbone}.").format(
                backbone=_(backbone.title)
            ),
        )
    fitting, nothing = fits.get(name, (None, ""))
    chosen = settings_form.value_of(name)
    runs = [run for run in list_runs() if run.has_model]
    if fitting is not None and not chosen and not any(map(fitting, runs)):
        st.caption(f":material/block: {frame.plain(nothing)}")
        return
    settings_form.show_setting(name, "", fitting=fitting, described=False)


def _knows(run: Run, classes: Sequence[str]) -> bool:
    """Whether a run's model answers just these classes; False where its labels cannot be read."""
    try:
        return set(run.labels) == set(classes)
    except TransLearnError:
        return False


def _picks(name: str) -> str:
    extra = setting_fields()[name].json_schema_extra
    return str(extra.get("picks", "")) if isinstance(extra, dict) else ""


# --- unsorted photos ---------------------------------------------------------------------------


def choose_photos(name: str, own: Dataset) -> None:
    """Choose a data set or an allowed folder of unsorted photos for a setting, or upload some."""
    field, key = setting_fields()[name], settings_form.key_of(name)
    found = offered_photos()
    found.pop(own.id, None)
    if f"chosen_{name}" in st.session_state:  # by an upload, before the widget is drawn
        settings_form.put(name, st.session_state.pop(f"chosen_{name}"))
        st.rerun()  # what stands above this counts the changed settings
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
    if name == "adapt_to":
        st.caption(
            _(
                "Photos from there that are sorted into the same classes serve, too: their classes "
                "are not learned from, but tell how much was gained."
            )
        )
    _show_upload(name)
    _tell_taken(name)


def offered_photos() -> dict[str, str]:
    """What may be chosen as unsorted photos: id of a data set or path of a folder -> its words."""
    found = {
        one.id: _("{name} · {n:,} photos").format(name=one.name, n=len(one.photos))
        for one in datasets.list_datasets()
        if len(one.photos)
    }
    return found | {folder: folder for folder in _allowed_folders()}


def _show_upload(name: str) -> None:
    """The box for unsorted photos, or the photos of it on their way to the disk."""
    task = _task_of(name)
    if task is not None and not task.finished:
        tasks.show(task)
        return
    if task is not None:
        tasks.forget(task)
        _take_over(name, task)
    with st.popover(_("Upload unsorted photos"), key=f"upload_{name}", icon=":material/upload:"):
        box = add_photos.Box(name)
        files = st.file_uploader(
            _("Photos of it, all together"),
            accept_multiple_files=True,
            type=add_photos.photo_types(),
            key=box.key,
        )
        st.button(
            _("Take these photos"),
            key=f"take_{name}",
            disabled=not files,
            on_click=_begin_upload,
            args=(name, box),
        )


def _begin_upload(name: str, box: add_photos.Box) -> None:
    """Move the uploaded photos to the disk, in a task that a change of page does not end."""
    task = add_photos.take_unsorted(st.session_state.get(box.key) or [])
    st.session_state[f"uploading_{name}"] = task.id
    st.query_params["task"] = f"{name}.{task.id}"
    box.empty()


def _task_of(name: str) -> tasks.Task | None:
    """The upload for a setting that goes on or has just ended, after a reload, too."""
    whose, _dot, task_id = st.query_params.get("task", "").partition(".")
    return tasks.find(
        st.session_state.get(f"uploading_{name}") or (task_id if whose == name else None)
    )


def _take_over(name: str, task: tasks.Task) -> None:
    """Choose the photos that a task brought in, and say what was left out."""
    st.session_state.pop(f"uploading_{name}", None)
    st.query_params.pop("task", None)
    if task.error is not None:
        if not task.cancelled:
            frame.show_error(task.error)
        return
    unsorted, report = task.result
    st.session_state[f"told_{name}"] = (unsorted.id, report)
    st.session_state[f"chosen_{name}"] = unsorted.id
    st.rerun()


def _tell_taken(name: str) -> None:
    """What became of the photos that were uploaded, for as long as they are chosen."""
    chosen, report = st.session_state.get(f"told_{name}", ("", None))
    if report is None or chosen != st.session_state.get(settings_form.key_of(name)):
        return
    st.success(
        ngettext(
            "{n} photo is here and chosen.", "{n} photos are here and chosen.", report.added
        ).format(n=report.added),
        icon=":material/check:",
    )
    if report.left_out:
        file, reason = report.left_out[0]
        st.caption(
            frame.plain(
                ngettext(
                    "{n} file was left out: {file}: {reason}",
                    "{n} files were left out, the first: {file}: {reason}",
                    len(report.left_out),
                ).format(n=len(report.left_out), file=file, reason=reason)
            )
        )


def _allowed_folders() -> list[str]:
    """The folders that pages may read, and those right below them."""
    found: list[str] = []
    for root in load_configuration().source_folders:
        folder = Path(root).expanduser()
        if folder.is_dir():
            inside = sorted(child for child in folder.iterdir() if child.is_dir())
            found += [str(folder), *(str(one) for one in inside if one.name[:1] != ".")]
    return found[:MOST_FOLDERS]
