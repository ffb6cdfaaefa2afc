"""Width and height of the photos, and classes that the size alone gives away.

Owns: `sides`, `read_sizes`, and `find_size`: all photos of a class have about one size that hardly any
other photo has. Leaves to others: the shape (`aspect_ratios.py`), single photos of another size
(`feasibility/detectors.py`).

All photos are brought to one size for the network, and a small one is blurred then. In large photos it sees
no difference.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd

from translearn_core.config import load_configuration
from translearn_core.datasets.dataset import Dataset
from translearn_core.datasets.manifest_checks import Finding, list_names
from translearn_core.i18n import ngettext
from translearn_core.imaging.decode import read_size
from translearn_core.imaging.processors import processor_count

MOST_READ = 1500
"""Photos whose size is read from their headers, at most, where they were not decoded yet."""
FEWEST = 5
"""A class with fewer photos is not judged."""
ONE_SIZE = 1.3
"""Greatest size over the least, of nine tenths of a class; a size is the root of the area."""
APART = 1.25
"""Factor by which other photos must be larger or smaller than all of these."""
TOLD = 0.9
"""Share of the photos of the class within that range, less that of other photos."""
SMALL = 400
"""Pixels: where the photos of the class and the others are larger, a network sees no difference."""
_AT_A_TIME = 50  # photos by which it is judged how fast files come
_WAITED_S = 0.001  # for a file, from which several are read at a time

_measured: dict[tuple[str, str, int], pd.DataFrame] = {}


def sides(dataset: Dataset) -> pd.DataFrame:
    """`width` and `height` of the photos in pixels, float, by manifest path.

    Of photos that were not decoded yet, the headers of at most `MOST_READ` are read; the others,
    and photos whose size cannot be told, are not among the result.
    """
    photos = dataset.photos
    key = (str(dataset.folder), dataset.fingerprint, int(photos["checked"].sum()))
    if key not in _measured:
        while len(_measured) >= 8:
            _measured.pop(next(iter(_measured)))
        _measured[key] = _measure(dataset)
    return _measured[key]


def _measure(dataset: Dataset) -> pd.DataFrame:
    photos = dataset.photos
    found = photos[["width", "height"]].to_numpy(dtype=float, copy=True)
    unknown = np.flatnonzero(~photos["checked"].to_numpy(dtype=bool))
    chosen = unknown
    if len(unknown) > MOST_READ:
        chosen = unknown[np.linspace(0, len(unknown) - 1, MOST_READ).round().astype(int)]
    found[unknown] = 0.0
    paths = [dataset.photo_path(str(path)) for path in photos["path"].iloc[chosen]]
    for row, size in zip(chosen, read_sizes(paths), strict=True):
        found[row] = size or (0, 0)
    known = np.flatnonzero((found > 0).all(axis=1))
    names = [str(path) for path in photos["path"].iloc[known]]
    return pd.DataFrame(found[known], index=names, columns=["width", "height"])


def read_sizes(
    paths: Sequence[Path], *, waited_s: float = _WAITED_S
) -> Iterator[tuple[int, int] | None]:
    """What `read_size` says of each photo, in their order.

    One is read after the other while files come at once, as threads would only wait for each other; the
    others by threads from where files are waited for.

    Args:
        waited_s: seconds for a file, on the mean of some, from which that is so.
    """
    limits = load_configuration().limits
    done, comes_at_once = 0, True
    while done < len(paths) and comes_at_once:
        some = paths[done : done + _AT_A_TIME]
        began = time.monotonic()
        yield from [read_size(path, limits) for path in some]
        comes_at_once = time.monotonic() - began < len(some) * waited_s
        done += len(some)
    with ThreadPoolExecutor(2 * processor_count(), thread_name_prefix="size") as pool:
        yield from pool.map(lambda path: read_size(path, limits), paths[done:])


def class_names(dataset: Dataset, known: pd.Index) -> pd.Series[str]:
    """The class of the photos of an index of `sides`, by manifest path."""
    photos = dataset.photos
    names = pd.Series(photos["class_name"].to_numpy(), index=photos["path"].astype(str))
    return names[known]


def find_given_away_by_size(dataset: Dataset) -> list[str]:
    """Classes whose photos have about one size that hardly any other photo has, in natural order."""
    known = sides(dataset)
    sizes = np.sqrt(known["width"].to_numpy() * known["height"].to_numpy())
    of_photo = class_names(dataset, known.index).to_numpy()
    found = []
    for name in dataset.classes:
        own, others = sizes[of_photo == name], sizes[of_photo != name]
        if min(len(own), len(others)) < FEWEST or min(np.median(own), np.median(others)) >= SMALL:
            continue
        low, high = np.quantile(own, [0.05, 0.95])
        inside, outside = (
            float(((some >= low / APART) & (some <= high * APART)).mean()) for some in (own, others)
        )
        if high <= low * ONE_SIZE and inside - outside >= TOLD:
            found.append(name)
    return found


def find_size(dataset: Dataset) -> Iterator[Finding]:
    """These classes, as findings."""
    for name in find_given_away_by_size(dataset):
        yield Finding(check="one_size", path=name, score=1.0)


def tell_size(found: Sequence[Finding], dataset: Dataset) -> str:
    """Name the classes, with the size of the first."""
    names = [one.path for one in found]
    known = sides(dataset)
    of_first = (class_names(dataset, known.index) == names[0]).to_numpy()
    width, height = known[of_first].median().round().astype(int)
    return ngettext(
        "The size of the photos gives the class {names} away: its photos are all about {width} x {height} "
        "pixels, and hardly any other photo is.",
        "The size of the photos gives the classes {names} away: photos of each are all about as large (those of "
        "{first} {width} x {height} pixels), and hardly any other photo is.",
        len(names),
    ).format(names=list_names(names), first=names[0], width=width, height=height)
