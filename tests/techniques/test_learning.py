"""How one head is learned, beside what a technique may change of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.clouds import training_data
from translearn_core import datasets, runs
from translearn_core.arrays import Array
from translearn_core.fitting.answers import predict_rows
from translearn_core.fitting.data import TrainingData
from translearn_core.fitting.plan import Plan, make_plan
from translearn_core.monitor import SILENT
from translearn_core.run_settings import make_settings
from translearn_core.techniques.base import Techniques, TrainingSet
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
