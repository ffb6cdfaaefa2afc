"""Features drawn so that it is certain what a technique can and cannot do with them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from translearn_core.arrays import Array, Ints
from translearn_core.fitting.data import TrainingData
from translearn_core.fitting.inputs import InMemory
from translearn_core.fitting.mirroring import Mirroring

WIDTH = 8


def draw_clouds(
    each: int, *, classes: int = 2, seed: int = 0, apart: float = 4.0, noise: float = 0.5
) -> tuple[Array, Ints]:
    """Features `(classes * each, 8) float32` of one round cloud per class, and their classes.

    The middles of the clouds, the same for every seed, are `apart * sqrt(2)` from each other.
    """
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), each)
    middles = apart * np.eye(WIDTH)[:classes]
    features = middles[labels] + rng.normal(0, noise, (len(labels), WIDTH))
    return features.astype(np.float32), labels


def accuracy(answers: Array, labels: Ints) -> float:
    """The share of rows of `answers` `(n, classes)` whose largest entry is the label."""
    return float((answers.argmax(axis=1) == labels).mean())


def training_data(
    features: Array, labels: Ints, split: Array, groups: Ints | None = None, *, given: bool = False
) -> TrainingData:
    """What a head learns from where features `(n, width)` are all that there is of `n` photos.

    Args:
        groups: numbers `(n,)`; without them each photo is one of its own.
        given: whether the photos came with their split.
    """
    n = len(labels)
    groups = np.arange(n) if groups is None else groups
    return TrainingData(
        photos=pd.DataFrame(
            {"split": split if given else [""] * n, "sha256": [str(row) for row in range(n)]}
        ),
        classes=[f"class {code}" for code in range(labels.max() + 1)],
        labels=labels,
        split=split,
        groups=groups,
        copies=groups,
        pooled=InMemory(features.astype(np.float32)),
        cut=None,
        cut_is_pixels=False,
        views_pooled=(),
        views_cut=(),
        photos_per_s=None,
        mirroring=Mirroring(augmentation="none"),
    )
