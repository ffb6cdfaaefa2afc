"""Temperature scaling and calibration error.

Owns: the temperature of a head, the calibration error, the bins of a reliability diagram.
Leaves to others: which photos it is fitted on (`training/train.py`), where figures are kept
(`training/save.py`), drawing (`translearn_ui`).

One number `T` divides the logits: `softmax(z / T)`; the predicted class stays the same, its
confidence does not (C. Guo et al., On Calibration of Modern Neural Networks, 2017). `T > 1` means
that the model was overconfident. `T` is folded into the weights of the head's last layer, so that
the app and every export give the same probabilities.

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

from translearn_core.arrays import Array, Ints
from translearn_core.evaluation.metrics import wilson_interval

Labels = npt.NDArray[np.integer]

MIN_PHOTOS = 10
"""With fewer photos than this the temperature stays 1."""
BINS = 15
FOLDS = 5
_RANGE = (1 / 16, 16.0)
_TOLERANCE = 1e-8
"""Of the logarithm of the temperature."""


def as_logits(probabilities: Array) -> Array:
    """Logits `(n, classes) float64` of probabilities, up to a constant for each photo."""
    return np.log(np.maximum(np.asarray(probabilities, np.float64), 1e-30))


def softmax(logits: Array) -> Array:
    """Probabilities `(n, classes) float64` that add up to 1 in each row."""
    probabilities: Array = _special().softmax(np.asarray(logits, np.float64), axis=1)
    return probabilities


def softmax_in_place(logits: Array) -> Array:
    """Probabilities `(..., classes)` in the array and the type of the logits.

    `softmax` gives the same values in up to twice the time (2,000 photos, 30 heads of 5 classes: 11 ms
    for 6 ms), and this runs in every step of solvers.
    """
    logits -= logits.max(axis=-1, keepdims=True)
    np.exp(logits, out=logits)
    logits /= logits.sum(axis=-1, keepdims=True)
    return logits


def _log_softmax(logits: Array) -> Array:
    logarithms: Array = _special().log_softmax(logits, axis=1)
    return logarithms


def _special() -> Any:
    """SciPy's functions, which pages do without."""
    from scipy import special

    return special


def fit_temperature(logits: Array, labels: Labels) -> float:
    """The temperature that minimises the negative log-likelihood of these labels.

    Minimises the cross-entropy, which has one minimum in `1 / T`. Targets are smoothed to
    `1 - 1 / (2 n + 2)`, as if half a photo more were misclassified (after J. Platt, Probabilistic
    Outputs for Support Vector Machines, 1999, who adds a whole one), so that the temperature stays
    finite when all of a few photos are classified correctly.

    Args:
        logits: of photos that the weights were not trained on, `(n, classes)`.
        labels: true class indices, `(n,)`.

    Returns:
        A temperature in [1/16, 16]; 1 with fewer than `MIN_PHOTOS` photos.
    """
    from scipy.optimize import minimize_scalar

    n = len(labels)
    if n < MIN_PHOTOS:
        return 1.0
    logits = np.asarray(logits, np.float64)
    classes = logits.shape[1]
    smoothing = 1 / (2 * n + 2)
    targets = np.full((n, classes), smoothing / (classes - 1))
    targets[np.arange(n), labels] = 1 - smoothing

    def nll(log_t: float) -> float:
        return float(-(targets * _log_softmax(logits / math.exp(log_t))).sum() / n)

    low, high = (math.log(bound) for bound in _RANGE)
    result = minimize_scalar(
        nll, bounds=(low, high), method="bounded", options={"xatol": _TOLERANCE}
    )
    return math.exp(result.x)


