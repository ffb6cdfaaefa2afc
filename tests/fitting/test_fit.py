"""The fit loop: running out of memory, and batches that cover every photo."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from translearn_core import runs
from translearn_core.errors import TrainingError
from translearn_core.evaluation.calibration import as_logits, calibrated_loss
from translearn_core.fitting import kept_heads
from translearn_core.fitting.answers import predict_rows
from translearn_core.fitting.batches import Batches
from translearn_core.fitting.fit import fit, fit_arrays, make_ready
from translearn_core.fitting.fit_spec import FitSpec
from translearn_core.fitting.inputs import InMemory
from translearn_core.fitting.optimizer import FusedAdam, make_schedule
from translearn_core.fitting.rates import rates_of
from translearn_core.fitting.subsets import Subset
from translearn_core.graph.assembly import build_head
from translearn_core.graph.chance import set_seed
from translearn_core.jobs.background import JobMonitor
from translearn_core.monitor import SILENT
from translearn_core.run_settings import Settings


class SmallMemory:
    """A source on a machine that holds so many rows at a time."""

    def __init__(self, rows: int, *, holds: int) -> None:
        self._values = np.random.default_rng(0).normal(size=(rows, 3)).astype(np.float32)
        self._holds = holds
        self.shape = self._values.shape

    def take(self, rows: np.ndarray) -> np.ndarray:
        if len(rows) > self._holds:
            raise MemoryError
        return self._values[rows]


def part(source: SmallMemory, n: int) -> Subset:
    labels = np.arange(n) % 2
    return Subset(source=source, rows=np.arange(n), labels=labels, weights=np.ones(n, np.float32))


def small_model() -> keras.Model:
    inputs = keras.Input((3,))
    return keras.Model(inputs, keras.layers.Dense(2, activation="softmax")(inputs))


def monitor_of(run: runs.Run) -> JobMonitor:
    return JobMonitor(run)


@pytest.fixture
def run(workspace: Path) -> runs.Run:
    return runs.create_run(workspace / "photos", Settings())


def train(run: runs.Run, *, holds: int) -> int:
    source = SmallMemory(20, holds=holds)
    empty = Subset(
        source=source,
        rows=np.arange(0),
        labels=np.arange(0),
        weights=np.ones(0, np.float32),
    )
    spec = FitSpec(settings=Settings(batch_size=16), phase="fine_tune", epochs=2)
    return fit(small_model(), part(source, 20), empty, spec, monitor_of(run)).epochs


def test_out_of_memory_is_answered_by_smaller_batches_and_said(run: runs.Run) -> None:
    assert train(run, holds=4) == 2
    said = [event["text"] for event in run.events()[0] if event["kind"] == "warning"]
    assert ["batches of 8" in said[0], "batches of 4" in said[1]] == [True, True]
    epochs = [event for event in run.events()[0] if event["kind"] == "epoch"]
    assert [event["epoch"] for event in epochs] == [1, 2]


def test_not_even_one_photo_fits_and_the_person_is_told_what_to_change(run: runs.Run) -> None:
    with pytest.raises(TrainingError, match="smaller backbone"):
        train(run, holds=0)


def test_an_epoch_of_batches_shows_every_photo_once() -> None:
    source = SmallMemory(10, holds=10)
    batches = Batches(part(source, 10), 2, 4, rng=np.random.default_rng(0))
    seen = np.concatenate([batches[index][0] for index in range(len(batches))])
    assert len(seen) == 10
    assert len(np.unique(seen[:, 0])) == 10


def test_one_operation_a_variable_is_still_adam() -> None:
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(64, 5)).astype(np.float32)
    targets = np.eye(3, dtype=np.float32)[rng.integers(0, 3, 64)]
    weights = []
    for optimizer in (keras.optimizers.Adam(0.01), FusedAdam(0.01)):
        keras.utils.set_random_seed(1)
        model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(3, activation="softmax")])
        model.compile(optimizer, "categorical_crossentropy")
        model.fit(inputs, targets, batch_size=16, epochs=5, shuffle=False, verbose=0)
        weights.append(model.get_weights())
    for expected, received in zip(*weights, strict=True):
        np.testing.assert_allclose(received, expected, rtol=1e-4, atol=1e-6)


class Taught:
    """A head that learned 30 points of two clouds, as it was before and after, with its own graphs."""

    def __init__(self, settings: Settings, *, ready: bool = False) -> None:
        rng = np.random.default_rng(0)
        labels = np.arange(40) % 2
        source = InMemory(rng.normal(labels[:, None], 1.0, (40, 5)).astype(np.float32))

        def rows(chosen: np.ndarray) -> Subset:
            ones = np.ones(len(chosen), np.float32)
            return Subset(source=source, rows=chosen, labels=labels[chosen], weights=ones)

        set_seed(3)
        head = build_head(5, 2, settings)
        self.start = head.get_weights()
        if ready:
            make_ready(head, settings)
            for before, now in zip(self.start, head.get_weights(), strict=True):
                np.testing.assert_array_equal(now, before)
        self.made = getattr(head, "learn_arrays", None)
        spec = FitSpec(settings=settings, phase="head", epochs=4, keep_last=True)
        self.fitted = fit(head, rows(np.arange(30)), rows(np.arange(30, 40)), spec, SILENT)
        self.graphs = getattr(head, "learn_arrays", None)
        self.weights = head.get_weights()
        self.chance = random.getstate()
        fit(head, rows(np.arange(40)), rows(np.arange(0)), spec, SILENT)
        self.weights_of_both = head.get_weights()
        assert all(
            (one != other).any() for one, other in zip(self.start, self.weights, strict=True)
        )

    def is_as(self, other: Taught) -> None:
        """Nothing that came out differs, be it in the last digit."""
        assert self.chance == other.chance
        assert self.fitted.last is not None
        assert other.fitted.last is not None
        np.testing.assert_array_equal(self.fitted.last, other.fitted.last)
        for one, two in (
            (self.weights, other.weights),
            (self.weights_of_both, other.weights_of_both),
        ):
            for mine, theirs in zip(one, two, strict=True):
                np.testing.assert_array_equal(mine, theirs)


def test_a_head_with_its_graphs_made_ahead_learns_as_a_new_one() -> None:
    settings = Settings(hidden_units=6, batch_size=8, early_stopping=False)
    ready = Taught(settings, ready=True)
    assert ready.graphs is ready.made is not None, "it learned by other graphs than were made"
    Taught(settings).is_as(ready)


@pytest.mark.parametrize(
    "changes", [{"head": "linear"}, {"hidden_units": 9, "label_smoothing": 0.1}]
)
def test_a_head_that_learns_by_the_graphs_of_another_learns_as_by_its_own(
    changes: dict[str, Any],
) -> None:
    settings = Settings(batch_size=8, dropout=0.4, learning_rate=0.02, **changes)
    own = Taught(settings)
    assert own.graphs is not None
    for _again in range(2):  # a copy is made, then taken again after another seed and rate
        borrows = Taught(settings)
        assert borrows.graphs is None, "it was traced for itself"
        borrows.is_as(own)
        Taught(settings.model_copy(update={"seed": 9, "learning_rate": 0.3, "batch_size": 4}))


def test_what_the_graphs_hang_on_is_told_apart() -> None:
    settings = Settings(hidden_units=11, batch_size=8)
    shapes = {
        kept_heads.shape_of(build_head(5, classes, settings.model_copy(update=change)), smoothed)
        for classes in (2, 3)
        for change in ({}, {"hidden_units": 12}, {"dropout": 0.2}, {"head": "linear"})
        for smoothed in (settings, settings.model_copy(update={"label_smoothing": 0.3}))
    }
    assert len(shapes) == 2 * 4 * 2
    assert kept_heads.shape_of(small_model(), settings) is None
    frozen = build_head(5, 2, settings)
    frozen.get_layer("head_hidden").trainable = False
    assert kept_heads.shape_of(frozen, settings) is None


def test_only_a_few_heads_are_kept_and_none_that_failed() -> None:
    heads = [build_head(5, 2, Settings(hidden_units=units)) for units in range(20, 26)]
    shapes = [kept_heads.shape_of(head, Settings()) for head in heads]
    for shape, head in zip(shapes, heads, strict=True):
        assert shape is not None
        assert not kept_heads.note(shape)
        with kept_heads.borrowed(shape, head) as learner:
            assert learner is not head
    assert [kept_heads.has_one(shape) for shape in shapes if shape] == [False] * 2 + [True] * 4
    last, head = shapes[-1], heads[-1]
    assert last is not None
    before = head.get_weights()

    def fail(learner: keras.Model) -> None:
        learner.set_weights([weight + 1 for weight in before])
        raise MemoryError

    with pytest.raises(MemoryError), kept_heads.borrowed(last, head) as learner:
        fail(learner)
    assert not kept_heads.has_one(last)
    for one, other in zip(before, head.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_batches_of_unequal_size_are_learned_as_keras_learns_them() -> None:
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(10, 3)).astype(np.float32)
    targets = np.eye(2, dtype=np.float32)[rng.integers(0, 2, 10)]
    weights = rng.uniform(0.5, 2, 10).astype(np.float32)
    learned, told = [], []
    for by_keras in (False, True):
        keras.utils.set_random_seed(1)
        model = small_model()
        accuracy = keras.metrics.CategoricalAccuracy(name="accuracy")
        model.compile(FusedAdam(0.01), "categorical_crossentropy", metrics=[accuracy])
        order = np.random.default_rng(1)
        if by_keras:
            for _epoch in range(2):
                for rows in np.array_split(order.permutation(10), 3):
                    batch = (inputs[rows], targets[rows], weights[rows])
                    figures = model.train_on_batch(*batch, return_dict=True)
        else:
            kept = keras.callbacks.History()
            data = (inputs, targets, weights)
            fit_arrays(model, data, batch_size=4, epochs=2, callbacks=[kept], rng=order)
            figures = {name: values[-1] for name, values in kept.history.items()}
        learned.append(model.get_weights())
        told.append(figures)
    for ours, theirs in zip(*learned, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-7)
    assert told[0] == pytest.approx(told[1], abs=1e-6)


class Heard(keras.callbacks.Callback):
    """Batches that it was told the end of, and after how many of them it stops."""

    def __init__(self, *, most: int = 1000) -> None:
        super().__init__()
        self._most = most
        self.batches: list[int] = []
        self.epochs = 0

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self.batches.append(batch)
        self.model.stop_training = len(self.batches) >= self._most

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.epochs += 1


def steps_heard(heard: Heard, *, epochs: int) -> int:
    """Steps of a fit on 24 rows, four a batch, that the optimiser has counted."""
    model = small_model()
    model.compile(FusedAdam(0.01), "categorical_crossentropy")
    inputs = np.random.default_rng(0).normal(size=(24, 3)).astype(np.float32)
    targets = np.eye(2, dtype=np.float32)[np.arange(24) % 2]
    data = (inputs, targets, np.ones(24, np.float32))
    rng = np.random.default_rng(0)
    fit_arrays(model, data, batch_size=4, epochs=epochs, callbacks=[heard], rng=rng)
    return int(model.optimizer.iterations)


def test_every_step_is_taken_and_the_last_of_each_call_heard() -> None:
    heard = Heard()
    assert steps_heard(heard, epochs=5) == 5 * 6
    assert heard.epochs == heard.batches.count(5) == 5
    assert len(heard.batches) <= 5 * 6


def test_a_stop_ends_a_fit_after_the_steps_that_were_heard() -> None:
    heard = Heard(most=1)
    assert steps_heard(heard, epochs=5) == heard.batches[-1] + 1 < 6
    assert heard.epochs == 1


def test_one_graph_answers_batches_of_every_size() -> None:
    model, source = small_model(), SmallMemory(11, holds=11)
    rows = np.arange(11)
    layer_by_layer = predict_rows(model, source, rows, batch_size=4)
    assert not hasattr(model, "answers_graph"), "a few batches are not worth it"
    by_graph = predict_rows(model, source, rows, batch_size=2)
    np.testing.assert_allclose(by_graph, layer_by_layer, atol=1e-6)
    assert model.answers_graph.experimental_get_tracing_count() == 1


def test_gradients_added_up_over_pieces_of_a_batch_learn_the_same(run: runs.Run) -> None:
    source = SmallMemory(16, holds=16)
    learned = []
    for most_at_once in (None, 4):
        keras.utils.set_random_seed(1)
        model = small_model()
        spec = FitSpec(
            settings=Settings(batch_size=16),
            phase="fine_tune",
            epochs=3,
            most_at_once=most_at_once,
        )
        fit(model, part(source, 16), part(source, 0), spec, monitor_of(run))
        learned.append(model.get_weights()[0])
    np.testing.assert_allclose(learned[1], learned[0], rtol=1e-3, atol=1e-5)


def spec_of_batches() -> FitSpec:
    """Nothing is held in memory: all is read batch by batch."""
    settings = Settings(batch_size=1)
    return FitSpec(settings=settings, phase="fine_tune", epochs=9, in_memory_bytes=0)


class Counts(keras.layers.Layer):  # type: ignore[misc]
    """A layer that changes nothing, and how often it was put into a graph."""

    times = 0

    def call(self, inputs: Any) -> Any:
        self.times += 1
        return inputs


def test_a_step_on_batches_is_traced_once(run: runs.Run) -> None:
    counts = Counts()
    inputs = keras.Input((3,))
    answers = keras.layers.Dense(2, activation="softmax")(counts(inputs))
    model, source = keras.Model(inputs, answers), SmallMemory(8, holds=8)
    counts.times = 0
    fit(model, part(source, 8), part(source, 0), spec_of_batches(), monitor_of(run))
    assert counts.times == 1


class StopsWhenRead(SmallMemory):
    """A source whose run is asked to stop once so many batches of it have been read."""

    def __init__(self, run: runs.Run, *, after: int) -> None:
        super().__init__(40, holds=40)
        self._run, self._left = run, after
        self.reads = 0

    def take(self, rows: np.ndarray) -> np.ndarray:
        self.reads += 1
        if self.reads == self._left:
            self._run.request_stop()
        return super().take(rows)


def test_what_a_stop_cut_short_is_not_validated(run: runs.Run) -> None:
    validation = StopsWhenRead(run, after=-1)
    learned, judged = part(StopsWhenRead(run, after=1), 40), part(validation, 40)
    fit(small_model(), learned, judged, spec_of_batches(), monitor_of(run))
    assert validation.reads == 0
    assert [event["val_loss"] for event in run.events()[0] if event["kind"] == "epoch"] == [None]


def test_validation_ends_when_a_person_stops_and_does_not_count_as_the_best(
    run: runs.Run,
) -> None:
    validation = StopsWhenRead(run, after=62)
    learned = part(SmallMemory(8, holds=8), 8)
    fit(small_model(), learned, part(validation, 40), spec_of_batches(), monitor_of(run))
    epochs = [event for event in run.events()[0] if event["kind"] == "epoch"]
    assert len(epochs) == 2
    assert epochs[0]["val_loss"] is not None
    assert epochs[1]["val_loss"] is epochs[1]["val_accuracy"] is None
    assert validation.reads < 80


@pytest.mark.parametrize("kind", ["cosine", "constant"])
@pytest.mark.parametrize("steps", [1, 7, 400])
def test_rates_as_numbers_are_those_of_the_schedule(kind: str, steps: int) -> None:
    schedule = make_schedule(0.01, steps, kind)
    expected = [schedule if kind == "constant" else float(schedule(step)) for step in range(steps)]
    np.testing.assert_allclose(rates_of(0.01, steps, kind), expected, rtol=1e-4)


def noisy(n: int, seed: int) -> Subset:
    """Classes that overlap: a head that learns them by heart becomes too sure."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    features = rng.normal(size=(n, 30)).astype(np.float32)
    features[:, 0] += labels
    weights = np.ones(n, np.float32)
    return Subset(source=InMemory(features), rows=np.arange(n), labels=labels, weights=weights)


