"""Train the starter backbone on the views of `views.py`, with the teacher's features as target.

Owns: the loss, the schedule (by wall clock: learning rate and picture size), the averaged
weights, checkpoints that a cut run goes on from, the weights file.
Leaves to others: the views and targets (`views.py`), judging the result (`prediction/model_runner.py`), the
graph (`translearn_core/graph/starter.py`).
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).parents[2]))

import keras
import numpy as np
import tensorflow as tf

from translearn_core.graph import starter

SEED = 2026
CLASSES = 200
SIZES = ((0.35, (48, 64)), (0.75, (64,)), (1.0, (64, 96)))
"""Up to which share of the run which picture sizes are drawn from."""

log = logging.getLogger("train")


class Student(keras.Model):
    """The backbone with the two heads that only training needs."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.backbone = starter.Starter(input_shape=(None, None, 3))
        self.pool = keras.layers.GlobalAveragePooling2D(dtype="float32")
        self.to_teacher = keras.layers.Dense(features, dtype="float32")
        self.to_labels = keras.layers.Dense(CLASSES, dtype="float32")

    def call(self, pixels, training=False):
        pooled = self.pool(self.backbone(pixels, training=training))  # (n, 640)
        return self.to_teacher(pooled), self.to_labels(pooled)


def distance(said: tf.Tensor, target: tf.Tensor, kind: str) -> tf.Tensor:
    """How far the student is from the teacher; both `(n, f)`, centred and of unit variance."""
    cosine = tf.reduce_sum(tf.math.l2_normalize(said, -1) * tf.math.l2_normalize(target, -1), -1)
    loss = 2.0 * (1.0 - tf.reduce_mean(cosine))
    if "l1" in kind:
        loss += tf.reduce_mean(tf.abs(said - target))
    if "mse" in kind:
        loss += 0.5 * tf.reduce_mean(tf.square(said - target))
    if "relation" in kind:  # the batch's matrix of similarities
        a, b = tf.math.l2_normalize(said, -1), tf.math.l2_normalize(target, -1)
        gap = tf.matmul(a, a, transpose_b=True) - tf.matmul(b, b, transpose_b=True)
        loss += 20.0 * tf.reduce_mean(tf.square(gap))
    return loss


class Targets:
    """The teacher's features, made comparable: standardised, or whitened in part.

    `kind` "standard": each feature minus its mean over its deviation. "whitened": rotated to
    principal axes, each divided by the root of its deviation (halfway to full whitening), the
    512 largest kept.
    """

    def __init__(self, sample: np.ndarray, kind: str) -> None:
        sample = sample.astype(np.float32)
        self.mean = sample.mean(0)
        if kind == "standard":
            self.matrix = None
            self.scale = 1.0 / (sample.std(0) + 1e-2)
        else:
            values, axes = np.linalg.eigh(np.cov(sample - self.mean, rowvar=False))
            values, axes = values[::-1][:512], axes[:, ::-1][:, :512]
            self.matrix = axes / np.maximum(values, 1e-6) ** 0.25
            self.scale = 1.0 / ((sample - self.mean) @ self.matrix).std()

    @property
    def features(self) -> int:
        return len(self.mean) if self.matrix is None else self.matrix.shape[1]

    def __call__(self, raw: np.ndarray) -> np.ndarray:
        x = raw.astype(np.float32) - self.mean
        x = x if self.matrix is None else x @ self.matrix
        return np.clip(x * self.scale, -6.0, 6.0).astype(np.float32)


