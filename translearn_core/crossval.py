"""Cross-validation of a linear head on frozen features.

Owns: the folds, a head that is learned many times at once, what it answers out of sample, the
accuracy with its interval, and what is left of it when the labels are shuffled.
Leaves to others: where features come from (`gather.py`), what follows from it (`feasible.py`).

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

from translearn_core.errors import StopRequestedError
from translearn_core.metrics import wilson_interval

Array = npt.NDArray[Any]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

KEPT_COMPONENTS = 512
STEPS = 30
PENALTIES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
FOLDS = 10
REPEATS = 3
VARIANCE = 2.0
"""How much more the accuracy of all folds varies than that of as many photos judged once."""
CURVE_FOLDS = 5
CURVE_HALVINGS = 5
_WIDTH_CELLS = 12_000_000
"""Photos x heads x classes that are worked on at a time: about 50 MB for each of a few arrays."""


def _never() -> bool:
    return False


@dataclass(frozen=True, kw_only=True)
class Space:
    """Features as a head sees them: standardised, in principal components.

    `points` `(n, d + 1) float32`, d at most `KEPT_COMPONENTS`; the last column is 1.
    """

    points: Array
    mean: Array
    deviation: Array
    turn: Array  # (features, d)

    @classmethod
    def of(cls, features: Array, *, components: int = KEPT_COMPONENTS) -> Space:
        """The space spanned by `features` `(n, features)`."""
        mean = features.mean(axis=0, dtype=np.float64).astype(np.float32)
        deviation = features.std(axis=0, dtype=np.float64).astype(np.float32)
        deviation = np.where(deviation > 1e-6, deviation, np.float32(1.0))
        standard = ((features - mean) / deviation).astype(np.float32)  # (n, features)
        turn = _principal(standard, components)
        return cls(points=_with_one(standard @ turn), mean=mean, deviation=deviation, turn=turn)

    def place(self, features: Array) -> Array:
        """Where other photos lie in it, `(m, d + 1) float32`."""
        standard = ((features - self.mean) / self.deviation).astype(np.float32)
        return _with_one(standard @ self.turn)


def _principal(standard: Array, components: int) -> Array:
    """The leading principal directions `(features, d) float32`, of the smaller Gram matrix."""
    n, width = standard.shape
    exact = standard.astype(np.float64)
    gram = exact @ exact.T if n <= width else exact.T @ exact
    values, vectors = np.linalg.eigh(gram)
    order = np.argsort(values)[::-1][:components]
    order = order[values[order] > 1e-6 * max(float(values[-1]), 1e-12)]
    chosen = vectors[:, order]
    if n <= width:
        chosen = exact.T @ (chosen / np.sqrt(values[order]))
    result: Array = chosen.astype(np.float32)
    return result


def _with_one(points: Array) -> Array:
    return np.concatenate([points, np.ones((len(points), 1), np.float32)], axis=1)


# ------------------------------------------------------------------------------- the heads


def fit_heads(
    space: Space,
    labels: Ints,
    learned: Bools | Array,
    classes: int,
    *,
    penalty: float,
    steps: int = STEPS,
    stop: Callable[[], bool] = _never,
) -> Array:
    """Learn many heads at once.

    Args:
        labels: `(n,)`, or `(heads, n)` for labels of each head's own.
        learned: `(heads, n)`: which photos each head learns from, or how much each counts.
        classes: how many there are.
        penalty: of the squared weights, per photo learned from.
        steps: where heads learn from few of many photos, or photos count unequally, the default
            is too little to arrive.
        stop: asked now and then; True ends it.

    Returns:
        `(heads, d + 1, classes) float32`.

    Raises:
        StopRequestedError: `stop` said so.
    """
    heads, n = learned.shape
    labels = np.broadcast_to(labels, (heads, n))
    at_once = max(1, _WIDTH_CELLS // (n * classes))
    parts = [
        _fit_some(space.points, labels[part], learned[part], classes, penalty, steps, stop)
        for part in (slice(b, b + at_once) for b in range(0, heads, at_once))
    ]
    return np.concatenate(parts)


def _fit_some(
    points: Array,
    labels: Ints,
    learned: Array,
    classes: int,
    penalty: float,
    steps: int,
    stop: Any,
) -> Array:
    heads, n = learned.shape
    width = points.shape[1]
    mask = np.ascontiguousarray(learned.T, dtype=np.float32)  # (n, heads)
    target = np.zeros((n, heads, classes), np.float32)
    np.put_along_axis(target, labels.T[:, :, None], mask[:, :, None], axis=2)
    shrink = np.full((width, heads), penalty, np.float32) * mask.sum(axis=0)  # (d + 1, heads)
    shrink[-1] = 0.0
    curve = _curvature(points, mask, shrink)
    weights: Array = np.zeros((width, heads, classes), np.float32)
    ahead, pace = weights, np.ones(heads, np.float32)
    for _step in range(steps):
        if stop():
            raise StopRequestedError
        error = _softmax(points @ ahead.reshape(width, -1), heads)  # (n, heads, classes)
        error *= mask[:, :, None]
        error -= target
        slope = (points.T @ error.reshape(n, -1)).reshape(width, heads, classes)
        slope += shrink[:, :, None] * ahead
        moved = ahead - slope / curve[:, :, None]
        change = moved - weights
        uphill = np.einsum("dhc,dhc->h", slope, change) > 0  # too much momentum
        next_pace = np.where(uphill, 1.0, (1 + np.sqrt(1 + 4 * pace**2)) / 2).astype(np.float32)
        swing = np.where(uphill, 0.0, (pace - 1) / next_pace).astype(np.float32)
        ahead = moved + swing[None, :, None] * change
        weights, pace = moved, next_pace
    return np.ascontiguousarray(weights.transpose(1, 0, 2))


def _curvature(points: Array, mask: Array, shrink: Array) -> Array:
    """A bound of the curvature along each component, `(d + 1, heads)`.

    In principal components the matrix of all photos is diagonal; that of the photos which a head
    learns from is nearly so. By how much it is not is found by a few power iterations.
    """
    share = mask.mean(axis=0)
    guess = 0.5 * np.square(points).sum(axis=0)[:, None] * share + shrink + 1e-6
    root = np.sqrt(guess)
    vector = np.random.default_rng(0).standard_normal(guess.shape).astype(np.float32)
    largest = np.ones(mask.shape[1], np.float32)
    for _round in range(8):
        vector /= np.maximum(np.linalg.norm(vector, axis=0), 1e-12)
        turned = vector / root
        vector = (0.5 * (points.T @ (mask * (points @ turned))) + shrink * turned) / root
        largest = np.linalg.norm(vector, axis=0)
    result: Array = guess * np.maximum(1.0, 1.15 * largest)
    return result


def _softmax(scores: Array, heads: int) -> Array:
    """Probabilities `(n, heads, classes)` of scores `(n, heads * classes)`, in place.

    `scipy.special.softmax` gives the same values in up to twice the time (2,000 photos, 30 heads of
    5 classes: 11 ms for 6 ms), and this runs in every step of the solver.
    """
    scores = scores.reshape(len(scores), heads, -1)
    scores -= scores.max(axis=2, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(axis=2, keepdims=True)
    return scores


def ask_heads(points: Array, heads: Array, rows: Bools | None = None) -> Array:
    """What heads answer about photos: the mean of their probabilities, `(n, classes)`.

    Args:
        points: `(n, d + 1)`, of a `Space`.
        heads: `(heads, d + 1, classes)`.
        rows: `(heads, n)`: which photos each head is asked about; default all. A photo that none
            is asked about gets zeros.
    """
    total = np.zeros((len(points), heads.shape[2]), np.float64)
    asked = np.zeros(len(points), np.int64)
    for number, head in enumerate(heads):
        chosen = np.flatnonzero(rows[number]) if rows is not None else np.arange(len(points))
        total[chosen] += _softmax(points[chosen] @ head, 1)[:, 0]
        asked[chosen] += 1
    return total / np.maximum(asked, 1)[:, None]


# ------------------------------------------------------------------------------- the folds


def deal_folds(labels: Ints, groups: Ints, *, folds: int, rng: np.random.Generator) -> Ints:
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


# ------------------------------------------------------------------------------- judging


@dataclass(frozen=True, kw_only=True)
class Judged:
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
    space: Space,
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
) -> Judged:
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
        [deal_folds(labels, groups, folds=folds, rng=rng) for _repeat in range(repeats)]
    )
    judged = (dealt[:, None] == np.arange(folds)[None, :, None]).reshape(repeats * folds, -1)
    taught = ~judged if learned is None else ~judged & learned
    if penalty is None:
        penalty = choose_penalty(space, labels, taught[:folds], judged[:folds], classes, stop=stop)
    heads = fit_heads(space, labels, taught, classes, penalty=penalty, stop=stop)
    each = [
        ask_heads(space.points, heads[part], judged[part])
        for part in (slice(b, b + folds) for b in range(0, len(heads), folds))
    ]
    right = np.stack([found.argmax(axis=1) == labels for found in each])
    return Judged(
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
    space: Space,
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
        found = ask_heads(space.points, heads, judged)
        loss = log_loss(found, labels)
        if loss < least:
            best, least = penalty, loss
    return best


def log_loss(probabilities: Array, labels: Ints) -> float:
    """Mean negative logarithm of the probability of the right class."""
    right = probabilities[np.arange(len(labels)), labels]
    return float(-np.log(np.clip(right, 1e-6, 1.0)).mean())


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
    space: Space,
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
    dealt = np.stack([deal_folds(one, groups, folds=folds, rng=rng) for one in mixed])
    judged = (dealt[:, None] == np.arange(folds)[None, :, None]).reshape(shuffles * folds, -1)
    heads = fit_heads(
        space, np.repeat(mixed, folds, axis=0), ~judged, classes, penalty=penalty, stop=stop
    )
    result = np.zeros((shuffles, 2))
    for number, one in enumerate(mixed):
        part = slice(number * folds, (number + 1) * folds)
        right = ask_heads(space.points, heads[part], judged[part]).argmax(axis=1) == one
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
    space: Space,
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
        dealt = deal_folds(labels, groups, folds=folds, rng=rng)
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
            found = ask_heads(space.points, some, judged)
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
