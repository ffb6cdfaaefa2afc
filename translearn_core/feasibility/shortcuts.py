"""Shortcut detection: classes that a trivial property predicts.

Owns: which classes one property alone predicts.
Leaves to others: the properties and their bounds (`properties.py`), the accuracy on all of them
(`trivial_baseline.py`), the finding (`detectors.py`).

A small decision tree is trained on one property at a time, in group-wise cross-validation. A
property is a shortcut to a class when the tree predicts the class for nearly all of its photos and
hardly any others (balanced accuracy of at least `Giveaway.least`). Bounds are higher for properties
in which photos differ naturally, such as brightness and background, than for those that only the
making of the photos explains, such as the file type. Colours of the whole photo are no shortcut: a
lemon and a lime differ in colour.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from translearn_core.arrays import Array, Bools, Ints
from translearn_core.evaluation.cross_validation import assign_folds
from translearn_core.feasibility.properties import PROPERTIES, Giveaway, Property, position_of_mark
from translearn_core.feasibility.small_trees import SmallTree
from translearn_core.i18n import _, number

FEWEST = 8
"""Classes with fewer photos are left out."""
FOLDS = 5
MOST_PHOTOS = 6000
_LEAST_LEAF = 3
"""Fewest photos of an answer of a tree."""
_MARK_CELLS = 6
"""Cells that the tree of a mark is trained on."""
_CLEAR_EFFECT, _FEW_PARTS = 1.15, 10
"""Least effect in standard deviations, and most cells, of a narrow mark. Measured on eight sets of
photos: natural differences of that effect cover 12 cells and more, marks 1 to 10."""


@dataclass(frozen=True, kw_only=True)
class Shortcut:
    """A class (its index) that a property predicts.

    `found` is the true positive rate, `wrong` the false positive rate, `sure` the score in
    [0.9, 1], `place` the position of a mark in words.
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
            found=number(100 * self.found, ".0f"),
            wrong=number(100 * self.wrong, ".0f"),
            place=self.place,
        )


def find_shortcuts(
    photos: pd.DataFrame, labels: Ints, groups: Ints | None, *, seed: int = 0
) -> list[Shortcut]:
    """Classes that one property predicts, by falling score; for each class its best property.

    Args:
        photos: manifest rows; those without statistics are left out.
        labels: `(n,)`, class indices.
        groups: `(n,)`, near-duplicates share one; None: no near-duplicates.
    """
    rows = _choose_rows(photos, labels, seed)
    chosen, truth = photos.iloc[rows], labels[rows]
    if len(np.unique(truth)) < 2:
        return []
    folds = _assign_folds(truth, rows if groups is None else groups[rows], seed)
    found: dict[int, Shortcut] = {}
    for row in PROPERTIES:
        if row.giveaway is None:
            continue
        for shortcut in _find_shortcuts(row, row.giveaway, row.measure(chosen), truth, folds):
            known = found.get(shortcut.label)
            if known is None or shortcut.sure > known.sure:
                found[shortcut.label] = shortcut
    return sorted(found.values(), key=lambda shortcut: (-shortcut.sure, shortcut.label))


