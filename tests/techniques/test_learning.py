"""How one head is learned, beside what a technique may change of it."""

from __future__ import annotations

import threading
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.clouds import training_data
from translearn_core import datasets, runs
from translearn_core.arrays import Array, Ints
from translearn_core.evaluation.calibration import as_logits, fit_temperature
from translearn_core.fitting.answers import predict_rows
from translearn_core.fitting.data import TrainingData
from translearn_core.fitting.fit_spec import Fitted
from translearn_core.fitting.head import answer_validation
from translearn_core.fitting.linear import SHARE, learn_linear
from translearn_core.fitting.plan import Plan, make_plan
from translearn_core.monitor import SILENT, Monitor
from translearn_core.run_settings import make_settings
from translearn_core.techniques.base import Technique, Techniques, TrainingSet
from translearn_core.techniques.learning import LearnedHead, learn_head, seed

WIDTH = 640  # of the backbone `starter`


@pytest.fixture
def plan(workspace: Path, colour_photos: Path) -> Plan:
    dataset = datasets.import_source(colour_photos, in_place=True, check=False)
    settings = make_settings({"backbone": "starter", "image_size": 32, "hidden_units": 16})
    return make_plan(runs.create_run(dataset.folder, settings, fingerprint=dataset.fingerprint))


@pytest.fixture
def data() -> TrainingData:
    """A class that is found in the validation photos alone, and two others."""
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], 20)
    features = rng.normal(0, 0.3, (60, WIDTH))
    features[np.arange(60), labels] += 9
    return training_data(features, labels, np.where(labels == 2, "val", "train"))


class Counting(Monitor):
    """Counts how often the linear half, in its thread, asks whether to stop, and holds it up there until
    it is `released`."""

    def __init__(self) -> None:
        self.asked = self.answered = 0
        self.begun, self.released = threading.Event(), threading.Event()
        self.stopped = False

    @property
    def stop_requested(self) -> bool:
        if threading.current_thread() is not threading.main_thread():
            self.asked += 1
            self.begun.set()
            self.released.wait(0.1)
            self.answered += 1
        return self.stopped


class Ending(Technique):
    """Ends the hidden half while the linear one is learned."""

    def __init__(self, plan: Plan, monitor: Counting, how: str) -> None:
        super().__init__(plan)
        self.monitor, self.how = monitor, how

    def fit_head(self, head: Any, data: TrainingData, monitor: Monitor) -> Fitted | None:
        assert self.monitor.begun.wait(60)
        if self.how == "raises":
            raise ValueError("a hidden half that fails")
        self.monitor.stopped = self.how == "is stopped"
        return Fitted(epochs=1)


@pytest.mark.parametrize("how", ["raises", "is stopped", "is of its own way"])
def test_the_linear_half_ends_with_the_hidden_one_that_it_is_learned_beside(
    plan: Plan, data: TrainingData, how: str
) -> None:
    monitor = Counting()
    techniques = Techniques(plan, (Ending(plan, monitor, how),))
    before = set(threading.enumerate())
    with pytest.raises(ValueError, match="fails") if how == "raises" else nullcontext():
        learn_head(plan, TrainingSet.of(data), techniques, monitor)
    asked = monitor.asked
    assert monitor.answered == asked, "it was waited for"
    monitor.released.set()
    for thread in set(threading.enumerate()) - before:
        thread.join()
    assert monitor.asked == asked, "it went on"


def test_the_linear_half_learned_beside_is_the_one_that_is_learned_afterwards(
    plan: Plan, data: TrainingData
) -> None:
    half = learn_linear(plan, data, SILENT, with_validation=True)
    learned = learn_head(plan, TrainingSet.of(data), Techniques(plan), SILENT)
    kernel = learned.head.get_layer("head_hidden").get_weights()[0]
    np.testing.assert_array_equal(kernel[:, 16:19], half.kernel)


def test_labels_of_validation_photos_change_nothing_of_the_half_that_has_not_learned_from_them(
    plan: Plan,
) -> None:
    features, labels = draw_overlapping(np.random.default_rng(4), 120, columns=20, apart=0.5)
    split = np.repeat(["train", "val"], 60)
    plan = replace(plan, settings=plan.settings.model_copy(update={"epochs": 2}))
    halves = []
    for given in (labels, np.where(split == "val", 1 - labels, labels)):
        training = TrainingSet.of(training_data(features, given, split))
        learned = learn_head(plan, training, Techniques(plan), SILENT, keeps_unseeing=True)
        halves.append((learned.linear_half, learned.unseeing_half))
    (seeing, unseeing), (seeing_others, unseeing_others) = halves
    assert unseeing is not None
    assert unseeing_others is not None
    for name in ("penalty", "temperature"):
        assert unseeing[name] == unseeing_others[name]
    assert seeing != seeing_others


