"""Unsorted photos of a data set: kept with it, of no class yet.

Owns: in the data set's folder
    unsorted.parquet   their rows, with the columns of the manifest and an empty class
while their files lie among the set's own (`photos/unsorted/`), where they stay when a photo gets its
class. Training and checks read the manifest alone, so an unsorted photo is never learned.
Leaves to others: bringing photos in (`adding.py`), giving them a class (`editing.py`), groups and
proposals (`sorting/`).

A photo that stands in both tables, after a change that was cut off, counts as sorted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from translearn_core.atomic import disk_errors, parse_parquet
from translearn_core.datasets.dataset import Dataset, write_table
from translearn_core.datasets.import_choices import ImportChoices
from translearn_core.datasets.layout import ClassAssignment
from translearn_core.datasets.manifest_columns import COLUMNS, fill_facts, with_columns
from translearn_core.errors import SourceError
from translearn_core.i18n import _

FILE = "unsorted.parquet"


class NoClasses:
    """Gives no photo a class, see `sources.Labelling`: all that comes in stays unsorted.

    Args:
        choices: the folders that they leave out stay out.
    """

    key = "unsorted"

    def __init__(self, choices: ImportChoices | None = None) -> None:
        self._choices = choices or ImportChoices()

    def assign(
        self, listed: Sequence[Sequence[str]], roots: Sequence[str]
    ) -> list[list[ClassAssignment]]:
        """An empty assignment for each file; a reason for those in a folder that was left out."""
        return [[self._assignment(file.split("/")) for file in files] for files in listed]

    def _assignment(self, path: Sequence[str]) -> ClassAssignment:
        folders = (path[:depth] for depth in range(1, len(path)))
        if any(self._choices.role_of(folder) == "out" for folder in folders):
            return ClassAssignment(reason=_("The folder was left out as asked."))
        return ClassAssignment()


def read_unsorted(dataset: Dataset) -> pd.DataFrame:
    """The unsorted photos, one row each, with the columns of the manifest. Do not change them.

    Raises:
        SourceError: the list is damaged.
    """
    return dataset.known("unsorted", lambda: _read_unsorted(dataset))


def _read_unsorted(dataset: Dataset) -> pd.DataFrame:
    path = dataset.folder / FILE
    try:
        rows = with_columns(parse_parquet(path.read_bytes()), COLUMNS)
    except FileNotFoundError:
        return with_columns(pd.DataFrame(), COLUMNS)
    except (ValueError, TypeError) as error:
        raise SourceError(
            _(
                "The list of the unsorted photos of {name} cannot be read: {file} is damaged. "
                "Delete this file and bring the unsorted photos in again; sorted ones stay."
            ).format(name=dataset.name, file=path)
        ) from error
    return rows[~rows["path"].isin(dataset.photos["path"])].reset_index(drop=True)


def write_unsorted(dataset: Dataset, rows: pd.DataFrame) -> None:
    """Replace the list of unsorted photos. Call it under the lock."""
    path = dataset.folder / FILE
    if not len(rows):
        with disk_errors():
            path.unlink(missing_ok=True)
        return
    ordered = rows.assign(class_name="").sort_values(["file", "path"], ignore_index=True)
    write_table(path, with_columns(ordered, COLUMNS))


def move_rows(dataset: Dataset, classes: Mapping[str, str]) -> dict[str, list[str]]:
    """Give photos a class, or take it from them. Call it under the lock.

    Args:
        classes: path -> class; empty: unsorted. Unknown paths are ignored.

    Returns:
        The photos that changed, by the class they had (empty: unsorted).
    """
    everything = all_rows(dataset)
    wanted = everything["path"].map(classes)
    changed = wanted.notna() & (wanted != everything["class_name"])
    if not changed.any():
        return {}
    before = everything[changed].groupby("class_name", sort=True)["path"]
    former = {str(name): [str(path) for path in paths] for name, paths in before}
    everything = everything.assign(class_name=everything["class_name"].mask(changed, wanted))
    is_sorted = everything["class_name"] != ""
    if (changed & ~is_sorted).any():  # first, or a full disk would leave them in neither table
        write_unsorted(dataset, everything[~is_sorted | (changed & is_sorted)])
    dataset.write_photos(everything[is_sorted])
    write_unsorted(dataset, everything[~is_sorted])
    return former


def all_rows(dataset: Dataset) -> pd.DataFrame:
    """Sorted and unsorted photos in one table; the class of the latter is empty."""
    tables = [dataset.photos, read_unsorted(dataset)]
    return pd.concat([table for table in tables if len(table)] or tables[:1], ignore_index=True)


class WithUnsorted(Dataset):
    """A data set whose `photos` are the sorted and the unsorted ones, for extracting features."""

    @property
    def photos(self) -> pd.DataFrame:
        """All rows, by path, so that their order does not change when a photo is sorted."""
        return all_rows(Dataset(self.folder)).sort_values("path", ignore_index=True)

    def record_facts(self, facts: pd.DataFrame) -> None:
        """As of a `Dataset`; unsorted photos that cannot be read move to `left_out`, too."""
        plain = Dataset(self.folder)
        plain.record_facts(facts)
        refused = facts[facts["reason"] != ""]
        reasons = dict(zip(refused["path"], refused["reason"], strict=True))
        with plain.locked():
            rows = fill_facts(read_unsorted(plain), facts)
            unreadable = rows["path"].isin(list(reasons))
            if unreadable.any():
                gone = rows[unreadable]
                told = pd.DataFrame({"file": gone["file"], "reason": gone["path"].map(reasons)})
                plain.write_left_out(pd.concat([plain.left_out, told]))
            write_unsorted(plain, rows[~unreadable])
