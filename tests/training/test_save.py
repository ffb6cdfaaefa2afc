"""Who saves the model of a run, and what it is held against before it is kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

from translearn_core import datasets, runs, worker
from translearn_core.backbones import BACKBONES
from translearn_core.datasets import Dataset
from translearn_core.features.extractor import POOLED, FeatureExtractor
from translearn_core.fitting.plan import make_plan
from translearn_core.graph import keras_file, saving
from translearn_core.graph.keras_file import can_be_written
from translearn_core.run_settings import make_settings
from translearn_core.runs import Run


@pytest.fixture
def dataset(workspace: Path, colour_photos: Path) -> Dataset:
    return datasets.import_source(colour_photos, in_place=True, check=False)


def train(dataset: Dataset, *, size: int = 32) -> Run:
    """A run; for photos of 32 px no answers of Keras are known."""
    chosen = {"backbone": "starter", "image_size": size, "head": "linear", "augmentation": "none"}
    settings = make_settings(chosen | {"epochs": 2})
    run = runs.create_run(dataset.folder, settings, fingerprint=dataset.fingerprint)
    worker.work(run)
    assert run.state.state == "finished", run.state.reason
    return run


@pytest.fixture
def by_record() -> None:
    """For what holds where models are written without Keras."""
    if not can_be_written(BACKBONES["starter"]):
        pytest.skip("another version of Keras than the recorded one saves every model itself")


@pytest.fixture
def fail() -> Iterator[Callable[..., NoReturn]]:
    """In the place of what must not be called, though what is made ahead swallows errors."""
    calls = []

    def note(*given: Any, **_named: Any) -> NoReturn:
        calls.append(given)
        raise AssertionError

    yield note
    assert not calls


@pytest.mark.usefixtures("by_record")
def test_keras_saves_until_it_has_confirmed_the_features_and_where_the_copy_disagrees(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch, fail: Callable[..., NoReturn]
) -> None:
    """Three runs with one converted network."""
    with monkeypatch.context() as patch:
        patch.setattr(keras_file, "write_model", fail)
        first = train(dataset)
    assert first.metrics.parity_max_diff < 1e-3
    plan = make_plan(first)
    kept = plan.extractor.engine_path(POOLED).with_suffix(".json")
    assert json.loads(kept.read_text(encoding="utf-8"))["difference"] <= 1e-3
    assert plan.saves_by_record

    with monkeypatch.context() as patch:
        patch.setattr(saving, "save_model", fail)
        second = train(dataset)
    assert second.metrics.parity_max_diff < 1e-3
    assert second.metrics.openvino_max_diff < 1e-3
    assert second.metrics.trainable_weights == first.metrics.trainable_weights

    read = keras_file.read_model

    def misread(*given: Any) -> Any:
        model, head = read(*given)
        node = next(one for one in model.nodes if hasattr(one.operation, "kernel"))
        node.operation.kernel[...] *= -1
        return model, head

    written: list[Path] = []
    save = saving.save_model

    def note(model: Any, path: Path) -> None:
        written.append(path)
        save(model, path)

    with monkeypatch.context() as patch:
        patch.setattr(keras_file, "read_model", misread)
        patch.setattr(saving, "save_model", note)
        third = train(dataset)
    assert written == [third.model_path]
    assert third.metrics.parity_max_diff < 1e-3
    assert third.openvino_path.is_file()


@pytest.mark.usefixtures("by_record")
def test_where_keras_answers_are_known_the_first_model_is_saved_without_being_built(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch, fail: Callable[..., NoReturn]
) -> None:
    monkeypatch.setattr(saving, "save_model", fail)
    monkeypatch.setattr(FeatureExtractor, "build_network", fail)
    run = train(dataset, size=BACKBONES["starter"].default_size)
    assert run.metrics.parity_max_diff < 1e-3
    assert run.metrics.openvino_max_diff is not None
