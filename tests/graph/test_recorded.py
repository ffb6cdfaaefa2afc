"""A backbone converted without Keras answers as Keras does, and what is kept of it is never a wrong one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import weakref
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest

from translearn_core import datasets
from translearn_core.backbones import BACKBONES, Backbone
from translearn_core.backbones.weights import weights_path
from translearn_core.features.extractor import POOLED, FeatureExtractor
from translearn_core.graph.assembly import split_at
from translearn_core.graph.build import build_backbone
from translearn_core.graph.engine import KerasEngine, OpenVINOEngine, run_engine, run_keras
from translearn_core.graph.kept_engines import (
    confirm_engine,
    is_confirmed,
    kept_engine,
    open_prefix_engine,
)
from translearn_core.graph.walk import cut_points

SMALL = BACKBONES["mobilenet_v2_035"]
STARTER = BACKBONES["starter"]
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="module", autouse=True)
def weights_file(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A file of weights in the layout of Keras' pretrained ones, in a folder of Keras of its own."""
    folder = tmp_path_factory.mktemp("keras")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KERAS_HOME", str(folder))
        path = weights_path(SMALL)
        path.parent.mkdir()
        _write_weights(path, seed=0)
        yield path


@cache
def _layers() -> list[keras.Layer]:
    """Those of the network of `SMALL` that have weights."""
    application = keras.applications.MobileNetV2(
        input_shape=(32, 32, 3), include_top=False, weights=None, **dict(SMALL.arguments)
    )
    return [layer for layer in application.layers if layer.weights]


def _write_weights(path: Path, *, seed: int) -> None:
    """Random weights whose statistics and biases are not zeros and ones."""
    rng = np.random.default_rng(seed)
    layers = _layers()
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [layer.name.encode() for layer in layers]
        for layer in layers:
            group = file.create_group(layer.name)
            variables = layer.trainable_weights + layer.non_trainable_weights
            group.attrs["weight_names"] = [variable.name.encode() for variable in variables]
            for variable in variables:
                values = rng.uniform(0.5, 1.5, variable.shape)
                if len(variable.shape) > 1:  # a kernel keeps the size of what passes through it
                    inputs = np.prod(variable.shape[:-1])
                    values = rng.standard_normal(variable.shape) * np.sqrt(2 / inputs)
                group[variable.name] = values.astype(np.float32)


