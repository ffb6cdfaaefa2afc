"""BatchNorm statistics re-estimated on other photos (AdaBN, Li et al. 2016).

Owns: measuring them in one pass through the Keras graph, and the features with them: the head
learns on labelled photos with statistics of their own, and answers with those of the new domain,
which are what the saved network holds.
Leaves to others: the technique (`adaptation_methods.py`), extracting features with changed weights
(`features/extractor.py`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from translearn_core import datasets
from translearn_core.arrays import Array
from translearn_core.errors import SettingsError
from translearn_core.features.extractor import POOLED
from translearn_core.features.weight_change import WeightChange
from translearn_core.fitting.data import TrainingData, extract_features
from translearn_core.fitting.inputs import InMemory
from translearn_core.fitting.plan import Plan
from translearn_core.i18n import _
from translearn_core.imaging.batches import in_batches
from translearn_core.imaging.remote import PhotoFile
from translearn_core.monitor import Monitor
from translearn_core.techniques.extra_samples import UnlabelledSet

MOST_PHOTOS = 512
"""So many photos tell the statistics well."""
BATCH = 32


@dataclass(frozen=True, kw_only=True)
class Renormalised:
    """Features through the network with the statistics of either domain.

    Attributes:
        data: what is learned: labelled photos, with statistics of their own.
        own: the labelled photos with the statistics of the new domain, `(n, d)`.
        judged: the photos that measure the new domain with its statistics, `(k, d)`.
        change: the statistics of the new domain, which the saved network holds.
    """

    data: TrainingData
    own: Array
    judged: Array
    change: WeightChange


def renormalise(
    plan: Plan,
    data: TrainingData,
    others: UnlabelledSet,
    monitor: Monitor,
    *,
    judged: UnlabelledSet,
) -> Renormalised:
    """Measure the statistics of both domains and extract features with them.

    Args:
        others: photos of the new domain whose statistics are measured; `judged` are further ones.

    Raises:
        SettingsError: the backbone has no BatchNormalization.
        StopRequestedError: the run was asked to stop.
    """
    own = [plan.dataset.photo_file(path) for path in data.photos["path"]]
    learned = np.flatnonzero(data.split != "test")
    source_change = _measure(plan, [own[row] for row in learned], monitor)
    target_change = _measure(plan, [Path(path) for path in others.photos["path"]], monitor)
    target = datasets.open_unlabelled(plan.settings.adapt_to)
    views = range(1 + len(data.views_pooled))
    learning = [
        _features(plan, plan.dataset, data, source_change, monitor, view=view) for view in views
    ]
    return Renormalised(
        data=replace(
            data,
            pooled=InMemory(learning[0]),
            views_pooled=tuple(InMemory(features) for features in learning[1:]),
        ),
        own=_features(plan, plan.dataset, data, target_change, monitor),
        judged=_features(plan, target, judged, target_change, monitor),
        change=target_change,
    )


def _measure(plan: Plan, paths: Sequence[PhotoFile], monitor: Monitor) -> WeightChange:
    """The statistics of these photos, as a change of the backbone's weights."""
    import keras

    from translearn_core.graph.build import build_backbone

    network = build_backbone(
        plan.backbone, size=plan.image_size, weights=plan.settings.weights, seed=plan.settings.seed
    )
    layers = [
        layer for layer in network.layers if isinstance(layer, keras.layers.BatchNormalization)
    ]
    if not layers:
        raise SettingsError(
            _(
                "{backbone} has no BatchNorm layers, so there are no statistics to measure. Choose "
                "another adaptation method."
            ).format(backbone=plan.backbone.title)
        )
    for layer in layers:
        layer.trainable = True
    chosen = np.linspace(0, len(paths) - 1, min(len(paths), MOST_PHOTOS)).round().astype(int)
    decoded = datasets.iterate_photos(
        [paths[i] for i in chosen], size=plan.image_size, fit=plan.fit
    )
    done = 0
    for batch in in_batches(decoded, BATCH, monitor=monitor, total=len(chosen)):
        if len(batch.photos) >= BATCH // 2 or (batch.photos and not done):
            take_in(network, layers, batch.images(), done)
            done += 1
    return _as_change(plan, layers)


def take_in(network: Any, layers: Sequence[Any], images: Array, done: int) -> None:
    """Let the stored statistics become the mean of those of all batches of images so far."""
    for layer in layers:
        layer.momentum = done / (done + 1)
    network(images.astype(np.float32), training=True)


def _as_change(plan: Plan, layers: Sequence[Any]) -> WeightChange:
    weights = {layer.name: layer.get_weights() for layer in layers}
    digest = hashlib.sha256(plan.extractor.weights_identity.encode())
    for name, arrays in weights.items():
        digest.update(name.encode())
        for array in arrays:
            digest.update(np.ascontiguousarray(array).tobytes())

    def apply(network: Any) -> None:
        for name, arrays in weights.items():
            network.get_layer(name).set_weights(arrays)

    return WeightChange(identity=f"renorm-{digest.hexdigest()[:16]}", apply=apply)


def _features(
    plan: Plan,
    dataset: datasets.Dataset,
    of: TrainingData | UnlabelledSet,
    change: WeightChange,
    monitor: Monitor,
    *,
    view: int = 0,
) -> Array:
    """Pooled features `(n, d)` of all photos of `of`, through the changed network."""
    look = replace(plan.extractor_for(dataset), change=change)
    hashes = list(of.photos["sha256"])
    known = dataset.photos[dataset.photos["sha256"].isin(hashes)]
    extract_features(look, [(POOLED, view)], list(known["path"]), monitor)
    features: Array = look.table(POOLED, view, hashes).take(np.arange(len(hashes)))
    return features
