"""Forward passes per second of `starter` beside MobileNetV2 0.35 at 224 px, both taking turns.

Random weights; OpenVINO in float32 with asynchronous batches of 8, and Keras with batches of
32. The best of several rounds counts, because a shared machine disturbs single ones.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).parents[2]))

import keras
import numpy as np
import openvino
import tensorflow as tf

from translearn_core.backbones import get_backbone
from translearn_core.graph.build import build_backbone

ROUNDS = 12


def with_openvino(model: keras.Model, size: int) -> Callable[[], float]:
    """A function that measures photos per second once."""
    core = openvino.Core()
    with tempfile.TemporaryDirectory() as folder:
        model.export(f"{folder}/model.xml", format="openvino", verbose=False)
        graph = core.read_model(f"{folder}/model.xml")
        graph.reshape([8, size, size, 3])
        settings = {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_PRECISION_HINT": "f32"}
        queue = openvino.AsyncInferQueue(core.compile_model(graph, "CPU", settings))
    photos = np.random.default_rng(0).uniform(0, 255, (8, size, size, 3)).astype("float32")

    def measure() -> float:
        began = time.perf_counter()
        for _ in range(24):
            queue.start_async([photos])
        queue.wait_all()
        return 24 * 8 / (time.perf_counter() - began)

    return measure


def with_keras(model: keras.Model, size: int) -> Callable[[], float]:
    """The same through Keras on TensorFlow."""
    run = tf.function(lambda photos: model(photos, training=False))
    photos = tf.random.uniform((32, size, size, 3), maxval=255.0)
    run(photos)

    def measure() -> float:
        began = time.perf_counter()
        for _ in range(3):
            run(photos)
        return 3 * 32 / (time.perf_counter() - began)

    return measure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[96, 112, 128, 160])
    chosen = [("mobilenet_v2_035", 224), *(("starter", s) for s in parser.parse_args().sizes)]
    measures = {}
    for name, size in chosen:
        model = build_backbone(get_backbone(name), size=size, weights="random")
        measures["openvino", name, size] = with_openvino(model, size)
        measures["keras", name, size] = with_keras(model, size)
    best = dict.fromkeys(measures, 0.0)
    for _ in range(ROUNDS):
        for key, measure in measures.items():
            best[key] = max(best[key], measure())
    for (engine, name, size), rate in sorted(best.items()):
        sys.stdout.write(f"{engine:<9} {name:<17} {size:>3} px {rate:>6.0f} photos/s\n")


if __name__ == "__main__":
    main()