def _choose_rows(photos: pd.DataFrame, labels: Ints, seed: int) -> Ints:
    """Rows with statistics of classes with enough photos; above `MOST_PHOTOS` a stratified sample."""
    known = (photos["look"].str.len() > 0).to_numpy()
    counts = np.bincount(labels[known], minlength=int(labels.max(initial=0)) + 1)
    rows = np.flatnonzero(known & (counts[labels] >= FEWEST))
    most = max(FEWEST, MOST_PHOTOS // max(1, int((counts >= FEWEST).sum())))
    order = np.random.default_rng([seed, 3]).permutation(len(rows))
    rank = pd.Series(order).groupby(labels[rows]).rank(method="first").to_numpy()
    sampled: Ints = rows[rank <= most]
    return sampled


def _assign_folds(labels: Ints, groups: Ints, seed: int) -> Ints:
    """The fold that each photo is held out in, `(n,)`; a group lies in one."""
    rng = np.random.default_rng([seed, 5])
    codes, numbers = (np.unique(values, return_inverse=True)[1] for values in (labels, groups))
    return assign_folds(codes, numbers, folds=FOLDS, rng=rng)


def _find_shortcuts(
    row: Property, rule: Giveaway, values: Array, labels: Ints, folds: Ints
) -> list[Shortcut]:
    """The shortcuts through one property, from out-of-fold predictions of trees."""
    predict = _predict_marks if row.name == "mark" else _predict_tree
    predicted = np.full(len(labels), -1, np.int64)
    for fold in np.unique(folds):
        test = folds == fold
        if len(np.unique(labels[~test])) < 2:  # all other photos of a class lie in this fold
            continue
        predicted[test] = predict(rule, values[~test], labels[~test], values[test])
    shortcuts = []
    for label in np.unique(labels):
        own = labels == label
        found, wrong = (
            float((predicted[own] == label).mean()),
            float((predicted[~own] == label).mean()),
        )
        balanced_accuracy = (found + 1.0 - wrong) / 2
        least, place = rule.least, ""
        if row.name == "mark":
            mark = _find_mark(values, own)
            if not mark.sticks_out:
                continue
            least, place = (
                rule.least_narrow if mark.narrow else least,
                position_of_mark(mark.column),
            )
        if balanced_accuracy >= least:
            sure = 1.0 - 0.1 * (1.0 - balanced_accuracy) / (1.0 - least)
            shortcuts.append(
                Shortcut(
                    property=row, label=int(label), found=found, wrong=wrong, sure=sure, place=place
                )
            )
    return shortcuts


@dataclass(frozen=True, kw_only=True)
class _Mark:
    """The cell in which the photos of a class differ most from all others.

    `sticks_out`: its contrast to the cells around it is larger on photos of the class;
    `narrow`: at most `_FEW_PARTS` cells differ half as much. Natural differences are spread over
    many cells.
    """

    column: int
    sticks_out: bool
    narrow: bool


def _find_mark(values: Array, own: Bools) -> _Mark:
    effects = _effects(values, own.astype(np.int64))[1]
    column = int(effects.argmax())
    contrast = values[:, column]
    return _Mark(
        column=column,
        sticks_out=bool(abs(contrast[own].mean()) > abs(contrast[~own].mean())),
        narrow=bool(
            effects[column] >= _CLEAR_EFFECT and (effects > effects[column] / 2).sum() <= _FEW_PARTS
        ),
    )


def _predict_tree(rule: Giveaway, train: Array, labels: Ints, test: Array) -> Ints:
    depth = rule.depth + int(np.log2(len(np.unique(labels))))
    return SmallTree(train, labels, depth=depth, leaf=_LEAST_LEAF, balanced=True).predict(test)


def _predict_marks(rule: Giveaway, train: Array, labels: Ints, test: Array) -> Ints:
    """Predictions of one tree per class on the cells where it differs most; -1 where no tree predicts
    its class."""
    predicted = np.full(len(test), -1, np.int64)
    best = np.full(len(test), 0.5)
    present, codes = np.unique(labels, return_inverse=True)
    for label, effects in zip(present, _effects(train, codes), strict=True):
        own = labels == label
        cells = np.argsort(-effects, kind="stable")[:_MARK_CELLS]
        tree = SmallTree(
            train[:, cells],
            own.astype(np.int64),
            depth=rule.depth,
            leaf=_LEAST_LEAF,
            balanced=True,
        )
        prob = tree.probabilities(test[:, cells])[:, 1]
        better = prob > best
        predicted[better], best[better] = label, prob[better]
    return predicted


def _effects(values: Array, codes: Ints) -> Array:
    """Effect size of each class against all others, in standard deviations, `(classes, k)`."""
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
    spread = (
        np.sqrt((own_spread + other_spread) / 2) + 1.0
    )  # one grey level more, for uniform cells
    effects: Array = np.abs(own - other) / spread
    return effects
