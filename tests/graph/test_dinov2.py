"""DINOv2: it answers as `transformers` does, at every size, and its maps show where the class is."""

from __future__ import annotations

import dataclasses
import io
import json
import struct
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest
from keras.src.applications.convnext import LayerScale
from safetensors.numpy import load_file, save_file

from translearn_core.backbones import BACKBONES, get_backbone
from translearn_core.backbones.dino_weights import (
    expected_tensors,
    find_problem,
    read_dino_weights,
)
from translearn_core.backbones.freezing import blocks_of, freeze_choice
from translearn_core.backbones.weights import weights_path, weights_status
from translearn_core.backbones.weights_upload import store_weights
from translearn_core.errors import SettingsError, WeightsError
from translearn_core.evaluation.dense_head import DenseHead, DenseLayer
from translearn_core.export.keras_script_code import TEMPLATE
from translearn_core.features.weight_change import backbone_change
from translearn_core.graph.assembly import assemble, build_head, set_trainable, split_at
from translearn_core.graph.build import build_backbone
from translearn_core.graph.dinov2 import DINOv2
from translearn_core.graph.saving import load_model, save_model
from translearn_core.graph.walk import cut_points
from translearn_core.model_import.allowlist import check_config
from translearn_core.prediction.explain import grad_cam
from translearn_core.prediction.model_runner import open_runner, write_copy
from translearn_core.run_settings import Settings
from translearn_core.runs import Run, RunConfig
from translearn_core.templates import render_block

DATA = Path(__file__).parents[1] / "data"
TINY = DATA / "dinov2_tiny.safetensors"
"""Weights and answers of `transformers`, see `tools/dinov2_reference`."""
SHAPE: dict[str, Any] = {"width": 16, "heads": 2, "depth": 2}
ROW = dataclasses.replace(
    BACKBONES["dinov2_small"],
    arguments=tuple(SHAPE.items()),
    weight_url="https://example.org/tiny/model.safetensors",
)
"""The row of DINOv2 Small with a network as small as the reference."""
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def _run(model: keras.Model, x: Any) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(model(x, training=False)))


