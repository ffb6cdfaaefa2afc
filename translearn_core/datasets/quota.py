"""What a pupil's space may hold.

Owns: measuring a space, and the refusal of photos for which there is no room. Without a class, and for
the teacher, nothing is refused. Leaves to others: the figures (`config.Quotas`), runs (`jobs/`).
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from translearn_core import spaces
from translearn_core.config import home, load_configuration
from translearn_core.datasets.library import list_datasets
from translearn_core.errors import SourceError
from translearn_core.i18n import _


def space_bytes(space: Path) -> int:
    """Bytes of everything in a space; a photo that is shared by all counts for nobody."""
    total = 0
    for parent, _folders, names in os.walk(space):
        for name in names:
            with suppress(OSError):  # it went just now
                found = (Path(parent) / name).lstat()
                total += found.st_size if found.st_nlink == 1 else 0
    return total


def count_photos() -> int:
    """Photos of all data sets of whoever acts."""
    total = 0
    for dataset in list_datasets():
        with suppress(SourceError):  # a damaged one is told elsewhere
            total += len(dataset.photos)
    return total


def check_quota(photos: int, needed_bytes: int) -> None:
    """Refuse photos that do not fit into the space of a pupil.

    Raises:
        SourceError: they are too many, or take too much room; the message says how many fit.
    """
    if spaces.is_whole():
        return
    quotas = load_configuration().quotas
    there = count_photos()
    if there + photos > quotas.photos:
        raise SourceError(
            _(
                "You may have {most:,} photos and have {there:,}: {photos:,} more are too many. "
                "Bring in fewer, or delete a data set under My work."
            ).format(most=quotas.photos, there=there, photos=photos)
        )
    used = space_bytes(home())
    if used + needed_bytes > quotas.space_bytes:
        raise SourceError(
            _(
                "Your work may take {most:,} MB and takes {used:,} MB: {needed:,} MB more are too"
                " much. Delete a data set or a training under My work, and empty the bin."
            ).format(
                most=quotas.space_bytes // 10**6,
                used=used // 10**6,
                needed=max(1, needed_bytes // 10**6),
            )
        )