class Views:
    """Batches drawn from whatever views lie in the work folder when an epoch begins."""

    def __init__(self, work: Path, batch: int, limit: int) -> None:
        self.work, self.batch = work, batch
        self.labels = np.load(work / "labels.npy")[:]
        self.rows = np.arange(len(self.labels))
        if limit:
            self.rows = self.rows[:: len(self.rows) // limit]
        self.rng = np.random.default_rng(SEED)
        self.open: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def _open_new(self) -> None:
        for path in sorted(self.work.glob("teacher_?.npy")):
            number = int(path.stem[-1])
            if number not in self.open:
                pixels = np.load(self.work / f"view_{number}.npy", mmap_mode="r")
                self.open[number] = (pixels, np.load(path))

    def epoch(self):
        """Each photo once, in any of its views, in random order."""
        self._open_new()
        order = self.rng.permutation(self.rows)
        view = self.rng.choice(list(self.open), len(order))
        for start in range(0, len(order) - self.batch + 1, self.batch):
            rows, which = order[start : start + self.batch], view[start : start + self.batch]
            pixels = np.stack([self.open[v][0][r] for r, v in zip(rows, which, strict=True)])
            raw = np.stack([self.open[v][1][r] for r, v in zip(rows, which, strict=True)])
            flip = self.rng.random(len(rows)) < 0.5
            pixels[flip] = pixels[flip, :, ::-1]
            yield pixels, raw, self.labels[rows].astype(np.int32)


def picture_size(progress: float, rng: np.random.Generator) -> int:
    for until, sizes in SIZES:
        if progress < until:
            return int(rng.choice(sizes))
    return SIZES[-1][1][-1]


def rate(progress: float, peak: float) -> float:
    """Warm-up over the first 3 %, then a cosine down to zero."""
    if progress < 0.03:
        return peak * (0.05 + 0.95 * progress / 0.03)
    return peak * max(0.5 * (1 + math.cos(math.pi * (progress - 0.03) / 0.97)), 0.002)


def make_step(student: Student, optimizer: keras.optimizers.Optimizer, settings):
    entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    @tf.function(autograph=False)
    def step(pixels, target, labels, size):
        x = tf.cast(pixels, tf.float32) / 127.5 - 1.0
        x = tf.image.resize(x, (size, size), antialias=size < 64)
        with tf.GradientTape() as tape:
            said, logits = student(x, training=True)
            far = distance(said, target, settings.loss)
            wrong = entropy(labels, logits)
            loss = far + settings.label_weight * wrong
        variables = student.trainable_variables
        gradients, _ = tf.clip_by_global_norm(tape.gradient(loss, variables), 3.0)
        optimizer.apply(gradients, variables)
        right = tf.reduce_mean(
            tf.cast(tf.equal(tf.argmax(logits, -1, tf.int32), labels), tf.float32)
        )
        return far, right

    return step


class Average:
    """Running mean of every variable; its decay grows with the number of steps."""

    def __init__(self, variables, decay: float) -> None:
        self.variables, self.decay = variables, decay
        self.values = [tf.Variable(tf.cast(v.value, tf.float32)) for v in variables]
        self.now = tf.Variable(0.0)

    @tf.function(autograph=False)
    def _update(self) -> None:
        for value, variable in zip(self.values, self.variables, strict=True):
            value.assign_add((1.0 - self.now) * (tf.cast(variable.value, tf.float32) - value))

    def update(self, step: int) -> None:
        self.now.assign(min(self.decay, (1 + step) / (10 + step)))
        self._update()


def save_state(path: Path, student: Student, optimizer, average: Average, state: dict) -> None:
    """Everything that a cut run needs to go on, as temporary file and replace."""
    arrays = {f"weight_{i}": np.asarray(v) for i, v in enumerate(student.weights)}
    arrays |= {f"optimizer_{i}": np.asarray(v) for i, v in enumerate(optimizer.variables)}
    arrays |= {f"average_{i}": v.numpy() for i, v in enumerate(average.values)}
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        np.savez(file, state=json.dumps(state), **arrays)
    part.replace(path)


def load_state(path: Path, student: Student, optimizer, average: Average) -> dict:
    with np.load(path) as arrays:
        for i, variable in enumerate(student.weights):
            variable.assign(arrays[f"weight_{i}"])
        for i, variable in enumerate(optimizer.variables):
            variable.assign(arrays[f"optimizer_{i}"])
        for i, value in enumerate(average.values):
            value.assign(arrays[f"average_{i}"])
        return json.loads(str(arrays["state"]))


def write_backbone(path: Path, average: Average, student: Student) -> None:
    """The averaged weights of the backbone as the file that ships."""
    shipped = starter.Starter(input_shape=(None, None, 3))
    by_path = {id(v): value for v, value in zip(average.variables, average.values, strict=True)}
    for mine, other in zip(shipped.layers, student.backbone.layers, strict=True):
        mine.set_weights([by_path[id(v)].numpy() for v in other.weights])
    starter.save_weights(shipped, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True, help="folder of views.py")
    parser.add_argument("--out", type=Path, required=True, help="weights file to write (.npz)")
    parser.add_argument("--minutes", type=float, required=True, help="length of the schedule")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--decay", type=float, default=0.05, help="weight decay")
    parser.add_argument("--average", type=float, default=0.998)
    parser.add_argument("--targets", choices=("standard", "whitened"), default="standard")
    parser.add_argument("--loss", default="cosine+l1")
    parser.add_argument("--label-weight", type=float, default=0.3)
    parser.add_argument("--limit", type=int, default=0, help="only so many photos (a trial)")
    parser.add_argument("--precision", default="mixed_bfloat16")
    settings = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    keras.utils.set_random_seed(SEED)
    keras.mixed_precision.set_global_policy(settings.precision)
    train(settings)


def train(settings: argparse.Namespace) -> None:
    data = Views(settings.work, settings.batch, settings.limit)
    first = np.load(settings.work / "teacher_0.npy", mmap_mode="r")
    targets = Targets(first[::5], settings.targets)
    student = Student(targets.features)
    student(np.zeros((1, 64, 64, 3), np.float32))
    optimizer = keras.optimizers.AdamW(settings.rate, weight_decay=settings.decay)
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    optimizer.build(student.trainable_variables)
    average = Average(student.weights, settings.average)
    step = make_step(student, optimizer, settings)
    checkpoint = settings.out.with_suffix(".state")
    state = {"elapsed": 0.0, "step": 0, "photos": 0, "epoch": 0}
    if checkpoint.exists():
        state = load_state(checkpoint, student, optimizer, average)
        log.info("going on from %s", state)
    began, total = time.time() - state["elapsed"], settings.minutes * 60
    rng = np.random.default_rng(SEED + 1 + state["step"])
    saved = reported = time.time()
    progress = 0.0
    history: list[tuple[float, float]] = []
    while progress < 1.0:
        for pixels, raw, labels in data.epoch():
            progress = (time.time() - began) / total
            if progress >= 1.0:
                break
            optimizer.learning_rate = rate(progress, settings.rate)
            size = picture_size(progress, rng)
            far, right = step(pixels, targets(raw), labels, size)
            state["step"] += 1
            state["photos"] += len(labels)
            average.update(state["step"])
            history.append((float(far), float(right)))
            if time.time() - reported > 20:
                reported = time.time()
                recent = np.mean(history[-100:], axis=0)
                log.info(
                    "%3.0f %% epoch %d step %d photos %d far %.4f right %.3f views %d",
                    100 * progress,
                    state["epoch"],
                    state["step"],
                    state["photos"],
                    *recent,
                    len(data.open),
                )
            if time.time() - saved > 150:
                saved = time.time()
                state["elapsed"] = time.time() - began
                save_state(checkpoint, student, optimizer, average, state)
                write_backbone(settings.out, average, student)
        state["epoch"] += 1
    write_backbone(settings.out, average, student)
    log.info("done: %s", json.dumps(state | {"elapsed": time.time() - began}))


if __name__ == "__main__":
    main()
