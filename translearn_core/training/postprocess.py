"""Calibration and out-of-distribution reference of a run, after training.

Owns: the temperature of a trained head, `reference.npz`, and what metrics.json says of both under
`calibration` and `unlike`.
Leaves to others: the methods (`evaluation/calibration.py`, `evaluation/ood.py`), learning (`train.py`), files of the
model (`save.py`), using all this for new photos (`prediction/predict.py`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from translearn_core.arrays import Array, Ints
from translearn_core.evaluation import calibration, ood
from translearn_core.evaluation.predictions import ValidationPredictions
from translearn_core.fitting.data import TrainingData
from translearn_core.fitting.plan import Plan

logger = logging.getLogger(__name__)

Rows = Ints
MOST_THROUGH_NETWORK = 1000
"""Photos of a part that go through an unfrozen network once more, for their features."""
MOST_WHEN_STOPPED = 150
"""The same where a person waits for a run that was stopped."""


def calibrate(head: Any, validation: ValidationPredictions) -> float:
    """Make the confidence of `head` fit what the validation photos showed; it is changed for good.

    Where the head learned once more, from training and validation photos together and over the
    whole schedule, the answers are those of the head before, at the last of its epochs: no photo
    then judges weights that learned from it, and those weights had learned by heart about as much.
    On real photos this did as well as a head trained for it alone over the whole schedule, which
    takes as long again as learning itself; the weights of the best epoch are too modest.

    Returns:
        The temperature; 1 where cross-validation shows no gain.
    """
    logits = calibration.as_logits(validation.probs)
    temperature = calibration.fit_helpful_temperature(logits, validation.labels)
    if not calibration.scale_head(head, temperature):
        logger.warning("This head has no layer of logits; its confidence stays as it is")
        return 1.0
    logger.info("Temperature %.3f on %d photos", temperature, len(validation.labels))
    return temperature


def calibration_figures(
    temperature: float,
    validation: ValidationPredictions,
    *,
    test: Array,
    truth: Ints,
) -> dict[str, Any]:
    """What metrics.json says under `calibration`; `test` are answers of the calibrated model."""
    return calibration.figures(
        temperature=temperature,
        fitted_on=len(validation.labels),
        how="validation",
        test=test,
        truth=truth,
    )


def keep_reference(
    plan: Plan,
    data: TrainingData,
    features_of: Callable[[Rows], Array],
    *,
    learned: Rows,
    backbone_learned: bool,
    is_stopped: bool = False,
) -> dict[str, Any]:
    """Write the reference of a run; what metrics.json says under `unlike`.

    Args:
        features_of: rows of the data -> pooled features `(n, d)`, as the head gets them.
        learned: rows that were learned from.
        backbone_learned: whether features depend on them, too.
        is_stopped: whether the run was stopped by a person, who waits for its end.
    """
    most = ood.MAX_PHOTOS
    if backbone_learned:
        most = MOST_WHEN_STOPPED if is_stopped else MOST_THROUGH_NETWORK
    width, seed = plan.backbone.features, plan.settings.seed
    labels = data.labels

    def some(rows: Rows) -> Rows:
        return rows[ood.subsample(labels[rows], width, seed, most=most)]

    rows = some(learned)
    held_out = features_of(some(data.rows("val"))) if backbone_learned else None
    reference, figures = ood.build_reference(
        features_of(rows),
        labels[rows],
        list(data.photos["path"].iloc[rows]),
        test=features_of(some(data.rows("test"))),
        held_out=held_out,
        groups=data.copies[rows],
        seed=seed,
    )
    reference.save(plan.run.folder)
    return figures
