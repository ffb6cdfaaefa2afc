"""Judge a backbone by a linear probe on photo sets that it was not trained on.

For each set: pooled features of the frozen backbone, standardised by the training part, a
logistic regression (C = 0.02), accuracy on the test part. A set that comes as `train` and
`test` keeps its own split; of any other, 30 % of each class are held out by a fixed seed.
Photos are stretched to a square, as the app does it.
Leaves to others: everything that makes the backbone. Reads photos only, writes nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
from PIL import Image, ImageOps

SETS = ("trash", "flowers12", "sign_digits", "pacs/photo", "pacs/cartoon", "pacs/sketch")
HELD_OUT = 0.3
SEED = 0
STRENGTH = 0.02


def list_photos(folder: Path) -> tuple[list[Path], np.ndarray]:
    """Files and class numbers `(n,) int` of a folder of class folders."""
    files, labels = [], []
    for number, one in enumerate(sorted(p for p in folder.iterdir() if p.is_dir())):
        here = sorted(one.iterdir())
        files += here
        labels += [number] * len(here)
    return files, np.array(labels)


def split_set(folder: Path) -> tuple[list[Path], np.ndarray, np.ndarray]:
    """Files, class numbers and which of them are the test part `(n,) bool`."""
    if (folder / "test").is_dir():
        files, labels = list_photos(folder / "train")
        more, more_labels = list_photos(folder / "test")
        test = np.r_[np.zeros(len(files), bool), np.ones(len(more), bool)]
        return files + more, np.r_[labels, more_labels], test
    files, labels = list_photos(folder)
    rng = np.random.default_rng(SEED)
    test = np.zeros(len(files), bool)
    for number in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == number))
        test[members[: round(len(members) * HELD_OUT)]] = True
    return files, labels, test


def read_photo(path: Path, size: int) -> np.ndarray:
    """`(size, size, 3) uint8`, turned as its EXIF says, stretched with antialiasing."""
    with Image.open(path) as photo:
        upright = ImageOps.exif_transpose(photo).convert("RGB")
        return np.asarray(upright.resize((size, size), Image.Resampling.BILINEAR))


def probe(features: np.ndarray, labels: np.ndarray, test: np.ndarray) -> float:
    """Test accuracy in [0, 1] of a logistic regression on `features` `(n, f)`."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(features[~test])
    head = LogisticRegression(C=STRENGTH, max_iter=300)
    head.fit(scaler.transform(features[~test]), labels[~test])
    return float(head.score(scaler.transform(features[test]), labels[test]))


def judge(backbone: Callable[[np.ndarray], np.ndarray], sets: Path, size: int) -> dict[str, float]:
    """Accuracy for each of SETS and their mean; `backbone`: (n, s, s, 3) uint8 -> (n, f)."""
    figures = {}
    for name in SETS:
        files, labels, test = split_set(sets / name)
        with ThreadPoolExecutor(2) as pool:
            photos = np.stack(list(pool.map(lambda file: read_photo(file, size), files)))
        parts = [backbone(photos[i : i + 64]) for i in range(0, len(photos), 64)]
        figures[name] = probe(np.concatenate(parts), labels, test)
    return {**figures, "mean": float(np.mean(list(figures.values())))}


def load_starter(weights: Path, size: int) -> Callable[[np.ndarray], np.ndarray]:
    """The starter backbone with pixel scaling before it and pooling after it."""
    import keras
    import tensorflow as tf

    from translearn_core.graph.starter import Starter

    backbone = Starter(weights=weights, input_shape=(size, size, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(backbone.output)
    model = keras.Model(backbone.input, pooled)

    @tf.function(reduce_retracing=True)
    def run(pixels: tf.Tensor) -> tf.Tensor:
        return model(tf.cast(pixels, tf.float32) / 127.5 - 1.0, training=False)

    return lambda photos: run(tf.constant(photos)).numpy()


def load_backbone(name: str, size: int) -> Callable[[np.ndarray], np.ndarray]:
    """A backbone of the table with its own pixel scaling, and pooling after it."""
    import keras
    import tensorflow as tf

    from translearn_core.backbones import get_backbone
    from translearn_core.graph.build import build_backbone

    backbone = build_backbone(get_backbone(name), size=size)
    model = keras.Model(backbone.input, keras.layers.GlobalAveragePooling2D()(backbone.output))

    @tf.function(reduce_retracing=True)
    def run(pixels: tf.Tensor) -> tf.Tensor:
        return model(tf.cast(pixels, tf.float32), training=False)

    return lambda photos: run(tf.constant(photos)).numpy()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--weights", type=Path, help="file of train.py (.npz)")
    which.add_argument("--backbone", help="a row of the table of backbones")
    parser.add_argument("--sets", type=Path, required=True, help="folder of the photo sets")
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 96, 128, 160])
    settings = parser.parse_args()
    for size in settings.sizes:
        load = load_backbone if settings.backbone else load_starter
        figures = judge(load(settings.backbone or settings.weights, size), settings.sets, size)
        rounded = {name: round(figure, 3) for name, figure in figures.items()}
        sys.stdout.write(json.dumps({"size": size, **rounded}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
