"""What each advice of a feasibility check would bring, as gains of the accuracy.

Leaves to others: the advice and its order (`verdict.py`), the forecast (`make_report.py`).
"""

from __future__ import annotations

import numpy as np

from translearn_core import datasets
from translearn_core.arrays import Array
from translearn_core.backbones import Backbone
from translearn_core.backbones.default import expected_error_reduction, stronger_backbone
from translearn_core.datasets import Finding
from translearn_core.feasibility.check_data import CheckData, Evaluation
from translearn_core.feasibility.detectors import copies_across
from translearn_core.feasibility.label_errors import LabelError, strength_of
from translearn_core.feasibility.report import ForecastLine
from translearn_core.feasibility.verdict import ExpectedGains


def _is_dismissed(dismissed: set[datasets.Dismissed], finding: Finding) -> bool:
    """Whether a person dismissed the finding for all of its photos."""
    return all((finding.check, path) in dismissed for path in (finding.path, *finding.others))


def expected_gains(
    data: CheckData,
    evaluation: Evaluation,
    probabilities: Array,
    label_errors: list[LabelError],
    forecast: ForecastLine | None,
    backbone: Backbone,
    findings: list[Finding],
) -> ExpectedGains:
    """The expected gain in accuracy of each kind of advice."""
    accuracy = evaluation.cv.accuracy
    dismissed = datasets.read_dismissed(data.dataset)
    n = len(data.labels)
    sure = [error for error in label_errors if strength_of(error.score) == "almost_certain"]
    fixed_labels = sum(float(probabilities[error.row, error.suggested]) for error in sure) / n
    weak, weak_gain = _weak_classes(data, evaluation)
    return ExpectedGains(
        label_errors=len(label_errors),
        sure_label_errors=len(sure),
        label_errors_gain=fixed_labels,
        cross_class=len(
            copies_across(one for one in findings if not _is_dismissed(dismissed, one))
        ),
        weak=weak,
        weak_photos=int(np.isin(np.array(data.classes)[data.labels], weak).sum()),
        weak_gain=weak_gain,
        doubled=0 if forecast is None else forecast.n,
        doubled_gain=0.0 if forecast is None else _told_gain(accuracy, forecast.accuracy),
        backbone=stronger_backbone(backbone),
        backbone_gain=expected_error_reduction(backbone) * (1.0 - accuracy),
    )


def _told_gain(now: float, then: float) -> float:
    """The gain from one accuracy to another: the difference of their percentages, which are told
    beside it, where that is a point or more."""
    told = round(then, 2) - round(now, 2)
    return told if told >= 0.0095 else max(0.0, then - now)


def _weak_classes(data: CheckData, evaluation: Evaluation) -> tuple[list[str], float]:
    """The two classes whose doubling raises the accuracy most, and by how much.

    Extrapolates the last doubling of the learning curve per class. The next doubling is assumed to
    gain less by a factor of sqrt(2), as power laws with the usual exponent of 1/2 do.
    """
    curve = evaluation.curve
    if len(curve) < 2 or len(data.classes) < 3:
        return [], 0.0
    labels = data.labels[data.rows]
    shares = np.bincount(labels, minlength=len(data.classes)) / len(labels)
    growth = np.nan_to_num(curve[-1].per_class - curve[-2].per_class)
    missing = np.nan_to_num(1.0 - curve[-1].per_class)
    gain = np.clip(np.minimum(growth / np.sqrt(2.0), missing), 0.0, None) * shares
    chosen = np.argsort(-gain)[:2]
    chosen = chosen[gain[chosen] > 0]
    return [data.classes[index] for index in chosen], float(gain[chosen].sum())
