"""Heat maps: exact against autodiff, pointing at what decides, and laid where it belongs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from benchmarks.patches import points_into
from tests.support.trained import copy_of, trained_on_patches
from translearn_core.backbones import get_backbone
from translearn_core.datasets import decode_photo
from translearn_core.errors import PhotoError, RunError
from translearn_core.imaging.square import Fit
from translearn_core.prediction import explain, predict
from translearn_core.prediction import model_runner as probes

PHOTOS = 100


@pytest.fixture(scope="module")
def predictor() -> predict.Predictor:
    return predict.open_predictor(trained_on_patches()[0])


def first_photo() -> Path:
    return next(iter(trained_on_patches()[1]))


def assembled(name: str, *, size: int = 96, classes: int = 3, seed: int = 0) -> Any:
    """A whole model with random weights, as a run makes it."""
    from translearn_core.graph.assembly import assemble, build_head, split_at
    from translearn_core.graph.build import build_backbone
    from translearn_core.graph.walk import cut_points
    from translearn_core.run_settings import Settings

    row = get_backbone(name)
    network = build_backbone(row, size=size, weights="random", seed=seed)
    prefix, _none = split_at(network, cut_points(network)[-1])
    head = build_head(row.features, classes, Settings(hidden_units=32, seed=seed))
    return assemble(prefix, None, head)


def autodiff_cam(model: Any, photo: np.ndarray, class_index: int) -> np.ndarray:
    """Grad-CAM as published, through TensorFlow's gradient, for the logit against the mean logit."""
    import keras
    import tensorflow as tf

    place = next(
        place
        for place, layer in enumerate(model.layers)
        if isinstance(layer, keras.layers.GlobalAveragePooling2D) and layer.name == "pooled"
    )
    before = keras.Model(model.input, model.layers[place].input)
    maps = before(photo[None].astype(np.float32), training=False)
    with tf.GradientTape() as tape:
        tape.watch(maps)
        x = maps
        for layer in model.layers[place:-1]:
            x = layer(x, training=False)
        logits = x @ model.layers[-1].kernel + model.layers[-1].bias
        wanted = logits[0, class_index] - tf.reduce_mean(logits[0])
    weights = tf.reduce_mean(tape.gradient(wanted, maps), axis=(1, 2))  # (1, d)
    heat = tf.nn.relu(tf.einsum("hwd,d->hw", maps[0], weights[0])).numpy()
    return np.asarray(heat / heat.max()) if heat.max() > 0 else np.asarray(heat)


def test_grad_cam_without_gradients_is_grad_cam(predictor: predict.Predictor) -> None:
    from translearn_core.graph.saving import load_model

    model = load_model(trained_on_patches()[0].model_path)
    photo = decode_photo(first_photo(), size=predictor.size).image
    seen = predictor.run(photo[None], maps=True)
    assert seen.pooled is not None
    assert seen.maps is not None
    for index in range(3):
        assert predictor.head is not None
        heat = explain.grad_cam(predictor.head, seen.pooled[0], seen.maps[0], index)
        assert np.allclose(heat, autodiff_cam(model, photo, index), atol=1e-4)


def test_openvino_and_keras_tell_the_same(predictor: predict.Predictor) -> None:
    run, new = trained_on_patches()
    photos = np.stack([decode_photo(path, size=96).image for path in list(new)[:10]])
    ours = predictor.run(photos, maps=True)
    keras_probe = probes.open_runner(run.folder / "missing.xml", run.model_path)
    theirs = keras_probe.run(photos, maps=True)
    assert keras_probe.name == "Keras"
    for name in ("probabilities", "pooled", "maps"):
        assert np.allclose(getattr(ours, name), getattr(theirs, name), atol=1e-3), name
    assert predictor.head is not None
    assert keras_probe.head is not None
    for one, other in zip(predictor.head.layers, keras_probe.head.layers, strict=True):
        assert one.relu == other.relu
        assert np.allclose(one.kernel, other.kernel)
    assert ours.pooled is not None
    assert np.allclose(predictor.head.probabilities(ours.pooled), ours.probabilities, atol=1e-4)
    empty = np.empty((0, 96, 96, 3), np.uint8)
    assert predictor.run(empty).probabilities.shape == (0, 3)
    assert keras_probe.run(empty).probabilities.shape == (0, 3)


