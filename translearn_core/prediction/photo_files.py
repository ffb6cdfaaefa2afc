"""The files that a prediction is asked for: photos given by name, or in folders.

Owns: walking folders for photos, and which hidden folders are passed over.
Leaves to others: what a photo's name looks like (`datasets/photo_names.py`), reading them
(`predict.py`).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from translearn_core.datasets.folder_listing import photos_below
from translearn_core.datasets.photo_names import PHOTO_SUFFIXES, is_junk
from translearn_core.errors import RunError
from translearn_core.formatting import shortened
from translearn_core.i18n import _


def find_photos(paths: Iterable[Path]) -> Iterator[Path]:
    """The files of files and folders; folders are searched recursively, in sorted order.

    What is no ordinary file (a pipe, a link to a folder, a folder that cannot be opened or is named
    like a photo) is among them, so that its prediction is an error of its own. Links to folders are
    not followed.

    Raises:
        RunError: a path does not exist.
    """
    for path in paths:
        try:
            is_folder, is_there = path.is_dir(), os.path.lexists(path)
        except (OSError, ValueError):  # a name that no file can have
            is_folder = is_there = False
        if not is_there:
            raise RunError(
                _("There is no file or folder {place}. Check the name.").format(
                    place=shortened(str(path), 300)
                )
            )
        if is_folder:
            yield from sorted(_walk(path))
        else:
            yield path


def hidden_folders(paths: Iterable[Path]) -> dict[Path, int]:
    """Hidden folders inside of folders, whose photos `find_photos` passes over, with the number of
    their photos; those that programs make are not among them."""
    found = {}
    for root in paths:
        for place, folders, _files in os.walk(root):
            for name in [one for one in folders if is_junk([one])]:
                folders.remove(name)
                n = photos_below(Path(place) / name, name)
                if n:
                    found[Path(place) / name] = n
    return found


def _walk(root: Path) -> Iterator[Path]:
    closed: list[Path] = []
    for folder, folders, files in os.walk(
        root, onerror=lambda error: closed.append(Path(error.filename))
    ):
        place = Path(folder)
        odd = [
            name
            for name in folders
            if Path(name).suffix.lower() in PHOTO_SUFFIXES or (place / name).is_symlink()
        ]
        for path in (place / name for name in (*files, *odd)):
            if not is_junk(path.relative_to(root).parts):
                yield path
    yield from closed