def fit_helpful_temperature(logits: Array, labels: Labels, *, seed: int = 0) -> float:
    """The temperature of `fit_temperature`, or 1 where it does not help photos held out from it.

    Cross-validated: each fold is scaled by the temperature of the others. The gain in negative
    log-likelihood has to be more than its standard error.
    """
    labels = np.asarray(labels)
    if len(labels) < MIN_PHOTOS:
        return 1.0
    logits = np.asarray(logits, np.float64)
    rows = np.arange(len(labels))
    fold_of = _folds(labels, FOLDS, seed, None)
    scaled = np.empty_like(logits)
    for fold in range(FOLDS):
        held_out = fold_of == fold
        scaled[held_out] = logits[held_out] / fit_temperature(logits[~held_out], labels[~held_out])
    gain = (_log_softmax(scaled) - _log_softmax(logits))[rows, labels]
    error = float(gain.std()) / math.sqrt(len(gain))
    return fit_temperature(logits, labels) if gain.mean() > error else 1.0


def calibrated_loss(logits: Array, labels: Labels) -> float:
    """The negative log-likelihood of labels after the temperature that suits these logits best.

    It judges heads by what they know rather than by how sure they are of it: a head that is right
    more often, yet overconfident, is the better one once it is calibrated.
    """
    scaled = np.asarray(logits, np.float64) / fit_temperature(logits, labels)
    return float(-_log_softmax(scaled)[np.arange(len(labels)), labels].mean())


def scale_head(head: Any, temperature: float) -> bool:
    """Divide the logits of a Keras model by `temperature` by scaling the weights of its last layer.

    Returns:
        Whether the last layer has a kernel; otherwise nothing is changed.
    """
    last = head.layers[-1]
    while hasattr(last, "layers"):  # a nested head
        last = last.layers[-1]
    if not hasattr(last, "kernel"):
        return False
    last.set_weights([weight / temperature for weight in last.get_weights()])
    return True


def rescaled(probabilities: Array, temperature: float) -> Array:
    """`probabilities` with their logits divided by `temperature`, `(n, classes) float32`."""
    return softmax(as_logits(probabilities) / temperature).astype(np.float32)


def out_of_fold_logits(
    fit_and_predict: Callable[[Ints, Ints], Array],
    labels: Labels,
    *,
    folds: int = 3,
    seed: int = 0,
    groups: npt.NDArray[np.integer] | None = None,
) -> Array:
    """Out-of-fold logits: each photo is predicted by a model that was not trained on it.

    Args:
        fit_and_predict: called with the indices to train on and the indices to predict; returns
            the logits of the latter.
        labels: classes are stratified over the folds.
        folds: number of models.
        groups: photos of one group stay in one fold.

    Returns:
        `(n, classes)` in the order of `labels`.
    """
    fold_of = _folds(np.asarray(labels), folds, seed, groups)
    held_out_folds = [np.flatnonzero(fold_of == fold) for fold in range(folds)]
    predictions: list[tuple[Array, Array]] = [
        (held_out, fit_and_predict(np.flatnonzero(fold_of != fold), held_out))
        for fold, held_out in enumerate(held_out_folds)
        if len(held_out)
    ]
    result = np.empty((len(labels), predictions[0][1].shape[1]))
    for held_out, logits in predictions:
        result[held_out] = logits
    return result


def _folds(labels: Labels, folds: int, seed: int, groups: npt.NDArray[np.integer] | None) -> Ints:
    """The fold of each photo: groups stay whole, classes are stratified."""
    rng = np.random.default_rng(seed)
    groups = np.arange(len(labels)) if groups is None else np.asarray(groups)
    _names, first, member = np.unique(groups, return_index=True, return_inverse=True)
    fold_of_group = np.empty(len(first), np.int64)
    offset = 0
    for label in np.unique(labels[first]):
        chosen = rng.permutation(np.flatnonzero(labels[first] == label))
        fold_of_group[chosen] = (offset + np.arange(len(chosen))) % folds
        offset += len(chosen)
    return fold_of_group[member]


# ---------------------------------------------------------------------------- calibration error


