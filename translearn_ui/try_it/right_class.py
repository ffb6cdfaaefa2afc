"""“No, it is …”: a photo that was tried goes to its class, or to the unsorted ones, with one press.

Owns: the buttons, what was done last and its undo. Leaves to others: adding and removing photos
(`translearn_core.datasets`).
"""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from translearn_core import datasets
from translearn_core.errors import SourceError
from translearn_core.i18n import _, ngettext
from translearn_core.imaging.positions import without_position
from translearn_core.runs import Run
from translearn_core.runs.provenance import are_among
from translearn_ui.shell import frame, sort_way

if TYPE_CHECKING:
    from translearn_core.datasets import Dataset

UNSORTED = ""
"""In the place of a class: the unsorted photos."""
_FILED = "try_filed"
_MOST_BUTTONS = 8


def dataset_of(run: Run) -> Dataset | None:
    """The data set that a run learned from; None where it is gone."""
    try:
        return datasets.open_dataset(Path(run.config.dataset))
    except SourceError:
        return None


def show(run: Run, file: str, content: bytes) -> None:
    """Where a photo belongs: asked, or as it was answered, with the way back."""
    dataset = dataset_of(run)
    if dataset is None:
        return
    mark = hashlib.sha256(content).hexdigest()
    filed = st.session_state.get(_FILED)
    with st.container(key="try_right", gap="small"):
        if filed is not None and filed["mark"] == mark and filed["dataset"] == dataset.id:
            _show_filed(dataset, filed)
            return
        if known := _class_of(dataset, content):
            st.caption(
                _("This photo is among your photos already: **{name}**.").format(
                    name=frame.plain(known)
                )
            )
            return
        name = _ask(dataset)
        if name is not None:
            st.session_state[_FILED] = file_photos(dataset, [(file, content)], name) | {
                "mark": mark
            }
            st.rerun()


def show_many(run: Run, photos: list[tuple[str, bytes]]) -> None:
    """The photos of a batch that the model is not sure of, to be put among the unsorted ones."""
    dataset = dataset_of(run)
    if dataset is None:
        return
    mark = " ".join(hashlib.sha256(content).hexdigest() for _name, content in photos)
    filed = st.session_state.get(_FILED)
    with st.container(key="try_right", gap="small"), frame.errors_shown():
        if filed is not None and filed["mark"] == mark and filed["dataset"] == dataset.id:
            _show_filed(dataset, filed)
            return
        new = [(name, content) for name, content in photos if not _class_of(dataset, content)]
        if not new:
            return
        label = ngettext(
            "Put the {n:,} that I am not sure of among the unsorted photos",
            "Put the {n:,} that I am not sure of among the unsorted photos",
            len(new),
        )
        if st.button(
            label.format(n=len(new)), key="try_right_doubtful", icon=":material/filter_none:"
        ):
            st.session_state[_FILED] = file_photos(dataset, new, UNSORTED) | {"mark": mark}
            st.rerun()


def file_photos(
    dataset: Dataset, photos: list[tuple[str, bytes]], class_name: str
) -> dict[str, Any]:
    """Add photos to a class, or to the unsorted ones; returns what its undo needs.

    Raises:
        SourceError: none of them can be read as a photo.
    """
    files = [(name, io.BytesIO(content)) for name, content in photos]
    if class_name == UNSORTED:
        report = datasets.add_unsorted(dataset, files)
    else:
        report = datasets.add_photos(dataset, class_name, files)
    if not report.added and report.left_out:
        raise SourceError(report.left_out[0][1])
    return {"dataset": dataset.id, "class_name": class_name, "paths": report.paths}


def _class_of(dataset: Dataset, content: bytes) -> str:
    """The class under which the data set has this very photo, with its position or without; empty
    where it has not."""
    files = (content, without_position(content))
    hashes = {hashlib.sha256(file).hexdigest() for file in files}
    for rows in (dataset.photos, datasets.read_unsorted(dataset)):
        found = rows.loc[are_among(rows, hashes), "class_name"]
        if len(found):
            return str(found.iloc[0]) or _("unsorted")
    return ""


def _ask(dataset: Dataset) -> str | None:
    """The class that was pressed, `UNSORTED`, or None."""
    names = dataset.classes
    st.markdown(_("**Wrong?** Put this photo where it belongs:"))
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
        pressed: str | None = None
        if len(names) <= _MOST_BUTTONS:
            for number, name in enumerate(names):
                if st.button(frame.plain(name), key=f"try_right_{number}"):
                    pressed = name
        else:
            chosen = st.selectbox(
                _("The right class"),
                names,
                index=None,
                placeholder=_("Choose its class"),
                key="try_right_long",
                label_visibility="collapsed",
                width=240,
            )
            if st.button(_("Put it there"), key="try_right_go", disabled=not chosen):
                pressed = str(chosen)
        if st.button(
            _("Unsorted photos"),
            key="try_right_pile",
            icon=":material/filter_none:",
            type="tertiary",
        ):
            pressed = UNSORTED
    return pressed


def _show_filed(dataset: Dataset, filed: dict[str, Any]) -> None:
    """What was done, its undo, and the way on."""
    name, n = filed["class_name"], len(filed["paths"])
    if name == UNSORTED:
        text = ngettext(
            "{n:,} photo is among the unsorted ones.",
            "{n:,} photos are among the unsorted ones.",
            n,
        ).format(n=n)
    else:
        text = _("Added to **{name}**. It counts from the next training on.").format(
            name=frame.plain(name)
        )
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
        st.markdown(f":material/check: {text}", width="content")
        if st.button(_("Undo"), key="try_right_undo", type="tertiary", icon=":material/undo:"):
            datasets.remove_photos(dataset, filed["paths"])
            del st.session_state[_FILED]
            st.rerun()
        if name == UNSORTED:
            if st.button(_("Sort photos"), key="try_right_sort", icon=":material/filter_none:"):
                frame.open_dataset(dataset)
                sort_way.end_camera()
                frame.go("sort")
        elif st.button(_("Train again"), key="try_right_train", icon=":material/model_training:"):
            frame.open_dataset(dataset)
            frame.go("train")
