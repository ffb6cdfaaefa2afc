"""Shortcut detection: classes that a trivial property predicts.

Owns: what can be told from one property alone. Leaves to others: the properties and when one
counts (`properties.py`), how far they get together (`trivial_baseline.py`), showing it (`checks.py`).

A small decision tree learns from one property at a time, by cross-validation in which groups of
copies stay together. A class is given away when the tree, which answers for every class, names
nearly all of its photos and hardly any other (mean of both shares at least `least`). What photos
naturally differ in, such as brightness and the colour of the ground, has to do so more nearly than
what only the making of the photos explains, such as the kind of file. Colours of the whole photo
give no class away: a lemon may be told from a lime by its colour.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from translearn_core.evaluation.cross_validation import assign_folds
from translearn_core.feasibility.properties import PROPERTIES, Giveaway, Property, place_of_mark
from translearn_core.i18n import _

Array = npt.NDArray[Any]
Ints = npt.NDArray[np.int64]

FEWEST = 8
"""Photos of a class below which nothing is said of it."""
FOLDS = 5
MOST_PHOTOS = 6000
_PLACES = 6
_CLEAR_EFFECT, _FEW_PARTS = 1.15, 10
"""Standard deviations, and number of parts: natural differences of eight sets of photos as clear as
that took 12 parts and more, marks 1 to 10."""


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
        assert self.property.giveaway is not None
        return _(self.property.giveaway.sentence).format(
            name=class_name,
            found=f"{100 * self.found:.0f}",
            wrong=f"{100 * self.wrong:.0f}",
            place=self.place,
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
        if one.giveaway is None:
            continue
        for shortcut in _judge(one, one.giveaway, one.measure(chosen), truth, folds):
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
    return assign_folds(codes, numbers, folds=FOLDS, rng=rng)


def _judge(
    one: Property, rule: Giveaway, values: Array, labels: Ints, folds: Ints
) -> list[Shortcut]:
    """What the property gives away, by trees that have not learned from the photo asked about."""
    ask = _ask_for_marks if one.name == "mark" else _ask_tree
    answers = np.zeros(len(labels), np.int64)
    for fold in np.unique(folds):
        asked = folds == fold
        answers[asked] = ask(rule, values[~asked], labels[~asked], values[asked])
    shortcuts = []
    for label in np.unique(labels):
        own = labels == label
        found, wrong = float((answers[own] == label).mean()), float((answers[~own] == label).mean())
        clear = (found + 1.0 - wrong) / 2
        least, place = rule.least, ""
        if one.name == "mark":
            mark = _find_mark(values, own)
            if not mark.sticks_out:
                continue
            least, place = rule.least_narrow if mark.narrow else least, place_of_mark(mark.column)
        if clear >= least:
            sure = 1.0 - 0.1 * (1.0 - clear) / (1.0 - least)
            shortcuts.append(
                Shortcut(
                    property=one, label=int(label), found=found, wrong=wrong, sure=sure, place=place
                )
            )
    return shortcuts


@dataclass(frozen=True, kw_only=True)
class _Mark:
    """Where the photos of a class differ most from all others.

    `sticks_out`: it differs from what lies around it, on photos of the class more than on others;
    `narrow`: hardly any other part differs half as much. A mark is both; what things naturally
    differ in is spread over many parts.
    """

    column: int
    sticks_out: bool
    narrow: bool


def _find_mark(values: Array, own: npt.NDArray[np.bool_]) -> _Mark:
    effects = _effects(values, own.astype(np.int64))[1]
    column = int(effects.argmax())
    there = values[:, column]
    return _Mark(
        column=column,
        sticks_out=bool(abs(there[own].mean()) > abs(there[~own].mean())),
        narrow=bool(
            effects[column] >= _CLEAR_EFFECT and (effects > effects[column] / 2).sum() <= _FEW_PARTS
        ),
    )


def _ask_tree(rule: Giveaway, learned: Array, labels: Ints, asked: Array) -> Ints:
    from sklearn.tree import DecisionTreeClassifier

    tree = DecisionTreeClassifier(
        max_depth=rule.depth + int(np.log2(len(np.unique(labels)))),
        min_samples_leaf=3,
        class_weight="balanced",
        random_state=0,
    ).fit(learned, labels)
    answers: Ints = tree.predict(asked)
    return answers


def _ask_for_marks(rule: Giveaway, learned: Array, labels: Ints, asked: Array) -> Ints:
    """For each class a tree on the few parts where it differs most; -1 where no tree says yes."""
    from sklearn.tree import DecisionTreeClassifier

    answers = np.full(len(asked), -1, np.int64)
    best = np.full(len(asked), 0.5)
    names, codes = np.unique(labels, return_inverse=True)
    for label, effects in zip(names, _effects(learned, codes), strict=True):
        own = labels == label
        places = np.argsort(-effects, kind="stable")[:_PLACES]
        tree = DecisionTreeClassifier(
            max_depth=rule.depth, min_samples_leaf=3, class_weight="balanced", random_state=0
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
