"""Classes that a trivial property gives away: a model would learn that instead of the thing.

Owns: `PROPERTIES`, one row per property that has nothing to do with what a photo shows, what can
be told from each alone, and the rule for when a class counts as given away. Leaves to others:
how far such properties get in all (`trivial.py`), showing it (`findings.py`).

A small decision tree learns from one property at a time, by cross-validation in which groups of
copies stay together. A class is given away when the tree, which answers for every class, names
nearly all of its photos and hardly any other (mean of both shares at least `least`). What photos
naturally differ in, such as brightness and the colour of the ground, has to do so more nearly than
what only the making of the photos explains, such as the kind of file. Colours of the whole photo
are no property here: a lemon may be told from a lime by its colour.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from translearn_core.crossval import deal_folds
from translearn_core.datasets.facts import LOOK_SIDE, TINT_SIDE, unpack_looks, unpack_tints
from translearn_core.texts import N_, _

Array = npt.NDArray[Any]
Ints = npt.NDArray[np.int64]

FEWEST = 8
"""Photos of a class below which nothing is said of it."""
FOLDS = 5
MOST_PHOTOS = 6000
_PLACES = 6
_LOCAL = 5  # cells around a cell that a mark has to differ from
_MANY_CLASSES, _MORE_OF_FEW = 4, 0.05
"""Two or three classes may differ so near the rim by nature: hands do that all point upwards."""
_RIM = 1 / 4
"""Marks are looked for in the outer quarters: in the middle the things themselves lie alike."""


@dataclass(frozen=True, kw_only=True)
class Property:
    """One row.

    Args:
        name, title: what the property is called in code, and for people.
        measure: manifest rows -> `(n, k)` numbers.
        least: mean of the share of its own photos named and of other photos not named, from which
            a class is given away.
        depth: of the decision tree.
        sentence: what is told; `{name}` the class, `{found}` and `{wrong}` shares, `{place}`.
    """

    name: str
    title: str
    measure: Callable[[pd.DataFrame], Array]
    least: float
    depth: int
    sentence: str


@dataclass(frozen=True, kw_only=True)
class Shortcut:
    """A class (its number) that a property gives away.

    `found`: share of its photos that are named by the property alone; `wrong`: share of other
    photos that are named so too; `sure` in [0.9, 1].
    """

    property: Property
    label: int
    found: float
    wrong: float
    sure: float
    place: str = ""

    def describe(self, class_name: str) -> str:
        """A sentence for a person."""
        return _(self.property.sentence).format(
            name=class_name,
            found=f"{100 * self.found:.0f}",
            wrong=f"{100 * self.wrong:.0f}",
            place=self.place,
        )


def _measure_file(photos: pd.DataFrame) -> Array:
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


def _measure_border(photos: pd.DataFrame) -> Array:
    """Brightness of each edge, how even it is, and how it differs from what lies beside it."""
    looks = unpack_looks(list(photos["look"]))
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
    """Mean colour, and how even it is, of the outer ring of 8 x 8 parts."""
    ring = np.ones((TINT_SIDE, TINT_SIDE), np.bool_)
    ring[1:-1, 1:-1] = False
    colours = unpack_tints(list(photos["tint"]))[:, ring]  # (n, 28, 3)
    return np.column_stack([colours.mean(axis=1), colours.std(axis=1)])


def _measure_marks(photos: pd.DataFrame) -> Array:
    """How much each small part near the rim differs from the parts around it, in grey and colour."""
    grey = unpack_looks(list(photos["look"]))[:, :, :, None]
    tint = unpack_tints(list(photos["tint"]))
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


def _rim(side: int) -> npt.NDArray[np.bool_]:
    """Which of `side` x `side` cells lie near the edge."""
    depth = int(side * _RIM)
    rim = np.ones((side, side), np.bool_)
    rim[depth:-depth, depth:-depth] = False
    return rim


PROPERTIES: tuple[Property, ...] = (
    Property(
        name="mark",
        title=N_("watermark"),
        measure=_measure_marks,
        least=0.9,
        depth=2,
        sentence=N_(
            "A mark gives the class {name} away: its photos have the same spot {place}, like a "
            "watermark, a date or a frame. By that alone {found} of 100 of its photos are told, "
            "and {wrong} of 100 others taken for it."
        ),
    ),
    Property(
        name="size",
        title=N_("size and shape"),
        measure=_measure_size,
        least=0.95,
        depth=4,
        sentence=N_(
            "The size gives the class {name} away: by width and height alone {found} of 100 of its "
            "photos are told, and {wrong} of 100 others taken for it."
        ),
    ),
    Property(
        name="file",
        title=N_("kind of file"),
        measure=_measure_file,
        least=0.95,
        depth=4,
        sentence=N_(
            "The kind of file gives the class {name} away: by file type and compression alone {found} "
            "of 100 of its photos are told, and {wrong} of 100 others taken for it."
        ),
    ),
    Property(
        name="brightness",
        title=N_("brightness"),
        measure=_measure_brightness,
        least=0.97,
        depth=3,
        sentence=N_(
            "Brightness gives the class {name} away: by it alone {found} of 100 of its photos are "
            "told, and {wrong} of 100 others taken for it."
        ),
    ),
    Property(
        name="sharpness",
        title=N_("sharpness"),
        measure=_measure_sharpness,
        least=0.97,
        depth=2,
        sentence=N_(
            "Sharpness gives the class {name} away: by it alone {found} of 100 of its photos are "
            "told, and {wrong} of 100 others taken for it."
        ),
    ),
    Property(
        name="border",
        title=N_("border"),
        measure=_measure_border,
        least=0.97,
        depth=3,
        sentence=N_(
            "The border gives the class {name} away: by the outermost edge alone {found} of 100 of "
            "its photos are told, and {wrong} of 100 others taken for it."
        ),
    ),
    Property(
        name="background",
        title=N_("colour of the background"),
        measure=_measure_background,
        least=0.97,
        depth=4,
        sentence=N_(
            "The background gives the class {name} away: by the colours around the edge alone "
            "{found} of 100 of its photos are told, and {wrong} of 100 others taken for it."
        ),
    ),
)


def find_shortcuts(
    photos: pd.DataFrame, labels: Ints, groups: Ints | None, *, seed: int = 0
) -> list[Shortcut]:
    """Classes that one property gives away, the surest first; of each class the surest property.

    Args:
        photos: manifest rows; those without facts are left out.
        labels: `(n,)`, class numbers.
        groups: `(n,)`, copies and bursts share one; None: every photo its own.
    """
    rows = _choose_rows(photos, labels, seed)
    chosen, truth = photos.iloc[rows], labels[rows]
    if len(np.unique(truth)) < 2:
        return []
    folds = _fold(truth, rows if groups is None else groups[rows], seed)
    found: dict[int, Shortcut] = {}
    for one in PROPERTIES:
        for shortcut in _judge(one, one.measure(chosen), truth, folds):
            known = found.get(shortcut.label)
            if known is None or shortcut.sure > known.sure:
                found[shortcut.label] = shortcut
    return sorted(found.values(), key=lambda shortcut: (-shortcut.sure, shortcut.label))


def _choose_rows(photos: pd.DataFrame, labels: Ints, seed: int) -> Ints:
    """Rows with facts of classes with enough photos; of too many a share of each class."""
    known = (photos["look"].str.len() > 0).to_numpy()
    counts = np.bincount(labels[known], minlength=int(labels.max(initial=0)) + 1)
    rows = np.flatnonzero(known & (counts[labels] >= FEWEST))
    most = max(FEWEST, MOST_PHOTOS // max(1, int((counts >= FEWEST).sum())))
    turn = np.random.default_rng([seed, 3]).permutation(len(rows))
    rank = pd.Series(turn).groupby(labels[rows]).rank(method="first").to_numpy()
    kept: Ints = rows[rank <= most]
    return kept


def _fold(labels: Ints, groups: Ints, seed: int) -> Ints:
    """The fold in which each photo is asked about, `(n,)`; a group lies in one."""
    rng = np.random.default_rng([seed, 5])
    codes, numbers = (np.unique(values, return_inverse=True)[1] for values in (labels, groups))
    return deal_folds(codes, numbers, folds=FOLDS, rng=rng)


def _judge(one: Property, values: Array, labels: Ints, folds: Ints) -> list[Shortcut]:
    """What the property gives away, by trees that have not learned from the photo asked about."""
    ask = _ask_for_marks if one.name == "mark" else _ask_tree
    answers = np.zeros(len(labels), np.int64)
    for fold in np.unique(folds):
        asked = folds == fold
        answers[asked] = ask(one, values[~asked], labels[~asked], values[asked])
    shortcuts = []
    least = one.least
    if one.name == "mark" and len(np.unique(labels)) < _MANY_CLASSES:
        least += _MORE_OF_FEW
    for label in np.unique(labels):
        own = labels == label
        found, wrong = float((answers[own] == label).mean()), float((answers[~own] == label).mean())
        clear = (found + 1.0 - wrong) / 2
        if clear >= least:
            sure = 1.0 - 0.1 * (1.0 - clear) / (1.0 - least)
            place = _name_place(values, own) if one.name == "mark" else ""
            shortcuts.append(
                Shortcut(
                    property=one, label=int(label), found=found, wrong=wrong, sure=sure, place=place
                )
            )
    return shortcuts


def _ask_tree(one: Property, learned: Array, labels: Ints, asked: Array) -> Ints:
    from sklearn.tree import DecisionTreeClassifier

    tree = DecisionTreeClassifier(
        max_depth=one.depth + int(np.log2(len(np.unique(labels)))),
        min_samples_leaf=3,
        class_weight="balanced",
        random_state=0,
    ).fit(learned, labels)
    answers: Ints = tree.predict(asked)
    return answers


def _ask_for_marks(one: Property, learned: Array, labels: Ints, asked: Array) -> Ints:
    """For each class a tree on the few parts where it differs most; -1 where no tree says yes."""
    from sklearn.tree import DecisionTreeClassifier

    answers = np.full(len(asked), -1, np.int64)
    best = np.full(len(asked), 0.5)
    names, codes = np.unique(labels, return_inverse=True)
    for label, effects in zip(names, _effects(learned, codes), strict=True):
        own = labels == label
        places = np.argsort(-effects, kind="stable")[:_PLACES]
        tree = DecisionTreeClassifier(
            max_depth=one.depth, min_samples_leaf=3, class_weight="balanced", random_state=0
        ).fit(learned[:, places], own)
        yes = tree.predict_proba(asked[:, places])[:, 1]
        better = yes > best
        answers[better], best[better] = label, yes[better]
    return answers


def _effects(values: Array, codes: Ints) -> Array:
    """How far each class `0 ...` lies from all others, in standard deviations, `(classes, k)`."""
    member = np.eye(int(codes.max()) + 1, dtype=np.float32)[codes].T  # (classes, n)
    sums, squares = member @ values, member @ values**2
    moments = []
    for total, square, n in (
        (sums, squares, member.sum(axis=1, keepdims=True)),
        (sums.sum(axis=0) - sums, squares.sum(axis=0) - squares, (1 - member).sum(axis=1)[:, None]),
    ):
        mean = total / n
        moments.append((mean, np.maximum(square / n - mean**2, 0.0)))
    (own, own_spread), (other, other_spread) = moments
    spread = np.sqrt((own_spread + other_spread) / 2) + 1.0  # a grey level more: plain parts
    effects: Array = np.abs(own - other) / spread
    return effects


def _name_place(values: Array, own: npt.NDArray[np.bool_]) -> str:
    """Where on the photo the mark is, in words."""
    place = int(_effects(values, own.astype(np.int64))[1].argmax())
    grey = np.argwhere(_rim(LOOK_SIDE)) / LOOK_SIDE
    colour = np.repeat(np.argwhere(_rim(TINT_SIDE)) / TINT_SIDE, 2, axis=0)
    row, column = (3 * np.concatenate([grey, colour])[place]).astype(int)
    words = (
        (_("at the upper left"), _("at the top"), _("at the upper right")),
        (_("at the left"), _("in the middle"), _("at the right")),
        (_("at the lower left"), _("at the bottom"), _("at the lower right")),
    )
    return words[row][column]
