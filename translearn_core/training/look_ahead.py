"""Looks at photos as a run with the default settings would, before there is one.

Owns: which features that are. Leaves to others: the pass (`features/extractor.py`), when it happens
(`jobs/look_ahead.py`).
"""

from __future__ import annotations

from pathlib import Path

from translearn_core import datasets
from translearn_core.features.extractor import POOLED, FeatureExtractor
from translearn_core.imaging.reading import set_reading
from translearn_core.monitor import Monitor
from translearn_core.recipe.resolve import resolve
from translearn_core.run_settings import Settings


def look_ahead(folder: Path, monitor: Monitor) -> None:
    """Have the features of a data set's photos cached that a run with the default settings asks for
    first.

    Raises:
        StopRequestedError: the monitor said so; what was done stays cached.
        TransLearnError: the photos cannot be trained on.
    """
    dataset = datasets.open_dataset(folder)
    set_reading(dataset.reading)
    resolved = resolve(Settings(), dataset)
    fit_choice, augmentation = resolved.fit_choice, resolved.augmentation
    if fit_choice is None or augmentation is None:
        raise AssertionError("they are settled where the data set is known")
    look = FeatureExtractor(
        dataset=dataset,
        backbone=resolved.backbone,
        size=resolved.image_size,
        fit=fit_choice.fit,
        strength=augmentation,
    )
    photos = dataset.photos
    mirrored = (augmentation == "mirror") & ~photos["split"].isin(["val", "test"])
    look.take(
        [(POOLED, 0), (POOLED, 1)] if mirrored.any() else [(POOLED, 0)],
        list(photos["path"][mirrored]),
        monitor,
        as_they_are=list(photos["path"][~mirrored]),
    )
