"""Measures the speed of a backbone on this machine, for the costs that a page shows.

Owns: the measurement. Leaves to others: keeping and using the figures (`costs.py`).
Runs in a process of its own, with random weights: time does not depend on them.
"""

from __future__ import annotations

import logging
import time
from typing import Any

import keras
import numpy as np

from translearn_core import leftovers
from translearn_core.backbones import get_backbone
from translearn_core.features import costs
from translearn_core.features.cache import cache_folder
from translearn_core.graph.assembly import set_trainable, split_at
from translearn_core.graph.build import build_backbone
from translearn_core.graph.device import prepare_device
from translearn_core.graph.engine import ENGINE_BATCH, run_engine
from translearn_core.graph.kept_engines import open_prefix_engine
from translearn_core.graph.walk import cut_points

logger = logging.getLogger(__name__)

MEASURE_S = 1.0
"""About how long each of the two rates is measured."""
TRAIN_BATCH = 8


def measure_speed(backbone_name: str) -> None:
    """Measure and keep photos a second: through the frozen backbone, and training all of it."""
    backbone = get_backbone(backbone_name)
    size = backbone.default_size
    device = prepare_device()
    network = build_backbone(backbone, size=size, weights="random", seed=0)
    prefix, _suffix = split_at(network, cut_points(network)[-1])
    path = cache_folder() / leftovers.ENGINES / f"speed-{backbone_name}.xml"
    engine = open_prefix_engine(path, lambda: prefix)
    photos = np.random.default_rng(0).integers(
        0, 256, (4 * ENGINE_BATCH, size, size, 3), dtype=np.uint8
    )
    forward = _rate(len(photos), lambda: run_engine(engine, photos))
    costs.record_speed(backbone_name, forward_per_s=round(forward, 2), device=device)
    train = _rate(TRAIN_BATCH, _training_step(network, size))
    costs.record_speed(backbone_name, train_all_per_s=round(train, 2), device=device)
    logger.info("%s: %.1f forward, %.1f training photos/s", backbone_name, forward, train)
    for file in path.parent.glob(f"{path.stem}.*"):
        file.unlink(missing_ok=True)


def _training_step(network: Any, size: int) -> Any:
    """One step with every block unfrozen, as a function to call."""
    prefix, suffix = split_at(network, None)
    if suffix is None:
        raise AssertionError("nothing is frozen, so there is a suffix")
    set_trainable(suffix)
    inputs = keras.Input((size, size, 3))
    outputs = keras.layers.Dense(2, activation="softmax")(suffix(prefix(inputs)))
    learner = keras.Model(inputs, outputs)
    learner.compile("adam", "sparse_categorical_crossentropy", jit_compile=False)
    rng = np.random.default_rng(0)
    photos = rng.uniform(0.0, 255.0, (TRAIN_BATCH, size, size, 3)).astype(np.float32)
    labels = rng.integers(0, 2, TRAIN_BATCH)
    return lambda: learner.train_on_batch(photos, labels)


def _rate(photos: int, act: Any) -> float:
    """Photos a second of `act`, after one warm-up call, over about `MEASURE_S` seconds."""
    act()
    started = time.monotonic()
    calls = 0
    while time.monotonic() - started < MEASURE_S or calls < 2:
        act()
        calls += 1
    return photos * calls / (time.monotonic() - started)
