"""What of a data set nobody has sorted into classes yet, and putting it among the unsorted photos.

Owns: which photos these are: those that are unsorted, those left out for want of a class, or all of a
set that was brought in with one class only; of the last a copy where they stay in their folder, whose
next reading would take their new classes from them. Leaves to others: the tables of the first two
(`unsorted.py`, `photos_without_class.py`), undo of changes of a class (`editing.py`).
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from translearn_core.datasets.dataset import Dataset, stays_in_place
from translearn_core.datasets.editing import last_change_id, sort_photos, undo, was_sorted_here
from translearn_core.datasets.import_choices import ImportChoices
from translearn_core.datasets.import_context import ProgressCallback, StopCheck
from translearn_core.datasets.importing import import_files
from translearn_core.datasets.photos_without_class import leave_loose, read_loose, take_loose
from translearn_core.datasets.unsorted import NoClasses, read_unsorted
from translearn_core.i18n import _, ngettext


@dataclass(frozen=True, kw_only=True)
class ToSort:
    """Photos to sort.

    Attributes:
        photos: how many.
        one_class: the class that all of them are in; empty where they have none.
        is_next: whether there is no way to train before.
    """

    photos: int
    one_class: str
    is_next: bool

    @property
    def sentence(self) -> str:
        """What to say of them."""
        if self.one_class:
            return _(
                "All {n:,} photos are in one class, {name}. Sort them into several, or add photos "
                "of another class."
            ).format(n=self.photos, name=self.one_class)
        return ngettext(
            "{n:,} photo is not sorted into a class yet.",
            "{n:,} photos are not sorted into classes yet.",
            self.photos,
        ).format(n=self.photos)


@dataclass(frozen=True, kw_only=True)
class Taken:
    """What `take_to_sort` put among the unsorted photos.

    Attributes:
        paths: the photos that were left out before; empty where a class was dissolved.
        change: the id of the change (`editing.last_change_id`) that dissolved a class.
        photos: how many.
    """

    dataset_id: str
    paths: tuple[str, ...]
    change: str
    photos: int


def find_to_sort(dataset: Dataset) -> ToSort | None:
    """The photos that nobody has sorted; None where there are none.

    One class alone counts where it was brought in: whoever named a class here goes on with another.

    Raises:
        SourceError: a list of the data set is damaged.
    """
    classes = dataset.classes
    n = len(read_unsorted(dataset)) + len(read_loose(dataset))
    is_next = len(classes) < 2
    if n:
        return ToSort(photos=n, one_class="", is_next=is_next)
    if len(classes) == 1 and len(dataset.photos) > 1 and not _is_named_here(dataset):
        return ToSort(photos=len(dataset.photos), one_class=classes[0], is_next=is_next)
    return None


def _is_named_here(dataset: Dataset) -> bool:
    """Whether a person gave the photos their class here, as far as the data set tells."""
    record = dataset.record
    begun_empty = record.begun_empty
    if begun_empty is None:
        begun_empty = not record.source and not record.choices
    return begun_empty or was_sorted_here(dataset)


def is_copied_to_sort(dataset: Dataset) -> bool:
    """Whether its photos are sorted in a copy (`copy_to_sort`): all are in one class, and some stay
    where they are.

    Raises:
        SourceError: a list of the data set is damaged.
    """
    found = find_to_sort(dataset)
    if found is None or not found.one_class:
        return False
    return bool(dataset.photos["path"].map(stays_in_place).any())


def copy_to_sort(
    dataset: Dataset, *, progress: ProgressCallback | None = None, stop: StopCheck | None = None
) -> Dataset:
    """Make a data set of copies of all photos, which nobody has sorted. The first one stays.

    Raises:
        SourceError, StorageError: as `importing.import_files`.
    """
    record = dataset.record
    choices = ImportChoices.from_text(record.choices)
    return import_files(
        _files(dataset),
        name=record.name,
        labels=NoClasses(),
        choices=choices,
        progress=progress,
        stop=stop,
    )


def _files(dataset: Dataset) -> Iterator[tuple[str, Path | BinaryIO]]:
    for path, file in zip(dataset.photos["path"], dataset.photos["file"], strict=True):
        found = dataset.photo_file(str(path))
        yield str(file), found if isinstance(found, Path) else io.BytesIO(found.read_bytes())


def take_to_sort(dataset: Dataset) -> Taken | None:
    """Put what `find_to_sort` found among the unsorted photos; None where nothing changed, as with
    photos that are copied first (`is_copied_to_sort`).

    Raises:
        SourceError, StorageError: nothing was changed.
    """
    found = find_to_sort(dataset)
    if found is None or is_copied_to_sort(dataset):
        return None
    if found.one_class:
        n = sort_photos(dataset, dict.fromkeys(map(str, dataset.photos["path"]), ""))
        change = last_change_id(dataset)
        return Taken(dataset_id=dataset.id, paths=(), change=change, photos=n)
    paths = tuple(take_loose(dataset))
    if not paths:
        return None
    return Taken(dataset_id=dataset.id, paths=paths, change="", photos=len(paths))


def can_put_back(dataset: Dataset, taken: Taken) -> bool:
    """Whether `put_back` takes back that, and nothing that was done since."""
    return count_unsorted(dataset, taken) > 0


def count_unsorted(dataset: Dataset, taken: Taken) -> int:
    """How many of the photos `put_back` would take back."""
    if taken.dataset_id != dataset.id:
        return 0
    if taken.paths:
        return int(read_unsorted(dataset)["path"].isin(taken.paths).sum())
    return taken.photos if taken.change == last_change_id(dataset) else 0


def put_back(dataset: Dataset, taken: Taken) -> None:
    """Undo `take_to_sort`; photos that were sorted since stay.

    Raises:
        SourceError, StorageError: nothing was changed.
    """
    if taken.paths:
        leave_loose(dataset, taken.paths)
    elif can_put_back(dataset, taken):
        undo(dataset)