def test_a_run_of_an_earlier_version_tells_the_same(
    predictor: predict.Predictor, tmp_path: Path
) -> None:
    run, new = trained_on_patches()
    old = copy_of(run, tmp_path / "old")
    probes.head_path(old.openvino_path).unlink()  # its copy had no head beside it
    photos = np.stack([decode_photo(path, size=96).image for path in list(new)[:4]])
    ours, theirs = predictor.run(photos), predict.open_predictor(old).run(photos)
    assert theirs.pooled is not None
    assert np.allclose(ours.probabilities, theirs.probabilities, atol=1e-3)
    assert np.allclose(ours.pooled, theirs.pooled, atol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mobilenet_v3_small", "vgg16"])
def test_other_backbones_can_be_explained(name: str, tmp_path: Path) -> None:
    from translearn_core.graph.engine import run_keras

    size = 64
    model = assembled(name, size=size)
    photo = np.random.default_rng(0).integers(0, 256, (size, size, 3), dtype=np.uint8)
    expected = run_keras(model, photo[None])
    path = tmp_path / "model.xml"
    probes.write_copy(model, path, photos=photo[None], expected=expected, tolerance=1e-3)
    probe = probes.OpenVINORunner(path)
    seen = probe.run(photo[None], maps=True)
    assert seen.pooled is not None
    assert seen.maps is not None
    assert seen.pooled.shape == (1, get_backbone(name).features)
    assert np.allclose(seen.maps.mean(axis=(1, 2)), seen.pooled, atol=1e-3)
    assert probe.head is not None
    heat = explain.grad_cam(probe.head, seen.pooled[0], seen.maps[0], 1)
    assert heat.shape == seen.maps.shape[1:3]


@pytest.mark.slow
def test_the_hottest_point_lies_in_the_patch_that_decides(predictor: predict.Predictor) -> None:
    run, new = trained_on_patches()
    hits = 0
    for path, box in list(new.items())[:PHOTOS]:
        explanation = explain.explain_photo(predictor, path)
        heat = explanation.heat_map(run.labels.index(path.parent.name))
        hits += points_into(explain.hottest(heat), box)
    assert hits >= 0.9 * PHOTOS


@pytest.mark.slow
def test_with_random_weights_it_points_nowhere_in_particular() -> None:
    """After J. Adebayo et al., Sanity Checks for Saliency Maps, 2018."""
    run, new = trained_on_patches()
    photos = list(new.items())[:PHOTOS]
    images = np.stack([decode_photo(path, size=96).image for path, _box in photos])
    probe = probes.KerasRunner(assembled("starter"))
    seen = probe.run(images, maps=True)
    assert seen.pooled is not None
    assert seen.maps is not None
    hits = 0
    for place, (path, box) in enumerate(photos):
        index = run.labels.index(path.parent.name)
        assert probe.head is not None
        heat = explain.grad_cam(probe.head, seen.pooled[place], seen.maps[place], index)
        hits += points_into(explain.hottest(explain.smoothed(heat)), box)
    assert hits <= 0.4 * PHOTOS


def test_covering_the_patch_costs_the_class_most(predictor: predict.Predictor) -> None:
    run, new = trained_on_patches()
    hits = 0
    for path, box in list(new.items())[::12]:
        explanation = explain.explain_photo(predictor, path)
        heat = explanation.occlusion(run.labels.index(path.parent.name))
        assert heat.shape == (explain.OCCLUSION_POSITIONS, explain.OCCLUSION_POSITIONS)
        hits += points_into(explain.hottest(heat), box)
    assert hits >= 0.75 * len(list(new.items())[::12])


def test_a_map_lies_on_the_photo_in_its_own_proportions(tmp_path: Path) -> None:
    heat = np.zeros((9, 9), np.float32)
    heat[7, 1] = 1.0  # low on the left
    photo = np.full((90, 270, 3), 120, np.uint8)
    over = explain.overlay(photo, heat, 0.8)
    changed = np.abs(over.astype(int) - photo).sum(axis=2)
    row, column = np.unravel_index(changed.argmax(), changed.shape)
    assert 65 <= row <= 85
    assert 30 <= column <= 60
    assert (explain.overlay(photo, heat, 0.0) == photo).all()
    assert changed[:40, 150:].max() == 0, "cold places stay clear"


@pytest.mark.parametrize(
    ("fit", "place", "found"),
    [
        ("stretch", (1, 1), (1.5 / 9, 1.5 / 9)),
        ("crop", (1, 1), (1.5 / 9, 1 / 3 + 1.5 / 27)),
        ("crop", (4, 4), (0.5, 0.5)),
        ("pad", (4, 1), (0.5, 1.5 / 9)),
        ("pad", (5, 7), (0.5 + 3 / 9, 7.5 / 9)),
    ],
)
@pytest.mark.parametrize("is_tall", [False, True])
def test_a_map_of_the_square_lies_where_the_square_lies_on_the_photo(
    fit: Fit, place: tuple[int, int], found: tuple[float, float], is_tall: bool
) -> None:
    heat = np.zeros((9, 9), np.float32)
    heat[place] = 1.0
    width, height = 300, 100
    if is_tall:
        heat, width, height, found = heat.T, height, width, found[::-1]
    over = explain.over_photo(heat, width, height, fit)
    if fit != "stretch":
        assert over.shape[1] / over.shape[0] == pytest.approx(width / height, rel=0.02)
    hottest = explain.hottest(over)
    assert hottest == pytest.approx(found, abs=0.02)


def test_a_map_is_empty_where_the_model_did_not_look() -> None:
    over = explain.over_photo(np.ones((9, 9), np.float32), 300, 100, "crop")
    assert over[:, : over.shape[1] // 3 - 1].max() == 0
    assert over[:, over.shape[1] // 2].min() == 1


def test_a_turned_phone_photo_is_explained_upright(
    predictor: predict.Predictor, tmp_path: Path
) -> None:
    path = tmp_path / "turned.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    Image.new("RGB", (200, 100), "teal").save(path, exif=exif)
    explanation = explain.explain_photo(predictor, path, side=50)
    assert explanation.picture.shape == (50, 25, 3)
    assert explain.explain_photo(predictor, path.read_bytes()).picture.shape == (200, 100, 3)


def test_an_unreadable_photo_says_so(predictor: predict.Predictor) -> None:
    with pytest.raises(PhotoError):
        explain.explain_photo(predictor, b"no photo")


def test_a_model_that_ends_otherwise_is_not_explained_but_answers(tmp_path: Path) -> None:
    import keras

    from translearn_core.graph.engine import run_keras

    photo = keras.Input((32, 32, 3), name="photo")
    x = keras.layers.Conv2D(4, 3, activation="relu")(photo)
    x = keras.layers.Flatten()(x)
    model = keras.Model(photo, keras.layers.Dense(3, activation="softmax")(x))
    photos = np.zeros((2, 32, 32, 3), np.uint8)
    expected, path = run_keras(model, photos), tmp_path / "model.xml"
    probes.write_copy(model, path, photos=photos, expected=expected, tolerance=1e-3)
    for probe in (probes.OpenVINORunner(tmp_path / "model.xml"), probes.KerasRunner(model)):
        seen = probe.run(photos, maps=True)
        assert probe.head is None
        assert seen.probabilities.shape == (2, 3)
        assert (seen.pooled, seen.maps) == (None, None)


def test_without_feature_maps_the_heat_map_is_refused_with_a_sentence(
    predictor: predict.Predictor,
) -> None:
    from dataclasses import replace

    explanation = explain.explain_photo(predictor, first_photo())
    bare = replace(
        explanation, _output=probes.ModelOutput(probabilities=explanation.probabilities[None])
    )
    assert not bare.has_heat_map
    assert bare.similar() == []
    with pytest.raises(RunError, match="covering parts"):
        bare.heat_map(0)
