"""Photos on a page: thumbnails in a grid that fits any width, leafed through in pages.

Owns: how thumbnails are laid out, described for those who do not see them, and chosen.
Leaves to others: making thumbnails (`Dataset.thumbnail`), page numbers (`paging.py`), which photos
are shown.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import streamlit as st

from translearn_core import datasets
from translearn_core.errors import TransLearnError
from translearn_core.i18n import _
from translearn_ui.components import class_marks
from translearn_ui.components.paging import page_of
from translearn_ui.shell.frame import plain

if TYPE_CHECKING:
    import pandas as pd

    from translearn_core.datasets import Dataset

PER_PAGE = 36
_workers = ThreadPoolExecutor(max_workers=4, thread_name_prefix="thumbnail")


def show(
    dataset: Dataset, rows: pd.DataFrame, *, key: str, choose: bool = False, named: bool = False
) -> list[str]:
    """Show photos in pages of 36.

    Args:
        rows: rows of `Dataset.photos`, in the order to show.
        choose: put a tick box under each photo.
        named: write the class under each photo.

    Returns:
        The `path` of the photos that are ticked, on all pages.
    """
    part, place = page_of(len(rows), PER_PAGE, key=f"{key}_page")
    shown = rows.iloc[part]
    chosen: set[str] = st.session_state.setdefault(f"{key}_chosen", set()) if choose else set()
    with place:
        _show_grid(dataset, shown, key=key, chosen=chosen if choose else None, named=named)
    return sorted(chosen)


def forget_choice(key: str) -> None:
    """Untick everything in the gallery `key`."""
    st.session_state.pop(f"{key}_chosen", None)


def _show_grid(
    dataset: Dataset, rows: pd.DataFrame, *, key: str, chosen: set[str] | None, named: bool
) -> None:
    paths = [str(path) for path in rows["path"]]
    thumbnails = [_workers.submit(dataset.thumbnail, path) for path in paths]
    places = class_marks.of_dataset(dataset) if named else {}
    with st.container(key=f"gallery_{key}"), st.grid(min_column_width=104, gap="xsmall") as grid:
        for row, path, thumbnail in zip(rows.itertuples(), paths, thumbnails, strict=True):
            file = str(row.file)
            with grid.cell():
                try:
                    name = str(row.class_name)
                    mark = class_marks.mark_markdown(places[name]) if name in places else ""
                    caption = f"{mark} {plain(name)}" if named else ""
                    show_photo(thumbnail.result(), file=file, class_name=name, caption=caption)
                except (TransLearnError, OSError):
                    st.caption(
                        _(":material/broken_image: {file} can no longer be read").format(
                            file=plain(PurePosixPath(file).name)
                        )
                    )
                if chosen is not None:
                    _show_tick(key, path, file, chosen)


def _show_tick(key: str, path: str, file: str, chosen: set[str]) -> None:
    name = PurePosixPath(file).name
    ticked = st.checkbox(
        name if len(name) < 16 else f"{name[:6]}…{name[-8:]}",
        value=path in chosen,
        key=f"{key}_tick_{path}",
    )
    (chosen.add if ticked else chosen.discard)(path)


def show_photo(thumbnail: Path, *, file: str, class_name: str = "", caption: str = "") -> None:
    """Show one photo with a text for those who do not see it."""
    alt = _("Photo {file} of the class {name}") if class_name else _("Photo {file}")
    st.image(
        str(thumbnail),
        alt=alt.format(file=PurePosixPath(file).name, name=class_name),
        caption=caption or None,
        width="stretch",
    )


def preview(dataset: Dataset, *, most: int, key: str, width: int = 72) -> None:
    """Show a strip of small photos, one of each class, else unsorted ones; `width` is in pixels."""
    paths = list(dataset.photos.groupby("class_name")["path"].first())[:most]
    paths = paths or list(datasets.read_unsorted(dataset)["path"][:most])
    with st.container(key=f"strip_{key}", horizontal=True, gap="xxsmall", wrap=False):
        for path in paths:
            try:
                st.image(
                    str(dataset.thumbnail(path)),
                    width=width,
                    alt=_("A photo of {name}").format(name=dataset.name),
                )
            except (TransLearnError, OSError):
                continue