def test_the_epoch_is_kept_that_is_best_once_calibrated(run: runs.Run) -> None:
    model = keras.Sequential(
        [
            keras.Input((30,)),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(2, activation="softmax"),
        ]
    )
    validation = noisy(300, seed=1)
    spec = FitSpec(settings=Settings(learning_rate=0.02), phase="head", epochs=12)
    fit(model, noisy(60, seed=0), validation, spec, monitor_of(run))
    epochs = [event for event in run.events()[0] if event["kind"] == "epoch"]
    losses = [event["val_loss_calibrated"] for event in epochs]
    answers = as_logits(predict_rows(model, validation.source, validation.rows))
    kept = calibrated_loss(answers, validation.labels)
    assert kept == pytest.approx(min(losses), rel=1e-3)
    assert all(event["val_loss"] >= event["val_loss_calibrated"] - 1e-3 for event in epochs)
    assert epochs[-1]["val_loss"] > 1.5 * epochs[-1]["val_loss_calibrated"], "it is too sure"


@pytest.mark.parametrize(
    ("knows", "learns_on"),
    [(True, False), (True, True), (False, False)],
    ids=["kept", "refit", "new"],
)
def test_it_is_said_that_the_first_epoch_was_the_best(
    run: runs.Run, knows: bool, learns_on: bool
) -> None:
    """A head that knows the classes unlearns them from wrong labels; a new one learns right ones."""
    model = keras.Sequential([keras.Input((30,)), keras.layers.Dense(2, activation="softmax")])
    kernel = np.zeros((30, 2), np.float32)
    kernel[0] = (-1, 1) if knows else (0, 0)
    model.set_weights([kernel, np.array([0.5, -0.5], np.float32) * knows])
    learned = noisy(60, seed=0)
    if knows:
        learned = replace(learned, labels=1 - learned.labels)
    settings = Settings(learning_rate=0.05 if knows else 0.003, schedule="constant")
    spec = FitSpec(settings=settings, phase="head", epochs=8, keep_last=learns_on)
    fit(model, learned, noisy(300, seed=1), spec, monitor_of(run))
    told = [event["text"] for event in run.events()[0] if event["kind"] == "warning"]
    assert any("first of" in text and "`learning_rate`" in text for text in told) == knows
    kept = any("its weights are kept" in text for text in told)
    assert kept == (knows and not learns_on), "where it learns on, they are not"


def test_a_head_that_is_fitted_again_learns_as_a_new_one(run: runs.Run) -> None:
    spec = FitSpec(settings=Settings(learning_rate=0.02), phase="head", epochs=3)
    nobody = noisy(0, seed=1)
    models = [
        keras.Sequential([keras.Input((30,)), keras.layers.Dense(2, "softmax")]) for _i in "ab"
    ]
    start = models[0].get_weights()
    fit(models[0], noisy(64, seed=2), nobody, spec, monitor_of(run))
    for model in models:
        model.set_weights(start)
        fit(model, noisy(90, seed=0), nobody, spec, monitor_of(run))
    for again, new in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_allclose(again, new, atol=1e-6)
