"""Augmented views of small photos, and what the teacher says of each of them.

Owns: how a view is drawn (crop, flip, colour, grey, blur, drawing-like styles), the teacher's
pooled features of it, and the two files they are kept in. Every view is drawn once; the
student later sees exactly the pixels that the teacher saw.
Leaves to others: reading the source photos (`photos.py`) and training (`training/train.py`).

Files, per view `v` in the work folder: `view_v.npy`, `(n, 64, 64, 3) uint8`, and
`teacher_v.npy`, `(n, 1280) float16`. Seed of view `v`: `SEED + v`.
"""

from __future__ import annotations

import argparse
import logging
import time
from pathlib import Path

import numpy as np
import tensorflow as tf

SEED = 2026
SIDE = 64
TEACHER_SIDE = 128
BATCH = 500
LUMA = (0.299, 0.587, 0.114)

STYLES = ("plain", "grey", "sketch", "poster", "blur")
SHARES = (0.66, 0.08, 0.11, 0.09, 0.06)

log = logging.getLogger("views")


def draw_boxes(rng: np.random.Generator, n: int, smallest: float) -> np.ndarray:
    """Random crops as `(n, 4) float32` of y1, x1, y2, x2 in [0, 1]; area at least `smallest`."""
    area = rng.uniform(smallest, 1.0, n)
    aspect = np.exp(rng.uniform(np.log(3 / 4), np.log(4 / 3), n))
    height = np.minimum(np.sqrt(area / aspect), 1.0)
    width = np.minimum(np.sqrt(area * aspect), 1.0)
    top, left = rng.uniform(0, 1 - height), rng.uniform(0, 1 - width)
    flip = rng.random(n) < 0.5
    x1, x2 = np.where(flip, left + width, left), np.where(flip, left, left + width)
    return np.stack([top, x1, top + height, x2], axis=1).astype(np.float32)


@tf.function
def _crop(photos: tf.Tensor, boxes: tf.Tensor) -> tf.Tensor:
    n = tf.shape(photos)[0]
    return tf.image.crop_and_resize(tf.cast(photos, tf.float32), boxes, tf.range(n), (SIDE, SIDE))


def _blur(x: tf.Tensor, sigma: float) -> tf.Tensor:
    reach = np.arange(-4, 5)
    kernel = np.exp(-(reach**2) / (2 * sigma**2))
    kernel = (kernel / kernel.sum()).astype(np.float32)
    channels = x.shape[-1]
    down = np.tile(kernel[:, None, None, None], (1, 1, channels, 1))
    across = np.tile(kernel[None, :, None, None], (1, 1, channels, 1))
    x = tf.pad(x, ((0, 0), (4, 4), (4, 4), (0, 0)), mode="REFLECT")
    x = tf.nn.depthwise_conv2d(x, down, (1, 1, 1, 1), "VALID")
    return tf.nn.depthwise_conv2d(x, across, (1, 1, 1, 1), "VALID")


