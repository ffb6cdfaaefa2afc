"""The Teachable Machine export: files that TensorFlow.js 1.3 knows, and the answers of the model.

`python -m benchmarks.teachable` runs them in TensorFlow.js and in `@teachablemachine/image`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from translearn_core.backbones import BACKBONES
from translearn_core.errors import InputError
from translearn_core.export import teachable

KNOWN = {
    *("Activation", "Add", "AveragePooling2D", "BatchNormalization", "Concatenate", "Conv2D"),
    *("Cropping2D", "Dense", "DepthwiseConv2D", "GlobalAveragePooling2D", "InputLayer"),
    *("MaxPooling2D", "Multiply", "Permute", "ReLU", "Reshape", "SeparableConv2D", "ZeroPadding2D"),
}
"""Layer classes of TensorFlow.js 1.3.1, as far as they are written."""


def _classifier(name: str, size: int) -> Any:
    """A backbone with random weights and a head that gives varied probabilities."""
    import keras

    from translearn_core.graph.build import build_backbone

    backbone = build_backbone(BACKBONES[name], size=size, weights="random")
    pooled = keras.layers.GlobalAveragePooling2D()(backbone.output)
    answers = keras.layers.Dense(4, activation="softmax")(pooled)
    return keras.Model(backbone.input, answers)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "size"),
    [("starter", 224), ("efficientnet_lite0", 64), ("mobilenet_v3_small", 64)],
)
def test_the_files_hold_the_model(name: str, size: int, tmp_path: Path) -> None:
    model = _classifier(name, size)
    path = tmp_path / "model.json"
    teachable.write_model(model, path, name="Pets", classes=["a", "b", "c", "d"])
    teachable.check_model(model, path)
    content = json.loads(path.read_text(encoding="utf-8"))
    layers = content["modelTopology"]["model_config"]["config"]["layers"]
    assert {layer["class_name"] for layer in layers} <= KNOWN
    assert layers[0]["config"]["batch_input_shape"] == [None, 224, 224, 3]
    names = [layer["name"] for layer in layers]
    assert len(set(names)) == len(names)
    [group] = content["weightsManifest"]
    n = sum(int(np.prod(entry["shape"])) for entry in group["weights"])
    assert (tmp_path / "weights.bin").stat().st_size == 4 * n
    metadata = json.loads((tmp_path / "metadata.json").read_text(encoding="utf-8"))
    assert metadata["labels"] == ["a", "b", "c", "d"]
    assert (metadata["imageSize"], metadata["modelName"]) == (224, "Pets")


def test_wrong_weights_are_found_out(tmp_path: Path) -> None:
    import keras

    photo = keras.Input((32, 32, 3))
    scaled = keras.layers.Rescaling(1 / 255)(photo)
    x = keras.layers.Conv2D(4, 3, activation="silu", kernel_initializer="random_normal")(scaled)
    x = keras.layers.GlobalAveragePooling2D(keepdims=True)(x)
    x = keras.layers.Reshape((4,))(x)
    model = keras.Model(photo, keras.layers.Dense(3, activation="softmax")(x))
    path = tmp_path / "model.json"
    teachable.write_model(model, path, name="x", classes="abc")
    teachable.check_model(model, path)
    weights = tmp_path / "weights.bin"
    changed = np.frombuffer(weights.read_bytes(), "<f4").copy()
    changed[-3:] += [1, 0, -1]  # the bias of the answers
    weights.write_bytes(changed.tobytes())
    with pytest.raises(ValueError, match="answer otherwise"):
        teachable.check_model(model, path)
    weights.write_bytes(changed.tobytes() + b"\0\0\0\0")
    with pytest.raises(ValueError, match="bytes of weights"):
        teachable.check_model(model, path)


@pytest.mark.parametrize("kind", ["kind", "activation", "number"])
def test_a_layer_that_the_programs_do_not_know_is_named(kind: str, tmp_path: Path) -> None:
    import keras

    photo = keras.Input((32, 32, 3))
    x = keras.layers.Conv2D(3, 3, activation="gelu" if kind == "activation" else None)(photo)
    if kind == "kind":
        x = keras.layers.LayerNormalization()(x)
    elif kind == "number":
        x = 3.0 - x
    model = keras.Model(photo, keras.layers.GlobalAveragePooling2D()(x))
    with pytest.raises(InputError, match="programs for Teachable Machine models do not know"):
        teachable.write_model(model, tmp_path / "model.json", name="x", classes="abc")


@pytest.mark.parametrize("size", [32, 160, 224, 288])
def test_a_photo_is_resized_as_the_app_does(size: int) -> None:
    photo = np.random.default_rng(1).integers(0, 256, (224, 224), dtype=np.uint8)
    expected = Image.fromarray(photo).resize((size, size), Image.Resampling.BILINEAR)
    weights = teachable.resizing(224, size)
    assert (
        np.abs(weights @ photo @ weights.T - np.asarray(expected)).max() <= 1.1
    )  # it rounds twice
