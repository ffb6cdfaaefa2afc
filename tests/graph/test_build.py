"""Graphs: cut points, blocks, cutting and putting together again, for every backbone.

No weights are needed: every backbone is built with random ones at its smallest size. Those that only
have more of the same (`LARGER`) are judged by their stored data.
"""

from __future__ import annotations

import json
import math
import re
import zipfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest

import translearn_core
from tests.support.networks import DISTINCT, LARGER
from translearn_core.backbones import BACKBONES, Backbone
from translearn_core.backbones.freezing import blocks_of, freeze_choice
from translearn_core.backbones.weights import weights_path
from translearn_core.backbones.weights_check import expected_shapes
from translearn_core.errors import RunError, SettingsError, WeightsError
from translearn_core.evaluation.dense_head import DenseHead
from translearn_core.graph.assembly import assemble, build_head, set_trainable, split_at
from translearn_core.graph.block_boundaries import (
    find_blocks,
    has_kernel,
    is_activation,
    is_linear,
    is_merge,
    is_normalization,
)
from translearn_core.graph.build import build_backbone, call_builder, with_pixel_scaling
from translearn_core.graph.description import (
    RECORDED_HEAD,
    describe_backbone,
    describe_saved,
    describe_weights,
    is_recorded_as,
    model_as_saved,
)
from translearn_core.graph.keras_file import can_be_written, describe_model, write_file
from translearn_core.graph.recorded import has_record, read_record
from translearn_core.graph.saving import load_model, remember_names, save_model
from translearn_core.graph.walk import cut_points, cut_positions, is_pixels, replay, walk_graph
from translearn_core.run_settings import Settings

DATA = Path(translearn_core.__file__).parent / "data"
SHARED_WEIGHTS = Path(__file__).parents[2].parent / "shared" / "weights"
SLOW = {"nasnet_mobile", "efficientnet_v2_s", "densenet121", "efficientnet_v2_b0"}
SMALL = BACKBONES["mobilenet_v2_035"]
# NumPy 2 against TensorFlow's arrays, inside Keras
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(
            row,
            id=row.name,
            marks=[pytest.mark.xdist_group(f"graph-{row.name}")]
            + ([pytest.mark.slow] if row.name in SLOW else []),
        )
        for row in DISTINCT
    ],
)
def backbone(request: pytest.FixtureRequest) -> Backbone:
    """Every architecture; of module scope, so that each is built once for all of its tests."""
    row: Backbone = request.param
    return row


@lru_cache(maxsize=1)
def _application(backbone: Backbone) -> keras.Model:
    """The network as Keras makes it, for the smallest photos."""
    return call_builder(backbone, backbone.min_size, "random", 0)


@lru_cache(maxsize=1)
def _built(backbone: Backbone) -> keras.Model:
    """What `build_backbone` makes of `_application`, with the layers of the same."""
    return with_pixel_scaling(backbone, _application(backbone), backbone.min_size)


@lru_cache(maxsize=1)
def _answer(backbone: Backbone) -> np.ndarray:
    """Feature maps that `_built` has of `_photos`."""
    return _run(_built(backbone), _photos(backbone.min_size))


def _forget_networks() -> None:
    for kept in (_application, _built, _answer):
        kept.cache_clear()


@pytest.fixture(scope="module", autouse=True)
def _give_memory_back() -> Iterator[None]:
    yield
    _forget_networks()


def _photos(size: int, count: int = 2) -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 255, (count, size, size, 3)).astype("float32")


def _run(model: keras.Model, x: Any) -> np.ndarray:
    return keras.ops.convert_to_numpy(model(x, training=False))


def _calls(model: keras.Model, *, read: str = "pixels") -> dict[str, Any]:
    """What each operation is called with and gives, by its name; scaling of pixels is passed over.

    Args:
        read: what the input of the model stands for: the name of an operation, or `pixels`.
    """
    names: dict[int, str] = {}
    calls: dict[str, Any] = {}
    for node in walk_graph(model).nodes:
        operation, before = node.operation, node.arguments.keras_tensors
        arguments = node.arguments.fill_in(names)
        name = names[id(before[0])] if is_pixels(operation) else operation.name
        if not before:
            name = read
        elif not is_pixels(operation):
            kinds = [(tuple(one.shape), one.dtype) for one in node.output_tensors]
            calls[name] = operation, arguments, kinds
        names |= {id(one): f"{name}{i or ''}" for i, one in enumerate(node.output_tensors)}
    return calls


