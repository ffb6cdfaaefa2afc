"""Whether one way of answering is clearly better than another on the same photos.

Owns: `standard_errors`, how far paired differences are from nothing, and `HiddenCheck`, what labelled
photos say of a technique when their labels are hidden from it.
Leaves to others: what is compared (`techniques/`), tests between finished runs (`significance.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from translearn_core.arrays import Array

CLEAR = 1.0
"""Standard errors that a gain has to exceed before a technique departs from plain training."""


def standard_errors(gaps: Array) -> float:
    """The mean of paired differences `(n,)` in its standard errors; 0 where all are 0."""
    error = float(np.std(gaps)) / np.sqrt(max(1, len(gaps)))
    return float(np.mean(gaps) / max(error, 1e-9))


@dataclass(frozen=True, kw_only=True)
class HiddenCheck:
    """Whether a technique helps, as labelled photos say whose labels were hidden from it.

    Attributes:
        plain, taught: shares that are named right without and with it.
        certainty: the gain in standard errors.
        class_gain: gain of the mean over classes, as a technique may favour large ones.
        hidden: labelled photos.
        least: standard errors that the gain has to exceed.
    """

    plain: float
    taught: float
    certainty: float
    class_gain: float
    hidden: int
    least: float = CLEAR

    @property
    def helps(self) -> bool:
        """Whether it is to be used."""
        return self.certainty > self.least and self.class_gain > 0

    def figures(self) -> dict[str, Any]:
        """For metrics.json."""
        return {
            "helps": self.helps,
            "hidden": self.hidden,
            "hidden_accuracy_plain": self.plain,
            "hidden_accuracy": self.taught,
            "certainty": round(self.certainty, 3),
        }
