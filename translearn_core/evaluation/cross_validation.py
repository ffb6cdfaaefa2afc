"""Cross-validation of a linear head on frozen features.

Owns: fold assignment, out-of-fold predictions, the accuracy with its interval, the permutation test
(shuffled labels) and the learning curve.
Leaves to others: where features come from (`features/extractor.py`), what follows from it
(`feasibility/job.py`).

The head is a multinomial logistic regression with an L2 penalty on standardised features. It is
solved for all folds, repeats and permutations together: the features are rotated to their principal
components, where the bound of the Hessian by Boehning and Lindsay (1988) is nearly diagonal, so
that a step is a division; steps are accelerated (Nesterov 1983, restarted as by O'Donoghue and
Candes 2015). Every fold is a column block of one matrix product.

Labels are class numbers `(n,) int64`; groups `(n,) int64`: photos of one group are never on both
sides of a fold. Shares and probabilities are in [0, 1].
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from translearn_core.arrays import Array, Bools, Ints
from translearn_core.evaluation.linear_probe import PCASpace, fit_heads, log_loss, predict_heads
from translearn_core.evaluation.metrics import wilson_interval


def _never() -> bool:
    return False


PENALTIES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
FOLDS = 10
REPEATS = 3
VARIANCE = 2.0
"""Variance of the cross-validated accuracy, relative to that of as many independent trials."""
CURVE_FOLDS = 5
CURVE_HALVINGS = 5


def assign_folds(labels: Ints, groups: Ints, *, folds: int, rng: np.random.Generator) -> Ints:
    """Assign photos to folds: groups stay whole, classes are stratified as far as groups allow.

    Returns:
        `(n,) int64` in [0, folds).
    """
    _names, group = np.unique(groups, return_inverse=True)
    sizes = np.bincount(group)
    class_counts = np.zeros(
        (len(sizes), int(labels.max()) + 1), np.int64
    )  # photos of each group by class
    np.add.at(class_counts, (group, labels), 1)
    result = np.empty(len(sizes), np.int64)
    fold_counts = np.zeros((folds, class_counts.shape[1]), np.int64)
    tie_break = rng.random(len(sizes))
    for group_index in np.lexsort((tie_break, -sizes)):
        majority_class = int(class_counts[group_index].argmax())
        load = fold_counts[:, majority_class] * len(labels) + fold_counts.sum(axis=1)
        candidates = np.flatnonzero(load == load.min())
        fold = candidates[int(tie_break[group_index] * len(candidates))]
        fold_counts[fold] += class_counts[group_index]
        result[group_index] = fold
    return result[group]


def count_folds(labels: Ints, groups: Ints) -> int:
    """Number of folds: ten, or fewer where classes have fewer groups."""
    per_class = [len(np.unique(groups[labels == name])) for name in np.unique(labels)]
    median = int(np.median(per_class)) if per_class else 2
    return int(np.clip(median, 2, FOLDS))


def effective_number(groups: Ints) -> float:
    """Effective sample size when photos of one group carry the same information (Kish 1965)."""
    sizes = np.unique(groups, return_counts=True)[1].astype(np.float64)
    return float(sizes.sum() ** 2 / np.square(sizes).sum())


@dataclass(frozen=True, kw_only=True)
class CrossValidation:
    """Out-of-fold predictions of linear heads.

    Args:
        probabilities: `(n, classes)`, mean over the repeats.
        correct: `(repeats, n) bool`: whether the predicted class is the label.
        accuracy: mean of `correct`.
        per_repeat: accuracy in each repeat.
        heads: weights of all folds and repeats, `(folds * repeats, d + 1, classes)`.
        penalty: the L2 penalty that was used.
        folds, repeats: their numbers.
    """

    probabilities: Array
    correct: Bools
    accuracy: float
    per_repeat: Array
    heads: Array
    penalty: float
    folds: int
    repeats: int


def cross_validate(
    space: PCASpace,
    labels: Ints,
    groups: Ints,
    classes: int,
    *,
    repeats: int = REPEATS,
    folds: int = 0,
    seed: int = 0,
    penalty: float | None = None,
    train_allowed: Bools | None = None,
    stop: Callable[[], bool] = _never,
) -> CrossValidation:
    """Repeated stratified group k-fold cross-validation.

    Args:
        folds: 0 for as many as the groups allow, at most ten.
        penalty: None to choose it by the log-loss of one repeat.
        train_allowed: `(n,) bool`: photos that may be trained on; the others are only predicted.

    Raises:
        StopRequestedError: `stop` returned True.
    """
    folds = folds or count_folds(labels, groups)
    rng = np.random.default_rng([seed, 17])
    fold_of = np.stack(
        [assign_folds(labels, groups, folds=folds, rng=rng) for _repeat in range(repeats)]
    )
    val_mask = (fold_of[:, None] == np.arange(folds)[None, :, None]).reshape(repeats * folds, -1)
    train_mask = ~val_mask if train_allowed is None else ~val_mask & train_allowed
    if penalty is None:
        penalty = choose_penalty(
            space, labels, train_mask[:folds], val_mask[:folds], classes, stop=stop
        )
    heads = fit_heads(space, labels, train_mask, classes, penalty=penalty, stop=stop)
    probs = [
        predict_heads(space.points, heads[fold_slice], val_mask[fold_slice])
        for fold_slice in (slice(b, b + folds) for b in range(0, len(heads), folds))
    ]
    correct = np.stack([repeat_probs.argmax(axis=1) == labels for repeat_probs in probs])
    return CrossValidation(
        probabilities=np.mean(probs, axis=0),
        correct=correct,
        accuracy=float(correct.mean()),
        per_repeat=correct.mean(axis=1),
        heads=heads,
        penalty=penalty,
        folds=folds,
        repeats=repeats,
    )


def choose_penalty(
    space: PCASpace,
    labels: Ints,
    train_mask: Bools,
    val_mask: Bools,
    classes: int,
    *,
    stop: Callable[[], bool] = _never,
) -> float:
    """The penalty with the least out-of-fold log-loss.

    One number out of six for the whole set: choosing it on the evaluated photos raises
    the accuracy by less than can be measured.
    """
    best, least_loss = PENALTIES[0], np.inf
    for penalty in PENALTIES:
        heads = fit_heads(space, labels, train_mask, classes, penalty=penalty, stop=stop)
        probs = predict_heads(space.points, heads, val_mask)
        loss = log_loss(probs, labels)
        if loss < least_loss:
            best, least_loss = penalty, loss
    return best


def interval(accuracy: float, groups: Ints) -> tuple[float, float]:
    """The 95 % interval of the accuracy on new photos of a head trained on so many.

    Wilson's, for half the effective number of photos: the training sets of the folds overlap, so
    that the mean over folds varies more than that of as many independent trials. Nadeau and Bengio
    (2003) give 1.44 times the variance for ten folds; simulated sets required 2
    (docs/benchmarks.md).
    """
    effective_n = effective_number(groups) / VARIANCE
    low, high = wilson_interval(accuracy * effective_n, effective_n)
    return min(low, accuracy), max(high, accuracy)


def difference_error(one: CrossValidation, other: CrossValidation, groups: Ints) -> float:
    """The standard error of the difference of two accuracies on the same photos.

    Photos of one group vary together (cluster-robust); as in `interval`, the variance is that of
    independent trials times `VARIANCE`.
    """
    difference = one.correct.mean(axis=0) - other.correct.mean(axis=0)
    _names, group = np.unique(groups, return_inverse=True)
    sums = np.bincount(group, weights=difference - difference.mean())
    return float(np.sqrt(VARIANCE * np.square(sums).sum()) / len(difference))


def mean_recall(correct: Array, labels: Ints) -> float:
    """Balanced accuracy: the mean over classes of the recall; `correct` is `(n,)`."""
    counts = np.bincount(labels)
    correct_counts = np.bincount(labels, weights=correct)
    return float((correct_counts[counts > 0] / counts[counts > 0]).mean())


def cross_validate_shuffled(
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
    """Accuracy on permuted labels (the chance level); labels of a group are permuted together.

    Returns:
        `(shuffles, 2)`: accuracy and mean recall of five folds on shuffled labels.
    """
    rng = np.random.default_rng([seed, 23])
    _names, first, group = np.unique(groups, return_index=True, return_inverse=True)
    folds = min(CURVE_FOLDS, count_folds(labels, groups))
    shuffled = np.stack(
        [labels[first[rng.permutation(len(first))]][group] for _n in range(shuffles)]
    )
    fold_of = np.stack(
        [assign_folds(permuted, groups, folds=folds, rng=rng) for permuted in shuffled]
    )
    val_mask = (fold_of[:, None] == np.arange(folds)[None, :, None]).reshape(shuffles * folds, -1)
    heads = fit_heads(
        space, np.repeat(shuffled, folds, axis=0), ~val_mask, classes, penalty=penalty, stop=stop
    )
    result = np.zeros((shuffles, 2))
    for index, permuted in enumerate(shuffled):
        fold_slice = slice(index * folds, (index + 1) * folds)
        correct = (
            predict_heads(space.points, heads[fold_slice], val_mask[fold_slice]).argmax(axis=1)
            == permuted
        )
        result[index] = correct.mean(), mean_recall(correct, permuted)
    return result


@dataclass(frozen=True, kw_only=True)
class CurvePoint:
    """Accuracy `accuracy` after training on `n` photos; `deviation` is the standard error.

    `per_class`: recall of each class, `(classes,)`; NaN where a class has no photo.
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
    """Out-of-fold accuracy after training on growing subsets of the training folds.

    Subsets are nested, made of whole groups and stratified by class; each is half of the next. The
    largest is the whole training part of a fold.

    Returns:
        Points by growing `n`, at least one.
    """
    rng = np.random.default_rng([seed, 29])
    folds = min(CURVE_FOLDS, count_folds(labels, groups))
    largest = len(labels) * (folds - 1) / folds
    group_fraction = len(np.unique(groups)) / len(
        labels
    )  # groups stay whole: at least one of each class
    fractions = _subset_fractions(min(largest, 2.0 * largest * group_fraction), classes)
    correct = np.zeros((len(fractions), draws, len(labels)), bool)
    used = np.zeros((len(fractions), draws, folds))
    for draw in range(draws):
        fold_of = assign_folds(labels, groups, folds=folds, rng=rng)
        val_mask = fold_of == np.arange(folds)[:, None]  # (folds, n)
        train_mask = np.stack(
            [_nested_subsets(labels, groups, ~held_out, fractions, rng) for held_out in val_mask],
            axis=1,
        )  # (fractions, folds, n)
        used[:, draw] = train_mask.sum(axis=2)
        heads = fit_heads(
            space,
            labels,
            train_mask.reshape(-1, len(labels)),
            classes,
            penalty=penalty,
            stop=stop,
        )
        for index, fraction_heads in enumerate(
            heads.reshape(len(fractions), folds, *heads.shape[1:])
        ):
            probs = predict_heads(space.points, fraction_heads, val_mask)
            correct[index, draw] = probs.argmax(axis=1) == labels
    sizes = used.mean(axis=(1, 2)).round().astype(int)
    larger = np.flatnonzero(np.diff(sizes, prepend=0) > 0)  # two fractions may give the same subset
    return [_curve_point(correct[index], labels, classes, int(sizes[index])) for index in larger]


