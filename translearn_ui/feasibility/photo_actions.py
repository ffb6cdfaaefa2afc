"""What a person can do with single photos: move, exclude, keep, look at large; and undo.

Owns: the buttons and what they do, the bar that says what was done last with a way back. Nothing
is changed without a click.
Leaves to others: the changes themselves (`translearn_core.datasets`), which photos are shown
(`findings_view.py`, `photo_map.py`), the list of excluded photos (`components/excluded_photos.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from translearn_core import datasets
from translearn_core.errors import PhotoError, TransLearnError
from translearn_core.i18n import _, ngettext
from translearn_ui.components import excluded_photos, format, gallery, undo_bar
from translearn_ui.shell import frame

if TYPE_CHECKING:
    from translearn_core.datasets import Dataset

LARGE_PIXELS = 1024
_DONE = "photo_acts_done"
_workers = ThreadPoolExecutor(max_workers=4, thread_name_prefix="thumbnail")


@dataclass(frozen=True)
class _Done:
    """One thing that was done in this session: a change of the data set, or findings kept."""

    dataset_id: str
    sentence: str
    kept: tuple[datasets.Dismissed, ...] = field(default=())


# --- what is done ----------------------------------------------------------------------------


def move(dataset: Dataset, paths: Sequence[str], class_name: str) -> None:
    """Give photos another class."""
    with frame.errors_shown():
        if datasets.move_photos(dataset, paths, class_name):
            _remember(dataset, datasets.last_change(dataset))


def exclude(dataset: Dataset, paths: Sequence[str]) -> None:
    """Take photos out of the data set; none is deleted."""
    with frame.errors_shown():
        if datasets.exclude_photos(dataset, paths):
            _remember(dataset, datasets.last_change(dataset))


def keep(dataset: Dataset, pairs: Sequence[datasets.Dismissed]) -> None:
    """Remember that these findings are no faults."""
    with frame.errors_shown():
        datasets.dismiss(dataset, pairs)
        n = len({path for _check, path in pairs})
        text = ngettext("{n:,} photo stays as it is.", "{n:,} photos stay as they are.", n)
        _remember(dataset, text.format(n=n), tuple(pairs))


def undo(dataset: Dataset) -> None:
    """Take back what was done last: first what this session did, then what the data set tells."""
    done = _done(dataset)
    last = done.pop() if done else None
    with frame.errors_shown():
        if last is not None and last.kept:
            datasets.restore_dismissed(dataset, last.kept)
            st.toast(_("Shown again."), icon=":material/undo:")
            return
        st.toast(frame.plain(datasets.undo(dataset)), icon=":material/undo:")


def show_bar(dataset: Dataset) -> None:
    """What was done last, with Undo; nothing where nothing was done."""
    done = _done(dataset)
    kept = bool(done) and bool(done[-1].kept)
    sentence = done[-1].sentence if kept else datasets.last_change(dataset)
    if not sentence:
        return
    words = f":material/check: {frame.plain(sentence)}"
    undo_bar.show(words, key="acts_bar", button="acts_undo", undo=undo, args=(dataset,))


def _done(dataset: Dataset) -> list[_Done]:
    """What this session did with the data set, the latest last."""
    everything: dict[str, list[_Done]] = st.session_state.setdefault(_DONE, {})
    return everything.setdefault(dataset.id, [])


def _remember(dataset: Dataset, sentence: str, kept: tuple[datasets.Dismissed, ...] = ()) -> None:
    _done(dataset).append(_Done(dataset.id, sentence, kept))


# --- photos with their buttons -----------------------------------------------------------------


def thumbnails(dataset: Dataset, paths: Iterable[str]) -> dict[str, Future[Path]]:
    """Begin to make the thumbnails of photos, several at a time."""
    return {path: _workers.submit(dataset.thumbnail, path) for path in paths}


def show_thumbnail(row: Mapping[str, Any], thumbnail: Future[Path]) -> None:
    """One photo, or a sentence where it cannot be read any more.

    Args:
        row: of the manifest.
    """
    try:
        gallery.show_photo(thumbnail.result(), file=row["file"], class_name=row["class_name"])
    except (TransLearnError, OSError):
        text = _(":material/broken_image: {file} can no longer be read")
        st.caption(text.format(file=frame.plain(str(row["file"]))))


def show_menu(dataset: Dataset, row: Mapping[str, Any], *, key: str, note: str = "") -> None:
    """Everything that can be done with one photo: larger, another class, exclude."""
    path, own = str(row["path"]), str(row["class_name"])
    actions = {("large", ""): _(":material/zoom_in: Show large")}
    for name in dataset.classes:
        if name != own:
            actions["move", name] = _(":material/arrow_forward: Move to {name}").format(
                name=frame.plain(name)
            )
    actions["exclude", ""] = _(":material/delete: Remove")
    chosen = st.menu_button(
        _("More"),
        list(actions),
        format_func=actions.__getitem__,
        key=f"{key}_menu_{path}",
        type="tertiary",
    )
    if chosen is None:
        return
    kind, name = chosen
    if kind == "large":
        show_large(dataset, row, note=note)
        return
    if kind == "move":
        move(dataset, [path], name)
    else:
        exclude(dataset, [path])
    st.rerun()


def show_large(dataset: Dataset, row: Mapping[str, Any], *, note: str = "") -> None:
    """A photo in a dialog, with what is known of it."""

    @st.dialog(frame.plain(_short(str(row["file"]))), width="large")
    def look() -> None:
        try:
            path = dataset.thumbnail(str(row["path"]), side=LARGE_PIXELS)
        except (PhotoError, OSError) as error:
            frame.show_error(error)
            return
        gallery.show_photo(path, file=str(row["file"]), class_name=str(row["class_name"]))
        st.caption(facts(row) + (f"  \n{note}" if note else ""))

    look()


def facts(row: Mapping[str, Any]) -> str:
    """What is known of a photo, in one line for Markdown."""
    parts = [f"**{frame.plain(str(row['class_name']))}**", frame.plain(str(row["file"]))]
    if row["width"]:
        parts.append(f"{row['width']:,} × {row['height']:,}")
    parts.append(format.size(int(row["bytes"])))
    return " · ".join(parts)


def _short(file: str, most: int = 48) -> str:
    return file if len(file) <= most else "…" + file[1 - most :]


# --- what was excluded -------------------------------------------------------------------------


def show_excluded(dataset: Dataset) -> None:
    """The photos that were taken out, with the way back and the way out for good."""
    excluded_photos.show(dataset, then=lambda: _forget(dataset))


def _forget(dataset: Dataset) -> None:
    """What this session did with the data set can no longer be taken back step by step."""
    st.session_state.get(_DONE, {}).pop(dataset.id, None)