def _make_sensitive(head: keras.Model, features: np.ndarray) -> None:
    """Scale the last layer so that the tiny features of random weights tell classes apart."""
    kernel, bias = head.layers[-1].get_weights()
    spread = np.abs(features @ kernel).max()
    head.layers[-1].set_weights([2 * kernel / spread, bias])


def _entry(file: str, backbone: Backbone) -> Any:
    return json.loads((DATA / file).read_text(encoding="utf-8"))["backbones"][backbone.name]


# --------------------------------------------------------------------------- every backbone


def test_pixel_scaling_is_that_of_keras(backbone: Backbone) -> None:
    """Our scaling equals `preprocess_input`, and what follows is Keras' own graph."""
    result = _answer(backbone)
    assert np.isfinite(result).all()
    assert np.abs(result).max() > 0
    assert result.shape[-1] == backbone.features
    model = _built(backbone)
    assert _calls(model) == _calls(_application(backbone))
    if backbone.after_normalization:  # Keras adds it only with the ImageNet weights
        (rescaling,) = (node for node in walk_graph(model).nodes if _follows_normalization(node))
        assert rescaling.operation.scale == list(backbone.after_normalization)
    if backbone.is_own:
        pytest.skip(
            "no preprocess_input of Keras to compare with; test_starter, test_efficientnet_lite and "
            "test_dinov2 do"
        )
    module = __import__(application_module(backbone), fromlist=["preprocess_input"])
    expected = module.preprocess_input(_photos(backbone.min_size).copy())
    scaled = _run(split_at(model, None)[0], _photos(backbone.min_size))
    np.testing.assert_allclose(scaled, expected, atol=1e-6 * np.abs(expected).max())


def _follows_normalization(node: Any) -> bool:
    """Whether it scales what a layer that takes off the mean of pixels gives."""
    before = [tensor._keras_history.operation for tensor in node.arguments.keras_tensors]
    normalizes = [isinstance(one, keras.layers.Normalization) for one in before]
    return any(normalizes) and is_pixels(node.operation)


def application_module(backbone: Backbone) -> str:
    """The module of `keras.applications` that holds the backbone's `preprocess_input`."""
    builder = getattr(keras.applications, backbone.builder)
    return str(builder.__module__)