def _grey(x: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(x * LUMA, axis=-1, keepdims=True)


@tf.function
def _jitter(x: tf.Tensor, factors: tf.Tensor) -> tf.Tensor:
    """Brightness, contrast, saturation and a tint; `factors` is (n, 6) around 1."""
    f = factors[:, None, None, :]  # (n, 1, 1, 6)
    x = x * f[..., 0:1] * f[..., 3:6]
    mean = tf.reduce_mean(_grey(x), axis=(1, 2), keepdims=True)
    x = mean + (x - mean) * f[..., 1:2]
    grey = _grey(x)
    return tf.clip_by_value(grey + (x - grey) * f[..., 2:3], 0.0, 255.0)


@tf.function(reduce_retracing=True)
def _sketch(x: tf.Tensor, strength: tf.Tensor) -> tf.Tensor:
    """A pencil drawing by colour dodge; `strength` is (n, 1, 1, 1) in [0, 1]."""
    grey = _grey(x)
    light = 255.0 - _blur(255.0 - grey, 1.5)
    drawing = tf.clip_by_value((grey + 1.0) / (light + 1.0), 0.0, 1.0)
    drawing = (drawing - 0.55 * strength) / (1 - 0.6 * strength)
    return tf.broadcast_to(255.0 * tf.clip_by_value(drawing, 0.0, 1.0), tf.shape(x))


@tf.function(reduce_retracing=True)
def _poster(x: tf.Tensor, strength: tf.Tensor) -> tf.Tensor:
    """Few, vivid colours and dark outlines, as in a cartoon."""
    levels = tf.round(3.0 + 3.0 * strength)
    smooth = _blur(x, 0.8)
    vivid = _grey(smooth) + (smooth - _grey(smooth)) * 1.5
    flat = tf.clip_by_value(tf.round(vivid / 255.0 * levels) / levels * 255.0, 0.0, 255.0)
    grey = _grey(x)
    edges = tf.clip_by_value((255.0 - _blur(255.0 - grey, 1.5) - grey) / 40.0 - 0.5, 0.0, 1.0)
    return flat * (1.0 - edges)


def _styled(x: np.ndarray, style: str, strength: np.ndarray) -> np.ndarray:
    if style == "grey":
        return np.broadcast_to(_grey(x).numpy(), x.shape)
    if style == "sketch":
        return _sketch(x, strength).numpy()
    if style == "poster":
        return _poster(x, strength).numpy()
    return _blur(x, 1.0).numpy()


def draw_views(photos: np.ndarray, rng: np.random.Generator, *, smallest: float) -> np.ndarray:
    """One view of each photo.

    Args:
        photos: `(n, 64, 64, 3) uint8`.
        smallest: the smallest share of a photo's area that a crop keeps, in (0, 1].

    Returns:
        `(n, 64, 64, 3) uint8`.
    """
    n = len(photos)
    x = _crop(photos, draw_boxes(rng, n, smallest))
    calm = rng.random((n, 1)) < 0.3
    spread = np.array([0.35, 0.35, 0.45, 0.08, 0.08, 0.08])
    factors = np.where(calm, 1.0, 1.0 + rng.uniform(-1, 1, (n, 6)) * spread)
    x = _jitter(x, factors.astype(np.float32)).numpy()
    style = rng.choice(len(STYLES), n, p=SHARES)
    strength = rng.random((n, 1, 1, 1)).astype(np.float32)
    for number, name in enumerate(STYLES[1:], 1):
        chosen = np.flatnonzero(style == number)
        x[chosen] = _styled(x[chosen], name, strength[chosen])
    return np.rint(x).astype(np.uint8)


class Teacher:
    """MobileNetV2 1.0 without its top, pooled, through OpenVINO: pixels -> features.

    Args:
        weights: the `keras.applications` file of MobileNetV2 1.0 without its top.
    """

    def __init__(self, weights: Path, work: Path) -> None:
        import keras
        import openvino

        folder = work / "teacher_graph.xml"
        if not folder.exists():
            backbone = keras.applications.MobileNetV2(
                input_shape=(TEACHER_SIDE, TEACHER_SIDE, 3), include_top=False, weights=str(weights)
            )
            pixels = keras.Input((SIDE, SIDE, 3), dtype="float32")
            x = keras.layers.UpSampling2D(TEACHER_SIDE // SIDE, interpolation="bilinear")(pixels)
            x = backbone(keras.layers.Rescaling(1 / 127.5, -1)(x))
            x = keras.layers.GlobalAveragePooling2D()(x)  # (n, 1280)
            keras.Model(pixels, x).export(str(folder), format="openvino", verbose=False)
        core = openvino.Core()
        model = core.read_model(folder)
        model.reshape([20, SIDE, SIDE, 3])
        settings = {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_PRECISION_HINT": "bf16"}
        self.compiled = core.compile_model(model, "CPU", settings)

    def features(self, views: np.ndarray) -> np.ndarray:
        """`(n, 64, 64, 3) uint8` -> `(n, 1280) float16`; n is a multiple of 20."""
        import openvino

        out = np.empty((len(views), 1280), np.float16)
        queue = openvino.AsyncInferQueue(self.compiled)

        def keep(request: object, start: int) -> None:
            out[start : start + 20] = request.get_output_tensor(0).data  # type: ignore[attr-defined]

        queue.set_callback(keep)
        for start in range(0, len(views), 20):
            queue.start_async([views[start : start + 20].astype(np.float32)], start)
        queue.wait_all()
        return out


def make_view(photos: np.ndarray, teacher: Teacher, work: Path, view: int, smallest: float) -> None:
    """Draw view number `view` of all photos, ask the teacher, write both files."""
    began = time.time()
    rng = np.random.default_rng(SEED + view)
    pixels = np.lib.format.open_memmap(
        work / f"part_view_{view}.npy", "w+", np.uint8, (len(photos), SIDE, SIDE, 3)
    )
    targets = np.empty((len(photos), 1280), np.float16)
    for start in range(0, len(photos), BATCH):
        here = slice(start, start + BATCH)
        pixels[here] = draw_views(photos[here], rng, smallest=smallest)
        targets[here] = teacher.features(pixels[here])
    pixels.flush()
    (work / f"part_view_{view}.npy").replace(work / f"view_{view}.npy")
    np.save(work / f"teacher_{view}.npy", targets)
    log.info("view %d: %d photos in %.0f s", view, len(photos), time.time() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True, help="folder with photos.npy")
    parser.add_argument("--weights", type=Path, required=True, help="the teacher's weights file")
    parser.add_argument("--views", type=int, default=5)
    parser.add_argument("--limit", type=int, default=0, help="only so many photos (a trial)")
    settings = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    photos = np.load(settings.work / "images.npy", mmap_mode="r")
    photos = photos[: settings.limit or len(photos)]
    teacher = Teacher(settings.weights, settings.work)
    for view in range(settings.views):
        if not (settings.work / f"teacher_{view}.npy").exists():
            make_view(photos, teacher, settings.work, view, smallest=0.25 if view % 2 else 0.5)


if __name__ == "__main__":
    main()