@dataclass(frozen=True, kw_only=True)
class Bin:
    """Predictions of similar confidence: their mean confidence and their accuracy."""

    n: int
    confidence: float
    """Mean confidence of the predictions."""
    accuracy: float
    low: float
    """The 95 % interval of the accuracy (Wilson)."""
    high: float


def reliability(probabilities: Array, labels: Labels, *, bins: int = BINS) -> list[Bin]:
    """Accuracy against confidence, in equal-mass bins.

    Args:
        bins: upper bound; with fewer predictions than bins there is one bin for each.
    """
    confidence = np.asarray(probabilities, np.float64).max(axis=1)
    right = np.asarray(probabilities).argmax(axis=1) == labels
    return reliability_bins(confidence, right, bins=bins)


def reliability_bins(confidence: Array, correct: Array, *, bins: int = BINS) -> list[Bin]:
    """The same from confidences `(n,)` and whether each prediction is correct, `(n,) bool`."""
    bins_ = []
    for members in _members(confidence, bins):
        if len(members):
            hits = int(correct[members].sum())
            low, high = wilson_interval(hits, len(members))
            bins_.append(
                Bin(
                    n=len(members),
                    confidence=float(confidence[members].mean()),
                    accuracy=hits / len(members),
                    low=low,
                    high=high,
                )
            )
    return bins_


def _members(confidence: Array, bins: int) -> list[Ints]:
    """The predictions of each bin, by rising confidence."""
    order = np.argsort(confidence, kind="stable")
    return np.array_split(order, min(bins, max(1, len(order))))


def calibration_error(bins: Sequence[Bin]) -> float | None:
    """Mean distance between confidence and accuracy over bins, weighted by their size."""
    total = sum(bin_.n for bin_ in bins)
    if not total:
        return None
    return sum(bin_.n / total * abs(bin_.confidence - bin_.accuracy) for bin_ in bins)


def expected_calibration_error(
    probabilities: Array, labels: Labels, *, bins: int = BINS
) -> float | None:
    """The expected calibration error (M. Pakdaman Naeini et al., 2015), over equal-mass bins.

    With few predictions the error of a perfectly calibrated model is above 0 by chance: see
    `calibration_error_by_chance`.

    Returns:
        A share in [0, 1]; None without predictions.
    """
    return calibration_error(reliability(probabilities, labels, bins=bins))


def calibration_error_by_chance(
    probabilities: Array, *, bins: int = BINS, draws: int = 200, seed: int = 0
) -> float | None:
    """The expected calibration error of a perfectly calibrated model with these confidences.

    The mean over `draws` simulated test sets; a prediction of confidence p is correct with
    probability p.
    """
    confidence = np.asarray(probabilities, np.float64).max(axis=1)
    if not len(confidence):
        return None
    rng = np.random.default_rng(seed)
    members = _members(confidence, bins)
    order = np.concatenate(members)
    sizes = np.array([len(one) for one in members])
    begins = np.cumsum(sizes) - sizes
    hits = [
        np.add.reduceat((rng.random(len(order)) < confidence)[order], begins, dtype=np.int64)
        for _draw in range(draws)
    ]
    errors = np.zeros(draws)
    for one, accuracy in zip(members, (np.array(hits) / sizes).T, strict=True):
        errors += len(one) / len(order) * np.abs(confidence[one].mean() - accuracy)
    return float(np.mean(errors))


def figures(
    *, temperature: float, fitted_on: int, how: str, test: Array, truth: Labels
) -> dict[str, Any]:
    """The object under `calibration` in a run's metrics.json.

    Args:
        temperature: the logits of the head were divided by it.
        fitted_on: how many photos it was fitted on.
        how: `validation` or `out_of_fold`: which predictions those were.
        test: probabilities of the scaled model on the test photos, `(n, classes)`.
        truth: their labels, `(n,)`.

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
        "error_by_chance": calibration_error_by_chance(test),
        "reliability": [asdict(bin_) for bin_ in reliability(test, truth, bins=10)],
    }
