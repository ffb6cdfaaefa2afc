"""Calibration of confidence by temperature scaling, and its measurement.

Owns: the temperature of a head, the calibration error, the bins of a reliability diagram.
Leaves to others: which photos it is fitted on (`training/train.py`), where figures are kept
(`training/save.py`), drawing (`translearn_ui`).

One number `T` divides the logits: `softmax(z / T)`; the answer stays the same, its confidence
does not (C. Guo et al., On Calibration of Modern Neural Networks, 2017). `T > 1` means that the
model was too sure of itself. `T` is put into the weights of the head's last layer, so that the
app and every export give the same probabilities.

Shapes: logits and probabilities `(n, classes)`, labels `(n,)` class indices. Logarithms of
probabilities are logits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from translearn_core.evaluation.metrics import wilson_interval

Array = npt.NDArray[Any]
Labels = npt.NDArray[np.integer]

FEWEST_PHOTOS = 10
"""With fewer photos than this the temperature stays 1."""
BINS = 15
_RANGE = (1 / 16, 16.0)
_TOLERANCE = 1e-8
"""Of the logarithm of the temperature."""


def as_logits(probabilities: Array) -> Array:
    """Logits `(n, classes) float64` of probabilities, up to a constant for each photo."""
    return np.log(np.maximum(np.asarray(probabilities, np.float64), 1e-30))


def softmax(logits: Array) -> Array:
    """Probabilities `(n, classes) float64` that add up to 1 in each row."""
    from scipy import special

    shares: Array = special.softmax(np.asarray(logits, np.float64), axis=1)
    return shares


def fit_temperature(logits: Array, labels: Labels) -> float:
    """The temperature under which these answers are least surprised by the truth.

    Minimises the cross-entropy, which has one minimum in `1 / T`. Each target is a little less
    than certain, `1 - 1 / (2 n + 2)`: as if half a photo more had been wrong (after J. Platt,
    Probabilistic Outputs for Support Vector Machines, 1999, who takes a whole one), so that a
    handful of photos that are all right cannot make the model infinitely sure.

    Args:
        logits: of photos that the weights did not learn from.
        labels: the truth.

    Returns:
        A temperature in [1/16, 16]; 1 with fewer than `FEWEST_PHOTOS` photos.
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax

    n = len(labels)
    if n < FEWEST_PHOTOS:
        return 1.0
    logits = np.asarray(logits, np.float64)
    classes = logits.shape[1]
    doubt = 1 / (2 * n + 2)
    targets = np.full((n, classes), doubt / (classes - 1))
    targets[np.arange(n), labels] = 1 - doubt

    def nll(log_t: float) -> float:
        return float(-(targets * log_softmax(logits / math.exp(log_t), axis=1)).sum() / n)

    low, high = (math.log(bound) for bound in _RANGE)
    found = minimize_scalar(
        nll, bounds=(low, high), method="bounded", options={"xatol": _TOLERANCE}
    )
    return math.exp(found.x)


def scale_head(head: Any, temperature: float) -> bool:
    """Divide the logits of a Keras model by `temperature`, for good: in its last layer's weights.

    Returns:
        Whether it ends in a layer whose weights make logits; otherwise nothing is changed.
    """
    last = head.layers[-1]
    while hasattr(last, "layers"):  # a head that stands inside another
        last = last.layers[-1]
    if not hasattr(last, "kernel"):
        return False
    last.set_weights([weight / temperature for weight in last.get_weights()])
    return True


def rescaled(probabilities: Array, temperature: float) -> Array:
    """What `probabilities` become when their logits are divided by `temperature`, as float32."""
    return softmax(as_logits(probabilities) / temperature).astype(np.float32)


def out_of_fold(
    learn: Callable[[npt.NDArray[np.int64], npt.NDArray[np.int64]], Array],
    labels: Labels,
    *,
    folds: int = 3,
    seed: int = 0,
    groups: npt.NDArray[np.integer] | None = None,
) -> Array:
    """Logits of every photo by a model that did not learn from it (cross-validation).

    Args:
        learn: called with the places to learn from and the places to answer; returns the logits
            of the latter.
        labels: each class is spread over the folds.
        folds: how many models learn.
        groups: photos of one group stay in one fold.

    Returns:
        `(n, classes)` in the order of `labels`.
    """
    fold_of = _folds(np.asarray(labels), folds, seed, groups)
    parts = [np.flatnonzero(fold_of == fold) for fold in range(folds)]
    answers: list[tuple[Array, Array]] = [
        (held, learn(np.flatnonzero(fold_of != fold), held))
        for fold, held in enumerate(parts)
        if len(held)
    ]
    result = np.empty((len(labels), answers[0][1].shape[1]))
    for held, logits in answers:
        result[held] = logits
    return result