def test_suffix_of_prefix_is_the_model_and_what_learns_is_what_the_table_says(
    backbone: Backbone,
) -> None:
    model = _built(backbone)
    cuts = cut_points(model)
    middle = cuts[len(cuts) // 2]
    blocks = len(blocks_of(backbone).blocks)
    least = 0 if backbone.size_step == 1 else 1  # positions in block 0 go with the size of photos
    frozen = [freeze_choice(backbone, n) for n in (least, blocks - 1)]
    choices = {choice.cut_layer: choice for choice in frozen}
    assert len(choices) == 2
    whole = _calls(model)
    for cut in (*dict.fromkeys((None, *choices, cuts[-1])), middle):
        prefix, suffix = split_at(model, cut)
        assert prefix.inputs[0].name == "photo"
        assert (suffix is None) == (cut == cuts[-1])
        calls = _calls(prefix) | ({} if suffix is None else _calls(suffix, read=cut or "pixels"))
        operation, arguments, _kinds = calls.pop("pooled")
        assert isinstance(operation, keras.layers.GlobalAveragePooling2D)
        assert arguments == ((cuts[-1],), {})
        assert calls == whole
        if cut in choices:
            assert suffix is not None
            set_trainable(suffix)
            learns = sum(int(np.prod(weight.shape)) for weight in suffix.trainable_weights)
            assert learns == choices[cut].trainable_weights


def test_assembled_saved_and_loaded(backbone: Backbone, tmp_path: Path) -> None:
    """Shown by the shortest beginning of the network that holds every kind of its operations."""
    if backbone.size_step > 1:
        pytest.skip("its last operations are of kinds of their own; test_dinov2 saves a tiny one")
    model = _beginning(_built(backbone))
    prefix, suffix = split_at(model, cut_points(model)[0])
    assert suffix is not None
    set_trainable(suffix)
    assert suffix.trainable_weights
    head = build_head(model.output_shape[-1], 3, Settings(head="linear"))
    assembled = assemble(prefix, suffix, head)
    photos = _photos(backbone.min_size)
    features = _run(suffix, _run(prefix, photos))
    _make_sensitive(head, features)
    expected = _run(head, features)
    assert np.abs(expected - 1 / 3).max() > 0.05
    np.testing.assert_allclose(_run(assembled, photos), expected, atol=1e-5)

    save_model(assembled, tmp_path / "model.keras")
    loaded = load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(_run(loaded, photos), expected, atol=1e-5)
    assert loaded.inputs[0].name == "photo"
    assert loaded.input_shape == (None, backbone.min_size, backbone.min_size, 3)
    assert loaded.output_names == ["probabilities"]
    assert not any(type(op).__name__ in {"Functional", "Model"} for op in loaded.operations)
    assert len(loaded.trainable_weights) == len(suffix.trainable_weights) + 2
    normalizations = [
        layer for layer in loaded.layers if isinstance(layer, keras.layers.BatchNormalization)
    ]
    assert not any(layer.trainable for layer in normalizations)
    assert [file.name for file in tmp_path.iterdir()] == ["model.keras"]


def _beginning(model: keras.Model) -> keras.Model:
    """The shortest part of a network from its input on that has an operation of every kind."""
    nodes = walk_graph(model).nodes
    first: dict[type, int] = {}
    for position, node in enumerate(nodes):
        first.setdefault(type(node.operation), position)
    end = next(
        node for node in nodes[max(first.values()) :] if len(node.output_tensors[0].shape) == 4
    )
    photo = keras.Input(model.input_shape[1:], dtype="float32", name="photo")
    return keras.Model(photo, replay(model, photo, end=end.operation.name), name=model.name)


def test_no_block_ends_between_a_convolution_and_what_belongs_to_it(backbone: Backbone) -> None:
    walk = walk_graph(_built(backbone))
    cuts = set(cut_positions(walk))
    ends = {block.end for block in find_blocks(_built(backbone))}
    for position in cuts:
        here = walk.operation(position)
        if here.name in ends and position + 1 in cuts:  # a plain chain goes on
            following = walk.operation(position + 1)
            assert not (has_kernel(here) and is_normalization(following))
            assert not (is_linear(here) and is_activation(following))
            assert not (is_merge(here) and is_activation(following))


def test_cut_points_are_all_that_flows_on(backbone: Backbone) -> None:
    """Checked the slow and plain way: without the cut no input reaches the output."""
    walk = walk_graph(_built(backbone))
    cuts = set(cut_positions(walk))
    last = len(walk.nodes) - 1
    step = max(1, last // 60)
    for removed in range(1, last, step):
        reached = {0}
        for position in range(1, last + 1):
            if position != removed and reached.intersection(walk.reads[position]):
                reached.add(position)
        assert (last not in reached) == (removed in cuts)


def test_data_of_the_package_is_that_of_the_graph(backbone: Backbone, tmp_path: Path) -> None:
    """Whoever changes a row or a rule runs `scripts/make_blocks`."""
    application = _application(backbone)
    for layer in application._flatten_layers():
        layer.trainable = True  # tests before this one froze some of them
    is_of_one_size = backbone.size_step > 1 or any(
        isinstance(layer, keras.Model) for layer in application.layers
    )
    described = describe_backbone(backbone, None if is_of_one_size else application)
    assert json.loads(json.dumps(described)) == _entry("blocks.json", backbone)
    assert describe_weights(backbone, application) == _entry("weights.json", backbone)
    if has_record(backbone):
        record, network = read_record(backbone), _built(backbone)
        assert is_recorded_as(record, network)
        if can_be_written(backbone):  # with another Keras than the recorded one, Keras saves
            model = model_as_saved(network)
            written = describe_model(record, network.input_shape[1], *RECORDED_HEAD)
            assert written == describe_saved(model), "the .keras file is not what Keras writes"
            _check_that_keras_finds_the_weights(model, backbone, record, tmp_path)


def _check_that_keras_finds_the_weights(
    model: keras.Model, backbone: Backbone, record: dict[str, Any], folder: Path
) -> None:
    """Written without Keras, each weight is where Keras looks for it."""
    others = {
        weight.path: np.arange(number, number + math.prod(weight.shape), dtype=np.float32).reshape(
            weight.shape
        )
        for number, weight in enumerate(model.weights)
    }
    layers = {layer.name: layer for layer in model.layers}
    weights = {}
    for position, shapes in record["weights"]:
        layer = layers[record["operations"][position][1]]
        by_name = {variable.name: others[variable.path] for variable in layer.weights}
        weights[layer.name] = [by_name[name] for name in shapes]
    dense = [layer for layer in model.layers if isinstance(layer, keras.layers.Dense)][-2:]
    head = DenseHead.of_weights(
        [[others[weight.path] for weight in layer.weights] for layer in dense]
    )
    written = folder / "model.keras"
    write_file(written, record, weights, size=backbone.min_size, head=head, dropout=0.5)
    with zipfile.ZipFile(written) as archive:
        archive.extract("model.weights.h5", folder)
    _forget_networks()
    remember_names()
    with keras.StatelessScope() as read:  # keeps values beside the variables, which is quicker
        model.load_weights(folder / "model.weights.h5")
    for weight in model.weights:
        assert np.array_equal(read.get_current_value(weight), others[weight.path]), weight.path


@pytest.mark.parametrize(("name", "smaller"), LARGER.items())
def test_a_larger_network_is_more_of_the_same(name: str, smaller: str) -> None:
    """Stored data: the same kinds of operations under the same names, numbers apart."""
    rows = BACKBONES[name], BACKBONES[smaller]
    kinds = [
        {re.sub(r"\d+[a-z]?", "#", one.removeprefix(row.name)) for one in blocks_of(row).names}
        for row in rows
    ]
    assert kinds[0] == kinds[1]
    graphs = [blocks_of(row) for row in rows]
    assert graphs[0].parameters > graphs[1].parameters
    assert graphs[0].macs > graphs[1].macs
    for key in ("pixels", "after_normalization", "min_size", "size_step", "licence"):
        assert getattr(rows[0], key) == getattr(rows[1], key)
    shapes = [expected_shapes(row) for row in rows]
    total = sum(math.prod(shape) for layer in shapes[0] for shape in layer)
    if rows[0].size_step == 1:
        assert total == rows[0].parameters
    assert {len(layer) for layer in shapes[0]} == {len(layer) for layer in shapes[1]}


# -------------------------------------------------------------------------- one is enough


def test_names_do_not_depend_on_what_was_built_before() -> None:
    """The package has the names that its operations have in a fresh process."""
    backbone = BACKBONES["mobilenet_v3_small"]
    known = list(blocks_of(backbone).names)
    assert {"multiply_5", "expanded_conv_2_add"} <= set(known)
    assert keras.layers.Multiply().name.startswith("multiply"), "its number goes on from here"
    built = build_backbone(backbone, size=32, weights="random").operations
    assert [op.name for op in built if not is_pixels(op)] == known


def test_tensorflow_prepares_one_operation_for_weights_of_a_shape(
    small_backbone: Backbone, tmp_path: Path
) -> None:
    """It keeps one for every name: Keras' own are thousands in a process that builds networks."""
    model = build_backbone(small_backbone, size=32, weights="random")
    save_model(model, tmp_path / "m.keras")
    for built in (model, load_model(tmp_path / "m.keras")):
        assert len({weight.path for weight in built.weights}) == len(built.weights)
        assert len({weight.value.name for weight in built.weights}) == 1


def test_random_weights_are_reproducible(small_backbone: Backbone) -> None:
    photos = _photos(32)
    outputs = [
        _run(build_backbone(small_backbone, size=32, weights="random", seed=seed), photos)
        for seed in (1, 1, 2)
    ]
    np.testing.assert_array_equal(outputs[0], outputs[1])
    assert np.abs(outputs[0] - outputs[2]).max() > 0


def test_layers_are_shared_and_training_shows_in_the_assembled_model(
    small_backbone: Backbone,
) -> None:
    model = build_backbone(small_backbone, size=32, weights="random")
    choice = freeze_choice(small_backbone, -2)
    prefix, suffix = split_at(model, choice.cut_layer)
    assert suffix is not None
    set_trainable(suffix)
    head = build_head(small_backbone.features, 2, Settings(head="linear", dropout=0.0))
    assembled = assemble(prefix, suffix, head)
    photos = _photos(32, 8)
    _make_sensitive(head, _run(suffix, _run(prefix, photos)))
    before = _run(assembled, photos)
    frozen_before = [weight.copy() for weight in prefix.get_weights()]
    statistics = _statistics(suffix)

    learner = keras.Model(suffix.input, head(suffix.output))
    learner.compile("adam", "sparse_categorical_crossentropy")
    labels = np.array([0, 1] * 4)
    learner.fit(_run(prefix, photos), labels, epochs=2, verbose=0)

    after = _run(assembled, photos)
    assert np.abs(after - before).max() > 1e-3
    np.testing.assert_allclose(after, _run(head, _run(suffix, _run(prefix, photos))), atol=1e-6)
    for old, new in zip(frozen_before, prefix.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    for old, new in zip(statistics, _statistics(suffix), strict=True):
        np.testing.assert_array_equal(old, new)


def _statistics(model: keras.Model) -> list[np.ndarray]:
    return [
        weight
        for layer in model.layers
        if isinstance(layer, keras.layers.BatchNormalization)
        for weight in layer.get_weights()
    ]


def test_a_suffix_can_learn_again_after_all_was_frozen() -> None:
    model = _built(SMALL)
    split_at(model, "out_relu")
    _prefix, suffix = split_at(model, "block_15_add")
    assert suffix is not None
    set_trainable(suffix)
    assert suffix.trainable_weights


def test_a_loaded_model_trains_without_touching_the_statistics(
    tmp_path: Path, small_backbone: Backbone
) -> None:
    model = build_backbone(small_backbone, size=32, weights="random")
    prefix, suffix = split_at(model, None)
    assert suffix is not None
    set_trainable(suffix)
    head = build_head(small_backbone.features, 2, Settings(head="linear"))
    save_model(assemble(prefix, suffix, head), tmp_path / "m.keras")
    loaded = load_model(tmp_path / "m.keras")
    before = _statistics(loaded)
    assert len(before) > 10
    loaded.compile("adam", "sparse_categorical_crossentropy")
    loaded.fit(_photos(32, 4), np.array([0, 1, 0, 1]), verbose=0)
    for old, new in zip(before, _statistics(loaded), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("kind", ["linear", "hidden"])
def test_head(kind: str) -> None:
    settings = Settings(head=kind, hidden_units=16, dropout=0.5, seed=3)
    head = build_head(10, 4, settings)
    kinds = [type(layer).__name__ for layer in head.layers]
    hidden = ["Dense", "Dropout"] if kind == "hidden" else []
    assert kinds == ["InputLayer", "Dropout", *hidden, "Dense"]
    x = np.random.default_rng(0).standard_normal((6, 10)).astype("float32")
    probabilities = _run(head, x)
    assert probabilities.shape == (6, 4)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, atol=1e-6)
    np.testing.assert_array_equal(probabilities, _run(build_head(10, 4, settings), x))


def test_probabilities_are_float32_under_mixed_precision(small_backbone: Backbone) -> None:
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = build_backbone(small_backbone, size=32, weights="random")
        prefix, suffix = split_at(model, cut_points(model)[-4])
        assert suffix is not None
        head = build_head(small_backbone.features, 3, Settings(head="hidden", hidden_units=8))
        assembled = assemble(prefix, suffix, head)
    finally:
        keras.config.set_dtype_policy("float32")
    assert suffix.output.dtype == "float32"
    assert assembled.output.dtype == "float32"
    np.testing.assert_allclose(_run(assembled, _photos(32)).sum(axis=1), 1.0, atol=1e-5)


def test_all_frozen_prefix_ends_in_pooled_features() -> None:
    prefix, suffix = split_at(_built(SMALL), freeze_choice(SMALL, "all").cut_layer)
    assert suffix is None
    assert prefix.output_shape == (None, SMALL.features)
    assert not prefix.trainable_weights
    head = build_head(SMALL.features, 3, Settings(head="linear"))
    assert _run(assemble(prefix, None, head), _photos(32)).shape == (2, 3)


def test_nothing_frozen_leaves_only_the_pixel_scaling_to_the_prefix() -> None:
    prefix, suffix = split_at(_built(SMALL), None)
    assert suffix is not None
    photos = _photos(32)
    scaled = _run(prefix, photos)
    np.testing.assert_allclose(scaled, photos / 127.5 - 1, atol=1e-6)
    expected = _answer(SMALL).mean(axis=(1, 2))
    np.testing.assert_allclose(_run(suffix, scaled), expected, atol=1e-5 * np.abs(expected).max())


def test_cutting_where_no_cut_is() -> None:
    with pytest.raises(SettingsError, match=r"cannot be cut at `block_2_depthwise`. Choose one of"):
        split_at(_built(SMALL), "block_2_depthwise")


def test_too_small_a_photo() -> None:
    with pytest.raises(SettingsError, match="must be at least 71"):
        build_backbone(BACKBONES["xception"], size=64, weights="random")


def test_missing_and_broken_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setenv("TRANSLEARN_HOME", str(tmp_path))
    with pytest.raises(WeightsError, match="are not on this machine yet"):
        build_backbone(SMALL, size=32)
    weights_path(SMALL).parent.mkdir()
    weights_path(SMALL).write_text("not weights", encoding="utf-8")
    with pytest.raises(WeightsError, match="does not fit MobileNetV2"):
        build_backbone(SMALL, size=32)


def test_missing_and_broken_model(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="There is no model at"):
        load_model(tmp_path / "model.keras")
    (tmp_path / "model.keras").write_text("not a model", encoding="utf-8")
    with pytest.raises(RunError, match="cannot be read"):
        load_model(tmp_path / "model.keras")


@pytest.mark.skipif(not SHARED_WEIGHTS.is_dir(), reason="../shared/weights is not here")
def test_imagenet_weights_are_loaded_from_keras_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_HOME", str(SHARED_WEIGHTS))
    backbone = BACKBONES["mobilenet_v2"]
    layers = [layer for layer in build_backbone(backbone, size=32).layers if layer.weights]
    with h5py.File(weights_path(backbone)) as file:
        groups = [file[name] for name in file.attrs["layer_names"]]
        stored = [
            [group[name][()] for name in names]
            for group in groups
            if len(names := group.attrs["weight_names"])
        ]
    assert len(stored) > 100
    for layer, arrays in zip(layers, stored, strict=True):
        weights = [*layer.trainable_weights, *layer.non_trainable_weights]
        for weight, array in zip(weights, arrays, strict=True):
            np.testing.assert_array_equal(np.array(weight), array, err_msg=weight.path)


@pytest.mark.skipif(not SHARED_WEIGHTS.is_dir(), reason="../shared/weights is not here")
def test_a_photo_is_answered_as_keras_own_network_with_imagenet_weights_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KERAS_HOME", str(SHARED_WEIGHTS))
    own = keras.applications.MobileNetV2(
        input_shape=(64, 64, 3), alpha=0.35, include_top=False, weights=str(weights_path(SMALL))
    )
    photo = _photos(64, count=1)
    scaled = keras.applications.mobilenet_v2.preprocess_input(photo.copy())
    expected = _run(own, scaled).mean(axis=(1, 2))
    found = _run(build_backbone(SMALL, size=64), photo).mean(axis=(1, 2))
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())
