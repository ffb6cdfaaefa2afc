"""Fits heads: the run's own and those of further tasks, in one way.

Owns: a new head, the subsets that it learns from and is judged by, how many epochs, and whether a
head learns once more from training and validation photos together.
Leaves to others: the fit loop (`fit.py`), what is learned from (`data.py`), what a
technique changes of this (`techniques/base.py`). Imports Keras inside the functions.
"""

from __future__ import annotations

import math
from typing import Any

from translearn_core.evaluation.predictions import ValidationPredictions
from translearn_core.fitting.answers import predict_rows
from translearn_core.fitting.data import TrainingData
from translearn_core.fitting.fit_spec import FitSpec, Fitted
from translearn_core.fitting.inputs import FeatureSource
from translearn_core.fitting.plan import Plan
from translearn_core.fitting.subsets import Subset, class_weights
from translearn_core.monitor import Monitor
from translearn_core.run_settings import Settings

ENOUGH_SAMPLES = 30_000
LEAST_EPOCHS = 12
"""A head has learned what it can from so many photos, with their views, or so many rounds. On 2,000
photos of litter 46,000 gave 0.781, 30,000 0.787 and 24,000 0.784 (means of five seeds)."""
MIRRORED_PART = 0.5
"""Part of the epochs that a hidden layer beside a linear half needs where each photo is also shown mirrored
(docs/experiments/head.md)."""
LEAST_MIRRORED_SAMPLES = 4_500
"""A part of the epochs is enough where so many photos are seen in it. Of fewer, epochs take next to no time, and
half of them cost half a point (docs/experiments/head.md)."""
REFIT_BELOW = 150
"""With so many validation photos they judge well, and matter little as training photos: with 198 a
refit on 2,000 photos of litter gained nothing over five seeds (0.776 after 0.781)."""


def build_new_head(plan: Plan, data: TrainingData) -> Any:
    """A head that knows nothing yet, for the classes of `data`."""
    from translearn_core.graph.assembly import build_head

    return build_head(plan.backbone.features, len(data.classes), plan.settings)


def subset_of(
    plan: Plan,
    data: TrainingData,
    name: str,
    source: FeatureSource,
    views: tuple[FeatureSource, ...] = (),
) -> Subset:
    """The training or the validation photos, fed from `source`; only training is weighted."""
    rows = data.rows(name)
    labels = data.labels[rows]
    trains = name == "train"
    counting = None if data.weights is None else data.weights[rows]
    balance = plan.settings.class_weighting and trains
    weights = class_weights(labels, len(data.classes), balance, counting)
    if counting is not None:
        weights = weights * counting
    return Subset(
        source=source,
        rows=rows,
        labels=labels,
        weights=weights,
        views=views,
        targets=data.targets[rows] if trains and data.targets is not None else None,
        view_targets=tuple(targets[rows] for targets in data.view_targets) if trains else (),
    )


def count_epochs(plan: Plan, data: TrainingData) -> int:
    """Epochs of a head: fewer where there are so many photos, or views of each, that a few rounds see
    enough."""
    most = plan.head_epochs
    if not plan.settings.early_stopping:
        return most
    photos = max(1, len(data.rows("train")))
    if plan.augmentation == "mirror" and data.views_pooled and has_linear_half(plan):
        seen = max(LEAST_EPOCHS, math.ceil(LEAST_MIRRORED_SAMPLES / photos))
        most = max(min(seen, most), math.ceil(most * MIRRORED_PART))
    enough = max(LEAST_EPOCHS, math.ceil(ENOUGH_SAMPLES / photos))
    return min(most, enough)


def fit_head(
    plan: Plan,
    data: TrainingData,
    head: Any,
    monitor: Monitor,
    *,
    epochs: int | None = None,
    keep_last: bool = False,
) -> Fitted:
    """Fit a head to the pooled features of all views.

    Args:
        epochs: at most so many; default `count_epochs`.
        keep_last: see `FitSpec`.
    """
    from translearn_core.fitting.fit import fit

    spec = FitSpec(
        settings=plan.settings,
        phase="head",
        epochs=count_epochs(plan, data) if epochs is None else epochs,
        keep_last=keep_last,
    )
    train = subset_of(plan, data, "train", data.pooled, data.views_pooled)
    return fit(head, train, subset_of(plan, data, "val", data.pooled), spec, monitor)


def refits(plan: Plan, data: TrainingData, monitor: Monitor) -> bool:
    """Whether a head learns once more, from training and validation photos together.

    On small sets the few validation photos are a noisy judge of single epochs: stopping by them
    cost 3 points of accuracy on real photos against a schedule that runs to its end, and the
    photos themselves are worth another point.
    """
    wanted = learns_from_validation(plan, data) and not monitor.stop_requested
    return bool(wanted and 0 < len(data.rows("val")) < REFIT_BELOW)


def has_linear_half(plan: Plan) -> bool:
    """Whether a linear head is learned beside the hidden layer."""
    return plan.settings.head == "auto" and not plan.fine_tunes


def settings_of_kept_head(plan: Plan, classes: int) -> Settings:
    """The settings that `build_head` makes the shape of a run's finished head of.

    A linear half takes two hidden units a class.
    """
    if not has_linear_half(plan):
        return plan.settings
    units = plan.settings.hidden_units + 2 * classes
    return plan.settings.model_copy(update={"head": "hidden", "hidden_units": units})


def learns_from_validation(plan: Plan, data: TrainingData) -> bool:
    """Whether validation photos may be learned from once they have judged."""
    given = (data.photos["split"] == "val").any()
    return bool(plan.settings.refit and not plan.fine_tunes and not given)


def answer_validation(
    data: TrainingData, model: Any, source: FeatureSource
) -> ValidationPredictions:
    """What `model` says of the validation photos, which it has not learned from."""
    rows = data.rows("val")
    return ValidationPredictions(probs=predict_rows(model, source, rows), labels=data.labels[rows])
