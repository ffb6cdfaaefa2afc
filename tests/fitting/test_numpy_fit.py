"""Heads that learn without Keras: the same steps as Keras takes, and the same rules of a fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from translearn_core.errors import TrainingError
from translearn_core.fitting import numpy_fit
from translearn_core.fitting.answers import predict_rows
from translearn_core.fitting.fit import fit
from translearn_core.fitting.numpy_fit import fit_numpy
from translearn_core.fitting.numpy_head import NumpyHead
from translearn_core.fitting.rules import FitSpec
from translearn_core.fitting.sources import InMemory
from translearn_core.fitting.subsets import Subset
from translearn_core.graph.assembly import build_head
from translearn_core.monitor import SILENT, Monitor
from translearn_core.settings import Settings

WIDTH, CLASSES = 20, 3


class Told(Monitor):
    """Keeps what it is told; asks for a stop after so many epochs."""

    def __init__(self, stop_after: int = 1000) -> None:
        self.epochs: list[dict[str, Any]] = []
        self.warnings: list[str] = []
        self._stop_after = stop_after

    @property
    def stop_requested(self) -> bool:
        return len(self.epochs) >= self._stop_after

    def event(self, kind: str, **fields: Any) -> None:
        if kind == "epoch":
            self.epochs.append(fields)

    def warning(self, text: str) -> None:
        self.warnings.append(text)


def subset(n: int, *, seed: int = 0, told_apart: bool = True, views: int = 0) -> Subset:
    """Photos around the centres of their classes, or of no class in particular, and views of them."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(0, 1.5, (CLASSES, WIDTH))
    labels = rng.integers(0, CLASSES, n)
    features = rng.normal(0, 1, (n, WIDTH)) + (centres[labels] if told_apart else 0)
    other = [
        InMemory((features + rng.normal(0, 0.1, features.shape)).astype(np.float32))
        for _view in range(views)
    ]
    return Subset(
        source=InMemory(features.astype(np.float32)),
        rows=np.arange(n),
        labels=labels,
        weights=rng.uniform(0.5, 1.5, n).astype(np.float32),
        views=tuple(other),
    )


def settings_of(**values: Any) -> Settings:
    return Settings(**{"hidden_units": 300, "dropout": 0.0, "batch_size": 64, **values})


@pytest.mark.parametrize("kind", ["hidden", "linear"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_a_step_is_that_of_keras(kind: str, smoothing: float) -> None:
    """One batch in an epoch and nothing left out: there is nothing random in it."""
    settings = settings_of(head=kind, label_smoothing=smoothing, early_stopping=False)
    spec = FitSpec(settings=settings, phase="head", epochs=6)
    train, validation = subset(60), subset(30, seed=1)
    model = build_head(WIDTH, CLASSES, settings)
    head = NumpyHead.new(WIDTH, CLASSES, settings)
    head.set_weights(model.get_weights())
    told = Told(), Told()
    fit(model, train, validation, spec, told[0])
    fit_numpy(head, train, validation, spec, told[1])
    for one, other in zip(model.get_weights(), head.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=2e-5)
    for by_keras, ours in zip(told[0].epochs, told[1].epochs, strict=True):
        for name in ("loss", "accuracy", "val_loss", "val_accuracy", "val_loss_calibrated"):
            assert ours[name] == pytest.approx(by_keras[name], abs=2e-4), name
        assert ours["learning_rate"] == pytest.approx(by_keras["learning_rate"], rel=1e-3)
        assert (ours["epoch"], ours["epochs"]) == (by_keras["epoch"], by_keras["epochs"])


def test_it_learns_with_dropout_and_gives_the_same_bits_again() -> None:
    settings = settings_of(dropout=0.5)
    spec = FitSpec(settings=settings, phase="head", epochs=20)
    train, validation, new = subset(200, views=1), subset(60, seed=1), subset(200, seed=2)
    heads = [NumpyHead.new(WIDTH, CLASSES, settings) for _time in range(2)]
    for head in heads:
        fit_numpy(head, train, validation, spec, SILENT)
    for one, other in zip(heads[0].get_weights(), heads[1].get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    answers = predict_rows(heads[0], new.source, new.rows)
    np.testing.assert_allclose(answers.sum(axis=1), 1, atol=1e-5)
    assert (answers.argmax(axis=1) == new.labels).mean() > 0.9


def test_one_thread_gives_the_bits_of_many(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_of(dropout=0.3)
    spec = FitSpec(settings=settings, phase="head", epochs=3)
    found = []
    for processors in (1, 3, 8):
        monkeypatch.setattr(numpy_fit.os, "cpu_count", lambda n=processors: n)
        head = NumpyHead.new(WIDTH, CLASSES, settings)
        fit_numpy(head, subset(100), subset(30, seed=1), spec, SILENT)
        found.append(head.get_weights())
    for others in found[1:]:
        for one, other in zip(found[0], others, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("in_memory_bytes", [0, 2**28])
def test_the_best_weights_are_kept_and_the_last_answers_told(in_memory_bytes: int) -> None:
    """Labels by chance are learned by heart: what comes later is worse on other photos."""
    settings = settings_of(early_stopping=True, learning_rate=0.01)
    spec = FitSpec(
        settings=settings,
        phase="head",
        epochs=30,
        keep_last=True,
        in_memory_bytes=in_memory_bytes,
    )
    train = subset(90, told_apart=False, views=1)
    validation = subset(60, seed=1, told_apart=False)
    head, told = NumpyHead.new(WIDTH, CLASSES, settings), Told()
    fitted = fit_numpy(head, train, validation, spec, told)
    losses = [epoch["val_loss"] for epoch in told.epochs]
    assert fitted.epochs == len(losses) < 30, "it was not ended early"
    answers = predict_rows(head, validation.source, validation.rows)
    logs = np.log(answers[np.arange(60), validation.labels])
    best = np.argmin([epoch["val_loss_calibrated"] for epoch in told.epochs])
    assert -(logs * validation.weights).mean() == pytest.approx(losses[best], rel=1e-3)
    assert fitted.last is not None
    assert not np.allclose(fitted.last, answers)


def test_a_stop_ends_it_with_what_was_learned() -> None:
    settings, told = settings_of(), Told(stop_after=2)
    head = NumpyHead.new(WIDTH, CLASSES, settings)
    before = head.get_weights()[0].copy()
    spec = FitSpec(settings=settings, phase="head", epochs=50)
    assert fit_numpy(head, subset(100), subset(30, seed=1), spec, told).epochs == 2
    assert not np.array_equal(before, head.get_weights()[0])


def test_a_loss_that_is_no_number_is_said() -> None:
    settings = settings_of()
    train = subset(40)
    bad = Subset(
        source=InMemory(np.full((40, WIDTH), np.nan, np.float32)),
        rows=train.rows,
        labels=train.labels,
        weights=train.weights,
    )
    spec = FitSpec(settings=settings, phase="head", epochs=2)
    with pytest.raises(TrainingError, match="diverged"):
        fit_numpy(NumpyHead.new(WIDTH, CLASSES, settings), bad, subset(0), spec, SILENT)
