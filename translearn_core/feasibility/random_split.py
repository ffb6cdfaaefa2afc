"""What a random split would claim beside what new groups would get.

Owns: when the difference is more than chance, and the sentence on it. Leaves to others: both
accuracies (`evaluation/cross_validation.py`), what belongs together (`datasets`).
"""

from __future__ import annotations

from translearn_core.feasibility.check_data import CheckData, Evaluation
from translearn_core.formatting import percent
from translearn_core.i18n import _

LEAST_GAP = 0.02
"""A smaller difference is not worth a word."""
LEAST_DEVIATIONS = 2.0


def flatters(evaluation: Evaluation) -> bool:
    """Whether a random split claims more than the grouped one, beyond chance."""
    gap = evaluation.random - evaluation.cv.accuracy
    return gap >= LEAST_GAP and gap > LEAST_DEVIATIONS * evaluation.random_gap_error


def tell_random_split(data: CheckData, evaluation: Evaluation) -> str:
    """The accuracy of a random split beside that on new groups; empty where nothing is grouped and
    they do not differ."""
    by = data.dataset.record.grouped_by if (data.photos["group_name"] != "").any() else ""
    honest, random = percent(evaluation.cv.accuracy), percent(evaluation.random)
    if flatters(evaluation):
        words = (
            _(
                "Of photos of a new group ({by}) {honest} are right. A random split would have claimed "
                "{random}: photos of one group are on both sides of it."
            )
            if by
            else _(
                "Of new photos {honest} are right. A random split would have claimed {random}: copies "
                "and frames of one burst are on both sides of it."
            )
        )
    elif by:
        words = _(
            "Of photos of a new group ({by}) {honest} are right; a random split claims {random}, no "
            "difference beyond chance."
        )
    else:
        return ""
    return words.format(by=by, honest=honest, random=random)
