"""Chains of near-copies that are most of a class: frames of one camera, one video, one burst.

Owns: cutting such a chain into parts in the order in which its photos were taken. Leaves to others:
what a near-copy and a chain is (`duplicates.py`), which part is tested (`split.py`).

Such a class cannot keep its near-copies together and still be trained and tested. Neighbours in time
are the most alike, so whole stretches of time are kept together instead, and the last photos of a stretch
are its edge: where the next stretch goes to another side, they are used for nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from translearn_core.arrays import Bools, Ints
from translearn_core.datasets.dataset import Dataset
from translearn_core.datasets.file_names import natural_key

PARTS = 5
"""Parts of a chain: one of them is about the share of a test."""
EDGE = 0.2
"""Share of a part that is its edge; at least one photo, none of a part of fewer than four."""
_LEAST_WITH_EDGE = 4
_EXIF, _TAKEN, _TAKEN_AT_ALL, _FRACTION = 0x8769, 0x9003, 0x0132, 0x9291
"""EXIF: the block of the camera; DateTimeOriginal, DateTime, SubSecTimeOriginal."""


def cut_chains(dataset: Dataset, chain: Ints) -> tuple[Ints, Bools]:
    """The place of each photo's part in its chain, from 0 for the earliest, -1 for a photo of no
    chain; and whether it is at the edge of its part, both `(n,)`.

    The photos of a chain are ordered by the time in their EXIF data where all have one, else by
    the names of their files, numbers by value. Each class is cut by itself.

    Args:
        chain: the number of the chain of each photo, -1 for none, `(n,)`.
    """
    photos = dataset.photos
    part = np.full(len(photos), -1, np.int64)
    edge = np.zeros(len(photos), np.bool_)
    rows = np.flatnonzero(chain >= 0)
    table = pd.DataFrame({"chain": chain[rows], "class": photos["class_name"].to_numpy()[rows]})
    for places in table.groupby(["chain", "class"], sort=True).indices.values():
        members = rows[places]
        ordered = members[_order(dataset, members)]
        for number, block in enumerate(np.array_split(ordered, min(PARTS, len(ordered)))):
            part[block] = number
            if len(block) >= _LEAST_WITH_EDGE:
                edge[block[-max(1, int(EDGE * len(block))) :]] = True
    return part, edge


def _order(dataset: Dataset, rows: Ints) -> Sequence[int]:
    """Positions of photos in the order in which they were taken."""
    chosen = dataset.photos.iloc[rows]
    names = [natural_key(str(file)) for file in chosen["file"]]
    times = _times(dataset, list(chosen["path"]))
    return sorted(range(len(rows)), key=lambda place: (times[place] if times else "", names[place]))


def _times(dataset: Dataset, paths: Sequence[str]) -> list[str]:
    """When each photo was taken, as text that sorts; empty where that is unknown of any."""
    times = []
    for path in paths:
        time = _taken(dataset, path)
        if not time:
            return []
        times.append(time)
    return times


def _taken(dataset: Dataset, path: str) -> str:
    file = dataset.photo_file(path)
    if not isinstance(file, Path):  # at an address: its header is not worth the way
        return ""
    try:
        with Image.open(file) as photo:
            exif = photo.getexif()
            camera = exif.get_ifd(_EXIF)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return ""
    taken = camera.get(_TAKEN) or exif.get(_TAKEN_AT_ALL)
    return f"{taken}.{camera.get(_FRACTION) or ''}" if taken else ""