@pytest.fixture(scope="module")
def look(tmp_path_factory: pytest.TempPathFactory, colour_photos: Path) -> Any:
    """An extractor in a workspace of its own; its photos are not looked at."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRANSLEARN_HOME", str(tmp_path_factory.mktemp("home")))
        dataset = datasets.import_source(colour_photos, in_place=True, check=False)
        yield FeatureExtractor(dataset=dataset, backbone=STARTER, size=40)


def _photos(size: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (3, size, size, 3), dtype=np.uint8)


def _open(look: FeatureExtractor, cut: str = POOLED, *, keras_model: Any = None) -> Any:
    """The engine of a cut, which has to do without Keras unless a model of it is handed over."""

    def build() -> Any:
        if keras_model is None:
            raise AssertionError("it was converted by Keras")
        return keras_model

    return open_prefix_engine(look.engine_path(cut), build, record=lambda: look.record(cut))


@pytest.mark.parametrize(
    ("backbone", "size", "cut"),
    [
        (STARTER, 47, ""),
        (STARTER, 48, "stage3_down_relu"),
        (SMALL, 64, "block_13_project_BN"),
        (SMALL, 65, ""),
        (BACKBONES["efficientnet_lite0"], 64, ""),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_it_answers_as_keras_does(
    look: FeatureExtractor, backbone: Backbone, size: int, cut: str
) -> None:
    network = build_backbone(backbone, size=size)
    model = split_at(network, cut or cut_points(network)[-1])[0]
    expected = run_keras(model, _photos(size))
    received = run_engine(
        _open(replace(look, backbone=backbone, size=size), cut or POOLED), _photos(size)
    )
    scale = np.abs(expected).max()
    assert expected.std() > 0.01 * scale
    np.testing.assert_allclose(received, expected, atol=1e-4 * scale)


def test_an_engine_that_nobody_uses_leaves_the_memory(look: FeatureExtractor) -> None:
    engine = _open(look)
    run_engine(engine, _photos(look.size))
    left = weakref.ref(engine)
    del engine
    assert left() is None


def test_no_keras_is_imported_for_it(look: FeatureExtractor) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from translearn_core.backbones import get_backbone\n"
        "from translearn_core.graph import convert, recorded\n"
        "model = recorded.recorded_prefix(get_backbone('starter'), size=32, cut=None)\n"
        "convert.convert_to_openvino(model, Path(sys.argv[1]))\n"
        "assert not {'keras', 'tensorflow'} & set(sys.modules)"
    )
    target = look.engine_path(POOLED).parent / "alone.xml"
    subprocess.run([sys.executable, "-c", code, str(target)], check=True, timeout=120)
    assert target.is_file()


def test_what_is_kept_is_opened_again_and_a_damaged_one_is_made_anew(
    look: FeatureExtractor,
) -> None:
    expected = run_engine(_open(look), _photos(look.size))
    path = look.engine_path(POOLED)
    assert kept_engine(path) == "agrees"
    weights = path.with_suffix(".bin")
    kept = weights.read_bytes()
    weights.write_bytes(kept[:-400] + bytes(400))
    assert kept_engine(path) == ""
    assert np.array_equal(run_engine(_open(look), _photos(look.size)), expected)
    assert weights.read_bytes() == kept
    for missing in (path, weights, path.with_suffix(".json")):
        missing.unlink()
        assert kept_engine(path) == ""
        assert np.array_equal(run_engine(_open(look), _photos(look.size)), expected)
    path.with_suffix(".json").write_text("[1", encoding="utf-8")
    assert kept_engine(path) == ""


def test_other_weights_and_another_size_are_converted_anew(
    look: FeatureExtractor, weights_file: Path
) -> None:
    small = replace(look, backbone=SMALL, size=32)
    before = run_engine(_open(small), _photos(32))
    kept = weights_file.read_bytes()
    places = {small.engine_path(POOLED), replace(small, size=33).engine_path(POOLED)}
    facts = weights_file.stat()
    _write_weights(weights_file, seed=7)
    os.utime(weights_file, ns=(facts.st_atime_ns, facts.st_mtime_ns + 1))
    places.add(small.engine_path(POOLED))
    assert len(places) == 3
    network = build_backbone(SMALL, size=32)
    expected = run_keras(split_at(network, cut_points(network)[-1])[0], _photos(32))
    received = run_engine(_open(small), _photos(32))
    np.testing.assert_allclose(received, expected, atol=1e-4 * np.abs(expected).max())
    assert np.abs(received - before).max() > 0.01 * np.abs(before).max()
    weights_file.write_bytes(kept)
    os.utime(weights_file, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def test_weights_that_do_not_fit_are_left_to_keras(
    look: FeatureExtractor, weights_file: Path
) -> None:
    small = replace(look, backbone=SMALL, size=34)
    kept = weights_file.read_bytes()
    photo = keras.Input((34, 34, 3))
    other = keras.Model(photo, keras.layers.GlobalAveragePooling2D()(photo))
    try:
        weights_file.write_bytes(kept[: len(kept) // 2])
        engine = _open(small, keras_model=other)
        assert isinstance(engine, OpenVINOEngine)
        assert run_engine(engine, _photos(34)).shape == (3, 3)
    finally:
        weights_file.write_bytes(kept)


def test_a_network_that_disagreed_is_left_to_keras(look: FeatureExtractor) -> None:
    path = look.engine_path("elsewhere")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_suffix(".json").write_text(json.dumps({"agrees": False}), encoding="utf-8")
    photo = keras.Input((40, 40, 3))
    model = keras.Model(photo, keras.layers.GlobalAveragePooling2D()(photo))
    assert isinstance(open_prefix_engine(path, lambda: model), KerasEngine)
    assert kept_engine(path) == "disagrees"


def test_a_network_converted_without_keras_is_confirmed_by_it_or_no_longer_used(
    look: FeatureExtractor,
) -> None:
    of_39 = replace(look, size=39)
    path = of_39.engine_path(POOLED)
    _open(of_39)
    assert not is_confirmed(path), "nobody has asked Keras"

    def prefix(**weights: Any) -> Any:
        network = build_backbone(STARTER, size=39, **weights)
        return split_at(network, cut_points(network)[-1])[0]

    confirm_engine(path, prefix())
    assert is_confirmed(path)
    assert kept_engine(path) == "agrees"
    confirm_engine(path, prefix(weights="random", seed=1))
    assert not is_confirmed(path)
    assert kept_engine(path) == "disagrees"
    missing = path.with_name("missing.xml")
    confirm_engine(missing, None)
    assert not is_confirmed(missing)


def test_what_was_not_used_for_long_goes_first(
    look: FeatureExtractor, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, used_since = (replace(look, size=size) for size in (35, 36, 37))
    _open(first)
    _open(used_since)
    path = first.engine_path(POOLED)
    bytes_of_one = sum(file.stat().st_size for file in path.parent.glob(f"{path.stem}.*"))
    for file in path.parent.iterdir():
        used = 1e9 if file.stem == path.stem else 2e9
        os.utime(file, (used, used))
    total = sum(file.stat().st_size for file in path.parent.iterdir())
    monkeypatch.setattr("translearn_core.graph.kept_engines.KEPT_BYTES", total + bytes_of_one // 2)
    _open(second)
    assert kept_engine(second.engine_path(POOLED)) == "agrees"
    assert not list(path.parent.glob(f"{path.stem}.*"))
    assert kept_engine(used_since.engine_path(POOLED)) == "agrees"


def test_random_weights_and_changed_ones_are_not_recorded(look: FeatureExtractor) -> None:
    assert look.is_recorded
    assert not replace(look, weights="random").is_recorded
    assert replace(look, weights="random").record(POOLED) is None
