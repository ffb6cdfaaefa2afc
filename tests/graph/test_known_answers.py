"""Answers of Keras that come with the program are those of Keras, and count for their weights alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from translearn_core import datasets
from translearn_core.backbones import BACKBONES
from translearn_core.features.extractor import POOLED, FeatureExtractor
from translearn_core.graph import known_answers, recorded
from translearn_core.graph.description import ask_keras, ask_keras_drawn
from translearn_core.graph.engine import OpenVINOEngine, has_bfloat16, probe_photos, run_engine
from translearn_core.graph.kept_engines import (
    TOLERANCE,
    is_confirmed,
    kept_engine,
    open_prefix_engine,
)
from translearn_core.graph.known_answers import (
    has_answers,
    read_answers,
    read_drawn_answers,
)
from translearn_core.graph.onnx_writer import write_onnx
from translearn_core.graph.recorded import drawn_prefix, has_record

STARTER = BACKBONES["starter"]
QUICK = {
    *("starter", "efficientnet_lite0", "mobilenet_v2_035", "mobilenet_v3_small"),
    *("mobilenet_v3_large", "efficientnet_b0", "efficientnet_v2_b0", "densenet121"),
}
"""Backbones that are converted within a second."""


@pytest.fixture
def look(workspace: Path, colour_photos: Path) -> FeatureExtractor:
    """An extractor at the usual size; its photos are not looked at."""
    dataset = datasets.import_source(colour_photos, in_place=True, check=False)
    return FeatureExtractor(dataset=dataset, backbone=STARTER, size=STARTER.default_size)


def _open(look: FeatureExtractor) -> None:
    def build() -> None:
        raise AssertionError("Keras is asked")

    open_prefix_engine(look.engine_path(POOLED), build, record=lambda: look.record(POOLED))


@pytest.mark.parametrize("name", ["starter", "efficientnet_lite0"])
def test_they_are_what_keras_answers(name: str) -> None:
    """Those of all weights that come with the installation."""
    backbone = BACKBONES[name]
    known = read_answers(backbone, backbone.default_size)
    assert known is not None
    asked = ask_keras(backbone, backbone.default_size)
    np.testing.assert_allclose(known, asked, atol=1e-5 * np.abs(asked).max())


def test_a_converted_network_that_answers_so_is_confirmed_without_keras(
    look: FeatureExtractor,
) -> None:
    _open(look)
    assert is_confirmed(look.engine_path(POOLED))


def test_at_other_sizes_nothing_is_known(look: FeatureExtractor) -> None:
    other = replace(look, size=STARTER.default_size + 1)
    _open(other)
    assert kept_engine(other.engine_path(POOLED)) == "agrees"
    assert not is_confirmed(other.engine_path(POOLED))


@pytest.fixture
def other_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """The file of weights is another one than that which comes with the installation."""
    monkeypatch.setattr(known_answers, "content_hash", lambda _path: "0" * 64)


@pytest.mark.usefixtures("other_weights")
def test_other_weights_are_stood_for_by_drawn_ones(look: FeatureExtractor) -> None:
    assert read_answers(STARTER, STARTER.default_size) is None
    assert has_answers(STARTER, STARTER.default_size)
    _open(look)
    assert is_confirmed(look.engine_path(POOLED))
    left = [path.suffix for path in look.engine_path(POOLED).parent.iterdir()]
    assert sorted(left) == [".bin", ".json", ".xml"]


@pytest.mark.parametrize("which", ["read_answers", "read_drawn_answers"])
def test_a_converted_network_that_answers_otherwise_is_left_to_keras(
    look: FeatureExtractor, monkeypatch: pytest.MonkeyPatch, which: str
) -> None:
    known = getattr(known_answers, which)(STARTER, STARTER.default_size)
    wrong = known.copy()
    wrong[1, 0] += 0.01 * known.max()
    monkeypatch.setattr(recorded, "read_answers", lambda _backbone, _size: None)
    monkeypatch.setattr(recorded, which, lambda _backbone, _size: wrong)
    with pytest.raises(AssertionError, match="Keras is asked"):
        _open(look)
    assert not is_confirmed(look.engine_path(POOLED))


@pytest.mark.parametrize("name", ["mobilenet_v2_035", "efficientnet_b0", "efficientnet_v2_b0"])
def test_keras_answers_so_with_drawn_weights(name: str) -> None:
    """Two of them begin with the mean and variance of pixels, as weights and as settings."""
    backbone = BACKBONES[name]
    known = read_drawn_answers(backbone, backbone.default_size)
    assert known is not None
    asked = ask_keras_drawn(backbone, backbone.default_size)
    np.testing.assert_allclose(known, asked, atol=TOLERANCE / 10 * np.abs(asked).max())


@pytest.mark.parametrize("name", [name for name in BACKBONES if has_record(BACKBONES[name])])
def test_a_recorded_graph_is_written_with_nothing_but_its_record(name: str, tmp_path: Path) -> None:
    """Those that convert quickly answer so, and would not if they computed less precisely: such a fault
    would be seen."""
    backbone = BACKBONES[name]
    assert read_drawn_answers(backbone, backbone.default_size) is not None
    graph = drawn_prefix(backbone, size=backbone.default_size)
    assert graph is not None
    write_onnx(graph, tmp_path / "drawn.onnx")
    assert graph.answers is not None
    assert np.isfinite(graph.answers).all()
    first, second = graph.answers
    assert np.abs(first - second).max() > 5 * TOLERANCE * np.abs(first).max()  # of two photos
    if name not in QUICK:
        return
    difference = {}
    for quick in {False, has_bfloat16()}:
        engine = OpenVINOEngine(tmp_path / "drawn.onnx", quick=quick)
        answers = run_engine(engine, probe_photos(graph.input_shape[1:]))
        difference[quick] = np.abs(answers - graph.answers).max() / np.abs(graph.answers).max()
    assert difference.pop(False) < TOLERANCE / 10
    assert all(found > TOLERANCE for found in difference.values())
