"""What of a data set nobody has sorted into classes yet, and putting it among the unsorted photos.

Owns: which photos these are: those that are unsorted, those left out for want of a class, or all of a
set that was brought in with one class only. Leaves to others: the tables of the first two
(`unsorted.py`, `photos_without_class.py`), undo of changes of a class (`editing.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

from translearn_core.datasets.dataset import Dataset
from translearn_core.datasets.editing import last_change_id, sort_photos, undo
from translearn_core.datasets.photos_without_class import leave_loose, read_loose, take_loose
from translearn_core.datasets.unsorted import read_unsorted
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
    if len(classes) == 1 and not dataset.record.begun_empty and len(dataset.photos) > 1:
        return ToSort(photos=len(dataset.photos), one_class=classes[0], is_next=is_next)
    return None


def take_to_sort(dataset: Dataset) -> Taken | None:
    """Put what `find_to_sort` found among the unsorted photos; None where nothing changed.

    Raises:
        SourceError, StorageError: nothing was changed.
    """
    found = find_to_sort(dataset)
    if found is None:
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
    if taken.dataset_id != dataset.id:
        return False
    return bool(taken.paths) or taken.change == last_change_id(dataset)


def put_back(dataset: Dataset, taken: Taken) -> None:
    """Undo `take_to_sort`; photos that were sorted since stay.

    Raises:
        SourceError, StorageError: nothing was changed.
    """
    if taken.paths:
        leave_loose(dataset, taken.paths)
    elif can_put_back(dataset, taken):
        undo(dataset)
