"""A data set in one line, and deleting it, wherever data sets are listed.

Owns: the line and the question. Leaves to others: the bin (`bin_line.py`, `translearn_core.trash`).
"""

from __future__ import annotations

from pathlib import PurePosixPath

from translearn_core import datasets
from translearn_core.datasets import Dataset
from translearn_core.datasets.recordings import recording_of
from translearn_core.errors import SourceError
from translearn_core.i18n import _, ngettext
from translearn_core.runs.in_use import throw_away_dataset
from translearn_ui.components import bin_line, dialogs, format
from translearn_ui.shell import frame, tab_state


def summary(dataset: Dataset) -> str:
    """`600 photos in 6 classes · 20 unsorted photos · 11 MB`."""
    try:
        photos, classes = len(dataset.photos), len(dataset.classes)
        unsorted = datasets.read_unsorted(dataset)
    except SourceError as error:
        return frame.plain(error.message)
    parts = []
    if photos or not len(unsorted):
        text = ngettext("{n:,} photo", "{n:,} photos", photos).format(n=photos)
        text += " " + ngettext("in {n:,} class", "in {n:,} classes", classes).format(n=classes)
        parts.append(text)
    if n := len(unsorted):
        parts.append(ngettext("{n:,} unsorted photo", "{n:,} unsorted photos", n).format(n=n))
    n_bytes = int(dataset.photos["bytes"].sum()) + int(unsorted["bytes"].sum())
    return " · ".join([*parts, format.size(n_bytes)])


def confirm_delete(dataset: Dataset) -> None:
    """Move the data set to the bin after one question; runs keep their models and figures."""
    runs = len(frame.runs_of(dataset.id))
    text = bin_line.what_happens()
    if dataset.kind == "folder":
        text += " " + where_photos_go(dataset)
    if runs:
        text += " " + ngettext(
            "The {n} model that learned from it stays.",
            "The {n} models that learned from it stay.",
            runs,
        ).format(n=runs)

    def delete() -> None:
        entry = throw_away_dataset(dataset)
        tab_state.forget(dataset.id)
        bin_line.remember(entry)

    dialogs.ask_once(
        _("Delete the data set {name}?").format(name=frame.plain(dataset.name)),
        f"**{summary(dataset)}.** {text}",
        _("Delete"),
        delete,
    )


def where_photos_go(dataset: Dataset) -> str:
    """What happens to the photos when something of a data set is deleted for good."""
    if dataset.kind == "folder":
        return _("Your own files in {folder} are not touched.").format(
            folder=frame.plain(dataset.record.source)
        )
    if dataset.photos["file"].map(lambda file: bool(recording_of(PurePosixPath(file).name))).any():
        return _(
            "Photos that were taken here with the camera exist nowhere else. Of the others, the files "
            "that you brought in stay where you have them."
        )
    return _(
        "The copies that TransLearn made are deleted; the files that you brought in stay where you "
        "have them."
    )
