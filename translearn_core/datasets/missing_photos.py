"""Photos that were deleted, and photos that cannot be reached from here.

Owns: telling the two apart, and the sentence that ends a pass over photos out of reach.
Leaves to others: reading photos (`imaging/decode.py`), and what is left out (`dataset.py`).

A person who deletes some photos of a folder wants them left out. A share that is not connected, a
machine that does not have the folder, or an access that has run out say nothing of the photos: a data
set must not lose them.
"""

from __future__ import annotations

import os
import platform
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

from translearn_core.datasets.dataset import Dataset
from translearn_core.errors import SourceError, UnreachableError
from translearn_core.i18n import _
from translearn_core.imaging import remote
from translearn_core.imaging.remote import PhotoFile, RemotePhoto

_BESIDE = 20
"""So many files beside a photo are tried."""


def out_of_reach(photo: str, reason: str) -> SourceError:
    """The error that ends a pass.

    Args:
        photo: the path or address of the first one.
        reason: a sentence.
    """
    return SourceError(
        _(
            "{photo} could not be read on {machine}. {reason} No photo was left out because of this. "
            "Make the photos reachable there and begin again. Photos that are gone for good can be "
            "removed on the page Photos, or bring the others in again."
        ).format(photo=photo, machine=platform.node() or "localhost", reason=reason)
    )


def is_out_of_reach(error: Exception, photo: PhotoFile) -> bool:
    """Whether it is the disk, share or address that does not give a photo, and not the photo's own fault.

    A file without the right to read it, or on a bad spot of the disk, is left out like a damaged one
    where another file of its folder can be read.
    """
    if not isinstance(error, UnreachableError):
        return False
    return isinstance(photo, RemotePhoto) or not _reads_beside(photo)


def _reads_beside(photo: Path) -> bool:
    """Whether one of the first files beside a photo can be read."""
    with suppress(OSError), os.scandir(photo.parent) as entries:
        for entry in islice((one for one in entries if one.name != photo.name), _BESIDE):
            with suppress(OSError), Path(entry.path).open("rb") as opened:
                if opened.read(1):
                    return True
    return False


def check_deleted(dataset: Dataset, missing: Collection[str]) -> None:
    """Check that photos that were not found were deleted.

    They were not where the innermost folder that held several photos of the data set has none of
    them any more, nor where a photo is there again.

    Args:
        missing: paths of the manifest.

    Raises:
        SourceError: they cannot be reached, or the data set is gone.
    """
    if not missing:
        return
    paths = dict.fromkeys(map(str, dataset.photos["path"]))
    missing = [path for path in missing if path in paths]  # others were taken out meanwhile
    around = {folder for path in missing for folder in _folders(path)}
    held = Counter[str]()
    for folder, n in Counter(next(_folders(path)) for path in paths).items():
        held.update({one: n for one in (folder, *_folders(folder)) if one in around})
    homes = {
        path: next((folder for folder in _folders(path) if held[folder] > 1), "")
        for path in missing
    }
    doubtful = set(homes.values())
    for path in paths:
        if not doubtful:
            break
        mine = doubtful.intersection(_folders(path)) if path not in homes else set()
        if mine and _is_there(dataset.photo_file(path)):
            doubtful -= mine
    for path, home in homes.items():
        file = dataset.photo_file(path)
        if home in doubtful:
            raise out_of_reach(str(file), _("None of the photos beside it is there either."))
        if _is_there(file):
            raise out_of_reach(str(file), _("It was not there for a moment."))


def _folders(path: str) -> Iterator[str]:
    """The folders around a path or address, the innermost first, as text."""
    while path:
        path = path[: max(path.rfind("/"), path.rfind("\\"), 0)]
        yield path


def _is_there(file: PhotoFile) -> bool:
    if isinstance(file, RemotePhoto):
        return remote.is_there(file.address)
    try:
        return file.is_file()
    except OSError:
        return False