@pytest.mark.parametrize("side", [28, 42, 70])
def test_it_answers_as_transformers(side: int) -> None:
    with np.load(DATA / "dinov2_tiny.npz") as reference:
        photos = reference[f"photo_{side}"].astype("float32")
        tokens = reference[f"tokens_{side}"]  # (n, 1 + p, width)
    model = DINOv2(**SHAPE, weights=TINY, input_shape=(side, side, 3))
    maps = _run(model, photos)
    assert maps.shape == (2, side // 14, side // 14, 32)
    np.testing.assert_allclose(maps[..., :16].reshape(2, -1, 16), tokens[:, 1:], atol=1e-5)
    np.testing.assert_allclose(maps[..., 16:].mean(axis=(1, 2)), tokens[:, 0], atol=1e-5)


def test_the_class_token_lies_where_it_looked() -> None:
    """Each channel of its half is the token's number in the same shares, and none is below 0."""
    model = DINOv2(**SHAPE, weights=TINY, input_shape=(70, 70, 3))
    with np.load(DATA / "dinov2_tiny.npz") as reference:
        photos, tokens = reference["photo_70"].astype("float32"), reference["tokens_70"]
    shares = _run(model, photos)[..., 16:] / tokens[:, 0][:, None, None]
    np.testing.assert_allclose(
        shares, shares.mean(axis=-1, keepdims=True).repeat(16, -1), rtol=1e-3
    )
    assert shares.min() > 0
    assert shares.std() > 0.05, "the token looked at all places alike: the reference shows nothing"
    weights = tokens[0, 0]  # a class for which the class token of the first photo speaks
    kernel = np.zeros((32, 2), np.float32)
    kernel[16:, 1] = weights
    head = DenseHead(layers=(DenseLayer(kernel, np.zeros(2, np.float32), False),))
    maps = _run(model, photos)[0]
    heat = grad_cam(head, maps.mean(axis=(0, 1)), maps, 1)
    np.testing.assert_allclose(heat, shares[0, ..., 0] / shares[0, ..., 0].max(), atol=1e-3)


@pytest.fixture
def with_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tiny network's file in Keras' folder, as a person has provided it."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    store_weights(ROW, TINY)


@pytest.mark.usefixtures("with_weights")
def test_frozen_in_part_saved_and_opened_without_keras(tmp_path: Path) -> None:
    model = build_backbone(ROW, size=56)
    assert [name for name in cut_points(model) if name.endswith("add2")] == ["block1_add2"]
    prefix, suffix = split_at(model, "block1_add2")
    assert suffix is not None
    set_trainable(suffix)
    head = build_head(32, 3, Settings(head="linear", dropout=0.0))
    assembled = assemble(prefix, suffix, head)
    photos = np.random.default_rng(0).integers(0, 256, (4, 56, 56, 3), dtype=np.uint8)
    before = [weight.copy() for weight in prefix.get_weights()]
    assembled.compile(
        keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", run_eagerly=True
    )
    for _step in range(3):
        assembled.train_on_batch(photos.astype("float32"), np.array([0, 1, 2, 0]))
    for old, new in zip(before, prefix.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    expected = _run(assembled, photos.astype("float32"))
    assert expected.std(axis=0).max() > 0.01
    save_model(assembled, tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "model.keras") as archive:
        check_config(
            json.loads(archive.read("config.json")), "model.keras"
        )  # may be brought in again
    loaded = load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(_run(loaded, photos.astype("float32")), expected, atol=1e-5)
    copy = tmp_path / "copy.xml"
    assert write_copy(loaded, copy, photos=photos, expected=expected, tolerance=1e-4) < 1e-4
    runner = open_runner(copy, tmp_path / "none.keras")
    output = runner.run(photos, maps=True)
    assert runner.name == "OpenVINO"
    assert output.maps is not None
    assert output.maps.shape == (4, 4, 4, 32)


@pytest.mark.usefixtures("with_weights")
def test_the_program_of_a_run_builds_the_same_network(tmp_path: Path) -> None:
    size = 56
    model = build_backbone(ROW, size=size)
    arrays = read_dino_weights(weights_path(ROW), **SHAPE, grid=(4, 4))
    np.savez(
        tmp_path / "own.npz",
        **{f"{name}/{n}": a for name, all_ in arrays.items() for n, a in enumerate(all_)},
    )
    code = render_block(
        TEMPLATE,
        "backbone",
        backbone=ROW,
        settings=Settings(),
        own_weights="own.npz",
        dino=SHAPE,
        facts=SimpleNamespace(),
        weights_address="",
    )
    names: dict[str, Any] = {
        "keras": keras,
        "layers": keras.layers,
        "np": np,
        "HERE": tmp_path,
        "SIZE": size,
        "LayerScale": LayerScale,
    }
    exec(code, names)
    photos = np.random.default_rng(0).uniform(0, 255, (2, size, size, 3)).astype("float32")
    expected = _run(model, photos).mean(axis=(1, 2))
    np.testing.assert_allclose(_run(names["extractor"], photos), expected, atol=1e-4)


@pytest.mark.usefixtures("with_weights")
def test_a_run_starts_from_one_with_photos_of_another_size(tmp_path: Path) -> None:
    """What its backbone has learned comes along, with its positions interpolated."""
    source = Run(tmp_path / "runs" / "source")
    facts = {"kind": "train", "id": "source", "dataset": "none", "created": 1.0}
    source.begin(RunConfig.model_validate(facts | {"settings": Settings()}))
    source.update_state(state="finished")
    learned = build_backbone(ROW, size=42)
    patches = learned.get_layer("patches")
    kernel, places = patches.get_weights()
    patches.set_weights([2 * kernel, places + 0.5])
    prefix, _none = split_at(learned, cut_points(learned)[-1])
    save_model(assemble(prefix, None, build_head(32, 2, Settings())), source.model_path)
    source.write_labels(["a", "b"], image_size=42, backbone=ROW.name)
    change = backbone_change(Settings(start_from=str(source.folder)))
    assert change is not None
    larger, plain = build_backbone(ROW, size=70), build_backbone(ROW, size=70)
    change.apply(larger)
    weights, before = (one.get_layer("patches").get_weights() for one in (larger, plain))
    np.testing.assert_allclose(weights[0], 2 * before[0], rtol=1e-6)
    np.testing.assert_allclose(weights[1], before[1] + 0.5, atol=1e-5)


# ------------------------------------------------------------------------------------- the file


def _saved(path: Path, change: dict[str, np.ndarray | None]) -> Path:
    tensors = {**load_file(TINY), **change}
    save_file({name: array for name, array in tensors.items() if array is not None}, path)
    return path


def test_other_names_and_kinds_of_numbers_are_read(tmp_path: Path) -> None:
    """A model that holds DINOv2 within, and bfloat16, whose bits are the upper half of float32."""
    plain = load_file(TINY)
    within = {f"dinov2.{name}": array.astype(np.float32) for name, array in plain.items()}
    save_file(within | {"classifier.weight": np.zeros((2, 32), np.float32)}, tmp_path / "a")
    header: dict[str, Any] = {}
    data = b""
    for name, array in plain.items():
        half = (array.astype(np.float32).view(np.uint32) >> 16).astype("<u2").tobytes()
        place = [len(data), len(data) + len(half)]
        header[name] = {"dtype": "BF16", "shape": array.shape, "data_offsets": place}
        data += half
    text = json.dumps(header).encode()
    (tmp_path / "b").write_bytes(struct.pack("<Q", len(text)) + text + data)
    x = np.random.default_rng(0).normal(size=(1, 42, 42, 3)).astype("float32")
    expected = _run(DINOv2(**SHAPE, weights=TINY, input_shape=(42, 42, 3)), x)
    for file, close in (("a", 1e-6), ("b", 0.3)):
        model = DINOv2(**SHAPE, weights=tmp_path / file, input_shape=(42, 42, 3))
        np.testing.assert_allclose(_run(model, x), expected, atol=close)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"layernorm.weight": None}, "it lacks layernorm.weight"),
        ({"layernorm.weight": np.ones(8, np.float32)}, "has the shape 8, where 16 belongs"),
        (
            {"embeddings.position_embeddings": np.ones((1, 8, 16), np.float32)},
            "no square of patches",
        ),
        ({"layernorm.bias": np.ones(16, np.int64)}, "numbers of the kind I64"),
        ({"encoder.layer.2.norm1.weight": np.ones(16, np.float32)}, "more than 2 blocks"),
    ],
)
@pytest.mark.usefixtures("with_weights")
def test_another_network_is_refused(
    change: dict[str, np.ndarray | None], sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(WeightsError, match=sentence) as refusal:
        store_weights(ROW, _saved(tmp_path / "other", change))
    assert "dinov2-small.safetensors" in str(refusal.value)
    assert weights_path(ROW).read_bytes() == TINY.read_bytes()


@pytest.mark.usefixtures("with_weights")
@pytest.mark.parametrize("length", [1, 7, 900, 30_000])
def test_a_file_that_is_cut_off_is_refused(length: int) -> None:
    cut = TINY.read_bytes()[:length]
    with pytest.raises(WeightsError, match="damaged, or no weights file of the kind safetensors"):
        store_weights(ROW, io.BytesIO(cut))
    weights_path(ROW).write_bytes(cut)
    with pytest.raises(WeightsError, match="does not fit DINOv2 Small"):
        build_backbone(ROW, size=28)


def test_the_real_files_are_expected_in_full() -> None:
    """The counts of parameters that Meta gives, the mask token that is not needed left out."""
    for name, millions in (("dinov2_small", 22.1), ("dinov2_base", 86.6)):
        row = get_backbone(name)
        tensors = expected_tensors(dict(row.arguments)["width"], 12)
        shapes = [tuple(1370 if side == 0 else side for side in s) for s in tensors.values()]
        count = sum(int(np.prod(shape)) for shape in shapes)
        assert count / 1e6 == pytest.approx(millions, abs=0.05)
    assert find_problem(TINY, width=384) == (
        "its embeddings.cls_token has the shape 1 x 1 x 16, where 1 x 1 x 384 belongs."
    )


@pytest.mark.usefixtures("own_folders")
def test_a_person_is_told_where_the_file_is(monkeypatch: pytest.MonkeyPatch) -> None:
    row = get_backbone("dinov2_small")
    assert weights_status(row).state == "download"
    monkeypatch.setenv("TRANSLEARN_ALLOW_DOWNLOADS", "false")
    assert "huggingface.co/facebook/dinov2-small" in weights_status(row).sentence
    assert "under the name dinov2-small.safetensors" in weights_status(row).sentence


# ------------------------------------------------------------------------------- sizes and blocks


def test_photos_are_whole_patches() -> None:
    row = get_backbone("dinov2_small")
    with pytest.raises(SettingsError, match=r"multiple of 14 .* Choose 294 or 308"):
        build_backbone(row, size=300, weights="random")
    with pytest.raises(ValueError, match="multiples of 14"):
        DINOv2(**SHAPE, input_shape=(28, 30, 3))
    with pytest.raises(ValueError, match="without a top"):
        DINOv2(**SHAPE, include_top=True)


def test_a_transformer_block_is_one_block() -> None:
    for name in ("dinov2_small", "dinov2_base"):
        row = get_backbone(name)
        titles = [block.title for block in blocks_of(row).blocks]
        assert titles == ["patches", *(f"block{n}" for n in range(1, 13))]
        assert freeze_choice(row, -2).cut_layer == "block10_add2"
        assert freeze_choice(row, "none", "block3_mlp1").cut_layer == "block3_add1"
