"""Cross-validation of a linear head on frozen features.

Owns: the folds, a head that is learned many times at once, what it answers out of sample, the
accuracy with its interval, and what is left of it when the labels are shuffled.
Leaves to others: where features come from (`features/extractor.py`), what follows from it (`feasibility/job.py`).

The head is a multinomial logistic regression with an L2 penalty on standardised features. It is
solved for all folds, repeats and shuffles in one go: the features are turned into their principal
components, where the bound of the Hessian by Boehning and Lindsay (1988) is nearly diagonal, so
that a step is a division; steps are accelerated (Nesterov 1983, restarted as by O'Donoghue and
Candes 2015). Every fold is a column block of one matrix product.

Labels are class numbers `(n,) int64`; groups `(n,) int64`: photos of one group never straddle
learning and judging. Shares and probabilities are in [0, 1].
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from translearn_core.evaluation.linear_probe import PCASpace, fit_heads, log_loss, predict_heads
from translearn_core.evaluation.metrics import wilson_interval


def _never() -> bool:
    return False


Array = npt.NDArray[Any]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
PENALTIES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
FOLDS = 10
REPEATS = 3
VARIANCE = 2.0
"""How much more the accuracy of all folds varies than that of as many photos judged once."""
CURVE_FOLDS = 5
CURVE_HALVINGS = 5


def assign_folds(labels: Ints, groups: Ints, *, folds: int, rng: np.random.Generator) -> Ints:
    """Deal photos into folds, groups whole, each class spread as evenly as groups allow.

    Returns:
        `(n,) int64` in [0, folds).
    """
    _names, group = np.unique(groups, return_inverse=True)
    sizes = np.bincount(group)
    own = np.zeros((len(sizes), int(labels.max()) + 1), np.int64)  # photos of each group by class
    np.add.at(own, (group, labels), 1)
    result = np.empty(len(sizes), np.int64)
    filled = np.zeros((folds, own.shape[1]), np.int64)
    tie_break = rng.random(len(sizes))
    for number in np.lexsort((tie_break, -sizes)):
        name = int(own[number].argmax())
        load = filled[:, name] * len(labels) + filled.sum(axis=1)
        least = np.flatnonzero(load == load.min())
        place = least[int(tie_break[number] * len(least))]
        filled[place] += own[number]
        result[number] = place
    return result[group]


def count_folds(labels: Ints, groups: Ints) -> int:
    """How many folds these photos allow: ten, or fewer where classes have fewer groups."""
    per_class = [len(np.unique(groups[labels == name])) for name in np.unique(labels)]
    middle = int(np.median(per_class)) if per_class else 2
    return int(np.clip(middle, 2, FOLDS))


def effective_number(groups: Ints) -> float:
    """How many photos the groups are worth when those of one group say the same (Kish 1965)."""
    sizes = np.unique(groups, return_counts=True)[1].astype(np.float64)
    return float(sizes.sum() ** 2 / np.square(sizes).sum())


@dataclass(frozen=True, kw_only=True)
class CrossValidation:
    """What heads answered about photos they had not learned from.

    Args:
        probabilities: `(n, classes)`, mean over the repeats.
        right: `(repeats, n) bool`: whether the answer was right.
        accuracy: mean of `right`.
        per_repeat: accuracy in each repeat.
        heads: those of all folds and repeats, `(folds * repeats, d + 1, classes)`.
        penalty: the one that was used.
        folds, repeats: how often photos were divided.
    """

    probabilities: Array
    right: Bools
    accuracy: float
    per_repeat: Array
    heads: Array
    penalty: float
    folds: int
    repeats: int

    @property
    def answers(self) -> Ints:
        """`(n,) int64`: the class with the largest probability."""
        result: Ints = self.probabilities.argmax(axis=1)
        return result


def judge(
    space: PCASpace,
    labels: Ints,
    groups: Ints,
    classes: int,
    *,
    repeats: int = REPEATS,
    folds: int = 0,
    seed: int = 0,
    penalty: float | None = None,
    learned: Bools | None = None,
    stop: Callable[[], bool] = _never,
) -> CrossValidation:
    """Repeated stratified group k-fold cross-validation.

    Args:
        folds: 0 for as many as the groups allow, at most ten.
        penalty: None to choose by the log-loss of one division.
        learned: `(n,) bool`: photos that may be learned from; the others are only judged.

    Raises:
        StopRequestedError: `stop` said so.
    """
    folds = folds or count_folds(labels, groups)
    rng = np.random.default_rng([seed, 17])
    dealt = np.stack(
        [assign_folds(labels, groups, folds=folds, rng=rng) for _repeat in range(repeats)]
    )
    judged = (dealt[:, None] == np.arange(folds)[None, :, None]).reshape(repeats * folds, -1)
    taught = ~judged if learned is None else ~judged & learned
    if penalty is None:
        penalty = choose_penalty(space, labels, taught[:folds], judged[:folds], classes, stop=stop)
    heads = fit_heads(space, labels, taught, classes, penalty=penalty, stop=stop)
    each = [
        predict_heads(space.points, heads[part], judged[part])
        for part in (slice(b, b + folds) for b in range(0, len(heads), folds))
    ]
    right = np.stack([found.argmax(axis=1) == labels for found in each])
    return CrossValidation(
        probabilities=np.mean(each, axis=0),
        right=right,
        accuracy=float(right.mean()),
        per_repeat=right.mean(axis=1),
        heads=heads,
        penalty=penalty,
        folds=folds,
        repeats=repeats,
    )


def choose_penalty(
    space: PCASpace,
    labels: Ints,
    learned: Bools,
    judged: Bools,
    classes: int,
    *,
    stop: Callable[[], bool] = _never,
) -> float:
    """The penalty with the least log-loss on photos not learned from.

    One number out of six for the whole set: choosing it on the evaluated photos raises
    the accuracy by less than can be measured.
    """
    best, least = PENALTIES[0], np.inf
    for penalty in PENALTIES:
        heads = fit_heads(space, labels, learned, classes, penalty=penalty, stop=stop)
        found = predict_heads(space.points, heads, judged)
        loss = log_loss(found, labels)
        if loss < least:
            best, least = penalty, loss
    return best


def interval(accuracy: float, groups: Ints) -> tuple[float, float]:
    """The 95 % interval of the accuracy on new photos of a head learned from so many photos.

    Wilson's, for as many photos as the groups are worth, halved: folds share most of what they
    learn from, so that their mean varies more than that of as many single trials. Nadeau and Bengio
    (2003) give 1.44 times the variance for ten folds; drawn sets asked for 2 (docs/benchmarks.md).
    """
    worth = effective_number(groups) / VARIANCE
    low, high = wilson_interval(accuracy * worth, worth)
    return min(low, accuracy), max(high, accuracy)


def mean_recall(right: Array, labels: Ints) -> float:
    """The share of photos that were right `(n,)`, each class counted alike."""
    counts = np.bincount(labels)
    found = np.bincount(labels, weights=right)
    return float((found[counts > 0] / counts[counts > 0]).mean())


def judge_shuffled(
    space: PCASpace,
    labels: Ints,
    groups: Ints,
    classes: int,
    *,
    penalty: float,
    shuffles: int,
    seed: int = 0,
    stop: Callable[[], bool] = _never,
) -> Array:
    """What is left when labels mean nothing: they change places, those of a group together.

    Returns:
        `(shuffles, 2)`: accuracy and mean recall of five folds on shuffled labels.
    """
    rng = np.random.default_rng([seed, 23])
    _names, first, group = np.unique(groups, return_index=True, return_inverse=True)
    folds = min(CURVE_FOLDS, count_folds(labels, groups))
    mixed = np.stack([labels[first[rng.permutation(len(first))]][group] for _n in range(shuffles)])
    dealt = np.stack([assign_folds(one, groups, folds=folds, rng=rng) for one in mixed])
    judged = (dealt[:, None] == np.arange(folds)[None, :, None]).reshape(shuffles * folds, -1)
    heads = fit_heads(
        space, np.repeat(mixed, folds, axis=0), ~judged, classes, penalty=penalty, stop=stop
    )
    result = np.zeros((shuffles, 2))
    for number, one in enumerate(mixed):
        part = slice(number * folds, (number + 1) * folds)
        right = predict_heads(space.points, heads[part], judged[part]).argmax(axis=1) == one
        result[number] = right.mean(), mean_recall(right, one)
    return result


@dataclass(frozen=True, kw_only=True)
class CurvePoint:
    """Accuracy `accuracy` after learning from `n` photos; `deviation` is that of its mean.

    `per_class`: share of each class that was found, `(classes,)`; NaN where a class has no photo.
    """

    n: int
    accuracy: float
    deviation: float
    per_class: Array


def learning_curve(
    space: PCASpace,
    labels: Ints,
    groups: Ints,
    classes: int,
    *,
    penalty: float,
    draws: int = 3,
    seed: int = 0,
    stop: Callable[[], bool] = _never,
) -> list[CurvePoint]:
    """Accuracy on the same photos after learning from ever larger parts of the others.

    Parts are nested, made of whole groups, and hold the classes in equal shares; each is half of
    the next. The largest is what a fold leaves to learn from.

    Returns:
        Points by growing `n`, at least one.
    """
    rng = np.random.default_rng([seed, 29])
    folds = min(CURVE_FOLDS, count_folds(labels, groups))
    largest = len(labels) * (folds - 1) / folds
    whole = len(np.unique(groups)) / len(
        labels
    )  # groups are taken whole: of each class one at least
    shares = _curve_shares(min(largest, 2.0 * largest * whole), classes)
    right = np.zeros((len(shares), draws, len(labels)), bool)
    used = np.zeros((len(shares), draws, folds))
    for draw in range(draws):
        dealt = assign_folds(labels, groups, folds=folds, rng=rng)
        judged = dealt == np.arange(folds)[:, None]  # (folds, n)
        learned = np.stack(
            [_take_parts(labels, groups, ~held, shares, rng) for held in judged], axis=1
        )  # (shares, folds, n)
        used[:, draw] = learned.sum(axis=2)
        heads = fit_heads(
            space,
            labels,
            learned.reshape(-1, len(labels)),
            classes,
            penalty=penalty,
            stop=stop,
        )
        for place, some in enumerate(heads.reshape(len(shares), folds, *heads.shape[1:])):
            found = predict_heads(space.points, some, judged)
            right[place, draw] = found.argmax(axis=1) == labels
    sizes = used.mean(axis=(1, 2)).round().astype(int)
    grown = np.flatnonzero(np.diff(sizes, prepend=0) > 0)  # a part may be no larger than the last
    return [_curve_point(right[place], labels, classes, int(sizes[place])) for place in grown]


def _curve_shares(largest: float, classes: int) -> list[float]:
    """Shares of what can be learned from: 1, a half, a quarter ..., by growing size."""
    least = max(10.0, 2.0 * classes)
    shares = [0.5**step for step in range(CURVE_HALVINGS) if largest * 0.5**step >= least]
    return sorted(shares) or [1.0]


def _take_parts(
    labels: Ints, groups: Ints, free: Bools, shares: list[float], rng: np.random.Generator
) -> Bools:
    """Nested parts `(shares, n)` of the photos that are `free`, groups whole, classes even."""
    rows = np.flatnonzero(free)
    _names, first, group = np.unique(groups[rows], return_index=True, return_inverse=True)
    name = labels[rows][first]  # the class of a group: that of its first photo
    sizes = np.bincount(group)
    order = rng.permutation(len(sizes))
    turn = np.empty(len(sizes))
    for one in np.unique(name):
        members = order[name[order] == one]
        reached = np.cumsum(sizes[members]) - 0.5 * sizes[members]
        turn[members] = reached / sizes[members].sum()
    result = np.zeros((len(shares), len(labels)), bool)
    for place, share in enumerate(shares):
        result[place, rows[turn[group] <= share]] = True
    return result


def _curve_point(right: Bools, labels: Ints, classes: int, n: int) -> CurvePoint:
    """The point of `right` `(draws, photos)`."""
    per_photo = right.mean(axis=0)
    found = np.bincount(labels, weights=per_photo, minlength=classes)
    counts = np.bincount(labels, minlength=classes)
    with np.errstate(invalid="ignore"):
        per_class = found / counts
    return CurvePoint(
        n=n,
        accuracy=float(per_photo.mean()),
        deviation=float(np.sqrt(max(right.var(), 0.25 / len(labels)) / len(labels))),
        per_class=per_class,
    )
