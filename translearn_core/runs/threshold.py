"""The confidence threshold of a run, below which a prediction is reported as "not sure".

Owns: `decision.json` of a run and the effect of a threshold on the test photos.
Leaves to others: the confidence itself (`evaluation/calibration.py`), photos unlike anything seen
(`evaluation/ood.py`), showing it.

`decision.json`: `schema_version`, `sure_from`: a prediction whose probability is below it is
"not sure". A run without the file decides by `SURE_FROM`.

Refusing the least confident predictions is classification with a reject option; coverage against
error rate is the risk-coverage curve (R. El-Yaniv and
Y. Wiener, On the Foundations of Noise-free Selective Classification, 2010).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from translearn_core.arrays import Array
from translearn_core.atomic import write_atomically
from translearn_core.errors import SettingsError
from translearn_core.i18n import _

FILE = "decision.json"
SCHEMA = 1
SURE_FROM = 0.5
"""Default threshold."""


@dataclass(frozen=True, kw_only=True)
class ConfidenceThreshold:
    """The confidence threshold chosen for a run.

    Raises:
        SettingsError: `sure_from` is no probability.
    """

    sure_from: float = SURE_FROM

    def __post_init__(self) -> None:
        if not 0.0 <= self.sure_from <= 1.0:
            raise SettingsError(
                _("`sure_from` must be between 0 and 1. Received: {value}.").format(
                    value=self.sure_from
                )
            )

    def is_sure(self, confidence: float | None) -> bool:
        """Whether an answer with this probability is given."""
        return confidence is not None and confidence >= self.sure_from


def read_threshold(folder: Path) -> ConfidenceThreshold:
    """The threshold of the run in `folder`; the default where there is none or it is unreadable."""
    try:
        content = json.loads((folder / FILE).read_text(encoding="utf-8"))
        return ConfidenceThreshold(sure_from=float(content["sure_from"]))
    except (OSError, ValueError, KeyError, TypeError, SettingsError):
        return ConfidenceThreshold()


def write_threshold(folder: Path, threshold: ConfidenceThreshold) -> None:
    """Store the threshold with the run in `folder`."""
    content = {"schema_version": SCHEMA, **asdict(threshold)}
    write_atomically(folder / FILE, json.dumps(content, indent=1))


@dataclass(frozen=True, kw_only=True)
class ThresholdEffect:
    """The effect of a threshold on the test photos."""

    n: int
    refused: int
    """Photos that would have been answered "not sure"."""
    avoided: int
    """Of these, answers that would have been wrong."""
    wrong: int
    """Wrong answers that would still have been given."""

    @property
    def answered(self) -> int:
        """Photos that would have got an answer."""
        return self.n - self.refused

    @property
    def lost(self) -> int:
        """Refused answers that would have been right."""
        return self.refused - self.avoided

    @property
    def accuracy(self) -> float | None:
        """Share of right answers among those given; None where none was."""
        return (self.answered - self.wrong) / self.answered if self.answered else None


def threshold_effect(confidence: Array, right: Array, sure_from: float) -> ThresholdEffect:
    """The effect of refusing predictions below `sure_from`.

    Args:
        confidence: of each prediction, `(n,)`.
        right: whether it is correct, `(n,) bool`.
    """
    right = np.asarray(right, bool)
    refused = np.asarray(confidence) < sure_from
    return ThresholdEffect(
        n=len(right),
        refused=int(refused.sum()),
        avoided=int((refused & ~right).sum()),
        wrong=int((~refused & ~right).sum()),
    )
