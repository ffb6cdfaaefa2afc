"""The backbone of our own: its weights are in the package, read exactly, and have learned."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import keras
import numpy as np
import pytest

from tests.support.photos import shared_photos
from translearn_core.backbones import BACKBONES
from translearn_core.backbones.weights import weights_path, weights_status
from translearn_core.datasets import decode_photo
from translearn_core.errors import WeightsError
from translearn_core.graph import starter
from translearn_core.graph.assembly import split_at
from translearn_core.graph.build import build_backbone
from translearn_core.graph.saving import load_model, save_model

ROW = BACKBONES["starter"]
# NumPy 2 against TensorFlow's arrays, inside Keras
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def _features(model: keras.Model, photos: np.ndarray) -> np.ndarray:
    prefix, _suffix = split_at(model, model.operations[-1].name)
    return keras.ops.convert_to_numpy(prefix(photos.astype("float32"), training=False))


def test_is_ready_with_no_folder_of_keras(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "nothing"))
    assert weights_status(ROW).state == "ready"
    assert weights_status(ROW).bytes <= 8_000_000


def test_shipped_weights_are_whole_and_finite() -> None:
    model = starter.Starter(weights=weights_path(ROW))
    assert model.count_params() == ROW.parameters <= 4_000_000
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


def test_pixels_arrive_between_minus_one_and_one() -> None:
    photos = np.random.default_rng(0).uniform(0, 255, (2, 64, 64, 3)).astype("float32")
    scaled = starter.Starter(weights=weights_path(ROW), input_shape=(64, 64, 3))
    whole = build_backbone(ROW, size=64)
    expected = keras.ops.convert_to_numpy(scaled(photos / 127.5 - 1.0, training=False))
    result = keras.ops.convert_to_numpy(whole(photos, training=False))
    np.testing.assert_allclose(result, expected, atol=1e-3)
    assert result.min() >= 0


@pytest.mark.parametrize("size", [32, 96, 160])
def test_any_size_from_the_smallest_up(size: int) -> None:
    assert build_backbone(ROW, size=size).output_shape == (None, size // 16, size // 16, 640)


def test_weights_come_back_as_written(tmp_path: Path) -> None:
    keras.utils.set_random_seed(1)
    written = starter.Starter(input_shape=(32, 32, 3))
    starter.save_weights(written, tmp_path / "w.npz")
    read = starter.Starter(weights=tmp_path / "w.npz", input_shape=(32, 32, 3))
    for ours, theirs in zip(read.get_weights(), written.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs.astype(np.float16))


def test_a_file_of_another_network_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", kernel=np.zeros(3, np.float16))
    with pytest.raises(ValueError, match=r"other\.npz does not fit"):
        starter.Starter(weights=tmp_path / "other.npz")


def test_a_missing_file_is_a_sentence() -> None:
    with pytest.raises(WeightsError, match=r"Starter.*absent\.npz"):
        build_backbone(dataclasses.replace(ROW, weight_file="absent.npz"))


def test_there_is_no_top() -> None:
    with pytest.raises(ValueError, match="no top"):
        starter.Starter(include_top=True)


def test_saved_and_loaded_it_says_the_same(tmp_path: Path) -> None:
    model = build_backbone(ROW, size=64)
    save_model(model, tmp_path / "starter.keras")
    photos = np.random.default_rng(0).uniform(0, 255, (2, 64, 64, 3)).astype("float32")
    again = load_model(tmp_path / "starter.keras")
    np.testing.assert_array_equal(
        keras.ops.convert_to_numpy(again(photos)), keras.ops.convert_to_numpy(model(photos))
    )


def test_it_has_learned_to_see() -> None:
    """Nearest class mean on real photos that it was not trained on; random weights get 0.2."""
    folder = shared_photos("flowers12")
    model = build_backbone(ROW)
    parts = []
    for part, each in (("train", 10), ("test", 5)):
        classes = sorted(path for path in (folder / part).iterdir() if path.is_dir())[:6]
        files = [file for one in classes for file in sorted(one.iterdir())[:each]]
        photos = np.stack([decode_photo(file, size=ROW.input_size).image for file in files])
        features = _features(model, photos)
        features /= np.linalg.norm(features, axis=1, keepdims=True)
        parts.append(features.reshape(len(classes), each, -1))
    means = parts[0].mean(axis=1)  # (classes, features)
    nearest = (parts[1] @ means.T).argmax(axis=-1)  # (classes, photos)
    assert (nearest == np.arange(len(means))[:, None]).mean() > 0.6
