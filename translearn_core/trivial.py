"""How far trivial properties of photos get: their size, their file, their brightness, their colour.

Owns: `PROPERTIES`, one row per property, and what a head learns from each alone.
Leaves to others: measuring the properties (`datasets/facts.py`), judging (`crossval.py`), and
what a person is told about a class that one of them gives away (`findings.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from translearn_core.crossval import Ints, Space, judge
from translearn_core.datasets.facts import unpack_tints
from translearn_core.texts import N_

Array = npt.NDArray[Any]

PENALTY = 0.1
_BINS = 8
_HUES = 3


@dataclass(frozen=True, kw_only=True)
class Property:
    """One row: `measure` makes `(n, k)` numbers of manifest rows."""

    name: str
    title: str
    measure: Callable[[pd.DataFrame], Array]


def _measure_size(photos: pd.DataFrame) -> Array:
    sides = photos[["width", "height"]].to_numpy(dtype=float) + 1.0
    shape = np.log(sides[:, 0] / sides[:, 1])[:, None]
    return _in_bins(np.concatenate([np.log(sides), shape], axis=1))


def _measure_file(photos: pd.DataFrame) -> Array:
    area = (photos["width"] * photos["height"] + 1).to_numpy(dtype=float)
    density = np.log((photos["bytes"].to_numpy(dtype=float) + 1.0) / area)[:, None]
    kinds = pd.get_dummies(photos[["format", "mode"]]).to_numpy(dtype=float)
    return np.concatenate([_in_bins(density), kinds], axis=1)


def _measure_brightness(photos: pd.DataFrame) -> Array:
    names = [name for name in ("brightness", "shade", "light") if name in photos.columns]
    return _in_bins(photos[names].to_numpy(dtype=float))


def _measure_colour(photos: pd.DataFrame) -> Array:
    """Mean and spread of red, green and blue, and how often each of 27 coarse colours occurs."""
    pixels = unpack_tints(list(photos["tint"])).reshape(len(photos), -1, 3)  # (n, 64, 3)
    coarse = np.minimum((pixels * (_HUES / 256.0)).astype(int), _HUES - 1) @ [1, _HUES, _HUES**2]
    counts = np.zeros((len(photos), _HUES**3))
    np.add.at(counts, (np.arange(len(photos))[:, None], coarse), 1.0)
    return np.concatenate([pixels.mean(axis=1), pixels.std(axis=1), np.sqrt(counts)], axis=1)


def _measure_border(photos: pd.DataFrame) -> Array:
    """Mean and spread of red, green and blue along the edge of the photo."""
    tints = unpack_tints(list(photos["tint"]))  # (n, 8, 8, 3)
    edge = np.ones(tints.shape[1:3], bool)
    edge[1:-1, 1:-1] = False
    ring = tints[:, edge]
    values: Array = np.concatenate([ring.mean(axis=1), ring.std(axis=1)], axis=1)
    return _in_bins(values)


PROPERTIES: tuple[Property, ...] = (
    Property(name="size", title=N_("size and shape"), measure=_measure_size),
    Property(name="file", title=N_("kind of file"), measure=_measure_file),
    Property(name="brightness", title=N_("brightness"), measure=_measure_brightness),
    Property(name="colour", title=N_("colours"), measure=_measure_colour),
    Property(name="border", title=N_("colour of the border"), measure=_measure_border),
)
COLOUR_AND_SIZE = "colour and size"
"""All of `PROPERTIES` together."""


def judge_properties(
    photos: pd.DataFrame, labels: Ints, groups: Ints, classes: int, *, folds: int, seed: int
) -> dict[str, float]:
    """Accuracy of a head on each property alone and on all together (`COLOUR_AND_SIZE`).

    Args:
        photos: manifest rows with facts.
        folds, seed: as given to `judge`, for the same folds.
    """
    known = photos["tint"].str.len() > 0
    if not known.all():  # measured by an older version: stands for a photo like the others
        photos = photos.assign(tint=photos["tint"].where(known, photos["tint"][known].min()))
    rows = [row for row in PROPERTIES if known.any() or row.name not in ("colour", "border")]
    measured = {row.name: row.measure(photos) for row in rows}
    measured[COLOUR_AND_SIZE] = np.concatenate(list(measured.values()), axis=1)
    return {
        name: judge(
            Space.of(values.astype(np.float32)),
            labels,
            groups,
            classes,
            repeats=1,
            folds=folds,
            seed=seed,
            penalty=PENALTY,
        ).accuracy
        for name, values in measured.items()
    }


def _in_bins(values: Array) -> Array:
    """`values` and, for each column, which of eight equally full ranges they lie in."""
    parts = [values]
    for column in values.T:
        edges = np.unique(np.quantile(column, np.linspace(0, 1, _BINS + 1)[1:-1]))
        place = np.searchsorted(edges, column, side="left")
        parts.append(np.eye(len(edges) + 1)[place])
    return np.concatenate(parts, axis=1)
