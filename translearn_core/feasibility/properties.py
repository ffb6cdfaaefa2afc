"""Trivial properties of photos: size, file type, brightness, colours, marks.

Owns: `PROPERTIES`, one row per trivial property: how it is measured from the statistics of a photo,
and when it is a shortcut.
Leaves to others: the statistics (`imaging/stats.py`), the accuracy on such properties
(`trivial_baseline.py`), which classes have a shortcut (`shortcuts.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from translearn_core.arrays import Array, Bools
from translearn_core.i18n import N_, _
from translearn_core.imaging.stats import (
    COLOUR_THUMBNAIL_SIDE,
    GREY_THUMBNAIL_SIDE,
    unpack_colour_thumbnails,
    unpack_grey_thumbnails,
)

_LOCAL = 5  # side of the square of cells that a cell is compared with
_HUES = 3
_RIM = 1 / 4
"""Marks are searched in the outer quarters: in the middle the objects themselves are alike."""


@dataclass(frozen=True, kw_only=True)
class Giveaway:
    """When a property is a shortcut to a class.

    Args:
        least: least balanced accuracy: mean of the share of the class's photos that are predicted
            as it, and of other photos that are not.
        least_narrow: the same for a mark that is confined to a few parts of the photo.
        depth: of the decision tree.
        sentence: what a person reads; `{name}` the class, `{found}` and `{wrong}` photos of 100,
            `{place}` the position of a mark.
    """

    least: float
    depth: int
    sentence: str
    least_narrow: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Property:
    """One row of the table.

    Args:
        name, title: what the property is called in code, and for people.
        measure: manifest rows with photo statistics -> `(n, k)` numbers.
        counted: whether it belongs to "colour and size alone", the trivial baseline.
        giveaway: None where it may be a legitimate difference of classes.
    """

    name: str
    title: str
    measure: Callable[[pd.DataFrame], Array]
    counted: bool
    giveaway: Giveaway | None


def _measure_file(photos: pd.DataFrame) -> Array:
    """Format and mode, and bytes per pixel."""
    kinds = pd.get_dummies(photos[["format", "mode"]]).to_numpy(dtype=np.float32)
    size, width, height = photos[["bytes", "width", "height"]].to_numpy(dtype=np.float32).T
    return np.column_stack([kinds, size / np.maximum(width * height, 1)])


def _measure_size(photos: pd.DataFrame) -> Array:
    sides = photos[["width", "height"]].to_numpy(dtype=np.float32)
    return np.column_stack([sides, sides[:, 0] / np.maximum(sides[:, 1], 1)])


def _measure_brightness(photos: pd.DataFrame) -> Array:
    return photos[["brightness", "shade", "light"]].to_numpy(dtype=np.float32)


def _measure_sharpness(photos: pd.DataFrame) -> Array:
    return photos[["detail"]].to_numpy(dtype=np.float32)


def _measure_colour(photos: pd.DataFrame) -> Array:
    """Mean and spread of red, green and blue, and how often each of 27 coarse colours occurs."""
    pixels = unpack_colour_thumbnails(list(photos["tint"])).reshape(
        len(photos), -1, 3
    )  # (n, 64, 3)
    coarse = np.minimum((pixels * (_HUES / 256.0)).astype(int), _HUES - 1) @ [1, _HUES, _HUES**2]
    counts = np.zeros((len(photos), _HUES**3))
    np.add.at(counts, (np.arange(len(photos))[:, None], coarse), 1.0)
    return np.concatenate([pixels.mean(axis=1), pixels.std(axis=1), np.sqrt(counts)], axis=1)


def _measure_border(photos: pd.DataFrame) -> Array:
    """Mean and spread of the brightness of each edge, and its difference from the row beside it."""
    looks = unpack_grey_thumbnails(list(photos["look"]))
    edges = [
        (looks[:, 0], looks[:, 1]),
        (looks[:, -1], looks[:, -2]),
        (looks[:, :, 0], looks[:, :, 1]),
        (looks[:, :, -1], looks[:, :, -2]),
    ]
    columns = [
        column
        for edge, beside in edges
        for column in (edge.mean(axis=1), edge.std(axis=1), (edge - beside).mean(axis=1))
    ]
    return np.column_stack(columns)


def _measure_background(photos: pd.DataFrame) -> Array:
    """Mean and spread of the colour of the outer ring of 8 x 8 cells."""
    ring = np.ones((COLOUR_THUMBNAIL_SIDE, COLOUR_THUMBNAIL_SIDE), np.bool_)
    ring[1:-1, 1:-1] = False
    colours = unpack_colour_thumbnails(list(photos["tint"]))[:, ring]  # (n, 28, 3)
    return np.column_stack([colours.mean(axis=1), colours.std(axis=1)])


def _measure_marks(photos: pd.DataFrame) -> Array:
    """The difference of each cell near the rim from the cells around it, in grey and colour."""
    grey = unpack_grey_thumbnails(list(photos["look"]))[:, :, :, None]
    tint = unpack_colour_thumbnails(list(photos["tint"]))
    colour = np.stack([tint[..., 0] - tint[..., 1], tint[..., 2] - tint[..., 1]], axis=3)
    return np.column_stack([_differ_locally(grey), _differ_locally(colour)])


def _differ_locally(cells: Array) -> Array:
    """`(n, side, side, k)` near the rim minus the mean of the cells around, `(n, cells * k)`."""
    edge = _LOCAL // 2
    side = cells.shape[1]
    padded = np.pad(cells, ((0, 0), (edge, edge), (edge, edge), (0, 0)), mode="reflect")
    down = np.sum([padded[:, i : i + side] for i in range(_LOCAL)], axis=0)
    around = np.sum([down[:, :, i : i + side] for i in range(_LOCAL)], axis=0) / _LOCAL**2
    near_rim: Array = (cells - around)[:, _rim(side)].reshape(len(cells), -1)
    return near_rim


def _rim(side: int) -> Bools:
    """Which of `side` x `side` cells lie near the edge."""
    depth = int(side * _RIM)
    rim = np.ones((side, side), np.bool_)
    rim[depth:-depth, depth:-depth] = False
    return rim


def position_of_mark(column: int) -> str:
    """The position on the photo of a column of `_measure_marks`, in words."""
    grey = np.argwhere(_rim(GREY_THUMBNAIL_SIDE)) / GREY_THUMBNAIL_SIDE
    colour = np.repeat(np.argwhere(_rim(COLOUR_THUMBNAIL_SIDE)) / COLOUR_THUMBNAIL_SIDE, 2, axis=0)
    row, across = (3 * np.concatenate([grey, colour])[column]).astype(int)
    words = (
        (_("at the upper left"), _("at the top"), _("at the upper right")),
        (_("at the left"), _("in the middle"), _("at the right")),
        (_("at the lower left"), _("at the bottom"), _("at the lower right")),
    )
    return words[row][across]


PROPERTIES: tuple[Property, ...] = (
    Property(
        name="mark",
        title=N_("a mark near the rim (watermark)"),
        measure=_measure_marks,
        counted=False,
        giveaway=Giveaway(
            least=0.9,
            least_narrow=0.75,
            depth=2,
            sentence=N_(
                "A mark gives the class {name} away: its photos have the same spot {place}, like "
                "a watermark, a date or a frame. By that alone {found} of 100 of its photos are "
                "recognised, and {wrong} of 100 others taken for it."
            ),
        ),
    ),
    Property(
        name="size",
        title=N_("size and shape"),
        measure=_measure_size,
        counted=True,
        giveaway=Giveaway(
            least=0.95,
            depth=4,
            sentence=N_(
                "The size gives the class {name} away: by width and height alone {found} of 100 "
                "of its photos are recognised, and {wrong} of 100 others taken for it."
            ),
        ),
    ),
    Property(
        name="file",
        title=N_("kind of file"),
        measure=_measure_file,
        counted=True,
        giveaway=Giveaway(
            least=0.95,
            depth=4,
            sentence=N_(
                "The kind of file gives the class {name} away: by file type and compression alone "
                "{found} of 100 of its photos are recognised, and {wrong} of 100 others taken for "
                "it."
            ),
        ),
    ),
    Property(
        name="brightness",
        title=N_("brightness"),
        measure=_measure_brightness,
        counted=True,
        giveaway=Giveaway(
            least=0.97,
            depth=3,
            sentence=N_(
                "Brightness gives the class {name} away: by it alone {found} of 100 of its photos "
                "are recognised, and {wrong} of 100 others taken for it."
            ),
        ),
    ),
    Property(
        name="sharpness",
        title=N_("sharpness"),
        measure=_measure_sharpness,
        counted=False,
        giveaway=Giveaway(
            least=0.97,
            depth=2,
            sentence=N_(
                "Sharpness gives the class {name} away: by it alone {found} of 100 of its photos "
                "are recognised, and {wrong} of 100 others taken for it."
            ),
        ),
    ),
    Property(
        name="colour",
        title=N_("colours of the whole photo"),
        measure=_measure_colour,
        counted=True,
        giveaway=None,
    ),
    Property(
        name="border",
        title=N_("border"),
        measure=_measure_border,
        counted=False,
        giveaway=Giveaway(
            least=0.97,
            depth=3,
            sentence=N_(
                "The border gives the class {name} away: by the outermost edge alone {found} of "
                "100 of its photos are recognised, and {wrong} of 100 others taken for it."
            ),
        ),
    ),
    Property(
        name="background",
        title=N_("colour of the background"),
        measure=_measure_background,
        counted=True,
        giveaway=Giveaway(
            least=0.97,
            depth=4,
            sentence=N_(
                "The background gives the class {name} away: by the colours around the edge alone "
                "{found} of 100 of its photos are recognised, and {wrong} of 100 others taken for "
                "it."
            ),
        ),
    ),
)
