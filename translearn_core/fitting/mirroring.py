"""Switches mirroring off where mirrored photos of one class look like another.

Owns: `settle_mirroring`, which a run asks once its photos are split.
Leaves to others: the test (`evaluation/mirrors.py`), making views (`imaging/augment.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from translearn_core.arrays import Ints
from translearn_core.concurrency import run_stoppable
from translearn_core.evaluation.mirrors import find_lookalike, sample_rows
from translearn_core.features.cache import FeatureTable
from translearn_core.fitting.plan import Plan
from translearn_core.i18n import _
from translearn_core.imaging.augment import AugmentationPolicy
from translearn_core.monitor import Monitor


@dataclass(frozen=True, kw_only=True)
class Mirroring:
    """The augmentation that a run uses, and what is said about mirrored photos, "" for nothing."""

    augmentation: AugmentationPolicy
    said: str = ""


def settle_mirroring(
    plan: Plan,
    photos: pd.DataFrame,
    pooled: FeatureTable,
    labels: Ints,
    groups: Ints,
    subsets: npt.NDArray[np.str_],
    monitor: Monitor,
) -> Mirroring:
    """Whether the run mirrors its photos: as chosen, and by itself only where it does no harm.

    Test photos are not looked at.

    Args:
        photos: the manifest; `pooled`, `labels`, `groups` and `subsets` follow it.

    Raises:
        StopRequestedError: the run was asked to stop.
    """
    if plan.augmentation == "none":  # all other policies mirror photos
        return Mirroring(augmentation="none")
    rows = sample_rows(labels, groups, subsets != "test", seed=plan.settings.seed)
    mirrored = plan.extractor.mirrored(photos.iloc[rows], monitor)
    plain = pooled.take(rows)
    found = run_stoppable(
        lambda: find_lookalike(plain, mirrored, labels[rows], seed=plan.settings.seed),
        lambda: monitor.stop_requested,
    )
    if found is None:
        return Mirroring(augmentation=plan.augmentation)
    said = found.describe(plan.dataset.classes)
    if plan.settings.augmentation == "auto":
        said += " " + _("Photos are therefore not mirrored in training.")
        return Mirroring(augmentation="none", said=said)
    said += " " + _(
        "`augmentation={chosen}`, as chosen, mirrors them nevertheless and may teach the wrong "
        "class. Choose `none`, or leave it at `auto`."
    ).format(chosen=plan.augmentation)
    return Mirroring(augmentation=plan.augmentation, said=said)
