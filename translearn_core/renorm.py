"""BatchNorm statistics re-estimated on other photos (AdaBN, Li et al. 2016).

Owns: measuring them in one pass through the Keras graph, and the lesson that follows: the head
learns on sorted photos seen with statistics of their own, and answers with those of the new place,
which are what the saved network holds.
Leaves to others: the passes that look at photos with changed weights (`gather.py`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from translearn_core import datasets
from translearn_core.errors import PhotoError, SettingsError, StopRequestedError
from translearn_core.gather import POOLED
from translearn_core.lesson import Lesson
from translearn_core.material import Material, look_through
from translearn_core.others import InMemory, Others
from translearn_core.plan import Plan
from translearn_core.texts import _
from translearn_core.weight_change import WeightChange

Array = npt.NDArray[Any]
MOST_PHOTOS = 512
"""So many photos tell the statistics well."""
BATCH = 32


def renormalised(plan: Plan, material: Material, others: Others) -> Lesson:
    """The lesson of a run whose network gets the statistics of the new place.

    Raises:
        SettingsError: the backbone has no BatchNormalization.
        StopRequestedError: the run was asked to stop.
    """
    own = [plan.dataset.photo_path(path) for path in material.photos["path"]]
    learned = np.flatnonzero(material.split != "test")
    here = _measure(plan, [own[row] for row in learned])
    there = _measure(plan, [Path(path) for path in others.photos["path"]])
    target = datasets.open_unsorted(plan.settings.adapt_to)
    views = range(1 + len(material.views_pooled))
    learning = [_features(plan, plan.dataset, material, here, view) for view in views]
    answering = _features(plan, plan.dataset, material, there, 0)
    return Lesson(
        material=replace(
            material,
            pooled=InMemory(learning[0]),
            views_pooled=tuple(InMemory(features) for features in learning[1:]),
        ),
        own_features=InMemory(answering),
        target_features=_features(plan, target, others, there, 0),
        change=there,
    )


def _measure(plan: Plan, paths: Sequence[Path]) -> WeightChange:
    """The statistics of these photos, as a change of the backbone's weights."""
    import keras

    from translearn_core.graph.backbone import build_backbone

    network = build_backbone(
        plan.backbone, size=plan.image_size, weights=plan.settings.weights, seed=plan.settings.seed
    )
    layers = [one for one in network.layers if isinstance(one, keras.layers.BatchNormalization)]
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
    batch: list[Array] = []
    done = 0
    for _place, photo in datasets.iterate_photos([paths[i] for i in chosen], size=plan.image_size):
        if plan.run.stop_requested:
            raise StopRequestedError
        if not isinstance(photo, PhotoError):
            batch.append(photo.image)
        if len(batch) == BATCH:
            take_in(network, layers, batch, done)
            batch, done = [], done + 1
    if len(batch) >= BATCH // 2 or (batch and not done):
        take_in(network, layers, batch, done)
    return _as_change(plan, layers)


def take_in(network: Any, layers: Sequence[Any], batch: Sequence[Array], done: int) -> None:
    """Let the stored statistics become the mean of those of all batches so far."""
    for layer in layers:
        layer.momentum = done / (done + 1)
    network(np.stack(batch).astype(np.float32), training=True)


def _as_change(plan: Plan, layers: Sequence[Any]) -> WeightChange:
    weights = {layer.name: layer.get_weights() for layer in layers}
    digest = hashlib.sha256(plan.look.weights_identity.encode())
    for name, arrays in weights.items():
        digest.update(name.encode())
        for array in arrays:
            digest.update(np.ascontiguousarray(array).tobytes())

    def apply(network: Any) -> None:
        for name, arrays in weights.items():
            network.get_layer(name).set_weights(arrays)

    return WeightChange(identity=f"renorm-{digest.hexdigest()[:16]}", apply=apply)


def _features(
    plan: Plan, dataset: datasets.Dataset, of: Material | Others, change: WeightChange, view: int
) -> Array:
    """Pooled features `(n, d)` of all photos of `of`, through the changed network."""
    look = replace(plan.look_at(dataset, stage="technique"), change=change)
    hashes = list(of.photos["sha256"])
    known = dataset.photos[dataset.photos["sha256"].isin(hashes)]
    look_through(plan, [look.output(POOLED, view)], list(known["path"]), look)
    features: Array = look.table(POOLED, view, hashes).take(np.arange(len(hashes)))
    return features