def _subset_fractions(largest: float, classes: int) -> list[float]:
    """Fractions of the training part, ascending: ..., 1/4, 1/2, 1."""
    smallest = max(10.0, 2.0 * classes)
    fractions = [0.5**step for step in range(CURVE_HALVINGS) if largest * 0.5**step >= smallest]
    return sorted(fractions) or [1.0]


def _nested_subsets(
    labels: Ints, groups: Ints, allowed: Bools, fractions: list[float], rng: np.random.Generator
) -> Bools:
    """Nested parts `(shares, n)` of the photos that are `allowed`, groups whole, classes even."""
    rows = np.flatnonzero(allowed)
    _names, first, group = np.unique(groups[rows], return_index=True, return_inverse=True)
    group_class = labels[rows][first]  # the class of a group: that of its first photo
    sizes = np.bincount(group)
    order = rng.permutation(len(sizes))
    position = np.empty(len(sizes))
    for class_index in np.unique(group_class):
        members = order[group_class[order] == class_index]
        midpoints = np.cumsum(sizes[members]) - 0.5 * sizes[members]
        position[members] = midpoints / sizes[members].sum()
    result = np.zeros((len(fractions), len(labels)), bool)
    for index, fraction in enumerate(fractions):
        result[index, rows[position[group] <= fraction]] = True
    return result


def _curve_point(correct: Bools, labels: Ints, classes: int, n: int) -> CurvePoint:
    """The point of `correct` `(draws, photos)`."""
    per_photo = correct.mean(axis=0)
    correct_counts = np.bincount(labels, weights=per_photo, minlength=classes)
    counts = np.bincount(labels, minlength=classes)
    with np.errstate(invalid="ignore"):
        per_class = correct_counts / counts
    return CurvePoint(
        n=n,
        accuracy=float(per_photo.mean()),
        deviation=float(np.sqrt(max(correct.var(), 0.25 / len(labels)) / len(labels))),
        per_class=per_class,
    )