def draw_overlapping(
    rng: np.random.Generator, n: int, *, columns: int, apart: float, noise: float = 1.0
) -> tuple[Array, Ints]:
    """Features `(n, WIDTH)` of two classes in turn, which differ in the first columns, and the classes."""
    labels = np.tile([0, 1], n // 2)
    features = rng.normal(0, noise, (n, WIDTH))
    features[:, :columns] += apart * labels[:, None]
    return features, labels


def named_right(head: object, data: TrainingData, label: int) -> float:
    rows = np.flatnonzero(data.labels == label)
    answers: Array = predict_rows(head, data.pooled, rows).argmax(axis=1)
    return float((answers == label).mean())


def test_the_head_before_the_validation_photos_is_kept_where_it_is_asked_for(
    plan: Plan, data: TrainingData
) -> None:
    def learn(keeps: bool) -> LearnedHead:
        seed(plan)
        training = TrainingSet.of(data)
        return learn_head(plan, training, Techniques(plan), SILENT, keeps_unseeing=keeps)

    learned, plain = learn(True), learn(False)
    assert named_right(learned.head, data, 2) == 1.0
    assert named_right(learned.unseeing, data, 2) == 0.0
    assert named_right(learned.unseeing, data, 0) == 1.0
    assert plain.unseeing is None
    for one, other in zip(learned.head.get_weights(), plain.head.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_head_begins_afresh_where_answers_have_changed(plan: Plan, data: TrainingData) -> None:
    """What was learned first is wrong about all: nothing of it is left, and it judges nothing."""
    wrong = np.eye(3, dtype=np.float32)[(data.labels + 1) % 3]
    training = TrainingSet(data=replace(data, targets=wrong), joined=data.joined(), anew=True)
    learned = learn_head(plan, training, Techniques(plan), SILENT)
    assert [named_right(learned.head, data, label) for label in range(3)] == [1.0, 1.0, 1.0]
    assert learned.refitted
    assert learned.val_accuracy is not None
    assert learned.val_accuracy < 1.0, "by the head that was wrong"


def test_the_linear_half_of_changed_answers_is_calibrated_by_the_validation_photos(
    plan: Plan,
) -> None:
    """Answers about photos of another place are guesses, which say nothing of how often a head is
    right, unlike the labels of 160 validation photos."""
    rng = np.random.default_rng(2)
    features, labels = draw_overlapping(rng, 400, columns=40, apart=0.5)
    split = np.repeat(["train", "val", "train"], [80, 160, 160])
    labels[240:] = rng.integers(0, 2, 160)
    data = training_data(features, labels, split)
    training = TrainingSet(data=data, joined=data.joined(), anew=True)
    plan = replace(plan, settings=plan.settings.model_copy(update={"epochs": 2}))
    learned = learn_head(plan, training, Techniques(plan), SILENT)
    by_labels, by_guesses = (
        learn_linear(plan, one, SILENT, with_validation=False) for one in (data, data.joined())
    )
    assert learned.linear_half is not None
    assert learned.linear_half["temperature"] == round(by_labels.temperature, 4)
    assert learned.linear_half["penalty"] == by_labels.penalty
    assert abs(by_guesses.temperature / by_labels.temperature - 1) > 0.2, "they say otherwise"
    kernel = learned.head.get_layer("head_hidden").get_weights()[0][:, 16:18]
    assert np.abs(kernel - by_labels.kernel).max() > 1e-3, "it learned the validation photos"


def test_the_head_before_the_validation_photos_is_calibrated_by_its_own_answers(
    plan: Plan,
) -> None:
    """Its hidden half is of the best epoch, what is saved goes by the last one; here they differ."""
    features, labels = draw_overlapping(
        np.random.default_rng(3), 120, columns=10, apart=1.0, noise=0.5
    )
    labels[:15] = 1 - labels[:15]
    data = training_data(features, labels, np.repeat(["train", "val"], 60))

    def learn(plan: Plan) -> LearnedHead:
        seed(plan)
        return learn_head(plan, TrainingSet.of(data), Techniques(plan), SILENT, keeps_unseeing=True)

    unsteady = {"learning_rate": 0.05, "schedule": "constant", "epochs": 8}
    plan = replace(plan, settings=plan.settings.model_copy(update=unsteady))
    hidden = learn(replace(plan, settings=plan.settings.model_copy(update={"head": "hidden"})))
    kept = answer_validation(data, hidden.unseeing, data.pooled)
    temperature, last = (
        fit_temperature(as_logits(said.probs), said.labels) for said in (kept, hidden.validation)
    )
    assert abs(last / temperature - 1) > 0.1
    expected = (
        hidden.unseeing.get_layer("probabilities").get_weights()[0] * (1 - SHARE) / temperature
    )
    found = learn(plan).unseeing.get_layer("probabilities").get_weights()[0][:16]
    np.testing.assert_allclose(found, expected, rtol=1e-4)
