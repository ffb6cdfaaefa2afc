"""The default head, on features where it is certain what it has to reach."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.clouds import training_data
from translearn_core import datasets, runs
from translearn_core.arrays import Array, Ints
from translearn_core.evaluation.dense_head import DenseHead
from translearn_core.evaluation.predictions import ValidationPredictions
from translearn_core.fitting import linear
from translearn_core.fitting.answers import predict_rows
from translearn_core.fitting.data import TrainingData
from translearn_core.fitting.head import settings_of_kept_head
from translearn_core.fitting.linear import LinearHalf, join
from translearn_core.fitting.plan import Plan, make_plan
from translearn_core.graph.assembly import OUTPUT, build_head
from translearn_core.monitor import SILENT
from translearn_core.run_settings import make_settings
from translearn_core.techniques.base import Techniques, TrainingSet
from translearn_core.techniques.learning import LearnedHead, learn_head

WIDTH = 640  # of the backbone `starter`


@pytest.fixture
def plan(workspace: Path, colour_photos: Path) -> Plan:
    dataset = datasets.import_source(colour_photos, in_place=True, check=False)
    settings = make_settings({"backbone": "starter", "image_size": 32, "hidden_units": 64})
    return make_plan(runs.create_run(dataset.folder, settings, fingerprint=dataset.fingerprint))


def learn(plan: Plan, data: TrainingData) -> LearnedHead:
    return learn_head(plan, TrainingSet.of(data), Techniques(plan), SILENT)


def share_right(learned: LearnedHead, data: TrainingData) -> float:
    rows = data.rows("test")
    answers = predict_rows(learned.head, data.pooled, rows).argmax(axis=1)
    return float((answers == data.labels[rows]).mean())


def clusters(*, classes: int, per_class: int, seed: int) -> tuple[Array, Ints, Array]:
    """Positive features, classes apart in a few of them; the first photos of a class are learned."""
    rng = np.random.default_rng(seed)
    labels = np.tile(np.arange(classes), per_class + 10)
    centres = rng.normal(size=(classes, 24)) @ rng.normal(size=(24, WIDTH)) * 0.075
    features = np.abs(1 + centres[labels] + rng.normal(size=(len(labels), WIDTH)))
    number = np.repeat(np.arange(per_class + 10), classes)
    split = np.where(number < per_class, "train", "test")
    split[number == per_class - 1] = "val"
    return features, labels, split


@pytest.mark.parametrize("given", [False, True])
def test_many_classes_of_few_photos_are_told_apart_as_by_logistic_regression(
    given: bool, plan: Plan
) -> None:
    from sklearn.linear_model import LogisticRegression

    data = training_data(*clusters(classes=40, per_class=5, seed=0), given=given)
    learned = np.isin(data.split, ["train"] if given else ["train", "val"])
    features = data.pooled.take(np.arange(len(data.labels)))
    plain = LogisticRegression(max_iter=300).fit(features[learned], data.labels[learned])
    reached = plain.score(features[data.rows("test")], data.labels[data.rows("test")])
    assert 0.3 < reached < 0.95, "neither trivial nor hopeless"
    ours = learn(plan, data)
    assert share_right(ours, data) >= reached - 0.02
    assert ours.refitted is not given
    assert len(ours.validation.labels) == 40


def test_what_no_line_divides_is_learned_by_the_hidden_layer(plan: Plan) -> None:
    rng = np.random.default_rng(1)
    signs = rng.choice([-1.0, 1.0], size=(600, 2))
    features = rng.normal(0, 0.05, (600, WIDTH))
    features[:, :20] += np.repeat(signs, 10, axis=1)
    labels = (signs.prod(axis=1) > 0).astype(np.int64)
    split = np.array(["train"] * 350 + ["val"] * 50 + ["test"] * 200)
    assert share_right(learn(plan, data := training_data(features, labels, split)), data) > 0.95


def test_the_same_seed_gives_the_same_head(plan: Plan) -> None:
    data = training_data(*clusters(classes=5, per_class=6, seed=2))
    one, other = (learn(plan, data).head.get_weights() for _time in range(2))
    for first, second in zip(one, other, strict=True):
        np.testing.assert_allclose(first, second, atol=1e-5)


@pytest.mark.parametrize(
    ("changes", "widths"),
    [({}, [64 + 2 * 3, 3]), ({"head": "hidden"}, [64, 3]), ({"head": "linear"}, [3])],
)
def test_a_chosen_head_is_obeyed(changes: dict[str, str], widths: list[int], plan: Plan) -> None:
    settings = plan.settings.model_copy(update={"epochs": 2, **changes})
    data = training_data(*clusters(classes=3, per_class=6, seed=3))
    plan = replace(plan, settings=settings)
    head = learn(plan, data).head
    made_ahead = build_head(WIDTH, 3, settings_of_kept_head(plan, 3))
    assert head.get_config() == made_ahead.get_config()
    assert [layer.units for layer in head.layers if hasattr(layer, "units")] == widths


def test_both_halves_together_are_their_mean(plan: Plan) -> None:
    rng = np.random.default_rng(4)
    hidden = build_head(8, 3, plan.settings)
    half = LinearHalf(
        kernel=rng.normal(size=(8, 3)).astype(np.float32),
        bias=rng.normal(size=3).astype(np.float32),
        held_out=np.empty((0, 3)),
        spread_power=0.5,
        penalty=0.1,
        temperature=1.0,
    )
    nobody = ValidationPredictions(probs=np.empty((0, 3), np.float32), labels=np.empty(0, np.int64))
    both = join(plan, hidden, half, nobody).head
    features = rng.normal(size=(5, 8)).astype(np.float32)
    weights = [layer.get_weights() for layer in both.layers if layer.get_weights()]
    joined = DenseHead.of_weights([(pair[0], pair[1]) for pair in weights]).logits(features)
    kernel, bias = hidden.get_layer("head_hidden").get_weights()
    out_kernel, out_bias = hidden.get_layer(OUTPUT).get_weights()
    of_hidden = np.maximum(features @ kernel + bias, 0) @ out_kernel + out_bias
    of_linear = features @ half.kernel + half.bias
    np.testing.assert_allclose(joined, (of_hidden / 1.5 + 2 * of_linear) / 3, atol=1e-5)


@pytest.mark.parametrize("left_plain", [False, True])
def test_a_head_that_is_to_be_adapted_is_less_sure_unless_it_is_left_plain(
    left_plain: bool, plan: Plan
) -> None:
    """A smaller share of the linear half, and a larger penalty."""
    data = training_data(*clusters(classes=4, per_class=10, seed=6))
    settings = plan.settings.model_copy(update={"adapt_to": "elsewhere"})
    training = replace(TrainingSet.of(data), left_plain=left_plain)
    adapted = learn_head(replace(plan, settings=settings), training, Techniques(plan), SILENT)
    usual = learn(plan, data)
    assert adapted.linear_half is not None
    assert usual.linear_half is not None
    if left_plain:
        assert adapted.linear_half == usual.linear_half
    else:
        assert adapted.linear_half["share"] == pytest.approx(1 / 2)
        assert usual.linear_half["share"] == pytest.approx(2 / 3)
        assert adapted.linear_half["penalty"] > usual.linear_half["penalty"]


def test_what_is_said_of_validation_photos_was_not_learned(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where only some of all photos are learned from, too. There is nothing to know in noise."""
    monkeypatch.setattr(linear, "MOST_SAMPLES", 150)
    rng = np.random.default_rng(5)
    labels = rng.integers(0, 2, 200)
    split = np.where(np.arange(200) < 100, "train", "val")
    data = training_data(rng.normal(size=(200, WIDTH)), labels, split)
    half = linear.learn_linear(plan, data, SILENT, with_validation=True)
    right = half.held_out.argmax(axis=1) == labels[data.rows("val")]
    assert right.mean() < 0.7
