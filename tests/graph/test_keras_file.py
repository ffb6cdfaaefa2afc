"""A `.keras` file that is written without Keras is the one that Keras writes, and is read back as it is."""

from __future__ import annotations

import io
import json
import weakref
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest

from translearn_core.backbones import BACKBONES
from translearn_core.evaluation.dense_head import DenseHead
from translearn_core.graph import keras_file
from translearn_core.graph.assembly import assemble, build_head, split_at
from translearn_core.graph.build import build_backbone
from translearn_core.graph.engine import run_keras
from translearn_core.graph.keras_file import (
    can_be_written,
    described,
    read_model,
    write_model,
)
from translearn_core.graph.recorded import read_record
from translearn_core.graph.saving import load_model, save_model
from translearn_core.graph.walk import cut_points
from translearn_core.prediction.model_runner import OpenVINORunner, write_whole_copy
from translearn_core.run_settings import Settings

STARTER = BACKBONES["starter"]
SIZE = 40
RECORDED = read_record(STARTER)["saved"]["keras"]
"""The version whose files are written."""


@pytest.fixture(scope="module", params=["hidden", "linear"])
def files(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The same model, written by Keras and without it; and its head."""
    folder = tmp_path_factory.mktemp("models")
    settings = Settings(head=request.param, hidden_units=6, dropout=0.25)
    network = build_backbone(STARTER, size=SIZE)
    prefix, _suffix = split_at(network, cut_points(network)[-1])
    model = build_head(STARTER.features, 3, settings)
    rng = np.random.default_rng(0)
    weights = [rng.normal(0, 0.1, w.shape).astype(np.float32) for w in model.get_weights()]
    model.set_weights(weights)
    save_model(assemble(prefix, None, model), folder / "by-keras.keras")
    head = DenseHead.of_weights(zip(weights[::2], weights[1::2], strict=True))
    write_model(folder / "model.keras", STARTER, size=SIZE, head=head, dropout=0.25)
    return folder / "by-keras.keras", folder / "model.keras", head


def _weights(path: Path) -> dict[str, Any]:
    """Everything in the file of weights."""
    found: dict[str, Any] = {}

    def note(name: str, entry: Any) -> None:
        values = entry[()].tobytes() if isinstance(entry, h5py.Dataset) else None
        found[name] = dict(entry.attrs), getattr(entry, "dtype", None), values

    with (
        zipfile.ZipFile(path) as archive,
        h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as file,
    ):
        file.visititems(note)
    return found


@pytest.mark.skipif(
    keras.__version__ != RECORDED, reason="another version of Keras saves every model itself"
)
def test_it_says_what_keras_says_and_holds_the_same_weights(files: Any) -> None:
    by_keras, written, _head = files
    contents = []
    for path in (by_keras, written):
        with zipfile.ZipFile(path) as archive:
            contents.append((sorted(archive.namelist()), described(archive.read("config.json"))))
            version = json.loads(archive.read("metadata.json"))["keras_version"]
            assert version == keras.__version__
    assert contents[0] == contents[1]
    assert _weights(by_keras) == _weights(written)


def test_keras_reads_it_and_answers_as_the_file_that_it_wrote_itself(files: Any) -> None:
    by_keras, written, _head = files
    photos = np.random.default_rng(1).uniform(0, 255, (3, SIZE, SIZE, 3)).astype(np.float32)
    models = [load_model(path) for path in (by_keras, written)]
    answers = [run_keras(model, photos) for model in models]
    np.testing.assert_array_equal(*answers)
    learning = [[weight.path for weight in model.trainable_weights] for model in models]
    assert learning[0] == learning[1], "another part of it would learn"


def test_what_is_read_back_answers_as_keras(files: Any, tmp_path: Path) -> None:
    _by_keras, written, head = files
    photos = np.random.default_rng(2).integers(0, 256, (3, SIZE, SIZE, 3), np.uint8)
    expected = run_keras(load_model(written), photos)
    model, read = read_model(written, STARTER)
    for one, other in zip(read.layers, head.layers, strict=True):
        np.testing.assert_array_equal(one.kernel, other.kernel)
    compared = {"photos": photos, "expected": expected, "tolerance": 1e-4}
    assert write_whole_copy(model, read, tmp_path / "copy.xml", **compared) < 1e-4
    runner = OpenVINORunner(tmp_path / "copy.xml")
    seen = runner.run(photos, maps=True)
    left = weakref.ref(runner)
    del runner
    assert left() is None, "it stays in memory"
    assert seen.maps is not None
    assert seen.pooled is not None
    np.testing.assert_allclose(seen.maps.mean(axis=(1, 2)), seen.pooled, rtol=1e-3, atol=1e-4)


def test_other_weights_in_the_file_are_other_answers(files: Any, tmp_path: Path) -> None:
    """What is compared is read from the file: a wrong byte there shows."""
    _by_keras, written, _head = files
    photos = np.random.default_rng(3).integers(0, 256, (3, SIZE, SIZE, 3), np.uint8)
    expected = run_keras(load_model(written), photos)
    damaged = tmp_path / "model.keras"
    with zipfile.ZipFile(written) as old, zipfile.ZipFile(damaged, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "model.weights.h5":
                stored = io.BytesIO(content)
                with h5py.File(stored, "r+") as file:
                    place = file["layers/conv2d/vars/0"]
                    place[...] = -place[()]
                content = stored.getvalue()
            new.writestr(name, content)
    model, read = read_model(damaged, STARTER)
    compared = {"photos": photos, "expected": expected, "tolerance": 1e-4}
    assert write_whole_copy(model, read, tmp_path / "copy.xml", **compared) > 1e-3
    assert not (tmp_path / "copy.xml").exists()


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Makes another version of Keras the installed one."""

    def install(version: str) -> None:
        can_be_written.cache_clear()
        monkeypatch.setattr(keras_file, "version", lambda _name: version)

    yield install
    can_be_written.cache_clear()


def test_another_version_of_keras_saves_itself(installed: Callable[[str], None]) -> None:
    installed(RECORDED)
    assert can_be_written(STARTER)
    installed("3.99.0")
    assert not can_be_written(STARTER)


def test_backbones_without_a_record_are_left_to_keras(installed: Callable[[str], None]) -> None:
    installed(RECORDED)
    can = {name for name, backbone in BACKBONES.items() if can_be_written(backbone)}
    assert {"starter", "efficientnet_lite0", "mobilenet_v2_035", "mobilenet_v3_small"} <= can
    assert "dinov2_small" not in can
