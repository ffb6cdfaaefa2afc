"""Give-aways: features of the files, not of what they show, that tell the classes apart.

Owns: `FEATURES`, one row per feature, how many photos each alone puts into the right class, and when
that is said.
Leaves to others: properties of the pixels that predict a single class (`shortcuts.py`), the header of
a file (`imaging/origin.py`), the finding (`detectors.py`), the report (`make_report.py`).

Each feature is judged alone, out of fold, with near-duplicates on one side: numbers by a small
decision tree, categories by the most frequent class of each value. The share of right photos is held
against always answering the largest class. A feature is a give-away when the low end of its 95 %
interval avoids at least `LEAST_REDUCTION` of the mistakes of that.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath

import numpy as np
import pandas as pd

from translearn_core.arrays import Array, Ints
from translearn_core.evaluation.cross_validation import assign_folds, interval
from translearn_core.feasibility.small_trees import SmallTree
from translearn_core.formatting import percent, percent_range
from translearn_core.i18n import N_, _
from translearn_core.imaging.origin import Origin

LEAST_REDUCTION = 0.4
"""Least share of the mistakes of answering the largest class that a give-away avoids, at the low end
of its interval; the bound of a useful answer in `verdict.py`. Measured in docs/benchmarks.md."""
FEWEST = 8
"""Classes with fewer photos are left out."""
MOST_PHOTOS = 3000
FOLDS = 5
_LEAST_LEAF = 4
_EXAMPLES = 3
_RARE = 3
"""A value of fewer photos of the training folds predicts nothing."""


@dataclass(frozen=True, kw_only=True)
class Files:
    """The files of photos, `(n,)` rows each.

    Args:
        photos: manifest rows.
        origins: see `imaging.origin`.
        copies: photos in the group of near-duplicates of each, itself included.
        classes: names of all classes: they are taken out of file names.
    """

    photos: pd.DataFrame
    origins: Sequence[Origin]
    copies: Ints
    classes: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Feature:
    """One row of the table.

    Args:
        name, title: in code and JSON, and for people, after "by".
        measure: `(n, k)` numbers, or `(n,)` texts (categories).
        show: what is typical of the values of a class, in words.
        meaning: what it means and what to do.
        learnable: whether a network can see it, or traces of it, in the pixels.
        covers: properties of `properties.py` that tell the same of a single class.
    """

    name: str
    title: str
    measure: Callable[[Files], Array]
    show: Callable[[Array], str]
    meaning: str
    learnable: bool = True
    covers: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Giveaway:
    """What a feature alone achieves.

    Args:
        accuracy, interval: share of photos in the right class, with its 95 % interval.
        largest: share of the largest class.
        examples: class -> what is typical of it, for some classes.
    """

    feature: Feature
    accuracy: float
    interval: tuple[float, float]
    largest: float
    n: int
    examples: dict[str, str]

    @property
    def reduction(self) -> float:
        """Share of the mistakes of the largest class that are avoided, at the low end."""
        return (self.interval[0] - self.largest) / max(1.0 - self.largest, 1e-9)

    @property
    def is_found(self) -> bool:
        """Whether the feature tells the classes apart."""
        return self.reduction >= LEAST_REDUCTION

    def describe(self) -> str:
        """A sentence for a person."""
        typical = "; ".join(f"{name}: {value}" for name, value in self.examples.items() if value)
        return " ".join(
            [
                _(
                    "By {feature} alone {share} of {n:,} photos are put into the right class (95 % "
                    "interval {interval}); always answering the largest class gets {largest}"
                ).format(
                    feature=_(self.feature.title),
                    share=percent(self.accuracy),
                    n=self.n,
                    interval=percent_range(*self.interval),
                    largest=percent(self.largest),
                )
                + (f" ({typical})." if typical else "."),
                _(self.feature.meaning),
            ]
        )


def choose_rows(labels: Ints, *, seed: int = 0) -> Ints:
    """Rows that are judged: of classes with enough photos; of many photos a stratified sample."""
    counts = np.bincount(labels)
    rows = np.flatnonzero(counts[labels] >= FEWEST)
    order = np.random.default_rng([seed, 7]).permutation(len(rows))
    rank = pd.Series(order).groupby(labels[rows]).rank(pct=True).to_numpy()
    sampled: Ints = rows[rank <= MOST_PHOTOS / max(len(rows), 1)]
    return sampled


def measure_giveaways(files: Files, labels: Ints, groups: Ints, *, seed: int = 0) -> list[Giveaway]:
    """What each feature alone achieves, in the order of the table; none with fewer than two classes.

    Args:
        labels, groups: `(n,)`, as the rows of `files`.
    """
    present, truth = np.unique(labels, return_inverse=True)
    if len(present) < 2:
        return []
    numbers = np.unique(groups, return_inverse=True)[1]
    folds = assign_folds(truth, numbers, folds=FOLDS, rng=np.random.default_rng([seed, 9]))
    counts = np.bincount(truth)
    found = []
    for feature in FEATURES:
        values = feature.measure(files)
        right = _predict(values, truth, folds) == truth
        accuracy = float(right.mean())
        examples = {
            files.classes[present[index]]: feature.show(values[truth == index])
            for index in np.argsort(-counts, kind="stable")[:_EXAMPLES]
        }
        found.append(
            Giveaway(
                feature=feature,
                accuracy=accuracy,
                interval=interval(accuracy, groups),
                largest=float(counts.max() / len(truth)),
                n=len(truth),
                examples=examples,
            )
        )
    return found


def _predict(values: Array, truth: Ints, folds: Ints) -> Ints:
    """Out-of-fold predictions by one feature."""
    predicted = np.zeros(len(truth), np.int64)
    by_value = values.ndim == 1
    for fold in np.unique(folds):
        test = folds == fold
        if not test.all():
            predict = _predict_by_value if by_value else _predict_by_tree
            predicted[test] = predict(values[~test], truth[~test], values[test])
    return predicted


def _predict_by_value(train: Array, truth: Ints, test: Array) -> Ints:
    """The most frequent class of each value; of a rare one that of all photos."""
    usual = int(np.bincount(truth).argmax())
    classes = {
        value: int(np.bincount(rows).argmax())
        for value in np.unique(train)
        if len(rows := truth[train == value]) >= _RARE
    }
    return np.array([classes.get(value, usual) for value in test], np.int64)


def _predict_by_tree(train: Array, truth: Ints, test: Array) -> Ints:
    depth = 2 + int(np.ceil(np.log2(len(np.unique(truth)) + 1)))
    return SmallTree(train, truth, depth=depth, leaf=_LEAST_LEAF).predict(test)


# --- measuring -----------------------------------------------------------------------------------

CAMERA_NAMES = frozenset(
    [
        "img",
        "image",
        "images",
        "dsc",
        "dscn",
        "dscf",
        "dscd",
        "pxl",
        "gopr",
        "gp",
        "dji",
        "mvi",
        "vid",
        "mov",
        "screenshot",
        "photo",
        "photos",
        "picture",
        "pic",
        "frame",
        "frames",
        "scan",
        "whatsapp",
        "imag",
        "sam",
        "cimg",
        "fb",
        "received",
        "snapchat",
        "signal",
        "unnamed",
        "download",
        "pict",
        "hpim",
        "sdc",
        "capture",
        "webcam",
        "still",
        "crop",
    ]
)
"""Words that cameras and programs begin names with. Other words may name the class."""
_PARTS = re.compile(
    r"(?P<uuid>[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})|(?P<hex>(?=[0-9a-f]*[a-f])(?=[0-9a-f]*\d)[0-9a-f]{10,})"
    r"|(?P<digits>\d+)|(?P<word>[^\W\d_]+)|(?P<other>.)",
    re.DOTALL,
)


def name_pattern(file: str, classes: Sequence[str]) -> str:
    """How a file is named, without what differs from photo to photo or names the class.

    `IMG_0042.jpg` is `img_#`, `cat-17.jpg` and `dog-9.jpg` are both `word-#`, a date of eight digits
    is `date`, a longer number `##`.
    """
    text = PurePosixPath(file.replace("\\", "/")).stem.casefold()
    for name in sorted(classes, key=len, reverse=True):
        if len(name) > 2 and not name.isdigit():
            text = text.replace(name.casefold(), " word ")
    parts = []
    for match in _PARTS.finditer(text):
        kind, part = match.lastgroup, match.group()
        if kind == "digits":
            is_date = len(part) == 8 and part[:2] in ("19", "20")
            part = "date" if is_date else "#" if len(part) <= 5 else "##"
        elif kind == "word":
            part = part if part in CAMERA_NAMES else "word"
        elif kind in ("uuid", "hex"):
            part = kind
        parts.append(part)
    pattern = re.sub(r"\s*word\s*", "word", "".join(parts))
    return re.sub(r"word([\W_]?word)+", "word", pattern)


def _name(files: Files) -> Array:
    return np.array([name_pattern(str(file), files.classes) for file in files.photos["file"]])


def _column(name: str, files: Files) -> Array:
    return files.photos[name].to_numpy(dtype=str)


def _bytes(files: Files) -> Array:
    size: Array = np.log2(np.maximum(files.photos[["bytes"]].to_numpy(dtype=np.float64), 1))
    return size


def _sides(files: Files) -> Array:
    sides = files.photos[["width", "height"]].to_numpy(dtype=np.float64)
    return np.column_stack([sides, sides[:, 0] / np.maximum(sides[:, 1], 1)])


def _most_frequent(values: Array) -> str:
    names, counts = np.unique(values, return_counts=True)
    return str(names[counts.argmax()]) or _("none named")


def _typical_bytes(values: Array) -> str:
    return _("{n:,.0f} KB").format(n=max(1.0, 2 ** float(np.median(values)) / 1000))


def _typical_sides(values: Array) -> str:
    sides, counts = np.unique(values[:, :2].astype(int), axis=0, return_counts=True)
    width, height = sides[counts.argmax()]
    return f"{width} x {height}"


def _typical_number(values: Array) -> str:
    return f"{np.median(values):.0f}"


_SAVING = N_(
    "The computer may learn how the files were made, not what they show. Save the photos of all "
    "classes in the same way, from their originals; where the class itself makes the difference "
    "(plain drawings make small files), keep them."
)

FEATURES: tuple[Feature, ...] = (
    Feature(
        name="file_size",
        title=N_("the size of the files"),
        measure=_bytes,
        show=_typical_bytes,
        meaning=_SAVING,
        covers=("file",),
    ),
    Feature(
        name="file_format",
        title=N_("the file format"),
        measure=partial(_column, "format"),
        show=_most_frequent,
        meaning=_SAVING,
        covers=("file",),
    ),
    Feature(
        name="compression",
        title=N_("the compression of the files"),
        measure=lambda files: np.array([[one.quantisation] for one in files.origins], np.float64),
        show=lambda _values: "",
        meaning=_SAVING,
        covers=("file",),
    ),
    Feature(
        name="picture_size",
        title=N_("width and height of the pictures"),
        measure=_sides,
        show=_typical_sides,
        meaning=N_(
            "All pictures are brought to one size, and what that does to them (squeezed, blurred) "
            "may be what the computer learns. Bring in photos of all classes in the same sizes."
        ),
        covers=("size",),
    ),
    Feature(
        name="camera",
        title=N_("the camera or program that the files name"),
        measure=lambda files: np.array([one.camera for one in files.origins]),
        show=_most_frequent,
        meaning=N_(
            "The computer may learn the camera, not the class. Take photos of every class with each "
            "of the cameras, or with one for all."
        ),
    ),
    Feature(
        name="file_name",
        title=N_("the pattern of the file names"),
        measure=_name,
        show=_most_frequent,
        meaning=N_(
            "The computer does not see names, but photos of one class that are named differently "
            "usually come from another camera or place, and it may learn that. Make sure that the "
            "photos of all classes come from the same sources."
        ),
        learnable=False,
    ),
    Feature(
        name="copies",
        title=N_("the number of copies of each photo"),
        measure=lambda files: np.log2(files.copies[:, None].astype(np.float64)),
        show=lambda values: _typical_number(2**values),
        meaning=N_(
            "Some classes consist of copies or frames of bursts and others do not: what is known of "
            "the former comes from few different photos. Add different ones."
        ),
        learnable=False,
    ),
)
"""Every feature, in the order in which they are shown."""
