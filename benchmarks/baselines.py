"""Baselines of other tools, each in a separate process that prints one line of JSON.

    python -m benchmarks.baselines tutorial TRAIN TEST
    python -m benchmarks.baselines teachable TRAIN TEST
    python -m benchmarks.baselines regression TRAIN TEST
    python -m benchmarks.baselines floor TRAIN TEST [--size 224]
    python -m benchmarks.baselines epochs TRAIN TEST [--unfrozen LAYERS]

`tutorial` is the TensorFlow tutorial on transfer learning: `image_dataset_from_directory`, the
frozen base inside `fit`, Adam at 1e-3, ten epochs, without its flips and rotations.
`teachable` is Teachable Machine's recipe: features once, Dense 100, a softmax without bias,
Adam at 1e-3, 50 epochs, batches of 16. `regression` is features and logistic regression.
`floor` is the lower bound: each photo decoded once and run once through OpenVINO.
`epochs` times one epoch of plain Keras with the last layers trainable.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

EPOCHS = 10
BATCH = 32
ALPHA = 0.35


def main() -> None:
    """Run one way."""
    parser = argparse.ArgumentParser()
    parser.add_argument("way", choices=WAYS)
    parser.add_argument("train", type=Path)
    parser.add_argument("test", type=Path)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--unfrozen", type=int, default=0)
    parser.add_argument("--backbone", default="MobileNetV2")
    parser.add_argument("--engine", type=Path)
    options = parser.parse_args()
    print(json.dumps(WAYS[options.way](options)))


def _base(options: argparse.Namespace) -> Any:
    """The base without its top; ImageNet weights where they can be had here, else random ones."""
    import keras

    shape = (options.size, options.size, 3)
    build = getattr(keras.applications, options.backbone)
    if options.backbone == "MobileNetV2":
        return build(input_shape=shape, include_top=False, weights="imagenet", alpha=ALPHA)
    return build(input_shape=shape, include_top=False, weights=None)


def _datasets(options: argparse.Namespace) -> tuple[Any, Any]:
    import keras
    import tensorflow as tf

    made = [
        keras.utils.image_dataset_from_directory(
            folder,
            image_size=(options.size, options.size),
            batch_size=BATCH,
            shuffle=folder == options.train,
            seed=0,
            verbose=False,
        )
        for folder in (options.train, options.test)
    ]
    return tuple(part.prefetch(tf.data.AUTOTUNE) for part in made)  # type: ignore[return-value]


def _classifier(base: Any, classes: int) -> Any:
    import keras

    inputs = keras.Input(base.input_shape[1:])
    x = keras.layers.Rescaling(1 / 127.5, -1.0)(inputs)
    x = base(x, training=False)
    x = keras.layers.GlobalAveragePooling2D()(x)
    x = keras.layers.Dropout(0.2)(x)
    model = keras.Model(inputs, keras.layers.Dense(classes, activation="softmax")(x))
    model.compile(
        optimizer=keras.optimizers.Adam(1e-3),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model


def run_tutorial(options: argparse.Namespace) -> dict[str, Any]:
    """Frozen base inside `fit`."""
    train, test = _datasets(options)
    base = _base(options)
    base.trainable = False
    model = _classifier(base, len(list(options.train.iterdir())))
    model.fit(train, epochs=EPOCHS, verbose=0)
    return {"accuracy": float(model.evaluate(test, verbose=0)[1])}


def run_epochs(options: argparse.Namespace) -> dict[str, Any]:
    """Seconds of one epoch after the first, with the last `unfrozen` layers trainable."""
    train, _test = _datasets(options)
    base = _base(options)
    base.trainable = True
    for layer in base.layers[: len(base.layers) - options.unfrozen]:
        layer.trainable = False
    model = _classifier(base, len(list(options.train.iterdir())))
    model.fit(train, epochs=1, verbose=0)
    began = time.monotonic()
    model.fit(train, epochs=1, verbose=0)
    return {"seconds_per_epoch": time.monotonic() - began}


def _features(options: argparse.Namespace) -> list[tuple[Any, Any]]:
    """Pooled features and labels of both parts, by plain Keras `predict`."""
    import keras

    base = _base(options)
    inputs = keras.Input(base.input_shape[1:])
    x = base(keras.layers.Rescaling(1 / 127.5, -1.0)(inputs), training=False)
    model = keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(x))
    parts = []
    for folder in (options.train, options.test):
        photos = keras.utils.image_dataset_from_directory(
            folder,
            image_size=(options.size, options.size),
            batch_size=BATCH,
            shuffle=False,
            verbose=False,
        )
        labels = np.concatenate([batch.numpy() for _photos, batch in photos.map(_second)])
        parts.append((model.predict(photos.map(_first), verbose=0), labels))
    return parts


def _first(photos: Any, labels: Any) -> Any:
    return photos


def _second(photos: Any, labels: Any) -> Any:
    return labels, labels


def run_teachable(options: argparse.Namespace) -> dict[str, Any]:
    """Teachable Machine's head on features made once."""
    import keras

    (x, y), (x_test, y_test) = _features(options)
    model = keras.Sequential(
        [
            keras.layers.Dense(100, activation="relu"),
            keras.layers.Dense(int(y.max()) + 1, activation="softmax", use_bias=False),
        ]
    )
    model.compile(
        optimizer=keras.optimizers.Adam(1e-3),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    order = np.random.default_rng(0).permutation(len(x))
    x, y = x[order], y[order]
    model.fit(x, y, batch_size=16, epochs=50, validation_split=0.15, verbose=0)
    return {"accuracy": float(model.evaluate(x_test, y_test, verbose=0)[1])}


def run_regression(options: argparse.Namespace) -> dict[str, Any]:
    """Logistic regression on features made once."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    (x, y), (x_test, y_test) = _features(options)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000)).fit(x, y)
    return {"accuracy": float(model.score(x_test, y_test))}


def run_floor(options: argparse.Namespace) -> dict[str, Any]:
    """Decode once, run once, keep nothing.

    The converted network at `engine` is made when missing: that is not part of the floor.
    """
    from collections import deque
    from concurrent.futures import ThreadPoolExecutor

    from PIL import Image

    from translearn_core.graph.engine import ENGINE_BATCH, OpenVINOEngine

    def decode(path: Path) -> Any:
        with Image.open(path) as photo:
            small = photo.convert("RGB").resize(
                (options.size, options.size), Image.Resampling.BILINEAR
            )
        return np.asarray(small)

    paths = [*sorted(options.train.rglob("*.jpg")), *sorted(options.test.rglob("*.jpg"))]
    engine = OpenVINOEngine(options.engine)
    waiting: deque[Any] = deque()
    batch: list[Any] = []

    def run(image: Any) -> None:
        batch.append(image)
        if len(batch) == ENGINE_BATCH:
            engine.submit(np.stack(batch), lambda result: None)
            batch.clear()

    with ThreadPoolExecutor() as pool:
        for path in paths:
            waiting.append(pool.submit(decode, path))
            if len(waiting) > 32:
                run(waiting.popleft().result())
        while waiting:
            run(waiting.popleft().result())
    if batch:
        engine.submit(np.stack(batch), lambda result: None)
    engine.wait()
    return {"photos": len(paths)}


WAYS = {
    "tutorial": run_tutorial,
    "teachable": run_teachable,
    "regression": run_regression,
    "floor": run_floor,
    "epochs": run_epochs,
}

if __name__ == "__main__":
    main()
