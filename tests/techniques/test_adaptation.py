"""Getting used to a new place, on features that were moved in a known way."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import numpy as np
import pytest

from tests.support.clouds import WIDTH, accuracy, draw_clouds
from translearn_core.evaluation import linear_probe, predictions
from translearn_core.fitting.plan import Plan
from translearn_core.techniques.adaptation import Adaptation, LabelPropagation, coral, surest
from translearn_core.techniques.balanced_alignment import AdaptationCheck


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


def test_where_nothing_is_adapted_the_figure_is_of_photos_that_were_not_learned(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The plain head learns from the validation photos in the end, and then knows them all."""
    known = {"source_accuracy_before": 1.0, "source_accuracy_after": 1.0, "n_source": 9}
    monkeypatch.setattr(Adaptation, "figures", lambda *_: {"adaptation": dict(known)})
    technique = LabelPropagation(cast(Plan, None))
    technique._verdict = AdaptationCheck(
        told_apart=0.5,
        plain=0.5,
        aligned=0.5,
        agreement_certainty=0,
        information_certainty=9,
        expected_gain=0,
    )
    empty = np.empty(0, np.int64)
    test = predictions.TestPredictions(
        test_rows=empty, test=np.empty((0, 2)), truth=empty, val_accuracy=0.75
    )
    figures = technique.figures(test)["adaptation"]
    assert figures["source_accuracy_before"] == figures["source_accuracy_after"] == 0.75
    technique._verdict = replace(technique._verdict, told_apart=1.0)
    assert technique.figures(test)["adaptation"] == known
