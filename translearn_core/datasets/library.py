"""The data sets of the workspace: listing, opening, making and deleting their folders.

Owns: `<workspace>/datasets/`, ids, the temporary folder in which a data set is made until it is
published by one rename, and the room that has to stay free on the disk. Folders whose name begins
with a dot are unfinished or half deleted; they are no data sets.
Leaves to others: what is in the folder of a data set (`dataset.py`), how photos get in
(`importing.py`).
"""

from __future__ import annotations

import contextlib
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from translearn_core import leftovers
from translearn_core.atomic import disk_errors, sync_folder
from translearn_core.config import home, load_configuration
from translearn_core.datasets import class_places
from translearn_core.datasets.dataset import Dataset, Record
from translearn_core.errors import SourceError, StorageError
from translearn_core.i18n import _, number


def datasets_folder() -> Path:
    """The folder of all data sets of the workspace."""
    return home() / "datasets"


def list_datasets() -> list[Dataset]:
    """All data sets of the workspace, newest first."""
    folder = datasets_folder()
    datasets = []
    if folder.is_dir():
        for child in folder.iterdir():
            if child.name.startswith(".") or not (child / "dataset.json").is_file():
                continue
            dataset = Dataset(child)
            with contextlib.suppress(SourceError):
                datasets.append((dataset.record.created, dataset))
    return [dataset for _created, dataset in sorted(datasets, key=lambda pair: -pair[0])]


def list_unreadable_datasets() -> list[tuple[Path, str]]:
    """The folders among the data sets that cannot be read, by name, each with the reason."""
    folder, found = datasets_folder(), []
    if folder.is_dir():
        for child in sorted(folder.iterdir()):
            if child.name.startswith(".") or not child.is_dir():
                continue
            try:
                _photos = Dataset(child).photos
                _record = Dataset(child).record
            except SourceError as error:
                found.append((child, error.message))
    return found


def open_dataset(id_or_folder: str | Path) -> Dataset:
    """The data set with this id in the workspace, or in this folder.

    Raises:
        SourceError: there is none.
    """
    text = str(id_or_folder)
    is_id = isinstance(id_or_folder, str) and Path(text).name == text and text not in ("", "..")
    dataset = Dataset(datasets_folder() / text if is_id and text[0] != "." else Path(text))
    _record = dataset.record
    return dataset


def delete_dataset(dataset: Dataset) -> None:
    """Delete a data set for good. Photos that were left in place stay where they are.

    Raises:
        StorageError: a file is held by another program.
    """
    _record = dataset.record
    with dataset.locked():
        pass  # waits for a concurrent change
    delete_folder(dataset.folder)


def delete_folder(folder: Path) -> None:
    """Delete the folder of a data set for good, whatever is in it.

    Raises:
        StorageError: a file is held by another program.
    """
    hidden = folder.with_name(leftovers.own_name(f"{leftovers.DELETED}{folder.name}-"))
    try:
        folder.replace(hidden)
        with contextlib.suppress(FileNotFoundError):  # another process goes on with it
            shutil.rmtree(hidden)
    except OSError as error:
        raise StorageError(
            _("The data set {name} cannot be deleted: {cause}. Close what uses it.").format(
                name=folder.name, cause=error.strerror or error
            )
        ) from error


@contextlib.contextmanager
def new_folder() -> Iterator[Path]:
    """A temporary folder beside the data sets, removed at the end unless it was published."""
    root = datasets_folder()
    with disk_errors():
        root.mkdir(parents=True, exist_ok=True)
        leftovers.sweep()
        folder = root / leftovers.own_name(leftovers.IMPORTING)
        folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def publish(folder: Path, record: Record) -> Dataset:
    """Rename a finished temporary folder to the data set `record.id`."""
    temporary = Dataset(folder)
    has_photos = (folder / "manifest.parquet").is_file()
    places = class_places.first_places(temporary.classes) if has_photos else {}
    temporary.write_record(record.model_copy(update={"class_places": places}))
    target = folder.with_name(record.id)
    with disk_errors():
        folder.replace(target)
        sync_folder(target.parent)
    return Dataset(target)


def new_id(name: str) -> str:
    """A new id from the name: ASCII letters and digits, and six hex digits."""
    slug = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in name)
    slug = "-".join(part for part in slug.lower().split("-") if part)[:40]
    return f"{slug or 'photos'}-{secrets.token_hex(3)}"


def check_free_space(needed_bytes: int) -> None:
    """Check that `needed_bytes` fit on the disk beside the space that is kept free.

    Raises:
        StorageError: they do not.
    """
    folder = datasets_folder()
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    free_bytes = shutil.disk_usage(folder).free
    kept_free = load_configuration().limits.free_bytes
    if needed_bytes + kept_free > free_bytes:
        raise StorageError(
            _(
                "There is not enough room on the disk: {needed} MB are needed and {kept} MB stay "
                "free, but only {free} MB are there. Make room and try again."
            ).format(
                needed=number(needed_bytes / 2**20, ",.0f"),
                kept=number(kept_free / 2**20, ",.0f"),
                free=number(free_bytes / 2**20, ",.0f"),
            )
        )
