"""Getting used to a new place, on features that were moved in a known way."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest

from tests.support.clouds import WIDTH, accuracy, draw_clouds, training_data
from tests.support.photos import draw_photos
from translearn_core import datasets, runs
from translearn_core.datasets.manifest_columns import COLUMNS, with_columns
from translearn_core.errors import StopRequestedError
from translearn_core.evaluation import linear_probe, predictions
from translearn_core.fitting.plan import Plan, make_plan
from translearn_core.graph.assembly import build_head
from translearn_core.monitor import SILENT, Monitor
from translearn_core.run_settings import make_settings
from translearn_core.techniques import domains
from translearn_core.techniques.adaptation import Adaptation
from translearn_core.techniques.adaptation_methods import Coral, coral
from translearn_core.techniques.auto_adaptation import LabelPropagation, _left_plain
from translearn_core.techniques.base import Techniques, TrainingSet
from translearn_core.techniques.domains import Domains
from translearn_core.techniques.extra_samples import UnlabelledSet
from translearn_core.techniques.learning import LearnedHead, learn_head
from translearn_core.techniques.pseudo_labels import surest
from translearn_core.techniques.when_to_adapt import AdaptationCheck

NO_TEST = predictions.TestPredictions(
    test_rows=np.empty(0, np.int64),
    test=np.empty((0, 2)),
    truth=np.empty(0, np.int64),
    val_accuracy=0.75,
)


@pytest.fixture
def plan(workspace: Path, colour_photos: Path, tmp_path: Path) -> Plan:
    dataset = datasets.import_source(colour_photos, in_place=True, check=False)
    there = draw_photos(tmp_path / "there", per_class=5, seed=9)
    wanted = {"backbone": "starter", "image_size": 32, "hidden_units": 16, "epochs": 3}
    settings = make_settings(wanted | {"adapt_to": str(there)})
    return make_plan(runs.create_run(dataset.folder, settings, fingerprint=dataset.fingerprint))


class Heard(Monitor):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def warning(self, text: str) -> None:
        self.said.append(text)


def trained_on_source(source: np.ndarray, labels: np.ndarray, target: np.ndarray) -> np.ndarray:
    """What a linear head of the sorted photos says of the others, with nothing adapted."""
    space = linear_probe.PCASpace.fit(source)
    heads = linear_probe.fit_heads(space, labels, np.ones((1, len(labels)), bool), 2, penalty=0.1)
    return linear_probe.predict_heads(space.transform(target), heads)


def test_coral_gives_sorted_photos_the_mean_and_correlations_of_the_new_place() -> None:
    rng = np.random.default_rng(0)
    turn = rng.normal(0, 1, (WIDTH, WIDTH))
    source = rng.normal(0, 1, (4000, WIDTH)).astype(np.float32)
    target = (rng.normal(0, 1, (4000, WIDTH)) @ turn + 5).astype(np.float32)
    result = coral(source, target)(source)
    assert np.allclose(result.mean(axis=0), target.mean(axis=0), atol=0.05)
    unit = np.trace(np.cov(target, rowvar=False)) / WIDTH
    expected = (np.cov(target, rowvar=False) + unit * np.eye(WIDTH)) / 2  # source: identity, twice
    assert np.allclose(np.cov(result, rowvar=False), expected, atol=0.05 * unit)


def test_coral_changes_nothing_where_the_places_are_the_same() -> None:
    source, _labels = draw_clouds(40, seed=8)
    assert np.allclose(coral(source, source)(source), source, atol=1e-3)


def test_a_head_learned_on_recoloured_photos_answers_the_shifted_place() -> None:
    source, labels = draw_clouds(60, seed=9)
    there, truth = draw_clouds(60, seed=10)
    target = there.copy()
    target[:, 0] += 9  # now everything looks like the first class
    assert accuracy(trained_on_source(source, labels, target), truth) < 0.7
    recoloured = coral(source, target)(source)
    assert accuracy(trained_on_source(recoloured, labels, target), truth) == 1.0


def test_the_surest_of_each_guessed_class_are_kept() -> None:
    sure = np.array([0.9, 0.8, 0.7, 0.6, 0.55, 0.95, 0.85])
    answers = np.stack([sure, 1 - sure], axis=1)
    answers[4:] = answers[4:, ::-1]  # four of one class, three of the other
    assert list(surest(answers, share=0.5)) == [True, True, False, False, False, True, True]
    assert surest(answers, share=0.01).sum() == 2, "of each class one at least"
    assert surest(answers, share=1.0).all()


@pytest.mark.parametrize(("told_apart", "before"), [(0.5, 0.75), (1.0, 0.9)])
def test_the_figures_are_of_photos_that_were_not_learned(
    monkeypatch: pytest.MonkeyPatch, told_apart: float, before: float
) -> None:
    """Both heads learn from the validation photos in the end, and then know them all."""
    known = {"source_accuracy_before": 0.9, "source_accuracy_after": 1.0, "n_source": 9}
    monkeypatch.setattr(Adaptation, "figures", lambda *_: {"adaptation": dict(known)})
    technique = LabelPropagation(cast(Plan, None))
    technique._verdict = AdaptationCheck(
        told_apart=told_apart,
        plain=0.5,
        aligned=0.5,
        agreement_certainty=0,
        diversity=1.0,
        information_certainty=9,
        expected_gain=0,
    )
    figures = technique.figures(NO_TEST)["adaptation"]
    assert figures["source_accuracy_before"] == before
    assert figures["source_accuracy_after"] == NO_TEST.val_accuracy == 0.75


def test_before_is_the_whole_plain_head_which_has_not_learned_what_judges_it(plan: Plan) -> None:
    """There is nothing to know in noise: only photos that were learned are named right."""
    rng = np.random.default_rng(11)
    labels, split = np.arange(160) % 2, np.repeat(["train", "val"], 80)
    data = training_data(rng.normal(size=(160, 640)), labels, split, np.arange(160))
    technique = Coral(plan)
    technique.prepare(TrainingSet.of(data), SILENT)
    before = technique._before
    technique.finalize(before.head)
    figures = technique.figures(NO_TEST)["adaptation"]
    assert before.head.get_layer("head_hidden").units == 16 + 2 * 2, "with its linear half"
    assert figures["source_accuracy_before"] < 0.75
    assert before.unseeing is None, "nobody asks it"


@pytest.mark.parametrize("burst", [1, 6])
def test_bursts_on_either_side_are_no_other_domain(plan: Plan, burst: int) -> None:
    rng = np.random.default_rng(12)
    groups = np.repeat(np.arange(120 // burst), burst)
    source, target = (
        (rng.normal(size=(len(groups), 640))[groups] + rng.normal(0, 0.05, (120, 640))).astype(
            np.float32
        )
        for _side in "st"
    )
    data = training_data(source, groups % 2, np.full(120, "train"), groups)
    frames = pd.DataFrame({"path": [f"{row}.jpg" for row in range(120)], "sha256": groups})
    photos = with_columns(frames.astype({"sha256": str}), COLUMNS)
    others = UnlabelledSet(photos=photos, pooled=target, views=(), groups=groups)
    heard, technique = Heard(), LabelPropagation(plan)
    technique._before = learn_head(plan, TrainingSet.of(data), Techniques(plan), SILENT)
    rows = data.rows("train")
    technique.adapt(Domains(data=data, others=others, rows=rows, stop=lambda: False), heard)
    assert technique.facts()["told_apart"] < 0.8
    assert ["Nothing is adapted" in text for text in heard.said] == [True]


@pytest.mark.parametrize(("share", "words"), [(0.899, "89 %"), (0.57, "57 %")])
def test_a_share_below_the_bound_never_reads_as_the_bound(share: float, words: str) -> None:
    verdict = AdaptationCheck(
        told_apart=share,
        plain=0.5,
        aligned=0.5,
        agreement_certainty=0,
        diversity=1.0,
        information_certainty=0,
        expected_gain=0,
    )
    assert f"(right in {words} of the cases; at least 90 % would be" in _left_plain(verdict)


def test_a_run_left_plain_for_few_classes_says_so() -> None:
    verdict = AdaptationCheck(
        told_apart=1.0,
        plain=0.5,
        aligned=0.5,
        agreement_certainty=0,
        diversity=0.2,
        information_certainty=0,
        expected_gain=0,
    )
    assert "falls into few classes" in _left_plain(verdict)


CLASSES = 4


def adapting(
    plan: Plan,
    *,
    half: dict[str, float],
    unseeing_half: dict[str, float],
    flipped: bool = False,
    stop: Callable[[], bool] = lambda: False,
) -> TrainingSet:
    """What is learned of a place that is stretched and shifted, where the plain head is a new one.

    Args:
        flipped: whether the validation photos have other labels.
    """
    features, labels = draw_clouds(40, classes=CLASSES, seed=1)
    split = np.where(np.arange(len(labels)) % 4 == 0, "val", "train")
    there = draw_clouds(20, classes=CLASSES, seed=2, noise=2.0)[0]  # their centres hang on all
    there = (there * np.linspace(0.5, 2.0, WIDTH) + np.linspace(-9, 9, WIDTH)).astype(np.float32)
    given = np.where(flipped & (split == "val"), (labels + 1) % CLASSES, labels)
    frames = pd.DataFrame({"path": [f"{row}.jpg" for row in range(len(there))]})
    frames["sha256"] = frames["path"]
    photos = with_columns(frames, COLUMNS)
    head = build_head(WIDTH, CLASSES, plan.settings.model_copy(update={"head": "linear"}))
    technique = LabelPropagation(plan)
    technique._before = LearnedHead(
        head=head,
        epochs=1,
        val_accuracy=None,
        validation=predictions.ValidationPredictions(
            probs=np.empty((0, CLASSES)), labels=np.empty(0, np.int64)
        ),
        refitted=True,
        linear_half=half,
        unseeing=head,
        unseeing_half=unseeing_half,
    )
    data = training_data(features, given, split)
    both = Domains(
        data=data,
        others=UnlabelledSet(photos=photos, pooled=there, views=()),
        rows=data.rows("train"),
        stop=stop,
    )
    return technique.adapt(both, SILENT)


def targets_of(training: TrainingSet) -> tuple[np.ndarray, np.ndarray]:
    """What is learned of the photos of the new place, until validation photos have judged and then."""
    assert training.joined is not None
    first, then = training.data.targets, training.joined.targets
    assert first is not None
    assert then is not None
    return first[-20 * CLASSES :], then[-20 * CLASSES :]


def test_until_validation_photos_have_judged_nothing_that_learned_from_them_is_asked(
    plan: Plan,
) -> None:
    usual, other = {"penalty": 0.1, "temperature": 1.0}, {"penalty": 0.3, "temperature": 2.5}
    first, then = targets_of(adapting(plan, half=usual, unseeing_half=usual))
    for changes in ({"half": other}, {"flipped": True}):
        given: dict[str, Any] = {"half": usual, "unseeing_half": usual}
        first_of_others, then_of_others = targets_of(adapting(plan, **given | changes))
        np.testing.assert_array_equal(first_of_others, first)
        assert np.abs(then_of_others - then).max() > 1e-4
    changed, kept = targets_of(adapting(plan, half=usual, unseeing_half=other))
    assert np.abs(changed - first).max() > 1e-4
    np.testing.assert_array_equal(kept, then)


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.8, 0.999])
def test_a_stop_ends_adaptation_wherever_it_is_asked_for(plan: Plan, share: float) -> None:
    total = asked_in_all(plan)
    assert total > 5_000, "in each round of each sample"
    stop_at = int(share * total)
    assert asked_before_the_end(plan, HALF, stop_at) == stop_at + 1


HALF = {"penalty": 0.1, "temperature": 1.0}
ASKED_IN_ALL: list[int] = []


def asked_in_all(plan: Plan) -> int:
    """The same for every plan, so counted once."""
    if not ASKED_IN_ALL:
        ASKED_IN_ALL.append(asked_before_the_end(plan, HALF, None))
    return ASKED_IN_ALL[0]


def asked_before_the_end(plan: Plan, half: dict[str, float], stop_at: int | None) -> int:
    """How often it is asked whether to stop, until that is so or to the end."""
    asked = 0

    def stop() -> bool:
        nonlocal asked
        asked += 1
        return asked - 1 == stop_at

    with nullcontext() if stop_at is None else pytest.raises(StopRequestedError):
        adapting(plan, half=half, unseeing_half=half, stop=stop)
    return asked


def test_of_a_large_place_as_many_photos_are_adapted_to_as_may_be(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(domains, "MOST_CELLS", 24)
    rng = np.random.default_rng(0)
    labels, split = np.arange(40) % 3, np.repeat(["train", "val"], 20)
    data = training_data(rng.normal(size=(40, 640)), labels, split)
    technique = LabelPropagation(plan)
    assert technique.most_unlabelled() == max(24 // 3, domains.LEAST_OF_CLASS * 3)
    monkeypatch.setattr(domains, "LEAST_OF_CLASS", 4)
    technique.prepare(TrainingSet.of(data), SILENT)
    assert len(technique._domains.others) == 12
    assert Coral(plan).most_unlabelled() is None
