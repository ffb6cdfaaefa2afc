"""Photos whose thumbnails look most alike: candidates for near-duplicates where there are no features.

Owns: `find_look_alikes`. Leaves to others: whether two photos are near-duplicates (`duplicates.py`).

Perceptual hashes miss a second frame whose view has moved by more than a fiftieth of the side. Blurred thumbnails of
8 x 8 pixels change less by that.
"""

from __future__ import annotations

import numpy as np

from translearn_core.arrays import Floats, Ints
from translearn_core.datasets.crop_search import standardise
from translearn_core.datasets.nearest import nearest_pairs
from translearn_core.imaging.stats import GREY_THUMBNAIL_SIDE as SIDE
from translearn_core.imaging.stats import GreyThumbnails

_BLURRED = 8
_NEIGHBOURS = 2
"""With one, of a burst of several frames each finds one other, and they stay in pairs."""
_LEAST = 0.6
_AT_ONCE = 2**12


def find_look_alikes(thumbnails: GreyThumbnails, rows: Ints) -> tuple[Ints, Ints]:
    """Each of `rows` with the two that look most like it: pairs (first < second), each once.

    Args:
        thumbnails: of all photos.
        rows: of the photos to compare, ascending.
    """
    points = np.concatenate(
        [
            _blur(thumbnails[rows[start : start + _AT_ONCE]])
            for start in range(0, len(rows), _AT_ONCE)
        ]
    )
    first, second = nearest_pairs(points, np.arange(len(rows)), _NEIGHBOURS, least=_LEAST)
    return rows[first], rows[second]


def _blur(thumbnails: Floats) -> Floats:
    """Small thumbnails about their mean, of length 1: `(n, d)`."""
    step = SIDE // _BLURRED
    small = thumbnails.reshape(-1, _BLURRED, step, _BLURRED, step).mean(axis=(2, 4))
    return standardise(small.reshape(len(small), -1))