def _folds(
    labels: Labels, folds: int, seed: int, groups: npt.NDArray[np.integer] | None
) -> npt.NDArray[np.int64]:
    """The fold of each photo: groups whole, classes spread evenly."""
    rng = np.random.default_rng(seed)
    groups = np.arange(len(labels)) if groups is None else np.asarray(groups)
    _names, first, member = np.unique(groups, return_index=True, return_inverse=True)
    fold_of_group = np.empty(len(first), np.int64)
    begin = 0
    for label in np.unique(labels[first]):
        chosen = rng.permutation(np.flatnonzero(labels[first] == label))
        fold_of_group[chosen] = (begin + np.arange(len(chosen))) % folds
        begin += len(chosen)
    return fold_of_group[member]


# ---------------------------------------------------------------------------- how well it holds


@dataclass(frozen=True, kw_only=True)
class Bin:
    """Answers of about the same confidence: how sure they were, and how many were right."""

    n: int
    confidence: float
    """Mean confidence of the answers."""
    accuracy: float
    low: float
    """The 95 % interval of the accuracy (Wilson)."""
    high: float


def reliability(probabilities: Array, labels: Labels, *, bins: int = BINS) -> list[Bin]:
    """Accuracy against confidence, in bins that hold equally many answers.

    Args:
        bins: at most so many; fewer where there are not that many answers.
    """
    confidence = np.asarray(probabilities, np.float64).max(axis=1)
    right = np.asarray(probabilities).argmax(axis=1) == labels
    return reliability_of(confidence, right, bins=bins)


def reliability_of(confidence: Array, right: Array, *, bins: int = BINS) -> list[Bin]:
    """The same from the confidence `(n,)` of each answer and whether it was right `(n,) bool`."""
    order = np.argsort(confidence, kind="stable")
    found = []
    for members in np.array_split(order, min(bins, max(1, len(order)))):
        if len(members):
            hits = int(right[members].sum())
            low, high = wilson_interval(hits, len(members))
            found.append(
                Bin(
                    n=len(members),
                    confidence=float(confidence[members].mean()),
                    accuracy=hits / len(members),
                    low=low,
                    high=high,
                )
            )
    return found


def error_of(bins: Sequence[Bin]) -> float | None:
    """Mean distance between confidence and accuracy over bins, weighted by their answers."""
    total = sum(bin_.n for bin_ in bins)
    if not total:
        return None
    return sum(bin_.n / total * abs(bin_.confidence - bin_.accuracy) for bin_ in bins)


def expected_calibration_error(
    probabilities: Array, labels: Labels, *, bins: int = BINS
) -> float | None:
    """The expected calibration error (M. Pakdaman Naeini et al., 2015), over equal-mass bins.

    On few answers even a perfectly calibrated model is some way off by chance: see
    `error_by_chance`.

    Returns:
        A share in [0, 1]; None without answers.
    """
    return error_of(reliability(probabilities, labels, bins=bins))


def error_by_chance(
    probabilities: Array, *, bins: int = BINS, draws: int = 200, seed: int = 0
) -> float | None:
    """The calibration error that these confidences would show were each of them exactly true.

    The mean over `draws` tests in which an answer given at 80 % is right with that probability.
    """
    confidence = np.asarray(probabilities, np.float64).max(axis=1)
    if not len(confidence):
        return None
    rng = np.random.default_rng(seed)
    errors = [
        error_of(reliability_of(confidence, rng.random(len(confidence)) < confidence, bins=bins))
        for _draw in range(draws)
    ]
    return float(np.mean([error for error in errors if error is not None]))


def figures(
    *, temperature: float, fitted_on: int, how: str, test: Array, truth: Labels
) -> dict[str, Any]:
    """What a run's metrics.json keeps of its calibration, under `calibration`.

    Args:
        temperature: by which the head was scaled.
        fitted_on: how many photos it was fitted on.
        how: `validation` or `out_of_fold`: whose answers those were.
        test: probabilities of the scaled model on the test photos.
        truth: their labels.

    Returns:
        `temperature`, `fitted_on`, `how`, `bins`, `error` (expected calibration error on the test
        photos), `error_before` (the same without the temperature), `error_by_chance`, and
        `reliability`: the bins as objects, at most ten.
    """
    return {
        "temperature": round(temperature, 4),
        "fitted_on": fitted_on,
        "how": how,
        "bins": BINS,
        "error": expected_calibration_error(test, truth),
        "error_before": expected_calibration_error(rescaled(test, 1 / temperature), truth),
        "error_by_chance": error_by_chance(test),
        "reliability": [asdict(bin_) for bin_ in reliability(test, truth, bins=10)],
    }
