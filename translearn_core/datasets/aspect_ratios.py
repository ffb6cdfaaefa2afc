"""The shapes of photos: their ratios of width to height, and what follows for training.

Owns: `ratios`, which classes the shape alone gives away (`find_given_away`), which fit `auto` stands
for (`choose_fit`), and the sentences about it.
Leaves to others: how a photo is fitted (`imaging/square.py`), sizes (`picture_sizes.py`), other give-aways
(`feasibility/shortcuts.py`).

The bounds and the choice were measured: docs/experiments/fit.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from translearn_core.arrays import Array, Ints
from translearn_core.datasets.dataset import Dataset
from translearn_core.datasets.manifest_checks import Finding, list_names
from translearn_core.datasets.picture_sizes import FEWEST, class_names, sides
from translearn_core.formatting import percent
from translearn_core.i18n import _, ngettext, number
from translearn_core.imaging.square import Fit, is_other_shape

GIVEN_AWAY = 0.95
"""Mean of the share of a class's photos within a range of ratios, and of other photos outside."""
ONE_SHAPE = 1.15
"""Greatest ratio over the least, of nine tenths of a class: photos of one frame. Photos that were
cut to the things they show differ more."""
LEAST_SHARE = 0.1
"""Share of the photos whose class must be given away, for the fit of all to follow from it."""
MANY_OTHERS = 0.2
"""Share of given test photos of another shape from which that is said."""
_STEP = 0.01  # of the logarithm of a ratio: nearer ones count as the same


@dataclass(frozen=True, kw_only=True)
class FitChoice:
    """The fit that a setting stands for.

    Attributes:
        told: classes that the shape of their photos gives away, where these are many of the photos.
        reason: what must be said of it, in sentences; empty: nothing.
    """

    fit: Fit
    told: tuple[str, ...] = ()
    reason: str = ""


def ratios(dataset: Dataset) -> pd.Series[float]:
    """Width over height of the photos, by manifest path.

    Photos whose size is not known (`picture_sizes.sides`) are not among the result.
    """
    known = sides(dataset)
    return known["width"] / known["height"]


def find_given_away(dataset: Dataset) -> list[str]:
    """Classes whose photos have one shape that hardly any other photo has, in natural order."""
    values = ratios(dataset)
    names = class_names(dataset, values.index)
    logs = np.log(values.to_numpy())
    codes, classes = pd.factorize(names)
    told = set(classes[_told(logs, codes.astype(np.int64), len(classes))])
    return [name for name in dataset.classes if name in told]


def _told(logs: Array, codes: Ints, classes: int) -> list[int]:
    """Classes whose photos a range of ratios tells from all others."""
    steps = np.unique(np.round(logs / _STEP).astype(np.int64), return_inverse=True)[1]
    counts = np.zeros((classes, int(steps.max(initial=0)) + 1))
    np.add.at(counts, (codes, steps), 1)
    own, total = counts.sum(axis=1), counts.sum(axis=0)
    found = []
    for code in range(classes):
        n, others = own[code], len(logs) - own[code]
        if n < FEWEST or others < FEWEST:
            continue
        excess = np.cumsum(counts[code] / n - (total - counts[code]) / others)
        excess = np.concatenate([[0.0], excess])
        balanced = (1 + (excess - np.minimum.accumulate(excess)).max()) / 2
        low, high = np.quantile(logs[codes == code], [0.05, 0.95])
        if balanced >= GIVEN_AWAY and high - low <= np.log(ONE_SHAPE):
            found.append(code)
    return found


def choose_fit(wanted: Literal["auto", "stretch", "crop", "pad"], dataset: Dataset) -> FitChoice:
    """The fit of a run on these photos.

    `auto` is `crop` where the shape of the photos gives classes away that hold `LEAST_SHARE` of the
    photos, else `stretch`.
    """
    told = find_given_away(dataset)
    counts = dataset.counts
    enough = bool(told) and int(counts[told].sum()) >= LEAST_SHARE * int(counts.sum())
    fit: Fit = wanted if wanted != "auto" else "crop" if enough else "stretch"
    reasons = [_tell(told), _consequence(fit)] if enough else []
    return FitChoice(
        fit=fit,
        told=tuple(told) if enough else (),
        reason=" ".join([*reasons, *_tell_test(dataset)]),
    )


def _tell_test(dataset: Dataset) -> Iterator[str]:
    """Given test photos of other shapes than the training photos, where they are many."""
    values, photos = ratios(dataset), dataset.photos
    split = pd.Series(photos["split"].to_numpy(), index=photos["path"].astype(str))[values.index]
    known, test = known_range(values[split != "test"]), values[split == "test"]
    if known is None or test.empty:
        return
    others = float(np.mean([is_other_shape(ratio, 1.0, known) for ratio in test]))
    if others >= MANY_OTHERS:
        yield _(
            "{share} of the test photos have another shape than the training photos, which are "
            "{low} to {high} times as wide as high: the test then measures that, too."
        ).format(share=percent(others), low=number(known[0], ".2f"), high=number(known[1], ".2f"))


def _tell(told: list[str]) -> str:
    return ngettext(
        "The shape of the photos gives the class {names} away: its photos are all about as wide for "
        "their height, and hardly any other photo is.",
        "The shape of the photos gives the classes {names} away: photos of each are all about as "
        "wide for their height, and hardly any other photo is.",
        len(told),
    ).format(names=list_names(told))


def _consequence(fit: Fit) -> str:
    if fit == "crop":
        return _(
            "So every photo is cut to the square in its middle (`fit` is `crop`), where its shape is "
            "not seen; what lies at the sides is not seen, either. Better are photos of all classes "
            "in the same shape."
        )
    if fit == "pad":
        return _(
            "Borders (`fit` is `pad`) show the network this shape, and it may learn nothing else: a "
            "photo of another shape is then misjudged. Take `crop`, or photos of all classes in the "
            "same shape."
        )
    return _(
        "Squeezed to squares (`fit` is `stretch`), what they show is changed by it, and a photo of "
        "another shape is then misjudged. Take `crop`, or photos of all classes in the same shape."
    )


def known_range(values: pd.Series[float]) -> tuple[float, float] | None:
    """Least and greatest ratio, without the hundredth at either end; None where none is known."""
    if values.empty:
        return None
    low, high = np.quantile(values.to_numpy(), [0.01, 0.99])
    return float(low), float(high)


def find_shape(dataset: Dataset) -> Iterator[Finding]:
    """Classes that the shape of their photos gives away, as findings."""
    for name in find_given_away(dataset):
        yield Finding(check="shape", path=name, score=1.0)


def tell_shape(found: Sequence[Finding], dataset: Dataset) -> str:
    """Name the classes."""
    return _tell([one.path for one in found])
