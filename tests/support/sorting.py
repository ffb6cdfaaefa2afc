"""Drawn features of photos to sort."""

from __future__ import annotations

import numpy as np

from translearn_core import datasets
from translearn_core.arrays import Array
from translearn_core.datasets import Dataset
from translearn_core.sorting.job import PhotoFeatures

CLASSES = ("cat", "dog", "owl")


def clouds(n: int, *, spread: float = 0.35, seed: int = 0) -> tuple[Array, list[str]]:
    """Features `(n, 32)` of three clouds, and their classes in turn."""
    rng = np.random.default_rng(seed)
    middles = np.random.default_rng(3).normal(0, 1, (3, 32))
    labels = np.arange(n) % 3
    features = middles[labels] + rng.normal(0, spread, (n, 32))
    return features.astype(np.float32), [CLASSES[label] for label in labels]


def features_of(dataset: Dataset) -> tuple[PhotoFeatures, dict[str, str]]:
    """Drawn features for its photos, and the class that each of them shows."""
    paths = tuple(str(path) for path in datasets.WithUnsorted(dataset.folder).photos["path"])
    features, labels = clouds(len(paths))
    found = PhotoFeatures(paths=paths, features=features, backbone="starter")
    return found, dict(zip(paths, labels, strict=True))
