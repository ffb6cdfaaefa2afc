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
from translearn_core.graph.description import ask_keras
from translearn_core.graph.engine import is_confirmed, kept_engine, open_prefix_engine
from translearn_core.graph.known_answers import has_answers, read_answers

STARTER = BACKBONES["starter"]


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


def test_other_weights_have_no_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    assert has_answers(STARTER, STARTER.default_size)
    monkeypatch.setattr(known_answers, "content_hash", lambda _path: "0" * 64)
    assert not has_answers(STARTER, STARTER.default_size)


def test_a_converted_network_that_answers_otherwise_is_left_to_keras(
    look: FeatureExtractor, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = read_answers(STARTER, STARTER.default_size)
    assert known is not None
    wrong = known.copy()
    wrong[1, 0] += 0.01 * known.max()
    monkeypatch.setattr(recorded, "read_answers", lambda _backbone, _size: wrong)
    with pytest.raises(AssertionError, match="Keras is asked"):
        _open(look)
    assert not is_confirmed(look.engine_path(POOLED))
