"""Every kind of layer answers in ONNX, and in the web page's own runtime, as it does in Keras."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from translearn_core.errors import InputError
from translearn_core.export import verify, writers
from translearn_core.graph.onnx_writer import write_onnx
from translearn_core.imaging.square import Fit, to_square

SIDE = 21


def _layers() -> Any:
    import keras

    return keras.layers


def _plain(x: Any) -> Any:
    layers = _layers()
    x = layers.ZeroPadding2D(((0, 1), (2, 1)))(x)
    x = layers.Conv2D(6, 3, strides=2, use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    x = layers.ReLU(max_value=6.0)(x)
    x = layers.DepthwiseConv2D(3, strides=2, padding="same")(x)
    x = layers.BatchNormalization()(x)
    return layers.Activation("hard_silu")(x)


def _gated(x: Any) -> Any:
    layers = _layers()
    x = layers.Conv2D(9, 5, padding="same", activation="silu")(x)
    gate = layers.GlobalAveragePooling2D()(x)
    gate = layers.Dense(3, activation="relu")(layers.Reshape((1, 1, 9))(gate))
    gate = layers.Dense(9, activation="sigmoid")(gate)
    return layers.Add()([layers.Multiply()([x, gate]), x])


def _branched(x: Any) -> Any:
    layers = _layers()
    left = layers.SeparableConv2D(5, 3, padding="same")(x)
    right = layers.MaxPooling2D(3, strides=2, padding="same")(layers.Conv2D(4, 1)(x))
    left = layers.AveragePooling2D(3, strides=2, padding="same")(left)
    x = layers.Concatenate()([left, right])
    return layers.Cropping2D(((1, 0), (0, 2)))(layers.BatchNormalization()(x))


def _modern(x: Any) -> Any:
    layers = _layers()
    x = layers.Conv2D(8, 4, strides=4)(x)
    x = layers.LayerNormalization(epsilon=1e-6)(x)
    x = layers.DepthwiseConv2D(3, padding="same", dilation_rate=2)(x)
    x = layers.Dense(12, activation="gelu")(x)
    return layers.Dense(8)(x)


def _tokens(x: Any) -> Any:
    """A small vision transformer, with what its first token looked at."""
    from translearn_core.graph.dinov2 import DINOv2
    from translearn_core.graph.walk import replay

    x = _layers().ZeroPadding2D(((3, 4), (4, 3)))(x)
    return replay(DINOv2(width=12, heads=3, depth=2, input_shape=(28, 28, 3)), x)


def _model(body: Callable[[Any], Any]) -> Any:
    import keras

    keras.utils.set_random_seed(3)
    photo = keras.Input((SIDE, SIDE, 3), name="photo")
    x = body(keras.layers.Rescaling(1 / 64, offset=-2.0)(photo))
    x = keras.layers.GlobalAveragePooling2D()(x)
    answer = keras.layers.Dense(4, activation="softmax")(x)
    model = keras.Model(photo, answer)
    rng = np.random.default_rng(1)  # statistics and biases that are not zeros and ones
    model.set_weights(
        [w + rng.uniform(0, 0.3, w.shape) if w.ndim == 1 else w * 2 for w in model.get_weights()]
    )
    return model


def _photos() -> np.ndarray:
    values = np.random.default_rng(0).integers(0, 256, (3, SIDE, SIDE, 3))
    return values.astype(np.float32) * np.array([0.1, 0.5, 1.0], np.float32)[:, None, None, None]


@pytest.mark.parametrize("body", [_plain, _gated, _branched, _modern, _tokens])
def test_layers_answer_as_in_keras(body: Callable[[Any], Any], tmp_path: Path) -> None:
    import onnxruntime

    model, photos = _model(body), _photos()
    write_onnx(model, tmp_path / "model.onnx")
    expected = np.asarray(model(photos, training=False))
    session = onnxruntime.InferenceSession(
        tmp_path / "model.onnx", providers=["CPUExecutionProvider"]
    )
    assert np.abs(session.run(None, {"photo": photos})[0] - expected).max() < 1e-5
    assert expected.std(axis=0).max() > 1e-4, "a model that always says the same proves nothing"
    if shutil.which("node") is None:
        pytest.skip("There is no Node on this machine.")
    assert np.abs(_ask_page(tmp_path, photos) - expected).max() < 1e-5


def _ask_page(folder: Path, photos: np.ndarray) -> np.ndarray:
    """What the web page's own runtime says."""
    for name in writers.WEB_FILES:
        shutil.copyfile(writers.WEB_FOLDER / name, folder / name)
    photos.tofile(folder / "pixels.bin")
    command = ["node", "-e", verify.PAGE_PROGRAM, "page", str(folder / "pixels.bin"), str(SIDE)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return np.array([json.loads(line) for line in done.stdout.splitlines()])


def test_a_layer_that_is_not_known_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written as ONNX"):
        write_onnx(_model(lambda x: _layers().UnitNormalization()(x)), tmp_path / "model.onnx")


@pytest.mark.parametrize(
    ("shape", "fit"),
    [
        ((40, 50), "stretch"),
        ((300, 201), "stretch"),
        ((1201, 1777), "stretch"),
        ((300, 201), "crop"),
        ((97, 500), "crop"),
        ((300, 201), "pad"),
        ((97, 500), "pad"),
        ((2, 900), "pad"),
        ((60, 60), "pad"),
    ],
)
def test_the_page_resizes_as_the_app_does(shape: tuple[int, int], fit: Fit, tmp_path: Path) -> None:
    """To the last bit but for rounding: Pillow 13 chooses by itself which side is first."""
    if shutil.which("node") is None:
        pytest.skip("There is no Node on this machine.")
    height, width = shape
    values = np.random.default_rng(0).integers(0, 256, (height, width, 4), dtype=np.uint8)
    values.tofile(tmp_path / "photo.bin")
    code = (
        "const fs = require('fs'), { resize, pattern } = require('./prepare.js');"
        f"const read = resize(new Uint8Array(fs.readFileSync('photo.bin')), {width}, {height}, 96, '{fit}');"
        "fs.writeFileSync('small.bin', Buffer.from(read.buffer));"
        "fs.writeFileSync('pattern.bin', Buffer.from(pattern(50).buffer));"
    )
    shutil.copyfile(writers.WEB_FOLDER / "prepare.js", tmp_path / "prepare.js")
    subprocess.run(["node", "-e", code], cwd=tmp_path, check=True)
    small = np.fromfile(tmp_path / "small.bin", np.float32).reshape(96, 96, 3)
    photo = Image.fromarray(values[..., :3])
    expected = np.asarray(to_square(photo, 96, fit), np.float32)
    assert np.abs(small - expected).max() <= 1
    assert (small != expected).mean() < 0.2
    drawn = np.fromfile(tmp_path / "pattern.bin", np.float32).reshape(50, 50, 3)
    assert np.array_equal(drawn, writers.pattern(50))
